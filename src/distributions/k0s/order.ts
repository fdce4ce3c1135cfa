import { coerce, gte } from 'semver';
import type { NodeFacts } from '../../model/facts.ts';
import { familyOf } from '../../model/node-address.ts';
import { type Known, known, unknown } from '../../model/reader.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { type Family, otherFamily } from '../../net/family.ts';

/**
 * In which order k0s writes `--cluster-cidr` by itself: IPv6 first, whatever is primary, before 1.36.1; since then the primary family first
 * (github.com/k0sproject/k0s/pull/7684).
 */
export function orderOfK0s(kubernetesVersion: string, primary: Family): readonly Family[] {
  const version = coerce(kubernetesVersion);
  const followsPrimary = version !== null && gte(version, '1.36.1');
  const first = followsPrimary ? primary : 'IPv6';
  return [first, otherFamily(first)];
}

/**
 * In which order it must be: kube-controller-manager holds the n-th podCIDR of a Node against the n-th cluster CIDR and ends where they do not
 * fit (github.com/k0sproject/k0s/issues/5116 and 7927). Unknown: Nodes disagree, and no order suits them all.
 */
export function orderOfNodes(nodes: readonly NodeFacts[], primary: Family): Known<readonly Family[]> {
  const firsts = nodes.flatMap((node) => {
    const family = familyOf(node.podCIDRs[0]?.split('/')[0] ?? '');
    return family === null ? [] : [{ node, family }];
  });
  const first = firsts[0];
  if (first === undefined) return known([primary, otherFamily(primary)]);
  const other = firsts.find(({ family }) => family !== first.family);
  if (other !== undefined) {
    return unknown(
      `podCIDRs of Node ${first.node.name} begin with ${first.family}, those of Node ${other.node.name} with ${other.family}`,
    );
  }
  return known([first.family, otherFamily(first.family)]);
}

/** The pod networks as kube-controller-manager needs them. */
export function neededPods(wanted: Wanted, nodes: readonly NodeFacts[]): readonly string[] {
  const [primary = 'IPv4'] = wanted.families;
  const order = orderOfNodes(nodes, primary);
  return cidrList(wanted.families.length === 2 && order.known ? order.value : wanted.families, wanted.pods);
}
