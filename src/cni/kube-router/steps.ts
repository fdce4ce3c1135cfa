import type { ClusterFacts, NodeFacts, PodFacts, WorkloadFacts } from '../../model/facts.ts';
import { listText } from '../../model/list-text.ts';
import { asStrings, at, refText } from '../../model/object.ts';
import type { Recordable } from '../../model/record.ts';
import { crashText, progressOf, rolloutState } from '../../model/rollout.ts';
import { changesIPv6 } from '../../model/second-ipv6.ts';
import type { Step, StepState } from '../../model/step.ts';
import { needNotWait, type Wanted } from '../../model/wanted.ts';
import { nodesWithPod } from '../../model/workload.ts';
import { isIPv6 } from '../../net/family.ts';
import { flag, IPV6_FLAG, isOn, sameButFamily, withIPv6, withoutIPv6 } from './args.ts';
import { DAEMON_SET, type AgentFacts, type KubeRouterFacts } from './facts.ts';

const WRITE_SECONDS = 120;
const RECORD = 'DaemonSet/kube-system/kube-router';

/** First states of what the steps change. */
export const records = (own: KubeRouterFacts): readonly Recordable[] =>
  own.known && own.value !== null ? [{ key: RECORD, value: { args: own.value.args } }] : [];

/** Its arguments make its pods, so a change of them is the roll-out too. kube-router itself writes the ranges of its Node to the CNI configuration of the host. */
export function steps(wanted: Wanted, facts: ClusterFacts, own: KubeRouterFacts): readonly Step[] {
  if (!own.known || own.value === null || !changesIPv6(wanted) || own.value.flagsInCommand) return [];
  const agent = own.value;
  // Something else makes the pods' network then, and a Finding says so.
  if (!isOn(agent.args, 'run-router') || !isOn(agent.args, 'enable-cni')) return [];
  const args = goalArgs(wanted, agent);
  const set = argsStep(wanted, facts, agent, args);
  return [
    set,
    rolloutStep(facts, agent, {
      older: wanted.direction === 'Forward' ? olderThanNode(facts, agent) : [],
      mayStart: set.state.is === 'Satisfied',
    }),
  ];
}

/**
 * Pods that know nothing of the podCIDRs of their Node: it got these when it was made, and they run since before. So it is where kube-router was told
 * of IPv6 before the Nodes were replaced, as k0s does it.
 */
export function olderThanNode({ nodes }: ClusterFacts, { workload }: AgentFacts): readonly PodFacts[] {
  return workload.pods.filter((pod) => {
    const node = nodes.find(({ name }) => name === pod.node);
    return node?.podCIDRs.some(isIPv6) === true && Date.parse(pod.startedAt) < Date.parse(node.createdAt);
  });
}

/** k0s makes the DaemonSet from its own configuration, and puts it back. */
export const isOfK0s = ({ owner }: AgentFacts): boolean => owner?.text.includes('k0s.k0sproject.io/') === true;

/** Arguments as they shall be. On the way back the first ones byte for byte, unless somebody else has changed more of them meanwhile. */
export function goalArgs(wanted: Wanted, agent: AgentFacts): readonly string[] {
  const { args } = agent;
  if (wanted.direction === 'Forward') {
    // k0s never gives it the IPv6 range, whatever else it switches on: that is told, and not waited for.
    const isTold = isOn(args, 'run-firewall') && !isOfK0s(agent);
    return withIPv6(args, { IPv4: wanted.services.IPv4, IPv6: isTold ? wanted.services.IPv6 : undefined });
  }
  // Switched off by k0s, when its own configuration is.
  if (isOfK0s(agent)) return args;
  const first = asStrings(at(wanted.restore[RECORD], 'args'));
  const isRecorded = wanted.restore[RECORD] !== undefined && !isOn(first, IPV6_FLAG);
  return isRecorded && sameButFamily(first, args) ? first : withoutIPv6(args);
}

