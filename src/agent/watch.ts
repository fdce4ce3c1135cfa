import type { StaticPod } from '../model/host.ts';
import { canonicalText } from './canonical.ts';
import type { FlagChanges } from './manifest.ts';
import type { ContainerLog } from './pod-logs.ts';
import type { HostProcess } from './procfs.ts';
import type { Component, Watch } from './journal.ts';

export interface WatchOptions {
  /** Milliseconds after which an edit that has not proven to work is undone, counted from when the old process was gone. */
  readonly undoAfterMs: number;
  /** As many crashes since the edit undo it at once. */
  readonly crashLimit: number;
  /**
   * Milliseconds for which crashes are counted after an edit that works. A controller manager checks some of its flags only
   * when it becomes the leader, which may be minutes later.
   */
  readonly youngForMs: number;
  /** Milliseconds that a process must stay up where no endpoint can tell more. */
  readonly settleMs: number;
}

export const WATCH_DEFAULTS: WatchOptions = {
  undoAfterMs: 180_000,
  crashLimit: 3,
  youngForMs: 600_000,
  settleMs: 10_000,
};

/** A kubelet that never picks up a manifest leaves the old process running: then this many time-outs are enough. */
const MOST_TIMEOUTS = 3;

/** What one look at a component shows. */
export interface Look {
  readonly processes: readonly HostProcess[];
  /** Null: nobody could be asked. */
  readonly healthy: boolean | null;
  /** None where the log is the host's journal. */
  readonly logs: readonly ContainerLog[];
}

/** One that is another's child ends with it: `parent/child` is then no crash of its own. */
export const childKey = (parent: HostProcess, child: HostProcess): string => `${parent.key}/${child.key}`;
const parentOf = (key: string): string | null => (key.includes('/') ? (key.split('/')[0] ?? null) : null);

/** The watch after one more look. The same value when nothing is new, so that an idle watch writes nothing. */
export function followWatch(before: Watch, look: Look, now: number, options: WatchOptions): Watch {
  const watch = before.logsBefore === null ? { ...before, logsBefore: restartsOf(look.logs) } : before;
  const fresh = look.processes.filter((process) => hasArguments(process, watch));
  const oldRuns = look.processes.length > fresh.length;
  const ended = endedRun(watch, look);
  const known = watch.processes.map((process) =>
    process.gone || look.processes.some((running) => running.key === process.key)
      ? process
      : { ...process, gone: true, excused: LOST_LEASE.test(ended?.lastWords ?? '') || isOrphan(process.key, look) },
  );
  const added = fresh
    .filter((process) => !watch.processes.some((seen) => seen.key === process.key))
    .map((process) => ({ key: process.key, seenAt: now, gone: false, excused: false }));
  const processes = [...known, ...added];
  const provenAt = watch.provenAt ?? (works(watch, processes, look, now, options) ? now : null);

  const next: Watch = {
    ...watch,
    processes,
    provenAt,
    exits: provenAt === null ? Math.max(watch.exits, ended?.exits ?? 0) : watch.exits,
    lastWords: ended?.lastWords ?? watch.lastWords,
    oldSeenAt: oldRuns && added.length === 0 ? now : watch.oldSeenAt,
    k0s:
      watch.k0s === null
        ? null
        : { ...watch.k0s, downSince: look.processes.length > 0 ? null : (watch.k0s.downSince ?? now) },
  };
  return canonicalText(next) === canonicalText(before) ? before : next;
}

function isOrphan(key: string, { processes }: Look): boolean {
  const parent = parentOf(key);
  return parent !== null && !processes.some((running) => running.key === parent);
}

/** Restarts by uid of the Pod: what an edit finds, so that only later runs are taken for its own. */
export const restartsOf = (logs: readonly ContainerLog[]): Readonly<Record<string, number>> =>
  Object.fromEntries(logs.map((log) => [log.uid, log.restarts]));

/**
 * A watch whose times mean nothing any more: the host was booted since. Everything was started again then, so the count begins again too, and
 * what ended with the host does not count as a crash.
 */
export const restartCount = (watch: Watch, now: number): Watch => ({
  ...watch,
  editedAt: now,
  oldSeenAt: now,
  logsBefore: null,
  processes: watch.processes.map((process) => ({
    ...process,
    seenAt: now,
    gone: true,
    excused: process.excused || !process.gone,
  })),
  provenAt: watch.provenAt === null ? null : now,
  k0s: watch.k0s === null ? null : { ...watch.k0s, downSince: null },
});

/** Losing a Lease ends a controller manager by design, whatever its flags. */
const LOST_LEASE = /leaderelection lost|leader election lost/i;

