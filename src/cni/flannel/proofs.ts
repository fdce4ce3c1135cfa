import type { ClusterFacts, NodeFacts, PodFacts } from '../../model/facts.ts';
import type { NodeProof, NodeProofs } from '../../model/node-proof.ts';
import { known, unknown, type Known } from '../../model/reader.ts';
import type { Wanted } from '../../model/wanted.ts';
import type { FlannelFacts } from './facts.ts';
import { isProven, markOf, nodeAnnotations, type NodeAnnotations } from './goal.ts';
import { readNetConf } from './net-conf.ts';

/**
 * Whether flanneld runs on each node with both families. Where it does not find the second one it ends, and a node that has booted since has no
 * network for pods in either family, while it may well be Ready.
 */
export function nodeProofs(wanted: Wanted, facts: ClusterFacts, own: FlannelFacts): Known<NodeProofs> {
  if (!own.agent.known) return unknown(own.agent.why);
  if (!own.config.known) return unknown(own.config.why);
  const [agent, config] = [own.agent.value, own.config.value];
  const conf = readNetConf(config?.text ?? '');
  const [, second] = wanted.families;
  if (agent === null || config === null || !conf.ok || second === undefined)
    return known({ inForce: false, nodes: {} });

  const isRolledOut = (markOf(agent) ?? '').startsWith(`${second}, roll-out 2`) || config.untouched;
  const inForce = conf.value.enabled[second] && isRolledOut;
  const annotations = nodeAnnotations(agent, second);
  const nodes = facts.nodes.flatMap((node) => {
    const pod = agent.workload.pods.find((each) => each.node === node.name && !each.terminating);
    if (pod === undefined) return [];
    const isTold = isProven(node, annotations, conf.value.backend);
    return [[node.name, proofOf({ node, pod, isTold, inForce, annotations, namespace: own.namespace })] as const];
  });
  return known({ inForce, nodes: Object.fromEntries(nodes) });
}

interface Seen {
  readonly node: NodeFacts;
  readonly pod: PodFacts;
  readonly isTold: boolean;
  readonly inForce: boolean;
  readonly annotations: NodeAnnotations;
  readonly namespace: string;
}

function proofOf({ node, pod, isTold, inForce, annotations, namespace }: Seen): NodeProof {
  if (isTold && pod.ready) {
    return { is: 'Proven', evidence: `flanneld on ${node.name} has published both of its addresses.`, remedy: '' };
  }
  const remedy = `See its log: kubectl -n ${namespace} logs ${pod.name} -c kube-flannel --previous.`;
  if (inForce && !pod.ready && pod.waiting === 'CrashLoopBackOff') {
    return {
      is: 'LostPrimary',
      evidence: `flanneld on ${node.name} does not start (${pod.waiting}, ${pod.restarts} restarts): after a boot of the node pods there have no network in either family.`,
      remedy: `Give ${node.name} an address and a default route of each family on one interface; flanneld then starts by itself. ${remedy}`,
    };
  }
  return {
    is: 'Pending',
    evidence: isTold
      ? `flanneld on ${node.name} is not ready.`
      : `flanneld on ${node.name} has not published ${annotations.publicIP} yet.`,
    remedy,
  };
}
