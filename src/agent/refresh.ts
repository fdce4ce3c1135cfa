import { refusals } from './act.ts';
import { sha256 } from './files.ts';
import type { HostFiles } from './files.ts';
import type { HostView } from './host.ts';
import { withoutInterim } from './interim.ts';
import { k0sProcesses, notShown, readK0sFile } from './k0s.ts';
import type { K0sView } from './k0s.ts';
import type { Component, Journal, Watch } from './journal.ts';
import { STATIC_PODS } from '../model/host.ts';
import type { K0sSettings } from '../model/k0s.ts';
import { startedAt } from './procfs.ts';
import type { HostProcess } from './procfs.ts';
import { childKey, followWatch, isStaticPod, judgeWatch, restartCount } from './watch.ts';
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
    restart: isPointless(journal, followed)
      ? null
      : restart === null || restart.askedAt === null || isOfNow(restart.askedAt)
        ? restart
        : { ...restart, askedAt: elapsed },
    refused: [
      ...journal.refused,
      ...followed.flatMap((entry) => (entry.is === 'TakenOut' ? refusals(entry.watch, TAKEN_OUT) : [])),
    ],
  };
}

/** A crash came before the edit that the restart was for, and restarting k0s takes an API server away. */
const isPointless = ({ restart }: Journal, followed: readonly Followed[]): boolean =>
  restart?.service === 'k0s' && followed.some((entry) => entry.is === 'NeverMade' && entry.component === 'k0s');

const TAKEN_OUT = 'it was taken out by hand while it was being watched';

type Followed =
  | { readonly is: 'Watching'; readonly watch: Watch }
  /** The edit was never made: a crash came between journal and file. */
  | { readonly is: 'NeverMade'; readonly component: Component }
  /** Somebody reverted it in the file before it had proven to work. Doing it again would fight a human in an emergency. */
  | { readonly is: 'TakenOut'; readonly watch: Watch }
  /** Somebody reverted it, and it had worked: as any change by another hand, see `Drifted`. */
  | { readonly is: 'Drifted' };

function followFile(watch: Watch, host: HostView, files: HostFiles, now: number, options: WatchOptions): Followed {
  const look = lookAt(watch, host);
  if (watch.undoing !== null) return { is: 'Watching', watch };
  if (fileSays(watch, host, files))
    return {
      is: 'Watching',
      watch: followWatch(watch.written ? watch : { ...watch, written: true }, look, now, options),
    };
  if (!watch.written) return { is: 'NeverMade', component: watch.component };
  // An unreadable manifest is neither: time will tell, and the undo leaves a file alone that it does not understand.
  const readable = isStaticPod(watch.component)
    ? host.staticPods[watch.component] !== undefined
    : watch.component !== 'k0s' || k0sFile(watch, files) !== null;
  if (!readable || sha256(withoutInterim(files.read(watch.file) ?? '')) === watch.afterHash) {
    return { is: 'Watching', watch: followWatch(watch, look, now, options) };
  }
  return watch.provenAt === null ? { is: 'TakenOut', watch } : { is: 'Drifted' };
}

function fileSays(watch: Watch, host: HostView, files: HostFiles): boolean {
  const { component, changes } = watch;
  if (component === 'kubelet') return host.kubelet.setup.nodeIP === (changes[0]?.after ?? null);
  const values = isStaticPod(component) ? host.staticPods[component]?.manifest.flags : k0sFile(watch, files);
  return values != null && changes.every((change) => (values[change.flag] ?? null) === change.after);
}

/** k0s may not run, so nobody but the watch knows its file. Null: it cannot be read. */
function k0sFile({ file }: Watch, files: HostFiles): K0sSettings | null {
  const { text, settings, problem } = readK0sFile(files, file);
  return text === null || problem !== '' ? null : settings;
}

function lookAt(watch: Watch, host: HostView): Look {
  const { component } = watch;
  if (isStaticPod(component)) return host.staticPods[component] ?? { processes: [], healthy: null, logs: [] };
  return component === 'k0s' ? lookAtK0s(watch.k0s, host.k0s) : { ...host.kubelet, logs: [] };
}

/** k0s itself, and the processes that it has begun and that must show the change. */
function lookAtK0s(watch: Watch['k0s'], view: K0sView | null): Look {
  if (watch === null || view === null) return { processes: [], healthy: false, logs: [] };
  const { controller } = view;
  if (controller.key === watch.oldProcess) return { processes: [controller], healthy: false, logs: [] };
  const own = STATIC_PODS.filter((component) => watch.shows[component] !== undefined).flatMap((component) => {
    const process = view.processes[component];
    return process === null || process.startTicks < controller.startTicks ? [] : [process];
  });
  const isShown = own.length === Object.keys(watch.shows).length && notShown(view, watch.shows) === null;
  return {
    processes: [...own.map((child) => ({ ...child, key: childKey(controller, child) })), controller],
    healthy: isShown && view.healthy === true,
    logs: [],
  };
}

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
