import { EDITABLE_FLAGS, STATIC_PODS } from '../model/host.ts';
import type { HostSettings, K0sWish, StaticPod } from '../model/host.ts';
import { EDITABLE_K0S_SETTINGS } from '../model/k0s.ts';
import type { Result } from '../result.ts';
import { canonicalText } from './canonical.ts';
import type { HostView } from './host.ts';
import { readInterim } from './interim.ts';
import { mergeRecorded } from './journal.ts';
import type { Component, Journal, Recorded, Restartable } from './journal.ts';
import { notShown } from './k0s.ts';
import type { K0sView } from './k0s.ts';
import type { K0sChanges } from './k0s-config.ts';
import type { FlagChanges } from './manifest.ts';
import { changeText, judgeWatch } from './watch.ts';
import type { WatchOptions } from './watch.ts';

/** What the agent's object asks for; null: there is no object, or it was not seen since the agent started. */
export interface Asked {
  readonly generation: number;
  readonly settings: Result<HostSettings, string>;
  /** First values that the API server holds: an edit waits until its own are there. */
  readonly confirmed: Recorded;
}

export type AgentAction =
  | { readonly kind: 'None' }
  | { readonly kind: 'Record'; readonly recorded: Recorded }
  | { readonly kind: 'EditManifest'; readonly component: StaticPod; readonly changes: FlagChanges }
  /** The manifest says what it shall, and is not to be run before the old pod has ended: the kubelet is kept from it for another while. */
  | { readonly kind: 'HoldBack'; readonly component: StaticPod; readonly pod: string }
  | { readonly kind: 'LetStart'; readonly component: StaticPod }
  /** It makes a restart, which is the one that `token` asks for; null: none is asked for. */
  | { readonly kind: 'EditKubelet'; readonly nodeIP: string | null; readonly token: string | null }
  /** Changes that are there already are no change of the file, and k0s is restarted all the same. */
  | { readonly kind: 'EditK0s'; readonly changes: K0sChanges; readonly shows: K0sWish['shows'] }
  | { readonly kind: 'SetSysctl'; readonly name: string; readonly value: string; readonly persist: boolean }
  | { readonly kind: 'AskRestart'; readonly token: string }
  | { readonly kind: 'Restart'; readonly service: Restartable }
  | { readonly kind: 'CompleteRestart' }
  | { readonly kind: 'MarkApplied' }
  | { readonly kind: 'Undo'; readonly component: Component; readonly why: string };

/** Why the settings are not (all) in force: the reasons of the condition `Applied`. */
type AppliedReason =
  | 'Applied'
  | 'Applying'
  | 'Recording'
  | 'Waiting'
  | 'Stopped'
  | 'NotAllowed'
  | 'AddressMissing'
  | 'NotFound'
  | 'Drifted'
  | 'Refused'
  | 'Failed';

export interface Verdict {
  readonly reason: AppliedReason;
  readonly message: string;
}

export interface Decision {
  readonly action: AgentAction;
  readonly applied: Verdict;
}

/** Milliseconds after which a restart that showed no new process is asked for again. k0s ends all that it runs first, for which systemd gives it 90 s. */
const RESTART_AGAIN_MS = { kubelet: 30_000, k0s: 120_000 } as const;

/**
 * The one next thing to do. Undoing comes before everything, because it must work with no word from the API; then whatever is in
 * flight is waited for; then the first setting that is not yet true.
 */
export function decide(host: HostView, asked: Asked | null, journal: Journal, options: WatchOptions): Decision {
  const now = host.uptimeMs;
  if (host.stopped) return rest('Stopped', stoppedText(journal));
  return (
    decideWatches(journal, now, options) ??
    decideInterim(host, journal, now) ??
    decideRestart(host, journal, now) ??
    decideInFlight(journal, now, options) ??
    decideSettings(host, asked, journal)
  );
}

const NONE: AgentAction = { kind: 'None' };
const rest = (reason: AppliedReason, message: string): Decision => ({ action: NONE, applied: { reason, message } });
const act = (action: AgentAction, message: string): Decision => ({ action, applied: { reason: 'Applying', message } });

function stoppedText(journal: Journal): string {
  const inFlight = journal.watches.map((watch) => watch.component);
  const left =
    inFlight.length === 0 ? '' : ` A change to ${inFlight.join(', ')} is not watched and would not be undone.`;
  return `The stop file /etc/dualstack/stop is there: nothing is changed on this host until it is removed.${left}`;
}

