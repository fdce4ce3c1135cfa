import type { ClusterFacts, NodeFacts, PodFacts } from '../../model/facts.ts';
import type { NodeProof, NodeProofs } from '../../model/node-proof.ts';
import { known, unknown, type Known } from '../../model/reader.ts';
import type { Wanted } from '../../model/wanted.ts';
import { endedText } from '../../model/workload.ts';
import { isIPv6 } from '../../net/family.ts';
import { unreachable } from '../../result.ts';
import { MARKS, type CiliumFacts } from './facts.ts';
import { markOf, runsIPv6, type Scene, sceneOf } from './scene.ts';

/**
 * Whether each agent runs with IPv6. One whose Node has no IPv6 address or pod CIDR ends, again and again: pods there keep their network, new ones get
 * none, and the Node may stay Ready.
 */
export function nodeProofs(wanted: Wanted, facts: ClusterFacts, own: CiliumFacts): Known<NodeProofs> {
  const unread = [own.config, own.agent, own.nodes].find((part) => !part.known);
  if (unread?.known === false) return unknown(unread.why);
  const scene = wanted.direction === 'Forward' ? sceneOf(wanted, facts, own) : null;
  if (scene === null) return known({ inForce: false, nodes: new Map() });

  const pods = scene.agent.workload.pods.filter((pod) => !pod.terminating);
  const isOn = scene.config.data['enable-ipv6'] === 'true';
  const inForce =
    isOn && (markOf(scene.agent.workload) === MARKS.with || pods.some((pod) => runsIPv6(scene.nodes[pod.node])));
  const nodes = facts.nodes.flatMap((node) => {
    const pod = pods.find((each) => each.node === node.name);
    return pod === undefined ? [] : [[node.name, proofOf(scene, node, pod, inForce)] as const];
  });
  return known({ inForce, nodes: new Map(nodes) });
}

function proofOf(scene: Scene, node: NodeFacts, pod: PodFacts, inForce: boolean): NodeProof {
  const isTold = runsIPv6(scene.nodes[node.name]);
  if (isTold && pod.ready) {
    return { is: 'Proven', evidence: `cilium-agent on ${node.name} runs with an IPv6 address of its own.`, remedy: '' };
  }
  const remedy = `See its log: kubectl -n kube-system logs ${pod.name} -c cilium-agent --previous.`;
  if (inForce && !pod.ready && pod.waiting === 'CrashLoopBackOff') {
    const ended = endedText(pod);
    const fails = `cilium-agent on ${node.name} does not start (${pod.waiting}, ${pod.restarts} restarts${ended === '' ? '' : `, the last time ${ended}`})`;
    const cause = whyItEnds(scene, node);
    return cause === null
      ? { is: 'Failing', evidence: `${fails}: new pods get no network there.`, remedy }
      : {
          is: 'LostPrimary',
          evidence: `${fails}, because ${cause}: new pods get no network in either family there.`,
          remedy: `Give ${node.name} what it lacks; cilium-agent then starts by itself. ${remedy}`,
        };
  }
  return {
    is: 'Pending',
    evidence: isTold
      ? `cilium-agent on ${node.name} is not ready.`
      : `CiliumNode ${node.name} has no IPv6 CiliumInternalIP yet.`,
    remedy,
  };
}

/** Null: it may end for anything. */
function whyItEnds({ mode, nodes }: Scene, node: NodeFacts): string | null {
  if (![...node.internalIPs, ...node.externalIPs].some(isIPv6)) return 'its Node has no IPv6 address';
  switch (mode) {
    case 'kubernetes':
      return node.podCIDRs.some(isIPv6) ? null : 'its Node has no IPv6 podCIDR';
    case 'cluster-pool':
      return nodes[node.name]?.podCIDRs.some(isIPv6) === true ? null : 'its CiliumNode has no IPv6 pod CIDR';
    case 'multi-pool':
      return null;
    default:
      return unreachable(mode);
  }
}