/** What the log folders tell of runs that began since the edit and ended. */
function endedRun(watch: Watch, look: Look): { readonly exits: number; readonly lastWords: string } | null {
  const before = watch.logsBefore ?? {};
  const log = look.logs
    .filter((entry) => entry.restarts > (before[entry.uid] ?? -1))
    .sort((a, b) => a.beganAt - b.beganAt)
    .at(-1);
  if (log === undefined) return null;
  const begun = log.restarts - (before[log.uid] ?? -1);
  const runs = look.processes.length > 0;
  if (runs && begun === 1) return null;
  return { exits: runs ? begun - 1 : begun, lastWords: runs ? log.lastBefore : log.last };
}

function works(watch: Watch, processes: Watch['processes'], look: Look, now: number, options: WatchOptions): boolean {
  const newest = look.processes.at(-1);
  const current = processes.find((process) => process.key === newest?.key && !process.gone);
  if (current === undefined) return false;
  const upFor = now - current.seenAt;
  if (look.healthy === null) return upFor >= options.settleMs;
  return look.healthy && (watch.component !== 'kubelet' || upFor >= Math.min(KUBELET_UP_MS, options.settleMs));
}

/** A kubelet that does not like its arguments may answer once before it exits, and then within a second. */
const KUBELET_UP_MS = 2_000;

/** Of k0s no argument tells what it read: one that began since has read the new text. */
const hasArguments = (process: HostProcess, watch: Watch): boolean =>
  watch.k0s === null ? hasFlags(process, watch) : process.key !== watch.k0s.oldProcess;

const hasFlags = (process: HostProcess, watch: Watch): boolean =>
  watch.changes.every((change) => (process.flags[change.flag] ?? null) === change.after);

/** systemd may start a k0s that refused its configuration again after 120 s only (`RestartSec`: github.com/k0sproject/k0s/pull/588). */
const K0S_DOWN_MS = 20_000;

type Judgement =
  /** Not yet proven to work. */
  | { readonly is: 'InFlight'; readonly why: string }
  /** Works; crashes are still counted. */
  | { readonly is: 'Young' }
  | { readonly is: 'Done' }
  | { readonly is: 'Undo'; readonly why: string };

export function judgeWatch(watch: Watch, now: number, options: WatchOptions): Judgement {
  if (watch.undoing !== null) return { is: 'Undo', why: watch.undoing };
  const crashes = crashesOf(watch);
  if (crashes >= options.crashLimit) {
    return {
      is: 'Undo',
      why: `${watch.component} exited ${crashes} times within ${seconds(now - watch.editedAt)} of the change${lastWordsOf(watch)}`,
    };
  }
  if (watch.provenAt !== null) return now - watch.editedAt >= options.youngForMs ? { is: 'Done' } : { is: 'Young' };
  const downSince = watch.k0s?.downSince ?? null;
  if (downSince !== null && now - downSince >= K0S_DOWN_MS) {
    return { is: 'Undo', why: `k0s ended and has not run for ${seconds(now - downSince)}` };
  }

  const waited = now - Math.max(watch.editedAt, watch.oldSeenAt);
  if (waited >= options.undoAfterMs || now - watch.editedAt >= MOST_TIMEOUTS * options.undoAfterMs) {
    return {
      is: 'Undo',
      why: `${watch.component} ${stateText(watch)} ${seconds(now - watch.editedAt)} after the change${lastWordsOf(watch)}`,
    };
  }
  return { is: 'InFlight', why: `${watch.component} ${stateText(watch)} yet` };
}

const crashesOf = (watch: Watch): number =>
  Math.max(watch.exits, watch.processes.filter((process) => process.gone && !process.excused).length);

export const reversedChanges = (watch: Watch): FlagChanges =>
  Object.fromEntries(watch.changes.map((change) => [change.flag, change.before]));

/** `--flag=value`, or `no --flag`: the edit in the words of a command line; of k0s, in those of its file. */
export const changeText = (changes: FlagChanges): string =>
  Object.entries(changes)
    .map(([flag, value]) => {
      if (isK0sSetting(flag)) return value === null ? `no ${flag}` : `${flag}: ${value}`;
      return value === null ? `no --${flag}` : `--${flag}=${value}`;
    })
    .join(' ');

/** Flags have no dots. */
const isK0sSetting = (flag: string): boolean => flag.includes('.');

export const isStaticPod = (component: Component): component is StaticPod =>
  component !== 'kubelet' && component !== 'k0s';

function stateText(watch: Watch): string {
  if (watch.processes.length === 0) {
    return watch.k0s === null ? 'has not been seen running with the new arguments' : 'has not started again';
  }
  return watch.processes.some((process) => !process.gone) ? 'runs and has not answered as healthy' : 'is not running';
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

const lastWordsOf = (watch: Watch): string => (watch.lastWords === '' ? '' : ` (last words: ${watch.lastWords})`);
