import type { ClusterFacts, NodeFacts, PodFacts } from '../../model/facts.ts';
import { isProven, nodeAnnotations, type NodeAnnotations, whyNoInterface } from '../../model/flanneld.ts';
import type { NodeProof, NodeProofs } from '../../model/node-proof.ts';
import { known, unknown, type Known } from '../../model/reader.ts';
import type { Wanted } from '../../model/wanted.ts';
import { endedText } from '../../model/workload.ts';
import { type Family, hasFamily } from '../../net/family.ts';
import type { FlannelAgentFacts, FlannelFacts } from './facts.ts';
import { markOf } from './goal.ts';
import { readNetConf } from '../../model/net-conf.ts';

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
    return known({ inForce: false, nodes: new Map() });

  const isRolledOut = (markOf(agent) ?? '').startsWith(`${second}, roll-out 2`) || config.untouched;
  const inForce = conf.value.enabled[second] && isRolledOut;
  const annotations = nodeAnnotations(agent.flags, second);
  const nodes = facts.nodes.flatMap((node) => {
    const pod = agent.workload.pods.find((each) => each.node === node.name && !each.terminating);
    if (pod === undefined) return [];
    const isTold = isProven(node, annotations, conf.value.backend);
    const cause = whyItEnds(node, pod, wanted.families, agent);
    return [
      [node.name, proofOf({ node, pod, isTold, inForce, annotations, cause, namespace: own.namespace })] as const,
    ];
  });
  return known({ inForce, nodes: new Map(nodes) });
}

interface Seen {
  readonly node: NodeFacts;
  readonly pod: PodFacts;
  readonly isTold: boolean;
  readonly inForce: boolean;
  readonly annotations: NodeAnnotations;
  /** What flanneld ends for, where that is known. */
  readonly cause: string | null;
  readonly namespace: string;
}

function proofOf({ node, pod, isTold, inForce, annotations, cause, namespace }: Seen): NodeProof {
  if (isTold && pod.ready) {
    return { is: 'Proven', evidence: `flanneld on ${node.name} has published both of its addresses.`, remedy: '' };
  }
  const remedy = `See its log: kubectl -n ${namespace} logs ${pod.name} -c kube-flannel --previous.`;
  if (inForce && !pod.ready && pod.waiting === 'CrashLoopBackOff') {
    const ended = endedText(pod);
    const fails = `flanneld on ${node.name} does not start (${pod.waiting}, ${pod.restarts} restarts${ended === '' ? '' : `, the last time ${ended}`})`;
    return cause === null
      ? {
          is: 'Failing',
          evidence: `${fails}, for a reason that neither its Node nor its host tells: pods there may have no network after a boot of the node.`,
          remedy,
        }
      : {
          is: 'LostPrimary',
          evidence: `${fails}, because ${cause}: after a boot of the node pods there have no network in either family.`,
          remedy: `Give ${node.name} an address, a default route and a pod CIDR of each family, the routes on one interface; flanneld then starts by itself. ${remedy}`,
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

/**
 * The words with which flanneld ends where it lacks a family (`LookupExtIface` in `pkg/ipmatch/match.go`, `acquireLease` in `pkg/subnet/kube/kube.go`).
 * They stand in the Pod's status only where its termination message is taken from its log.
 */
const LACKS_A_FAMILY =
  /failed to find IPv[46] address[^"]*|failed to get default (?:v6 )?interface[^"]*|node "[^"]*" pod cidrs? [^"]*/u;

/** Null: it may end for anything, such as a wrong image, a full disk or a kernel module. */
function whyItEnds(
  node: NodeFacts,
  { ended }: PodFacts,
  families: readonly Family[],
  agent: FlannelAgentFacts,
): string | null {
  const lacks = (held: readonly string[]) => families.filter((family) => !hasFamily(held, family));
  const [addresses, podCIDRs] = [lacks(node.internalIPs), lacks(node.podCIDRs)];
  if (addresses.length > 0) return `its Node has no ${addresses.join(' and no ')} address`;
  if (podCIDRs.length > 0) return `its Node has no ${podCIDRs.join(' and no ')} pod CIDR`;
  const host = whyNoInterface(node, families, agent.flags);
  if (host !== null) return host;
  const said = LACKS_A_FAMILY.exec(ended?.message ?? '')?.[0].trim();
  return said === undefined ? null : `it said: ${said}`;
}
