import type { ComponentPod } from '../../model/component-pods.ts';
import type { ClusterFacts } from '../../model/facts.ts';
import { sameRange } from '../../model/networks.ts';
import { asString, at } from '../../model/object.ts';
import type { Recordable } from '../../model/record.ts';
import { remakeServiceCIDR, serviceIn } from '../../model/service-networks.ts';
import type { Change, Handoff, Step, StepBase, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import type { UnmanagedFacts } from './facts.ts';
import { editText, flagChanges, flagSnippets, gateFlags, seenPod, type WantedFlags } from './flags.ts';
import { podsOf } from './network.ts';

/**
 * One step for each API server that the API shows: by its Pod, else by its Lease, else one for all of them. A Pod shows its flags. Of the others can be
 * seen that ServiceCIDR `kubernetes` has both networks, which the first of them that was started with both adds, and that the process is another one.
 */
export function apiServerSteps(wanted: Wanted, facts: ClusterFacts, own: UnmanagedFacts): readonly Step[] {
  const pods = podsOf(own.apiServerPods);
  if (pods.length > 0) return pods.map((pod) => podStep(wanted, facts, pod));
  const servers = own.apiServers.known ? own.apiServers.value : [];
  const names = servers.length > 0 ? servers.map(({ hostname }) => hostname) : [null];
  return names.map((name) => unseenStep(wanted, facts, own, name));
}

const rangeOf = ({ families, services }: Wanted): string => cidrList(families, services).join(',');

const wantedFlags = (
  wanted: Wanted,
  { basics }: ClusterFacts,
  live: Readonly<Record<string, string>> | null,
): WantedFlags => ({
  'service-cluster-ip-range': rangeOf(wanted),
  ...gateFlags(basics.kubernetesVersion, wanted.families.length > 1, live),
});

function podStep(wanted: Wanted, facts: ClusterFacts, pod: ComponentPod): Step {
  const target = wantedFlags(wanted, facts, pod.flags);
  const { where, changes, state, watches } = seenPod(pod, target, 'service-cluster-ip-range');
  return { ...step(wanted, where, target, changes, state, watches), holdsUp: true };
}

function unseenStep(wanted: Wanted, facts: ClusterFacts, own: UnmanagedFacts, name: string | null): Step {
  const target = wantedFlags(wanted, facts, null);
  const state = unseenState(wanted, facts, own, name);
  const changes = state.is === 'Satisfied' ? [] : flagChanges(target, null);
  const asked = step(wanted, name, target, changes, state, unseenWatch(wanted, own, name));
  // On the way back only ServiceCIDR `kubernetes` made anew shows what they have, and that is the next thing asked for.
  return wanted.direction === 'Back' && hasServiceCIDR(own) ? asked : { ...asked, holdsUp: true };
}

const hasServiceCIDR = ({ serviceCIDR }: UnmanagedFacts): boolean =>
  serviceCIDR.known && serviceCIDR.value !== null && serviceCIDR.value.length > 0;

function unseenWatch(wanted: Wanted, { serviceCIDR, apiServers }: UnmanagedFacts, name: string | null): string {
  const shown =
    serviceCIDR.known && serviceCIDR.value !== null
      ? `ServiceCIDR kubernetes with ${rangeOf(wanted)}`
      : `a Service with an address in ${wanted.services[wanted.families[1] ?? 'IPv6'] ?? 'the other network'}, because this API server has no ServiceCIDR objects`;
  const several = apiServers.known && apiServers.value.length > 1;
  return several && name !== null ? `another process of the API server on ${name}, and ${shown}` : shown;
}

function step(
  wanted: Wanted,
  where: string | null,
  target: WantedFlags,
  changes: readonly Change[],
  state: StepState,
  watches: string,
): Step & StepBase & Handoff {
  const on = where === null ? 'every host with an API server, one after the other' : where;
  const isDone = state.is === 'Satisfied';
  return {
    kind: 'Handoff',
    id: where === null ? 'api-server' : `api-server/${where}`,
    phase: 'APIServer',
    group: 'api-server',
    target: where === null ? 'kube-apiserver' : `kube-apiserver on ${where}`,
    why:
      wanted.direction === 'Forward'
        ? 'Services get addresses of a second family only from an API server that has a network for it.'
        : 'No Service shall get an address of the family that leaves.',
    diff: isDone ? [] : changes,
    state,
    disrupts: {
      text: `the API server${where === null ? '' : ` on ${where}`} is away while it restarts`,
      seconds: [5, 60],
    },
    timeoutSeconds: 300,
    command: `on ${on}: ${editText(target, changes) || 'restart kube-apiserver'} for kube-apiserver, then see that it is ready before the next`,
    watches,
    snippets: isDone ? [] : flagSnippets('kube-apiserver', changes),
  };
}

function unseenState(wanted: Wanted, facts: ClusterFacts, own: UnmanagedFacts, name: string | null): StepState {
  if (!own.serviceCIDR.known) return { is: 'Unknown', why: own.serviceCIDR.why };
  const shown = shownNetworks(wanted, facts, own);
  const isServed = (own.serviceCIDR.value ?? []).length > 0;
  const restarted: StepState = {
    is: 'Satisfied',
    evidence: `it was restarted${shown === null ? '' : `, and ${shown}`}; its own flags cannot be seen`,
  };
  if (wanted.direction === 'Back' && !isServed && isAnotherProcess(facts, own, name)) return restarted;
  if (shown === null) {
    return isServed || (own.apiServers.known && own.apiServers.value.length > 0)
      ? { is: 'Pending' }
      : { is: 'Unknown', why: 'nothing in the API shows the networks of the API servers' };
  }
  // On the way back: an API server that still has two networks would add the second again at once.
  const isAlone = !own.apiServers.known || own.apiServers.value.length <= 1;
  if (wanted.direction === 'Back' || isAlone) return { is: 'Satisfied', evidence: shown };
  return isAnotherProcess(facts, own, name) ? restarted : { is: 'Pending' };
}

/** Another one than when it was seen first. */
function isAnotherProcess({ records }: ClusterFacts, { apiServers }: UnmanagedFacts, name: string | null): boolean {
  const first = records.known && name !== null ? asString(at(records.value[identityKey(name)], 'holder')) : undefined;
  const now = apiServers.known ? apiServers.value.find(({ hostname }) => hostname === name)?.holder : undefined;
  return first !== undefined && now !== undefined && first !== now;
}

/** What shows that an API server has the wanted networks; null: nothing does. */
function shownNetworks(wanted: Wanted, { services }: ClusterFacts, { serviceCIDR }: UnmanagedFacts): string | null {
  const live = serviceCIDR.known ? serviceCIDR.value : null;
  if (live !== null && live.length > 0) {
    return sameRange(live.join(','), rangeOf(wanted)) ? `ServiceCIDR kubernetes holds ${live.join(',')}` : null;
  }
  const [, second] = wanted.families;
  const found =
    second === undefined || !services.known ? null : serviceIn(services.value, wanted.services[second] ?? '');
  return found === null ? null : `Service ${found} has an address in ${wanted.services[second ?? 'IPv6'] ?? ''}`;
}

/** On the way back the object keeps both networks, though the API servers have one. */
export function serviceCIDRSteps(wanted: Wanted, { serviceCIDR }: UnmanagedFacts): readonly Step[] {
  const live = serviceCIDR.known ? serviceCIDR.value : null;
  if (wanted.direction === 'Forward' || live === null || live.length === 0) return [];
  const [range, held] = [rangeOf(wanted), live.join(',')];
  const isHeld = sameRange(held, range);
  return [
    {
      kind: 'Handoff',
      id: 'service-cidr',
      phase: 'APIServer',
      group: 'service-cidr',
      target: 'ServiceCIDR kubernetes',
      why: 'It still offers addresses of the family that leaves; the API servers make it again from their flags.',
      diff: isHeld ? [] : [{ path: 'spec.cidrs', before: held, after: range }],
      state: isHeld ? { is: 'Satisfied', evidence: `ServiceCIDR kubernetes holds ${held}` } : { is: 'Pending' },
      disrupts: null,
      timeoutSeconds: 300,
      ...remakeServiceCIDR(range),
      // The proof at the end would fail on it, and nobody be asked for it.
      holdsUp: true,
    },
  ];
}

const identityKey = (server: string): string => `unmanaged/api-server/${server}`;

/** Which process each API server was at first: those without a Pod show by it that they were restarted. */
export const identityRecords = ({ apiServers, apiServerPods }: UnmanagedFacts): readonly Recordable[] =>
  !apiServers.known || podsOf(apiServerPods).length > 0
    ? []
    : apiServers.value.map(({ hostname, holder }) => ({ key: identityKey(hostname), value: { holder } }));
