import type { ClusterFacts, NodeFacts, PodFacts } from '../../model/facts.ts';
import { keyed } from '../../model/keyed.ts';
import type { NodeProof, NodeProofs } from '../../model/node-proof.ts';
import { known, unknown, type Known } from '../../model/reader.ts';
import type { Wanted } from '../../model/wanted.ts';
import { type Family, hasFamily } from '../../net/family.ts';
import type { CalicoFacts } from './facts.ts';
import { NAMES } from './family.ts';
import { agentNodes } from './rollout.ts';

/** A calico-node that has written no address after that time does not find any. */
const START_MS = 60_000;

/**
 * What calico-node has written to its Nodes. Once it looks for the second family, a node without such an address loses that of the first as soon as
 * calico-node starts there, and stays Ready: where it shall find both and misses one, it clears both
 * (`configureAndCheckIPAddressSubnetsErr` in Calico's `node/pkg/lifecycle/startup/startup.go`).
 */
export function nodeProofs(wanted: Wanted, facts: ClusterFacts, { agent }: CalicoFacts): Known<NodeProofs> {
  if (!agent.known) return unknown(agent.why);
  const [primary, second] = wanted.families;
  if (agent.value === null || primary === undefined || second === undefined)
    return known({ inForce: false, nodes: new Map() });
  const { env, workload } = agent.value;
  const entry = env[NAMES[second].address];
  const inForce = entry?.is === 'Value' && entry.value === 'autodetect';
  const search = { primary, second, keys: [primary, second].map((family) => NAMES[family].proof), inForce };
  const seen = lookAt(workload.pods, facts.at);
  const nodes = keyed(
    agentNodes(facts, agent.value),
    ({ name }) => name,
    (node) => proofOf(node, seen, search),
  );
  return known({ inForce, nodes });
}

/** By the names of their nodes; of thousands of pods few fail. */
interface SeenPods {
  readonly ready: ReadonlySet<string>;
  readonly failing: ReadonlyMap<string, PodFacts>;
}

function lookAt(pods: readonly PodFacts[], now: number): SeenPods {
  const [ready, failing] = [new Set<string>(), new Map<string, PodFacts>()];
  for (const pod of pods) {
    if (pod.terminating) continue;
    if (pod.ready) ready.add(pod.node);
    else if (isFailing(pod, now) && !failing.has(pod.node)) failing.set(pod.node, pod);
  }
  return { ready, failing };
}

interface Search {
  readonly primary: Family;
  readonly second: Family;
  /** Of the annotations with the address of each. */
  readonly keys: readonly string[];
  /** calico-node looks for the second. */
  readonly inForce: boolean;
}

function proofOf(node: NodeFacts, seen: SeenPods, search: Search): NodeProof {
  const { primary, second, keys, inForce } = search;
  const missing = keys.filter((key) => !isSet(node, key));
  if (missing.length === 0 && seen.ready.has(node.name)) {
    return { is: 'Proven', evidence: `calico-node on ${node.name} has found both of its addresses.`, remedy: '' };
  }
  const failing = seen.failing.get(node.name);
  const hasPrimary = hasFamily(node.internalIPs, primary);
  if (inForce && hasPrimary && failing !== undefined && missing.includes(NAMES[primary].proof)) {
    return {
      is: 'LostPrimary',
      evidence: `calico-node on ${node.name} found no ${second} address and has dropped the node's ${primary} address (${failing.waiting ?? 'not ready'}, ${failing.restarts} restarts, no ${NAMES[primary].proof}): pods there are cut off from other nodes.`,
      remedy: `Give ${node.name} an ${second} address; then delete its calico-node pod if it does not come back by itself: kubectl -n kube-system delete pod ${failing.name}.`,
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

const isSet = (node: NodeFacts, key: string): boolean => (node.annotations[key] ?? '') !== '';

const isFailing = ({ waiting, restarts, startedAt }: PodFacts, now: number): boolean =>
  waiting === 'CrashLoopBackOff' || restarts > 0 || now - Date.parse(startedAt) > START_MS;
