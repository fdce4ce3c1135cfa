import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { tryRun } from './run.ts';

/** Programs of the machine itself, each with the Debian package that has it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  bash: 'bash',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  fsfreeze: 'util-linux',
  mount: 'mount',
  ip: 'iproute2',
  'mkfs.ext4': 'e2fsprogs',
  systemctl: 'systemd',
  'dbus-daemon': 'dbus',
};
const SYSTEMD = '/lib/systemd/systemd';

/** What this machine lacks for clusters of real kubelets, each with what to do; empty: they run here. */
export async function missingHere(): Promise<readonly string[]> {
  if (process.platform !== 'linux') return [`Linux is needed, this is ${process.platform}`];
  if (process.getuid?.() !== 0) return ['root is needed for namespaces, mounts and cgroups: run it with sudo'];
  const programs = Object.entries(PROGRAMS)
    .filter(([program]) => !isOnPath(program))
    .map(([program, pack]) => `${program} is not installed: on Debian and Ubuntu it is in the package ${pack}`);
  const systemd = existsSync(SYSTEMD) ? [] : [`${SYSTEMD} is not there: install systemd (it need not be running)`];
  const cgroups = existsSync('/sys/fs/cgroup') ? [] : ['/sys/fs/cgroup is not there: mount cgroups'];
  const tools = [...programs, ...systemd, ...cgroups];
  return tools.length > 0 ? tools : await deniedHere();
}

/** Tried, not guessed: a container's root may lack the right to any of these. */
async function deniedHere(): Promise<readonly string[]> {
  const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--time', '--fork'];
  const script = 'mount -t proc proc /proc && mount -t tmpfs tmpfs /mnt && ip link add probe0 type bridge';
  const { code, stderr } = await tryRun(['unshare', ...namespaces, 'sh', '-c', script]);
  return code === 0
    ? []
    : [
        `new namespaces with mounts and a bridge are denied here (${stderr.trim()}): run it on a machine or in a privileged container`,
      ];
}

/** Whether real kubelets run here; tells on stderr what is missing, so that a skipped test is not a silent one. */
export async function canRunHere(): Promise<boolean> {
  const missing = await missingHere();
  if (missing.length > 0)
    process.stderr.write(`skipped, real kubelets do not run here:\n${missing.map((line) => `  - ${line}\n`).join('')}`);
  return missing.length === 0;
}

function isOnPath(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
