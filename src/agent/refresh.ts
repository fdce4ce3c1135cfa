import { refusals } from './act.ts';
import { sha256 } from './files.ts';
import type { HostFiles } from './files.ts';
import type { HostView } from './host.ts';
import { withoutInterim } from './interim.ts';
import { k0sProcesses } from './k0s.ts';
import type { Journal, Watch } from './journal.ts';
import { startedAt } from './procfs.ts';
import type { HostProcess } from './procfs.ts';
import { followWatch, isStaticPod, judgeWatch, restartCount } from './watch.ts';
import type { Look, WatchOptions } from './watch.ts';

/** The journal after one more look at the host. An equal look gives an equal journal. `now` is the wall clock's, for what is only told. */
export function refreshJournal(
  journal: Journal,
  host: HostView,
  files: HostFiles,
  now: number,
  options: WatchOptions,
): Journal {
  const sameBoot = journal.boot === host.boot;
  const elapsed = host.uptimeMs;
  const isOfNow = (time: number): boolean => sameBoot && time <= elapsed;
  const watches = journal.watches.map((watch) => (isOfNow(watch.editedAt) ? watch : restartCount(watch, elapsed)));
  const followed = watches.map((watch) => followFile(watch, host, files, elapsed, options));
  const { restart } = journal;
  return {
    ...journal,
    boot: host.boot,
    seen: seenAddresses(sameBoot ? journal.seen : {}, host, now),
    watchingSince: (sameBoot ? journal.watchingSince : null) ?? new Date(now).toISOString(),
    started: startTimes(sameBoot ? journal.started : {}, host),
    watches: followed
      .flatMap((entry) => (entry.is === 'Watching' ? [entry.watch] : []))
      .filter((watch) => judgeWatch(watch, elapsed, options).is !== 'Done'),
    restart:
      restart === null || restart.askedAt === null || isOfNow(restart.askedAt)
        ? restart
        : { ...restart, askedAt: elapsed },
    refused: [
      ...journal.refused,
      ...followed.flatMap((entry) => (entry.is === 'TakenOut' ? refusals(entry.watch, TAKEN_OUT) : [])),
    ],
  };
}

const TAKEN_OUT = 'it was taken out by hand while it was being watched';

type Followed =
  | { readonly is: 'Watching'; readonly watch: Watch }
  /** The edit was never made: a crash came between journal and file. */
  | { readonly is: 'NeverMade' }
  /** Somebody reverted it in the file before it had proven to work. Doing it again would fight a human in an emergency. */
  | { readonly is: 'TakenOut'; readonly watch: Watch }
  /** Somebody reverted it, and it had worked: as any change by another hand, see `Drifted`. */
  | { readonly is: 'Drifted' };

function followFile(watch: Watch, host: HostView, files: HostFiles, now: number, options: WatchOptions): Followed {
  const look = lookAt(watch, host);
  if (watch.undoing !== null) return { is: 'Watching', watch };
  if (fileSays(watch, host))
    return {
      is: 'Watching',
      watch: followWatch(watch.written ? watch : { ...watch, written: true }, look, now, options),
    };
  if (!watch.written) return { is: 'NeverMade' };
  // An unreadable manifest is neither: time will tell, and the undo leaves a file alone that it does not understand.
  const readable = isStaticPod(watch.component) ? host.staticPods[watch.component] !== undefined : true;
  if (!readable || sha256(withoutInterim(files.read(watch.file) ?? '')) === watch.afterHash) {
    return { is: 'Watching', watch: followWatch(watch, look, now, options) };
  }
  return watch.provenAt === null ? { is: 'TakenOut', watch } : { is: 'Drifted' };
}

function fileSays(watch: Watch, host: HostView): boolean {
  if (!isStaticPod(watch.component)) return host.kubelet.setup.nodeIP === (watch.changes[0]?.after ?? null);
  const flags = host.staticPods[watch.component]?.manifest.flags;
  return flags !== undefined && watch.changes.every((change) => (flags[change.flag] ?? null) === change.after);
}

const lookAt = (watch: Watch, host: HostView): Look =>
  isStaticPod(watch.component)
    ? (host.staticPods[watch.component] ?? { processes: [], healthy: null, logs: [] })
    : { ...host.kubelet, logs: [] };

export const addressKey = (address: { readonly interface: string; readonly address: string }): string =>
  `${address.interface} ${address.address}`;

function seenAddresses(before: Journal['seen'], host: HostView, now: number): Journal['seen'] {
  return Object.fromEntries(
    host.addresses.map((address) => [addressKey(address), before[addressKey(address)] ?? new Date(now).toISOString()]),
  );
}

function startTimes(before: Journal['started'], host: HostView): Journal['started'] {
  const newest = [host.kubelet.processes, ...Object.values(host.staticPods).map((pod) => pod.processes)].flatMap(
    (list) => list.at(-1) ?? [],
  );
  const running = [...newest, ...(host.k0s === null ? [] : k0sProcesses(host.k0s))];
  return Object.fromEntries(running.map((process) => [process.key, before[process.key] ?? startOf(process, host)]));
}

const startOf = (process: HostProcess, host: HostView): string => startedAt(process.startTicks, host.bootSeconds ?? 0);
