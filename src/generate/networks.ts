import { classOf } from '../net/special.ts';
import { addressOf } from '../net/address.ts';
import { type Cidr, nthAddress, parseCidr } from '../net/cidr.ts';
import type { Family, PerFamily } from '../net/family.ts';
import type { NewCluster, Networks } from './contract.ts';

/**
 * Networks for who gives none: those of kubeadm's documentation for IPv4, and private ones that look like them for IPv6 (kind takes the same).
 * With /56 the 16 bits between it and /64 leave 256 nodes a network each.
 */
export const USUAL_NETWORKS: Readonly<Record<Family, Networks>> = {
  IPv4: { pods: '10.244.0.0/16', services: '10.96.0.0/16' },
  IPv6: { pods: 'fd00:10:244::/56', services: 'fd00:10:96::/112' },
};

/** One value per family, primary first. */
export const inOrder = <T>(families: readonly Family[], values: PerFamily<T>): readonly T[] =>
  families.flatMap((family) => {
    const value = values[family];
    return value === undefined ? [] : [value];
  });

export const isDual = ({ families }: Pick<NewCluster, 'families'>): boolean => families.length === 2;

/** A network that the rules have let pass. */
export function networkOf(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr.ok) throw new Error(cidr.error.message);
  return cidr.value;
}

/** Where the cluster DNS is: the tenth address of the first Service network, as kubeadm and the kubelet take it. */
export const dnsAddress = (serviceNetwork: string): string | null =>
  nthAddress(networkOf(serviceNetwork), 10n)?.text ?? null;

/** Unique local addresses (RFC 4193) are not routed in the Internet: what leaves the cluster needs its node's address. */
export function isUniqueLocal(network: string): boolean {
  const { family, first } = networkOf(network);
  return classOf(addressOf(family, first)) === 'UniqueLocal';
}

export const maskField = (family: Family): string => `nodeCIDRMaskSize${family}`;

/** How much longer than the pod network's prefix a node's may be. */
export type MaskLimits = Readonly<Record<Family, number>>;

/** kube-controller-manager limits IPv6 alone (pkg/controller/nodeipam/ipam/cidrset); 32: no limit of its own. */
const CONTROLLER_MANAGER_LIMITS: MaskLimits = { IPv4: 32, IPv6: 16 };

/** What is wrong with the networks of single nodes, where a node takes `defaults` unless something else is asked for. */
export function maskProblems(
  cluster: NewCluster,
  defaults: Readonly<Record<Family, number>>,
  limits: MaskLimits = CONTROLLER_MANAGER_LIMITS,
): readonly string[] {
  return inOrder(cluster.families, cluster.pods).flatMap((pods) => {
    const { family, prefix } = networkOf(pods);
    const mask = cluster.nodeMask[family] ?? defaults[family];
    if (mask >= prefix && mask - prefix <= limits[family]) return [];
    const longest = Math.min(family === 'IPv4' ? 32 : 128, prefix + limits[family]);
    return [
      `the pod network ${pods} cannot be cut into networks of /${mask} for single nodes: choose one from /${Math.max(1, mask - limits[family])} to /${mask}, or set ${maskField(family)} to a value from ${prefix} to ${longest}`,
    ];
  });
}