function decideWatches(journal: Journal, now: number, options: WatchOptions): Decision | null {
  for (const watch of journal.watches) {
    const judgement = judgeWatch(watch, now, options);
    if (judgement.is === 'Undo')
      return act({ kind: 'Undo', component: watch.component, why: judgement.why }, judgement.why);
  }
  return null;
}

/** Milliseconds after which an interim manifest is written anew: the kubelet would look at it again after 10 s. */
const HOLD_MS = 8_000;
/** From then on the kubelet may have looked by itself, and have begun to start what is in the file. */
const KUBELETS_TURN_MS = 9_500;

function decideInterim({ staticPods, podGroups }: HostView, journal: Journal, now: number): Decision | null {
  for (const component of STATIC_PODS) {
    const view = staticPods[component];
    const interim = view === undefined ? null : readInterim(view.manifest.text);
    // One that runs, or has run, is left alone until the next edit: taking the mark out would only restart it.
    if (view === undefined || interim === null || !isAwaited(journal, component)) continue;
    if (view.proven.some(({ pod }) => pod !== interim.pod)) continue;
    // Not known is not gone: let go too early, the kubelet waits longer than with a mark that it then runs.
    if (podGroups === null) continue;
    if (!podGroups.includes(interim.pod)) {
      if (now - interim.at >= KUBELETS_TURN_MS) continue;
      return act({ kind: 'LetStart', component }, `The old ${component} has ended: the kubelet may start the new one.`);
    }
    if (now < interim.at || now - interim.at >= HOLD_MS) {
      return act(
        { kind: 'HoldBack', component, pod: interim.pod },
        `Waiting for the old ${component} to end before the kubelet starts the new one.`,
      );
    }
  }
  return null;
}

const isAwaited = ({ watches }: Journal, component: StaticPod): boolean =>
  watches.some((watch) => watch.component === component && watch.provenAt === null && watch.undoing === null);

function decideRestart(host: HostView, journal: Journal, now: number): Decision | null {
  const { restart } = journal;
  if (restart === null) return null;
  const { service, askedAt } = restart;
  const current = processOf(host, service);
  if (askedAt !== null && current !== null && current !== restart.oldProcess) {
    return act({ kind: 'CompleteRestart' }, `${SERVICE_NAME[service]} was restarted.`);
  }
  return askedAt === null || now - askedAt >= RESTART_AGAIN_MS[service]
    ? act({ kind: 'Restart', service }, `${SERVICE_NAME[service]} is being restarted.`)
    : waitForRestart(restart.problem, service);
}

const SERVICE_NAME = { kubelet: 'The kubelet', k0s: 'k0s' } as const satisfies Record<Restartable, string>;

/** Names the newest process of a service; null: none runs. */
export const processOf = ({ kubelet, k0s }: HostView, service: Restartable): string | null =>
  (service === 'kubelet' ? kubelet.processes.at(-1)?.key : k0s?.controller.key) ?? null;

/** Said the same while it waits to ask again, so that a bus that is away does not make the status change to and fro. */
const waitForRestart = (problem: string | null, service: Restartable): Decision =>
  problem === null
    ? rest('Applying', `Waiting for ${service === 'kubelet' ? 'the kubelet' : 'k0s'} to start again.`)
    : rest('Failed', `${problem}.`);

function decideInFlight(journal: Journal, now: number, options: WatchOptions): Decision | null {
  for (const watch of journal.watches) {
    const judgement = judgeWatch(watch, now, options);
    if (judgement.is === 'InFlight') return rest('Applying', `${judgement.why}.`);
  }
  return null;
}

function decideSettings(host: HostView, asked: Asked | null, journal: Journal): Decision {
  if (asked === null) return rest('Waiting', 'There is no DualStackNode for this node yet.');
  if (!asked.settings.ok) {
    return rest(
      'NotAllowed',
      `Nothing was changed, because the spec asks for what may not be set: ${asked.settings.error}.`,
    );
  }
  const { generation } = asked;
  const refused = journal.refused.find((entry) => entry.generation === generation);
  if (refused !== undefined) {
    return rest(
      'Refused',
      `${refused.component} did not work with ${changeText({ [refused.flag]: refused.value === '' ? null : refused.value })}, and the ` +
        `old value was put back: ${refused.why}. It is not tried again until the spec changes.`,
    );
  }
  const next = firstNeed(host, asked.settings.value, journal);
  if (next === null) {
    const isNew = journal.appliedGeneration !== generation;
    return { action: isNew ? { kind: 'MarkApplied' } : NONE, applied: IN_FORCE };
  }
  if ('applied' in next) return next;
  if (journal.appliedGeneration === generation && restartsSomething(next.action)) return drifted(next);
  return recordedFirst(next, asked.confirmed, journal);
}

