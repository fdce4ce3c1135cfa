import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = '/sys/fs/cgroup';
/** Controllers that a kubelet wants on a machine with cgroup v2 alone. */
const V2_CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'pids'];

/** One hierarchy of this machine, and where in it this process is. */
export interface Hierarchy {
  /** Mount point below /sys/fs/cgroup; empty for cgroup v2 alone, which is mounted there itself. */
  readonly name: string;
  readonly type: 'cgroup' | 'cgroup2';
  /** Mount options that choose the hierarchy, for example `cpu,cpuacct` or `none,name=systemd`. */
  readonly options: string;
  /** Folder of this process's own cgroup. */
  readonly folder: string;
}

export const hierarchies = (): readonly Hierarchy[] =>
  parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), readFileSync('/proc/self/cgroup', 'utf8'));

/** From the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`. */
export function parseHierarchies(mountInfo: string, ownCgroups: string): readonly Hierarchy[] {
  const own = new Map(
    ownCgroups
      .split('\n')
      .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, controllers = '', path = '']) => [controllers, path] as const),
  );
  return mountInfo.split('\n').flatMap((line): readonly Hierarchy[] => {
    const match = /^\d+ \d+ \S+ \S+ (\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(line);
    const [, mountPoint = '', type, superOptions = ''] = match ?? [];
    if (!mountPoint.startsWith(ROOT) || (type !== 'cgroup' && type !== 'cgroup2')) return [];
    const name = mountPoint.slice(ROOT.length + 1);
    const named = /(?:^|,)(name=[^,]+)/.exec(superOptions)?.[1];
    const key = [...own.keys()].find((controllers) =>
      type === 'cgroup2'
        ? controllers === ''
        : controllers === (named ?? name) || (named === undefined && sameSet(controllers, name)),
    );
    if (key === undefined) return [];
    const options = named === undefined ? key : `none,${named}`;
    return [{ name, type, options, folder: join(mountPoint, own.get(key) ?? '/') }];
  });
}

const sameSet = (a: string, b: string): boolean => a.split(',').sort().join() === b.split(',').sort().join();

/** Folders of a node's own cgroups, one in each hierarchy. They become the root that the node sees. */
export function nodeCgroups(all: readonly Hierarchy[], name: string): readonly string[] {
  // A cgroup v2 that holds processes can hand no controllers on, unless it is the root.
  return all.map((hierarchy) => join(hierarchy.name === '' ? ROOT : hierarchy.folder, name));
}

export function makeCgroups(folders: readonly string[]): void {
  for (const folder of folders) {
    const parent = join(folder, '..');
    if (parent === ROOT) handControllersOn();
    mkdirSync(folder, { recursive: true });
    // A cpuset without processors and memory takes no process.
    if (existsSync(join(folder, 'cgroup.clone_children')) && existsSync(join(folder, 'cpuset.mems'))) {
      for (const file of ['cpuset.cpus', 'cpuset.mems']) copyText(join(parent, file), join(folder, file));
      writeFileSync(join(folder, 'cgroup.clone_children'), '1');
    }
  }
}

const copyText = (from: string, to: string): void => writeFileSync(to, readFileSync(from));

function handControllersOn(): void {
  for (const controller of V2_CONTROLLERS) {
    try {
      writeFileSync(join(ROOT, 'cgroup.subtree_control'), `+${controller}`);
    } catch {
      // This kernel does not have it: the kubelet says so if it matters.
    }
  }
}

const REMOVE_DEADLINE_MS = 10_000;
const RETRY_MS = 50;

/** Removes the folders and all below them. The kernel needs a moment after the last process has died. */
export async function removeCgroups(folders: readonly string[]): Promise<void> {
  const deadline = Date.now() + REMOVE_DEADLINE_MS;
  let left = folders.filter((folder) => !removeTree(folder));
  while (left.length > 0) {
    if (Date.now() > deadline)
      throw new Error(`cgroups still in use after ${REMOVE_DEADLINE_MS} ms: ${left.join(', ')}`);
    await sleep(RETRY_MS);
    left = left.filter((folder) => !removeTree(folder));
  }
}

/** Whether it is gone. */
function removeTree(folder: string): boolean {
  if (!existsSync(folder)) return true;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory() && !removeTree(join(folder, entry.name))) return false;
  }
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
