import type { FlagChanges } from './manifest.ts';
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
}

/** The watch after one more look. The same value when nothing is new, so that an idle watch writes nothing. */
export function followWatch(watch: Watch, look: Look, now: number, options: WatchOptions): Watch {
  const fresh = look.processes.filter((process) => hasArguments(process, watch));
  const oldRuns = look.processes.length > fresh.length;
  const alive = new Set(look.processes.map((process) => process.key));
  const known = watch.processes.map((process) =>
    alive.has(process.key) || process.gone ? process : { ...process, gone: true },
  );
  const added = fresh
    .filter((process) => !watch.processes.some((seen) => seen.key === process.key))
    .map((process) => ({ key: process.key, seenAt: now, gone: false }));
  const processes = [...known, ...added];

  const newest = look.processes.at(-1);
  const current = processes.find((process) => process.key === newest?.key && !process.gone);
  const settled = current !== undefined && now - current.seenAt >= options.settleMs;
  const works =
    current !== undefined &&
    (watch.component === 'kubelet' ? look.healthy !== false && settled : (look.healthy ?? settled));
  const provenAt = watch.provenAt ?? (works ? now : null);

  const same =
    added.length === 0 && known.every((process, i) => process === watch.processes[i]) && provenAt === watch.provenAt;
  return same && !oldRuns
    ? watch
    : { ...watch, processes, provenAt, oldSeenAt: oldRuns && added.length === 0 ? now : watch.oldSeenAt };
}

const hasArguments = (process: HostProcess, watch: Watch): boolean =>
  watch.changes.every((change) => (process.flags[change.flag] ?? null) === change.after);

export type Judgement =
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
      why: `${watch.component} exited ${crashes} times within ${seconds(now - watch.editedAt)} of the change`,
    };
  }
  if (watch.provenAt !== null) return now - watch.editedAt >= options.youngForMs ? { is: 'Done' } : { is: 'Young' };

  const waited = now - Math.max(watch.editedAt, watch.oldSeenAt);
  if (waited >= options.undoAfterMs || now - watch.editedAt >= MOST_TIMEOUTS * options.undoAfterMs) {
    return {
      is: 'Undo',
      why: `${watch.component} ${stateText(watch)} ${seconds(now - watch.editedAt)} after the change`,
    };
  }
  return { is: 'InFlight', why: `${watch.component} ${stateText(watch)} yet` };
}

export const crashesOf = (watch: Watch): number => watch.processes.filter((process) => process.gone).length;

export const changesOf = (watch: Watch): FlagChanges =>
  Object.fromEntries(watch.changes.map((change) => [change.flag, change.after]));

export const reversedChanges = (watch: Watch): FlagChanges =>
  Object.fromEntries(watch.changes.map((change) => [change.flag, change.before]));

/** `--flag=value`, or `no --flag`: the edit in the words of a command line. */
export const changeText = (changes: FlagChanges): string =>
  Object.entries(changes)
    .map(([flag, value]) => (value === null ? `no --${flag}` : `--${flag}=${value}`))
    .join(' ');

export const isStaticPod = (component: Component): component is Exclude<Component, 'kubelet'> =>
  component !== 'kubelet';

function stateText(watch: Watch): string {
  if (watch.processes.length === 0) return 'has not been seen running with the new arguments';
  return watch.processes.some((process) => !process.gone) ? 'runs and has not answered as healthy' : 'is not running';
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
