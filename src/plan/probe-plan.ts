import type { ClusterFacts, NodeFacts } from '../model/facts.ts';
import type { ProbeImage } from '../model/probe.ts';
import type { DNSServer, ProbePlan } from '../model/step.ts';
import { type Family, familyAtSight } from '../net/family.ts';
import { remembered } from '../net/remembered.ts';
import { fingerprintOf } from './canonical.ts';

/** Up to so many nodes every pair is tried; beyond, the number of checks grows with the nodes and not with their square. */
export const ALL_PAIRS_UP_TO = 20;
/** So many nodes take part at most, however large the cluster is: a proof must be cheap for those who serve it. */
export const MOST_NODES = 40;
/** Nodes that are looked at first, because something was wrong there or they are new, leave room for others to compare with. */
const MOST_SUSPECTS = 20;
const MOST_NAMES = 50;
/**
 * Steps along the ring of chosen nodes from each to its targets: neighbours, further ones, and the one opposite is added. With several
 * targets and several sources for each node a node that is cut off can be told from a pair that is.
 */
const CHORDS = [1, 2, 5, 13] as const;

/** Names of nodes that should be among the chosen; the first are the most wanted. */
export type Suspects = readonly string[];

/** Who talks to whom. Pure and without chance: the same cluster gives the same plan. */
export function probePlan(
  facts: ClusterFacts,
  families: readonly Family[],
  image: ProbeImage,
  suspects: Suspects,
): ProbePlan {
  const able = facts.nodes.filter(canRunPods);
  const ready = able.filter((node) => node.ready);
  const chosen = chooseNodes(ready, suspects);
  return {
    families,
    image,
    nodes: chosen.map(({ name, internalIPs }) => ({ name, internalIPs })),
    pairs: choosePairs(chosen.map(({ name }) => name)),
    dns: dnsServers(facts, families),
    ready: ready.length,
    newest: newestOf(facts.nodes),
    leftOut: able
      .filter((node) => !node.ready)
      .map(({ name }) => name)
      .slice(0, MOST_NAMES),
  };
}

/** A pod of ours can run there: not on Windows, and not on a node that only stands for some service elsewhere. */
export const canRunPods = ({ labels }: NodeFacts): boolean =>
  (labels['kubernetes.io/os'] ?? 'linux') === 'linux' && labels['type'] !== 'virtual-kubelet';

/** RFC 3339 times of the API server are all in UTC and of one form, so they sort as texts. */
const newestOf = (nodes: readonly NodeFacts[]): string =>
  nodes.reduce((newest, { createdAt }) => (createdAt > newest ? createdAt : newest), '');

/** All of a small cluster; of a large one suspects first, then in turn from each zone and role. */
function chooseNodes(ready: readonly NodeFacts[], suspects: Suspects): readonly NodeFacts[] {
  if (ready.length <= ALL_PAIRS_UP_TO) return ready;
  const wanted = new Set(suspects);
  const order = new Map(suspects.map((name, index) => [name, index]));
  const first = ready
    .filter(({ name }) => wanted.has(name))
    .toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0))
    .slice(0, MOST_SUSPECTS);
  const taken = new Set(first.map(({ name }) => name));
  const others = inTurn(groupsOf(ready.filter(({ name }) => !taken.has(name))));
  return [...first, ...others].slice(0, MOST_NODES);
}

const placeOf = ({ controlPlane, labels }: NodeFacts): string =>
  `${controlPlane ? 'control-plane' : 'worker'}/${labels['topology.kubernetes.io/zone'] ?? ''}`;

function groupsOf(nodes: readonly NodeFacts[]): readonly (readonly NodeFacts[])[] {
  return [...Map.groupBy(nodes, placeOf)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, members]) => members.toSorted((a, b) => (rankOf(a.name) < rankOf(b.name) ? -1 : 1)));
}

/** Names often tell rack and age; a hash does not, so that the choice is spread over both. */
const rankOf = remembered((name) => fingerprintOf({ name }));

function inTurn<T>(groups: readonly (readonly T[])[]): readonly T[] {
  const longest = Math.max(0, ...groups.map((group) => group.length));
  return Array.from({ length: longest }, (_, index) => groups.flatMap((group) => group.slice(index, index + 1))).flat();
}

/** Every ordered pair, or a ring with chords: each node is then as often a source as it is a target. */
export function choosePairs(names: readonly string[]): ProbePlan['pairs'] {
  const count = names.length;
  const steps = count <= ALL_PAIRS_UP_TO ? Array.from({ length: count }, (_, step) => step) : [...CHORDS, count >> 1];
  const distinct = new Set(steps.filter((step) => step > 0 && step < count));
  return names.flatMap((source, index) =>
    [...distinct].flatMap((step) => {
      const target = names[(index + step) % count];
      return target === undefined ? [] : [[source, target] as const];
    }),
  );
}

/** The cluster's DNS Service as it is: IPv6 is asked only where it has an IPv6 address. */
function dnsServers({ services, coreDNS }: ClusterFacts, families: readonly Family[]): readonly DNSServer[] {
  const dns = services.known
    ? services.value.find(({ namespace, name }) => namespace === 'kube-system' && name === 'kube-dns')
    : undefined;
  const pods = coreDNS.known ? (coreDNS.value?.pods ?? []).filter((pod) => !pod.terminating) : [];
  return (dns?.clusterIPs ?? [])
    .filter((address) => address !== 'None' && families.includes(familyAtSight(address)))
    .map((address) => ({
      address,
      // DNS that is run by something else than the usual Deployment is not judged by its pods.
      hasEndpoint:
        pods.length === 0 || pods.some((pod) => pod.podIPs.some((ip) => familyAtSight(ip) === familyAtSight(address))),
    }));
}