const IN_FORCE: Verdict = { reason: 'Applied', message: 'All settings are in force.' };

/**
 * What was carried out once and then changed by another hand is not put right unasked: agents of several nodes, each on its own, could have
 * all API servers restart at once. The operator asks one after another.
 */
const drifted = (need: Need): Decision =>
  rest('Drifted', `Somebody changed this host after the settings had been in force. When asked again: ${need.message}`);

const restartsSomething = (action: AgentAction): boolean =>
  action.kind === 'EditManifest' || action.kind === 'EditKubelet' || action.kind === 'EditK0s';

/** An edit that is needed, and the first values that must be safe before it is made. */
interface Need {
  readonly action: AgentAction;
  readonly message: string;
  readonly firstValues: Recorded;
}

function recordedFirst(need: Need, confirmed: Recorded, journal: Journal): Decision {
  const known = mergeRecorded(confirmed, journal.recorded);
  const wanted = mergeRecorded(known, need.firstValues);
  if (!sameRecorded(wanted, mergeRecorded(journal.recorded, {}))) {
    return {
      action: { kind: 'Record', recorded: wanted },
      applied: { reason: 'Recording', message: 'First values are being recorded.' },
    };
  }
  return sameRecorded(wanted, mergeRecorded(confirmed, {}))
    ? act(need.action, need.message)
    : rest('Recording', 'Waiting for the API server to hold the first values before anything is changed.');
}

const sameRecorded = (a: Recorded, b: Recorded): boolean => canonicalText(a) === canonicalText(b);

function firstNeed(host: HostView, settings: HostSettings, journal: Journal): Need | Decision | null {
  return (
    sysctlNeed(host, settings, journal) ??
    kubeletNeed(host, settings) ??
    STATIC_PODS.map((pod) => staticPodNeed(host, settings, pod)).find((need) => need !== null) ??
    k0sNeed(host.k0s, settings.k0s) ??
    restartNeed(settings, journal)
  );
}

function sysctlNeed(host: HostView, settings: HostSettings, journal: Journal): Need | Decision | null {
  for (const [name, value] of orderedSysctls(settings.sysctls ?? {})) {
    const current = host.sysctls[name] ?? null;
    if (current === null)
      return rest('NotFound', `Sysctl ${name} does not exist on this host: is the interface there?`);
    const first = journal.recorded.sysctls?.[name];
    if (current === value && first === undefined) continue;
    // Back at its first value, it needs no line of ours: whoever set it then sets it at the next boot.
    const persist = value !== (first ?? current);
    if (current === value && (persist ? host.persisted[name] === value : host.persisted[name] === undefined)) continue;
    return {
      action: { kind: 'SetSysctl', name, value, persist },
      message: `Sysctl ${name} is being set to ${value}.`,
      firstValues: { sysctls: { [name]: current } },
    };
  }
  return null;
}

/**
 * An interface that learns its default route by router advertisement loses it the moment that forwarding is on and `accept_ra` is
 * not 2. So `accept_ra` goes first on the way in, and last on the way back.
 */
function orderedSysctls(sysctls: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(sysctls).sort((a, b) => sysctlRank(a) - sysctlRank(b) || (a[0] < b[0] ? -1 : 1));
}

const sysctlRank = ([name, value]: readonly [string, string]): number =>
  name.endsWith('.accept_ra') ? (value === '2' ? 0 : 2) : 1;

function kubeletNeed(host: HostView, settings: HostSettings): Need | Decision | null {
  const addresses = settings.kubelet?.nodeIPs;
  const remove = settings.absent?.kubelet?.includes('node-ip') === true;
  if (addresses === undefined && !remove) return null;
  const { setup, processes } = host.kubelet;
  const running = processes.at(-1);
  const wanted = addresses?.join(',') ?? null;
  if (running === undefined)
    return rest('NotFound', 'No running kubelet is seen on this host: its arguments are left alone.');
  if (setup.nodeIP === wanted && (running.flags['node-ip'] ?? null) === wanted) return null;
  if (setup.source === null) {
    return rest(
      'NotFound',
      'No file was found that sets the kubelet’s arguments: set --node-ip by hand where this host starts its kubelet.',
    );
  }
  const missing = (addresses ?? []).filter((address) => !hasAddress(host, address));
  if (missing.length > 0) {
    return rest(
      'AddressMissing',
      `${missing.join(' and ')} is on no interface of this host: the kubelet would not take it as its address.`,
    );
  }
  return {
    action: { kind: 'EditKubelet', nodeIP: wanted, token: settings.restart?.kubelet ?? null },
    message: `The kubelet is being given ${changeText({ 'node-ip': wanted })} in ${setup.source.file}.`,
    firstValues: { kubelet: { nodeIP: setup.nodeIP } },
  };
}

