import type { ClusterFacts, NodeFacts, PodFacts } from '../../model/facts.ts';
import type { NodeProof, NodeProofs } from '../../model/node-proof.ts';
import { known, unknown, type Known } from '../../model/reader.ts';
import type { Wanted } from '../../model/wanted.ts';
import { NODE_ANNOTATIONS, type CalicoFacts } from './facts.ts';
import { agentNodes } from './rollout.ts';

/** A calico-node that has written no address after that time does not find any. */
const START_MS = 60_000;

/**
 * What calico-node has written to its Nodes. From `IP6=autodetect` on a node without IPv6 loses its IPv4 as soon as calico-node starts there,
 * and stays Ready.
 */
export function nodeProofs(wanted: Wanted, facts: ClusterFacts, { agent }: CalicoFacts): Known<NodeProofs> {
  if (!agent.known) return unknown(agent.why);
  if (agent.value === null || !wanted.families.includes('IPv6')) return known({ inForce: false, nodes: {} });
  const { env, workload } = agent.value;
  const ip6 = env['IP6'];
  const inForce = ip6?.is === 'Value' && ip6.value === 'autodetect';
  const pods = Map.groupBy(
    workload.pods.filter((pod) => !pod.terminating),
    (pod) => pod.node,
  );
  const nodes = agentNodes(facts, agent.value).map(
    (node) => [node.name, proofOf(node, pods.get(node.name) ?? [], inForce, facts.at)] as const,
  );
  return known({ inForce, nodes: Object.fromEntries(nodes) });
}

function proofOf(node: NodeFacts, pods: readonly PodFacts[], inForce: boolean, now: number): NodeProof {
  const missing = [NODE_ANNOTATIONS.IPv4, NODE_ANNOTATIONS.IPv6].filter((key) => (node.annotations[key] ?? '') === '');
  if (missing.length === 0 && pods.some((pod) => pod.ready)) {
    return { is: 'Proven', evidence: `calico-node on ${node.name} has found both of its addresses.`, remedy: '' };
  }
  const failing = pods.find((pod) => !pod.ready && isFailing(pod, now));
  const hasIPv4 = node.internalIPs.some((address) => !address.includes(':'));
  if (inForce && hasIPv4 && failing !== undefined && missing.includes(NODE_ANNOTATIONS.IPv4)) {
    return {
      is: 'LostPrimary',
      evidence: `calico-node on ${node.name} found no IPv6 address and has dropped the node's IPv4 address (${failing.waiting ?? 'not ready'}, ${failing.restarts} restarts, no ${NODE_ANNOTATIONS.IPv4}): pods there are cut off from other nodes.`,
      remedy: `Give ${node.name} an IPv6 address; then delete its calico-node pod if it does not come back by itself: kubectl -n kube-system delete pod ${failing.name}.`,
    };
  }
  return {
    is: 'Pending',
    evidence:
      missing.length === 0
        ? `calico-node on ${node.name} is not ready.`
        : `calico-node on ${node.name} has not written ${missing.join(' and ')} yet.`,
    remedy: `See its log: kubectl -n kube-system logs -l k8s-app=calico-node --field-selector spec.nodeName=${node.name}.`,
  };
}

const isFailing = ({ waiting, restarts, startedAt }: PodFacts, now: number): boolean =>
  waiting === 'CrashLoopBackOff' || restarts > 0 || now - Date.parse(startedAt) > START_MS;
