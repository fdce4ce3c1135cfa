import { BLOCK_SIZE } from '../api/pool-rule.ts';
import { asNumber, asString, at } from '../model/object.ts';
import type { Family } from '../net/family.ts';
import type { NewCluster } from './contract.ts';
import { isUniqueLocal, networkOf } from './networks.ts';

/** How pods of one family travel, in the words of Calico's installation API; `Auto`: as the tool's own default. */
export type Encapsulation = 'Auto' | 'None' | 'VXLAN' | 'VXLANCrossSubnet' | 'IPIP' | 'IPIPCrossSubnet';

/** A pool of Calico as it shall be. */
export interface Pool {
  readonly family: Family;
  readonly cidr: string;
  readonly blockSize: number;
  readonly encapsulation: Encapsulation;
  readonly natOutgoing: boolean;
  readonly nodeSelector: string;
}

/** Calico's own defaults (libcalico-go, IPPoolSpec). */
const DEFAULT_BLOCK_SIZE: Readonly<Record<Family, number>> = { IPv4: 26, IPv6: 122 };

/** The pools of a new cluster. `spec.calico.pool` is about the second family, or the only one. */
export function poolsOf({ families, pods, options }: NewCluster): readonly Pool[] {
  const told = families.at(-1);
  return families.flatMap((family) => {
    const cidr = pods[family];
    if (cidr === undefined) return [];
    const wish = family === told ? at(options, 'calico', 'pool') : undefined;
    return [
      {
        family,
        cidr,
        blockSize: asNumber(at(wish, 'blockSize')) ?? DEFAULT_BLOCK_SIZE[family],
        encapsulation: (asString(at(wish, 'encapsulation')) ?? 'Auto') as Encapsulation,
        natOutgoing: natOf(at(wish, 'natOutgoing'), family, cidr),
        nodeSelector: asString(at(wish, 'nodeSelector')) ?? 'all()',
      },
    ];
  });
}

/** A new cluster has to get out: IPv4 pods always by their node's address, as Calico does it; IPv6 pods where theirs is private. */
const natOf = (wish: unknown, family: Family, cidr: string): boolean =>
  typeof wish === 'boolean' ? wish : family === 'IPv4' || isUniqueLocal(cidr);

/** What Calico itself would refuse, or take and not carry out. */
export function poolProblems(pools: readonly Pool[]): readonly string[] {
  return pools.flatMap(({ family, cidr, blockSize, encapsulation }) => {
    const [shortest, longest] = BLOCK_SIZE[family];
    return [
      ...(blockSize >= shortest && blockSize <= longest && blockSize >= networkOf(cidr).prefix
        ? []
        : [
            `spec.calico.pool.blockSize: ${blockSize} does not fit ${cidr}: write a value from ${Math.max(shortest, networkOf(cidr).prefix)} to ${longest}`,
          ]),
      ...(family === 'IPv6' && encapsulation.startsWith('IPIP')
        ? ['spec.calico.pool.encapsulation: IPIP carries no IPv6: write VXLAN, VXLANCrossSubnet or None']
        : []),
    ];
  });
}

/** How calico-node finds the IPv6 address of its node; by default as the Node object has it, so that both always agree. */
export const autodetectionOf = ({ options }: NewCluster): string =>
  asString(at(options, 'calico', 'autodetectionMethod')) ?? 'kubernetes-internal-ip';
