import type { Wanted } from '../../model/wanted.ts';
import { type Family, otherFamily } from '../../net/family.ts';
import type { EnvName } from './facts.ts';

/** What bears another name for each family in Calico. */
interface FamilyNames {
  /** How calico-node finds the address of its node: `autodetect`, `none`, or an address. */
  readonly address: EnvName;
  readonly method: EnvName;
  /** Members of the network configuration: which families a pod gets. */
  readonly assign: 'assign_ipv4' | 'assign_ipv6';
  /** What calico-node writes to its Node once it has found the address. Only that proves that the node carries the family. */
  readonly proof: string;
  /** What Felix writes there for a tunnel of its own. It shows that there is a pool, and no more. */
  readonly tunnels: readonly string[];
  /** The name that Calico itself gives to its first pool. */
  readonly pool: string;
  /** Taken when a disabled pool of other addresses has that name. */
  readonly otherPool: string;
}

export const NAMES: Readonly<Record<Family, FamilyNames>> = {
  IPv4: {
    address: 'IP',
    method: 'IP_AUTODETECTION_METHOD',
    assign: 'assign_ipv4',
    proof: 'projectcalico.org/IPv4Address',
    tunnels: ['projectcalico.org/IPv4IPIPTunnelAddr', 'projectcalico.org/IPv4VXLANTunnelAddr'],
    pool: 'default-ipv4-ippool',
    otherPool: 'dualstack-ipv4-ippool',
  },
  IPv6: {
    address: 'IP6',
    method: 'IP6_AUTODETECTION_METHOD',
    assign: 'assign_ipv6',
    proof: 'projectcalico.org/IPv6Address',
    tunnels: ['projectcalico.org/IPv6VXLANTunnelAddr'],
    pool: 'default-ipv6-ippool',
    otherPool: 'dualstack-ipv6-ippool',
  },
};

/**
 * The family that comes beside the primary one, or leaves it. Null: neither is the case.
 *
 * The primary is whatever the cluster was made with; Calico itself knows no order of families.
 */
export function changedFamily({ direction, families }: Wanted): Family | null {
  const [primary] = families;
  if (primary === undefined) return null;
  const isChange = direction === 'Back' ? families.length === 1 : families.length === 2;
  return isChange ? otherFamily(primary) : null;
}
