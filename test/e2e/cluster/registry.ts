import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from '../../../hack/binaries.mjs';
import { removeCgroups } from './cgroups.ts';
import { raiseLimits, restoreLimits } from './limits.ts';
import { run } from './run.ts';

const RECORD = 'owner.json';
const KILL_DEADLINE_MS = 10_000;
const POLL_MS = 20;
const ROOM_POLL_MS = 500;

/** A process for good: its number is used again, its number and start time together are not. */
export interface ProcessKey {
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly started: number;
}

interface OwnerRecord {
  readonly owner: ProcessKey;
  readonly subnet: number;
  readonly cgroups: readonly string[];
  readonly processes: readonly ProcessKey[];
}

/** A cluster's own folder, with the record of what else on this machine is its. */
export interface Place {
  readonly id: string;
  readonly folder: string;
  /** From 1 to 250, different from those of other clusters on this machine. */
  readonly subnet: number;
  /** Must be told before they are made, so that a later start knows what to remove. */
  recordCgroups(folders: readonly string[]): void;
  recordProcess(pid: number): void;
  remove(): Promise<void>;
}

/** Where clusters live: beside the binaries' cache, so that one file can be in several places of one file system. */
export const clustersFolder = (env = process.env): string => join(dirname(cacheFolder(env)), 'clusters');

export function newPlace(keep: boolean): Place {
  const id = randomBytes(3).toString('hex');
  const folder = join(clustersFolder(), id);
  const taken = new Set(readRecords().map(({ record }) => record.subnet));
  const free = Array.from({ length: 250 }, (_, i) => i + 1).filter((subnet) => !taken.has(subnet));
  const subnet = free[randomInt(free.length)] ?? 1;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  raiseLimits(clustersFolder());
  let record: OwnerRecord = { owner: keyOf(process.pid), subnet, cgroups: [], processes: [] };
  const write = (change: Partial<OwnerRecord>): void => {
    record = { ...record, ...change };
    const file = join(folder, RECORD);
    writeFileSync(`${file}.new`, JSON.stringify(record));
    renameSync(`${file}.new`, file);
  };
  write({});
  return {
    id,
    folder,
    subnet,
    recordCgroups: (folders) => write({ cgroups: [...new Set([...record.cgroups, ...folders])] }),
    recordProcess: (pid) => write({ processes: [...record.processes, keyOf(pid)] }),
    remove: async () => {
      await removeCgroups(record.cgroups);
      await (keep ? run(['rm', '-f', join(folder, RECORD)]) : removeFolder(folder));
      if (readRecords().length === 0) restoreLimits(clustersFolder());
    },
  };
}

/**
 * Waits while as many clusters run on this machine as it can carry: `E2E_CLUSTERS_AT_ONCE`, or one for each two processors and at least one.
 * More than that and all of them fail for lack of time.
 */
export async function waitForRoom(log: (line: string) => void, env = process.env): Promise<void> {
  const room = Number(env['E2E_CLUSTERS_AT_ONCE'] ?? Math.max(1, Math.floor(availableParallelism() / 2)));
  let told = false;
  for (;;) {
    const running = readRecords().filter(({ record }) => isRunning(record.owner));
    if (running.length < room) return;
    if (!told) log(`waiting: ${running.length} other clusters run here (${running.map(({ id }) => id).join(', ')})`);
    told = true;
    await sleep(ROOM_POLL_MS + randomInt(ROOM_POLL_MS));
  }
}

/** Removes what clusters left behind whose owner is gone. Returns their names. */
export async function sweep(): Promise<readonly string[]> {
  const left = readRecords().filter(({ record }) => !isRunning(record.owner));
  for (const { folder, record } of left) {
    await killAll(record.processes);
    await removeCgroups(record.cgroups);
    await removeFolder(folder);
  }
  if (left.length > 0 && readRecords().length === 0) restoreLimits(clustersFolder());
  return left.map(({ id }) => id);
}

function readRecords(): readonly { readonly id: string; readonly folder: string; readonly record: OwnerRecord }[] {
  if (!existsSync(clustersFolder())) return [];
  return readdirSync(clustersFolder()).flatMap((id) => {
    const folder = join(clustersFolder(), id);
    try {
      return [{ id, folder, record: JSON.parse(readFileSync(join(folder, RECORD), 'utf8')) as OwnerRecord }];
    } catch {
      // Being made, being removed, or kept by wish.
      return [];
    }
  });
}

/** Nodes die with their owner by themselves; this is for those that a kernel has not got round to yet. */
async function killAll(keys: readonly ProcessKey[]): Promise<void> {
  const deadline = Date.now() + KILL_DEADLINE_MS;
  for (;;) {
    const alive = keys.filter(isRunning);
    if (alive.length === 0) return;
    for (const key of alive) endProcess(key);
    if (Date.now() > deadline)
      throw new Error(`processes of a former test cluster do not end: ${alive.map(({ pid }) => pid).join(', ')}`);
    await sleep(POLL_MS);
  }
}

function endProcess({ pid }: ProcessKey): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended since it was looked at.
  }
}

/** The record goes last: without it nobody would know later whose the rest is. Never across a mount: what is mounted there is not ours to delete. */
async function removeFolder(folder: string): Promise<void> {
  const others = existsSync(folder) ? readdirSync(folder).filter((name) => name !== RECORD) : [];
  await run(['rm', '-rf', '--one-file-system', ...others.map((name) => join(folder, name))]);
  await run(['rm', '-rf', '--one-file-system', folder]);
}

export const isRunning = (key: ProcessKey): boolean => startTicks(key.pid) === key.started;

function keyOf(pid: number): ProcessKey {
  const started = startTicks(pid);
  if (started === undefined) throw new Error(`process ${pid} is not running`);
  return { pid, started };
}

function startTicks(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}
