import type { ClusterFacts, NodeFacts, PodFacts } from '../../model/facts.ts';
import { nodeAnnotations, whyNoInterface } from '../../model/flanneld.ts';
import { readNetConf } from '../../model/net-conf.ts';
import type { NodeProof, NodeProofs } from '../../model/node-proof.ts';
import { known, unknown, type Known } from '../../model/reader.ts';
import type { Wanted } from '../../model/wanted.ts';
import { endedText } from '../../model/workload.ts';
import type { AgentFacts, CanalFacts } from './facts.ts';
import { hasIPv6, hasTold, markOf } from './goal.ts';

/**
 * Whether flanneld runs on each node with both families. Where it finds no second one it ends, and a node that has booted since has no network for
 * pods in either family, while it may well be Ready.
 */
export function nodeProofs(wanted: Wanted, facts: ClusterFacts, { config, agent }: CanalFacts): Known<NodeProofs> {
  if (!agent.known) return unknown(agent.why);
  if (!config.known) return unknown(config.why);
  const [live, conf] = [agent.value, config.value];
  const read = readNetConf(conf?.flannel ?? '');
  if (live === null || conf === null || !read.ok || wanted.families[1] !== 'IPv6')
    return known({ inForce: false, nodes: new Map() });

  const inForce = read.value.enabled.IPv6 && ((markOf(live) ?? '').startsWith('IPv6, roll-out 2') || conf.untouched);
  const nodes = facts.nodes.flatMap((node) => {
    const pod = live.workload.pods.find((each) => each.node === node.name && !each.terminating);
    return pod === undefined
      ? []
      : [[node.name, proofOf(live, node, pod, hasTold(node, live, conf), inForce)] as const];
  });
  return known({ inForce, nodes: new Map(nodes) });
}

function proofOf(agent: AgentFacts, node: NodeFacts, pod: PodFacts, isTold: boolean, inForce: boolean): NodeProof {
  if (isTold && pod.ready) {
    return { is: 'Proven', evidence: `flanneld on ${node.name} has published both of its addresses.`, remedy: '' };
  }
  const remedy = `See its log: kubectl -n kube-system logs ${pod.name} --all-containers --previous.`;
  if (inForce && !pod.ready && pod.waiting === 'CrashLoopBackOff') {
    const ended = endedText(pod);
    const fails = `canal on ${node.name} does not start (${pod.waiting}, ${pod.restarts} restarts${ended === '' ? '' : `, the last time ${ended}`})`;
    const cause = whyItEnds(agent, node);
    return cause === null
      ? { is: 'Failing', evidence: `${fails}: pods there may have no network after a boot of the node.`, remedy }
      : {
          is: 'LostPrimary',
          evidence: `${fails}, because ${cause}: after a boot of the node pods there have no network in either family.`,
          remedy: `Give ${node.name} what it lacks; flanneld then starts by itself. ${remedy}`,
        };
  }
  return {
    is: 'Pending',
    evidence: isTold
      ? `canal on ${node.name} is not ready.`
      : `flanneld on ${node.name} has not published ${nodeAnnotations(agent.flags, 'IPv6').publicIP} yet.`,
    remedy,
  };
}

/** Null: it may end for anything. */
function whyItEnds({ flags }: AgentFacts, node: NodeFacts): string | null {
  if (!hasIPv6(node.internalIPs)) return 'its Node has no IPv6 address';
  if (!hasIPv6(node.podCIDRs)) return 'its Node has no IPv6 podCIDR';
  return whyNoInterface(node, ['IPv4', 'IPv6'], flags);
}
