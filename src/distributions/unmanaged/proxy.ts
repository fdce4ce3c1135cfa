import type { ClusterFacts } from '../../model/facts.ts';
import { networksOf } from '../../model/networks.ts';
import type { Handoff, Step, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { isRolledOut } from '../../model/workload.ts';
import type { ProxyFacts, ProxyNetworks, UnmanagedFacts } from './facts.ts';
import { gateFlags } from './flags.ts';

/**
 * The networks by which kube-proxy tells traffic of pods from that of others: a family without one gets no such rules, and no error says so. It is also
 * watched that its pods are younger than the change. No step where it goes by something else, or where nothing shows it: `unseenProxy` tells that.
 */
export function proxySteps(wanted: Wanted, facts: ClusterFacts, { proxy }: UnmanagedFacts): readonly Step[] {
  if (!proxy.known) return [step(wanted, facts, null, { is: 'Unknown', why: proxy.why })];
  if (proxy.value === null) return [];
  const { networks } = proxy.value;
  switch (networks.is) {
    case 'Flag':
    case 'Config':
      return [step(wanted, facts, networks, stateOf(wanted, proxy.value, networks))];
    case 'NotUsed':
    case 'Unseen':
      return [];
  }
}

/** Why nothing shows which networks kube-proxy has; null: a step tells, or it does without. */
export function unseenProxy({ proxy }: UnmanagedFacts): string | null {
  if (!proxy.known) return null;
  if (proxy.value === null) return 'there is no DaemonSet kube-system/kube-proxy';
  const { networks } = proxy.value;
  return networks.is === 'Unseen' ? networks.why : null;
}

/** What it is to be told, wherever it runs. */
export function proxyFlags(wanted: Wanted, { basics }: ClusterFacts): string {
  const gate = gateFlags(basics.kubernetesVersion, wanted.families.length > 1, null)['feature-gates'];
  const networks = cidrList(wanted.families, wanted.pods).join(',');
  return [`--cluster-cidr=${networks}`, ...(gate == null ? [] : [`--feature-gates=${gate}`])].join(' ');
}

type Set = Extract<ProxyNetworks, { readonly value: string }>;

function stateOf(wanted: Wanted, { workload }: ProxyFacts, networks: Set): StepState {
  const live = networksOf(networks.value);
  const asked = cidrList(wanted.families, wanted.pods);
  // It does not mind the order.
  const isSet = live !== null && live.length === asked.length && asked.every((cidr) => live.includes(cidr));
  if (!isSet) return { is: 'Pending' };
  const changedAt = networks.is === 'Config' ? networks.changedAt : null;
  const older = workload.pods.find(
    ({ startedAt }) => changedAt !== null && startedAt !== '' && Date.parse(startedAt) < Date.parse(changedAt),
  );
  if (older !== undefined) return { is: 'Pending' };
  return isRolledOut(workload)
    ? { is: 'Satisfied', evidence: `all ${workload.desired} pods started with ${networks.value}` }
    : { is: 'InProgress', why: 'its pods are not all new and ready yet' };
}

function step(wanted: Wanted, facts: ClusterFacts, networks: Set | null, state: StepState): Step & Handoff {
  const after = cidrList(wanted.families, wanted.pods).join(',');
  const isConfig = networks?.is !== 'Flag';
  const gate = gateFlags(facts.basics.kubernetesVersion, wanted.families.length > 1, null)['feature-gates'];
  const text = isConfig
    ? `clusterCIDR: ${after}\n${gate == null ? '' : 'featureGates:\n  IPv6DualStack: true\n'}`
    : `${proxyFlags(wanted, facts)}\n`;
  const isDone = state.is === 'Satisfied';
  const hasValue = networks !== null && networks.value === after;
  return {
    kind: 'Handoff',
    id: 'kube-proxy',
    phase: 'Proxy',
    group: 'kube-proxy',
    target: 'DaemonSet kube-system/kube-proxy',
    why: 'A family without a network gets no rules for traffic from outside the pods, and no error says so.',
    diff:
      isDone || hasValue
        ? []
        : [{ path: isConfig ? 'clusterCIDR' : '--cluster-cidr', before: networks?.value ?? null, after }],
    state,
    disrupts: { text: 'rules for Services stand still on a node while its kube-proxy is replaced', seconds: [2, 10] },
    timeoutSeconds: 600,
    command: isConfig
      ? `kubectl -n kube-system edit configmap kube-proxy (in config.conf: clusterCIDR: ${after}${gate == null ? '' : ', featureGates: {IPv6DualStack: true}'}), then kubectl -n kube-system rollout restart daemonset kube-proxy`
      : `kubectl -n kube-system edit daemonset kube-proxy (arguments: ${proxyFlags(wanted, facts)})`,
    watches: 'DaemonSet kube-system/kube-proxy with these networks, and all its pods younger than the change',
    snippets: isDone
      ? []
      : [{ file: isConfig ? 'config.conf of ConfigMap kube-system/kube-proxy' : 'arguments of kube-proxy', text }],
    holdsUp: true,
  };
}