function argsStep(wanted: Wanted, facts: ClusterFacts, agent: AgentFacts, args: readonly string[]): Step {
  const isRight = args.join('\n') === agent.args.join('\n');
  return {
    id: 'kube-router/args',
    phase: 'CNIAgents',
    group: 'kube-router-args',
    target: refText(DAEMON_SET),
    why:
      wanted.direction === 'Forward'
        ? 'kube-router gives pods addresses, routes and policies of IPv6 only when it is told to.'
        : 'kube-router shall do nothing about IPv6 any more.',
    // The template changes with it, so the DaemonSet begins to replace its pods.
    disrupts: {
      text: isOn(agent.args, 'bgp-graceful-restart')
        ? 'kube-router restarts node by node; pods keep running, and routes stay'
        : 'kube-router restarts node by node; routes to the pods of a node may be missing while it does',
      seconds: [5, 30],
    },
    timeoutSeconds: WRITE_SECONDS,
    kind: 'ApplyObject',
    ref: DAEMON_SET,
    // Containers are merged by their names; their arguments are one list, which is written whole.
    write: {
      is: 'Apply',
      force: true,
      body: { spec: { template: { spec: { containers: [{ name: agent.container, args }] } } } },
    },
    diff: isRight
      ? []
      : [
          {
            path: `spec.template.spec.containers[${agent.container}].args`,
            before: agent.args.join('\n'),
            after: args.join('\n'),
          },
        ],
    state: isRight
      ? { is: 'Satisfied', evidence: `--${IPV6_FLAG} is ${flag(agent.args, IPV6_FLAG)}` }
      : (waits(wanted, facts, agent) ?? { is: 'Pending' }),
  };
}

/**
 * Null: nothing to wait for. kube-router ends where its Node has no IPv6 address ("IPv6 was enabled, but no IPv6 address was found on the node"), and takes the
 * ranges of pods from podCIDRs.
 */
function waits(wanted: Wanted, facts: ClusterFacts, agent: AgentFacts): StepState | null {
  if (wanted.direction === 'Back') return null;
  const nodes = agentNodes(facts, agent);
  const without = nodes.filter((node) => ![...node.internalIPs, ...node.externalIPs].some(isIPv6));
  if (without.length > 0) return waitsFor('an IPv6 address', without);
  const lacking = nodes.filter((node) => !node.podCIDRs.some(isIPv6));
  return needNotWait(wanted, lacking) ? null : waitsFor('an IPv6 podCIDR', lacking);
}

function waitsFor(what: string, nodes: readonly NodeFacts[]): StepState {
  return {
    is: 'InProgress',
    why: `waits until every Node has ${what}; without: ${listText(nodes.map((node) => node.name))}`,
  };
}

interface Rolling {
  /** Pods that must be made anew though they are of the newest template. */
  readonly older: readonly PodFacts[];
  /** What comes before is done. */
  readonly mayStart: boolean;
}

function rolloutStep(facts: ClusterFacts, { workload }: AgentFacts, { older, mayStart }: Rolling): Step {
  const progress = progressOf(workload, facts.nodes, facts.at);
  const next = progress.is === 'Stuck' ? progress.next : progress.is === 'Done' ? older[0] : undefined;
  return {
    kind: 'RolloutWorkload',
    id: 'kube-router/rollout',
    phase: 'CNIAgents',
    group: 'kube-router-rollout',
    target: refText(DAEMON_SET),
    why: 'kube-router reads its arguments, and the podCIDRs of its Node, only when it starts.',
    diff: [],
    state: mayStart ? toldState(facts, workload, older) : { is: 'Pending' },
    disrupts: null,
    timeoutSeconds: 180 + 60 * workload.desired,
    ref: DAEMON_SET,
    next: { is: 'DeletePods', pods: next === undefined ? [] : [{ name: next.name, uid: next.uid }] },
  };
}

const toldState = (facts: ClusterFacts, workload: WorkloadFacts, older: readonly PodFacts[]): StepState =>
  rolloutState(progressOf(workload, facts.nodes, facts.at), {
    done:
      older.length > 0
        ? { is: 'Pending' }
        : { is: 'Satisfied', evidence: `all ${workload.desired} pods are of the newest template and ready` },
    stuck: () => ({ is: 'Pending' }),
    crashing: (pod) => ({
      why: `kube-router on ${pod.node} does not start (${crashText(pod)}); pods there lose their routes`,
      remedy: `See why: kubectl -n kube-system logs ${pod.name} --previous; mend it on that host.`,
    }),
  });

/** Nodes that kube-router runs on. */
export const agentNodes = ({ nodes }: ClusterFacts, { workload }: AgentFacts): readonly NodeFacts[] =>
  nodesWithPod(nodes, workload);