/** An address in doubt (duplicate, or not yet checked) does not count: the kubelet would skip it. */
const hasAddress = (host: HostView, wanted: string): boolean =>
  host.addresses.some(
    (seen) =>
      sameAddress(seen.address, wanted) && !seen.flags.some((flag) => flag === 'tentative' || flag === 'dadfailed'),
  );

/** Two texts may name one IPv6 address; a URL's host is always in the canonical form. */
const sameAddress = (a: string, b: string): boolean => a === b || canonical(a) === canonical(b);
const canonical = (address: string): string =>
  address.includes(':') ? (URL.parse(`http://[${address}]`)?.hostname ?? address) : address;

function staticPodNeed(host: HostView, settings: HostSettings, component: StaticPod): Need | Decision | null {
  const wanted: FlagChanges = {
    ...settings.staticPods?.[component],
    ...Object.fromEntries((settings.absent?.[component] ?? []).map((flag) => [flag, null])),
  };
  if (Object.keys(wanted).length === 0) return null;
  const view = host.staticPods[component];
  if (view === undefined) {
    return host.problems[component] === undefined
      ? rest(
          'NotFound',
          `No manifest of ${component} is in ${host.kubelet.setup.manifestFolder}: it does not run here as a static pod.`,
        )
      : rest('Failed', `${host.problems[component]}. Mend the file; nothing was changed.`);
  }
  const changes = Object.fromEntries(
    Object.entries(wanted).filter(([flag, value]) => (view.manifest.flags[flag] ?? null) !== value),
  );
  if (Object.keys(changes).length === 0) return waitForProcess(view.processes.at(-1)?.flags, wanted, component);
  const flags: readonly string[] = EDITABLE_FLAGS[component];
  return {
    action: { kind: 'EditManifest', component, changes },
    message: `${component} is being given ${changeText(changes)} in ${view.file}.`,
    firstValues: {
      staticPods: { [component]: Object.fromEntries(flags.map((flag) => [flag, view.manifest.flags[flag] ?? null])) },
    },
  };
}

/** The file says it; it holds only when the process says it too. */
function waitForProcess(
  flags: Readonly<Record<string, string>> | undefined,
  wanted: FlagChanges,
  component: StaticPod,
): Decision | null {
  if (flags === undefined) return rest('Applying', `${component} is not running: waiting for the kubelet to start it.`);
  const behind = Object.entries(wanted).some(([flag, value]) => (flags[flag] ?? null) !== value);
  return behind
    ? rest('Applying', `${component} still runs with its old arguments: waiting for the kubelet to restart it.`)
    : null;
}

/** The file says it and the processes show it; else it is edited, and k0s restarted, which alone makes it read its file. */
function k0sNeed(k0s: K0sView | null, wish: K0sWish | undefined): Need | Decision | null {
  if (wish === undefined) return null;
  if (k0s === null) return rest('NotFound', 'No k0s controller is seen on this host: its configuration is left alone.');
  const changes: K0sChanges = { ...wish.set, ...Object.fromEntries(wish.absent.map((path) => [path, null])) };
  const isWritten = Object.entries(changes).every(([path, value]) => (k0s.settings[path] ?? null) === value);
  if (k0s.problem === '' && isWritten) {
    if (notShown(k0s, wish.shows) === null) return null;
    const missing = STATIC_PODS.find((component) => wish.shows[component] && k0s.processes[component] === null);
    // k0s starts by itself what has ended.
    if (missing !== undefined) return rest('Applying', `${missing} is not running: waiting for k0s to start it.`);
  }
  if (k0s.byHand !== '') {
    return rest('NotFound', `${k0s.byHand}: its configuration is left alone. Edit it by hand, and restart k0s.`);
  }
  return {
    action: { kind: 'EditK0s', changes, shows: wish.shows },
    message: `k0s is being given ${changeText(changes)} in ${k0s.file}.`,
    firstValues: {
      k0s: Object.fromEntries(EDITABLE_K0S_SETTINGS.map((path) => [path, k0s.settings[path] ?? null])),
    },
  };
}

function restartNeed(settings: HostSettings, journal: Journal): Decision | null {
  const token = settings.restart?.kubelet;
  if (token === undefined || token === journal.restartToken) return null;
  return act({ kind: 'AskRestart', token }, 'A kubelet restart was asked for.');
}

/** Something is under way that must be looked at often. */
export const isBusy = (journal: Journal): boolean => journal.watches.length > 0 || journal.restart !== null;
