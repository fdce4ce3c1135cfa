import { createHash } from 'node:crypto';
import type { ClusterFacts, WorkloadFacts } from '../../model/facts.ts';
import { PROXY } from '../../model/kube-proxy.ts';
import { networksOf } from '../../model/networks.ts';
import type { Phase } from '../../model/phase.ts';
import { progressOf } from '../../model/rollout.ts';
import type { RolloutWorkload, Step, StepBase, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { unreachable } from '../../result.ts';
import type { K0sFacts, ProxyConfigFacts } from './facts.ts';

/** Names the configuration that the pods were made for. */
export const CONFIG_HASH = 'dualstack.dev/config-hash';

/**
 * k0s writes the configuration of kube-proxy, and its DaemonSet has nothing in it that changes with that: so the pods keep the old one until they are
 * made anew (github.com/k0sproject/k0s, pkg/component/controller/kubeproxy.go). No steps where something else does its work.
 */
export function proxySteps(wanted: Wanted, facts: ClusterFacts, own: K0sFacts): readonly Step[] {
  if (!own.proxy.known) return [configStep(wanted, '', { is: 'Unknown', why: own.proxy.why })];
  if (!own.proxyConfig.known) return [configStep(wanted, '', { is: 'Unknown', why: own.proxyConfig.why })];
  const workload = own.proxy.value;
  const config = own.proxyConfig.value;
  if (workload === null || config === null) return [];
  const isWritten = sameSet(config.clusterCIDR, cidrList(wanted.families, wanted.pods));
  const written: StepState = isWritten
    ? { is: 'Satisfied', evidence: `clusterCIDR is ${config.clusterCIDR}` }
    : { is: 'Pending' };
  return [configStep(wanted, config.clusterCIDR, written), rolloutStep(wanted, facts, workload, { config, isWritten })];
}

/** k0s writes the configuration anew when its own changes, and on the way back nothing changes that before the last of its steps. */
const phaseOf = ({ direction }: Wanted): Phase => (direction === 'Forward' ? 'Proxy' : 'APIServer');

/** kube-proxy does not mind the order, and k0s has its own. */
function sameSet(text: string, wanted: readonly string[]): boolean {
  const live = networksOf(text);
  return live !== null && live.length === wanted.length && wanted.every((cidr) => live.includes(cidr));
}

function configStep(wanted: Wanted, live: string, state: StepState): Step {
  const networks = cidrList(wanted.families, wanted.pods).join(',');
  return {
    kind: 'WaitFor',
    id: 'kube-proxy/config',
    phase: phaseOf(wanted),
    group: 'kube-proxy-config',
    target: 'ConfigMap kube-system/kube-proxy',
    why: 'A family without a network in clusterCIDR gets no rules for traffic from outside the pods, and no error says so.',
    diff: state.is === 'Satisfied' ? [] : [{ path: 'clusterCIDR', before: live || null, after: networks }],
    state,
    disrupts: null,
    timeoutSeconds: 300,
    what: `k0s writes clusterCIDR: ${networks}`,
  };
}

interface Written {
  readonly config: ProxyConfigFacts;
  /** It says what is wanted. */
  readonly isWritten: boolean;
}

function rolloutStep(
  wanted: Wanted,
  facts: ClusterFacts,
  workload: WorkloadFacts,
  { config, isWritten }: Written,
): Step {
  const hash = createHash('sha256').update(config.text).digest('hex').slice(0, 16);
  const live = workload.templateAnnotations[CONFIG_HASH] ?? null;
  const { state, next } = rolloutOf(facts, workload, config, hash);
  const base: Omit<StepBase, 'state'> = {
    id: 'kube-proxy/rollout',
    phase: phaseOf(wanted),
    group: 'kube-proxy',
    target: 'DaemonSet kube-system/kube-proxy',
    why: 'kube-proxy reads its configuration only when it starts.',
    diff:
      live === hash || state.is === 'Satisfied'
        ? []
        : [{ path: `spec.template.metadata.annotations["${CONFIG_HASH}"]`, before: live, after: hash }],
    disrupts: { text: 'rules for Services stand still on a node while its kube-proxy is replaced', seconds: [2, 10] },
    timeoutSeconds: 300 + 30 * workload.desired,
  };
  return { kind: 'RolloutWorkload', ...base, state: isWritten ? state : { is: 'Pending' }, ref: PROXY, next };
}

function rolloutOf(
  facts: ClusterFacts,
  workload: WorkloadFacts,
  config: ProxyConfigFacts,
  hash: string,
): { readonly state: StepState; readonly next: RolloutWorkload['next'] } {
  const annotate = { is: 'Annotate', annotation: CONFIG_HASH, value: hash } as const;
  const live = workload.templateAnnotations[CONFIG_HASH] ?? null;
  const areYounger = workload.pods.every((pod) => startedAfter(pod.startedAt, config.changedAt));
  if (live !== hash && !(live === null && areYounger)) return { state: { is: 'Pending' }, next: annotate };

  const progress = progressOf(workload, facts.nodes, facts.at);
  switch (progress.is) {
    case 'Done':
      return {
        state: { is: 'Satisfied', evidence: `all ${workload.desired} pods started after the change` },
        next: annotate,
      };
    case 'DoneButAway':
      return {
        state: {
          is: 'Deferred',
          why: `the pods on ${progress.nodes.join(', ')} follow when their nodes are back`,
        },
        next: annotate,
      };
    case 'Waiting':
      return { state: { is: 'InProgress', why: progress.why }, next: annotate };
    case 'Stuck':
      return {
        state: { is: 'Pending' },
        next: { is: 'DeletePods', pods: [{ name: progress.next.name, uid: progress.next.uid }] },
      };
    case 'Crashing':
      return {
        state: {
          is: 'Failed',
          why: `Pod ${progress.pod.name} on ${progress.pod.node}: ${progress.pod.waiting ?? ''}`,
          remedy: `See kubectl -n kube-system logs ${progress.pod.name} --previous, and mend what it says.`,
        },
        next: annotate,
      };
    default:
      return unreachable(progress);
  }
}

const startedAfter = (startedAt: string, changedAt: string | null): boolean =>
  changedAt === null || startedAt === '' || Date.parse(startedAt) >= Date.parse(changedAt);
