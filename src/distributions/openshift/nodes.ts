import type { NodeFacts } from '../../model/facts.ts';
import { addressOfFamily, familyOf } from '../../model/node-address.ts';
import { asArray, asString, at } from '../../model/object.ts';
import type { Wanted } from '../../model/wanted.ts';
import { familyOfNetwork } from '../../net/cidr.ts';
import type { Family } from '../../net/family.ts';

/** OVN-Kubernetes keeps the pod networks of a node here, not in podCIDRs (ovn-org/ovn-kubernetes, pkg/util/subnet_annotations.go). */
export const SUBNETS = 'k8s.ovn.org/node-subnets';

/** Why a Node is not yet as it shall be; null: it is. */
export function behind(wanted: Wanted, node: NodeFacts): string | null {
  if (node.labels['kubernetes.io/os'] === 'windows') return null;
  const { families } = wanted;
  if (wanted.nodes.nodeIP === 'Manage') {
    const missing = families.find((family) => addressOfFamily(node.internalIPs, family) === undefined);
    if (missing !== undefined) return `has no ${missing} InternalIP`;
    const extra = node.internalIPs.find((address) => !isOf(families, familyOf(address)));
    if (extra !== undefined) return `still has InternalIP ${extra}`;
  }
  const subnets = podNetworks(node);
  const lacking = families.find((family) => !subnets.some((text) => familyOfNetwork(text) === family));
  if (lacking !== undefined) return `has no ${lacking} pod network of OVN-Kubernetes`;
  const left = subnets.find((text) => !isOf(families, familyOfNetwork(text)));
  return left === undefined ? null : `still has pod network ${left}`;
}

const isOf = (families: readonly Family[], family: Family | null): boolean =>
  family === null || families.includes(family);

/** `{"default":["10.128.0.0/23","fd01::/64"]}`, or one text where there is one. None where it cannot be read. */
function podNetworks({ annotations }: NodeFacts): readonly string[] {
  let value: unknown;
  try {
    value = at(JSON.parse(annotations[SUBNETS] ?? 'null'), 'default');
  } catch {
    return [];
  }
  return [value, ...asArray(value)].flatMap((entry) => asString(entry) ?? []);
}
