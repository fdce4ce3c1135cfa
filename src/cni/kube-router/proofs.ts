import type { ClusterFacts, NodeFacts, PodFacts } from '../../model/facts.ts';
import type { NodeProof, NodeProofs } from '../../model/node-proof.ts';
import { known, unknown, type Known } from '../../model/reader.ts';
import { changesIPv6 } from '../../model/second-ipv6.ts';
import type { Wanted } from '../../model/wanted.ts';
import { endedText } from '../../model/workload.ts';
import { isIPv6 } from '../../net/family.ts';
import { IPV6_FLAG, isOn } from './args.ts';
import type { AgentFacts, KubeRouterFacts } from './facts.ts';
import { agentNodes, olderThanNode } from './steps.ts';

/** Its pods have no readiness probe, so one that runs shorter than this may still be about to end. */
const SETTLED_MS = 30_000;

/** kube-router writes nothing to its Node: that it stays up is all there is to see, because it ends at once where a family is missing. */
export function nodeProofs(wanted: Wanted, facts: ClusterFacts, own: KubeRouterFacts): Known<NodeProofs> {
  if (!own.known) return unknown(own.why);
  const agent = own.value;
  if (agent === null || wanted.direction === 'Back' || !changesIPv6(wanted))
    return known({ inForce: false, nodes: new Map() });
  const inForce = isOn(agent.args, IPV6_FLAG);
  const nodes = agentNodes(facts, agent).flatMap((node) => {
    const pod = agent.workload.pods.find((each) => each.node === node.name && !each.terminating);
    return pod === undefined ? [] : [[node.name, proofOf(agent, node, pod, { inForce, facts })] as const];
  });
  return known({ inForce, nodes: new Map(nodes) });
}

interface Seen {
  /** It has been told of both families. */
  readonly inForce: boolean;
  readonly facts: ClusterFacts;
}

function proofOf(agent: AgentFacts, node: NodeFacts, pod: PodFacts, { inForce, facts }: Seen): NodeProof {
  const isNew = inForce && pod.hash === agent.workload.newestHash;
  const knowsRanges = !olderThanNode(facts, agent).includes(pod);
  if (isNew && knowsRanges && pod.ready && facts.at - Date.parse(pod.startedAt) >= SETTLED_MS) {
    return { is: 'Proven', evidence: `kube-router on ${node.name} runs with both families.`, remedy: '' };
  }
  const remedy = `See its log: kubectl -n kube-system logs ${pod.name} --previous.`;
  if (isNew && !pod.ready && pod.waiting === 'CrashLoopBackOff') {
    const ended = endedText(pod);
    const fails = `kube-router on ${node.name} does not start (${pod.waiting}, ${pod.restarts} restarts${ended === '' ? '' : `, the last time ${ended}`})`;
    return [...node.internalIPs, ...node.externalIPs].some(isIPv6)
      ? { is: 'Failing', evidence: `${fails}: routes to pods there may be missing.`, remedy }
      : {
          is: 'LostPrimary',
          evidence: `${fails}, because its Node has no IPv6 address: pods there are cut off from other nodes.`,
          remedy: `Give ${node.name} an IPv6 address; kube-router then starts by itself. ${remedy}`,
        };
  }
  return {
    is: 'Pending',
    evidence: `kube-router on ${node.name} has not run with both families for long enough.`,
    remedy,
  };
}
