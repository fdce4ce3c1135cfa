import { networksOf } from '../../model/networks.ts';
import { type Known, known, unknown } from '../../model/reader.ts';
import { familyOfNetwork } from '../../net/cidr.ts';
import { FAMILIES, type Family, type PerFamily } from '../../net/family.ts';
import type { NetworkFacts, NetworkLists, OpenShiftFacts } from './facts.ts';

/** What the installer gives who asks for nothing else; with IPv6 it takes no other (openshift/installer, pkg/types/validation/installconfig.go). */
export const DEFAULT_MASKS = { IPv4: 23, IPv6: 64 } as const;

export const networkFacts = (own: OpenShiftFacts): NetworkFacts | null =>
  own.network.known ? own.network.value : null;

/** What runs: the status, which the cluster-network-operator writes; the spec where it has not yet. */
function liveLists(own: OpenShiftFacts): NetworkLists | null {
  const facts = networkFacts(own);
  if (facts === null) return null;
  return facts.status.serviceNetwork.length > 0 ? facts.status : facts.spec;
}

export function network(own: OpenShiftFacts): {
  readonly pods: Known<readonly string[]>;
  readonly services: Known<readonly string[]>;
  readonly nodeMask: PerFamily<number>;
} {
  const lists = liveLists(own);
  if (lists === null) {
    const why = unknown(own.network.known ? 'there is no Network cluster in config.openshift.io' : own.network.why);
    return { pods: why, services: why, nodeMask: {} };
  }
  return {
    pods: told(
      'clusterNetwork',
      lists.clusterNetwork.map(({ cidr }) => cidr),
    ),
    services: told('serviceNetwork', lists.serviceNetwork),
    nodeMask: nodeMask(lists),
  };
}

/** OpenShift takes several pod networks of one family; the first of each counts. */
function told(field: string, list: readonly string[]): Known<readonly string[]> {
  const networks = networksOf(list.join(','));
  if (list.length === 0 || networks === null) {
    return unknown(`${field} of Network cluster is "${list.join(',')}", which cannot be read`);
  }
  return known(
    networks.filter(
      (text, index) => networks.findIndex((each) => familyOfNetwork(each) === familyOfNetwork(text)) === index,
    ),
  );
}

const nodeMask = ({ clusterNetwork }: NetworkLists): PerFamily<number> =>
  Object.fromEntries(
    FAMILIES.flatMap((family) => {
      const hostPrefix = clusterNetwork.find(({ cidr }) => familyOfNetwork(cidr) === family)?.hostPrefix;
      return hostPrefix === undefined ? [] : [[family, hostPrefix]];
    }),
  );

/** Families that the cluster has, primary first; null: that is not told. */
export function liveFamilies(own: OpenShiftFacts): readonly Family[] | null {
  const { services } = network(own);
  return services.known ? services.value.flatMap((text) => familyOfNetwork(text) ?? []) : null;
}
