import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hierarchy } from './cgroups.ts';
import { makeCgroups, nodeCgroups, removeCgroups } from './cgroups.ts';
import { type Outcome, type RunOptions, run, tryRun } from './run.ts';

const BOOT_SCRIPT = join(import.meta.dirname, 'boot.sh');
const BOOT_DEADLINE_MS = 90_000;
const POLL_MS = 20;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const NAMESPACES = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--time'];

/** Enters the cgroups given as arguments before `--`, then becomes the command after it. */
const ENTER_CGROUPS = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"';

export interface MachineOptions {
  readonly name: string;
  /** Name of its cgroups: no other node on this machine has it. */
  readonly cgroup: string;
  readonly disk: string;
  /** What it says while it boots, and systemd's own messages. */
  readonly logFile: string;
  readonly hierarchies: readonly Hierarchy[];
}

/**
 * One computer: mount, network, process, host name, IPC, cgroup and time namespaces of its own, with systemd as process 1.
 * It dies with the process that started it.
 */
export class Machine {
  readonly #options: MachineOptions;
  readonly cgroups: readonly string[];
  #unshare: ChildProcess | undefined;
  #pid: number | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.cgroups = nodeCgroups(options.hierarchies, options.cgroup);
  }

  get isOn(): boolean {
    return this.#pid !== undefined;
  }

  /** Process 1, as this process's own PID namespace numbers it. */
  get pid(): number {
    if (this.#pid === undefined) throw new Error(`${this.#options.name} is switched off: call powerOn() first`);
    return this.#pid;
  }

  /** Boots. `connect` gives it its network, before anything runs on it that would want one. */
  async powerOn(connect: (pid: number) => Promise<void>): Promise<void> {
    if (this.isOn) throw new Error(`${this.#options.name} is on already`);
    makeCgroups(this.cgroups);
    const unshare = this.#spawn();
    this.#unshare = unshare;
    unshare.once('exit', () => {
      if (this.#unshare === unshare) this.#pid = undefined;
    });
    const mounted = until(unshare, 'mounted');
    this.#pid = await childOf(unshare, this.#options);
    await Promise.all([connect(this.#pid), mounted]);
    unshare.stdin?.end('boot\n');
    await this.#systemdReady();
  }

  /** As if the plug was pulled: no process hears of it. */
  async powerOff(): Promise<void> {
    const unshare = this.#unshare;
    const pid = this.#pid;
    this.#unshare = undefined;
    this.#pid = undefined;
    if (unshare !== undefined && unshare.exitCode === null && unshare.signalCode === null) {
      unshare.kill('SIGKILL');
      await once(unshare, 'exit');
    }
    if (pid !== undefined) await gone(pid);
    await removeCgroups(this.cgroups);
  }

  exec(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return tryRun([...this.#enter(), ...argv], options);
  }

  /** Processes whose arguments match, containers' too, as this process's own PID namespace numbers them. */
  pids(command: RegExp): readonly number[] {
    const within = `/${this.#options.cgroup}/`;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/u.test(name) && readOrNothing(`/proc/${name}/cgroup`).includes(within))
      .filter((name) => command.test(readOrNothing(`/proc/${name}/cmdline`).replaceAll('\0', ' ')))
      .map(Number);
  }

  async #systemdReady(): Promise<void> {
    const deadline = Date.now() + BOOT_DEADLINE_MS;
    while ((await this.exec(['systemctl', 'is-active', '--quiet', 'node.target'])).code !== 0) {
      if (Date.now() > deadline || !this.isOn) {
        throw new Error(
          `${this.#options.name} did not boot:\n${readFileSync(this.#options.logFile, 'utf8').slice(-2000)}`,
        );
      }
      await sleep(POLL_MS);
    }
  }

  #enter(): readonly string[] {
    const nsenter = ['nsenter', '--target', String(this.pid), ...NAMESPACES, '--'];
    const env = ['env', '-i', `PATH=${PATH}`, 'HOME=/root', 'LANG=C.UTF-8', 'KUBECONFIG=/etc/kubernetes/admin.conf'];
    return [...nsenter, ...env];
  }

  #spawn(): ChildProcess {
    const { disk, name, hierarchies, logFile } = this.#options;
    // A computer's clocks begin when it is switched on.
    const upTime = -Math.floor(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]));
    const clocks = ['--boottime', String(upTime), '--monotonic', String(upTime)];
    const bound = ['--fork', '--kill-child', '--propagation', 'private'];
    const unshare = ['setpriv', '--pdeathsig', 'KILL', 'unshare', ...NAMESPACES, ...clocks, ...bound];
    // Bash takes a socket on its input for a remote login, and would read the user's own settings.
    const boot = ['bash', '--norc', BOOT_SCRIPT, disk, name, randomUUID()];
    const cgroups = hierarchies.map((each) => `${each.type}:${each.name}:${each.options}`);
    const log = openSync(logFile, 'a');
    try {
      return spawn('sh', ['-c', ENTER_CGROUPS, name, ...this.cgroups, '--', ...unshare, ...boot, ...cgroups], {
        stdio: ['pipe', 'pipe', log],
        // A session of its own, so that Ctrl-C reaches the owner alone, which then stops things in order.
        detached: true,
        env: { PATH, HOME: '/root' },
      });
    } finally {
      closeSync(log);
    }
  }
}

/** A process may end while it is looked at. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Until the process says this line. What it says later goes nowhere. */
async function until(child: ChildProcess, word: string): Promise<void> {
  const { stdout } = child;
  if (stdout === null) throw new Error('its output is not piped');
  for await (const line of createInterface({ input: stdout })) if (line === word) break;
  stdout.resume();
}

async function childOf(parent: ChildProcess, { name, logFile }: MachineOptions): Promise<number> {
  const deadline = Date.now() + BOOT_DEADLINE_MS;
  for (;;) {
    const pid = Number(children(parent.pid ?? 0).split(' ')[0]);
    if (pid > 0) return pid;
    if (parent.exitCode !== null || Date.now() > deadline) {
      throw new Error(`${name} cannot be started: ${readFileSync(logFile, 'utf8').trim().slice(-2000)}`);
    }
    await sleep(POLL_MS);
  }
}

function children(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  } catch {
    return '';
  }
}

async function gone(pid: number): Promise<void> {
  const deadline = Date.now() + BOOT_DEADLINE_MS;
  while (isAlive(pid)) {
    if (Date.now() > deadline) throw new Error(`process ${pid} does not end`);
    await sleep(POLL_MS);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Runs `ip` with one command a line, in the network namespace of a process. */
export async function ip(pid: number, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  await run(['nsenter', '--target', String(pid), '--net', 'ip', '-batch', '-'], { input: `${commands.join('\n')}\n` });
}
