import type { FindingReason } from '../../api/reasons.ts';
import type { Finding } from '../../model/finding.ts';
import type { ObjectRef } from '../../model/object.ts';
import { PHASES } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { type Cidr, overlaps, parseCidr } from '../../net/cidr.ts';
import { poolsOf, type CalicoFacts, type ConfigFacts, type Pool } from './facts.ts';
import { DEFAULTS, optionsOf } from './options.ts';

/**
 * Rules for the IPv6 pool. Calico's own CRD checks almost none of them, so that a pool that breaks one would be stored and
 * fail later.
 */
export function checkPools(wanted: Wanted, own: CalicoFacts, config: ConfigFacts): readonly Finding[] {
  const cidr = parseCidr(wanted.pods.IPv6 ?? '');
  if (!cidr.ok || !own.pools.known) return [];
  return [
    ...checkEncapsulation(wanted, config),
    ...checkBlockSize(wanted, own, cidr.value),
    ...poolsOf(own, 'IPv6').flatMap((pool) => checkOther(own, pool, cidr.value)),
    ...checkIPv4Pool(wanted, own),
  ];
}

function checkEncapsulation(wanted: Wanted, { backend }: ConfigFacts): readonly Finding[] {
  const encapsulation = optionsOf(wanted.options).pool?.encapsulation ?? 'Auto';
  const field = `spec.calico.pool.encapsulation: ${encapsulation}`;
  if (encapsulation === 'IPIP' || encapsulation === 'IPIPCrossSubnet') {
    return [
      mistake('EncapsulationUnsupported', {
        message: `${field} cannot be had: IPIP carries no IPv6`,
        remedy: 'Set it to Auto: with BGP, IPv6 is routed beside the IPIP of IPv4; or to VXLAN.',
      }),
    ];
  }
  if (backend === 'vxlan' && encapsulation === 'None') {
    return [
      mistake('EncapsulationMismatch', {
        message: `${field} does not fit calico_backend: vxlan: without BGP and without VXLAN no IPv6 gets from node to node`,
        remedy: 'Set it to Auto, VXLAN or VXLANCrossSubnet.',
      }),
    ];
  }
  return [];
}

function checkBlockSize(wanted: Wanted, own: CalicoFacts, cidr: Cidr): readonly Finding[] {
  const asked = optionsOf(wanted.options).pool?.blockSize;
  const existing = poolsOf(own, 'IPv6').find((pool) => pool.cidr === cidr.text);
  if (existing !== undefined) {
    if (asked === undefined || existing.blockSize === null || existing.blockSize === asked) return [];
    return [
      {
        ...blocker('PoolBlockSize', ref(own, existing), {
          message: `IPPool ${existing.name} has blockSize ${existing.blockSize}, spec.calico.pool.blockSize is ${asked}: it cannot be changed and stays`,
          remedy: 'Leave the field out.',
        }),
        blocks: [],
      },
    ];
  }
  const blockSize = asked ?? DEFAULTS.blockSize;
  if (blockSize >= 116 && blockSize >= cidr.prefix) return [];
  const why = blockSize < 116 ? 'blocks of IPv6 are /116 to /128' : `the pool is only a /${cidr.prefix}`;
  return [
    mistake('PoolBlockSize', {
      message: `spec.calico.pool.blockSize: ${blockSize} does not fit the IPv6 pool ${cidr.text}: ${why}`,
      remedy: `Set it to a value from ${Math.max(116, cidr.prefix)} to 128.`,
    }),
  ];
}

/** Calico gives out addresses of every enabled pool, and takes no pool that overlaps another one, even a disabled one. */
function checkOther(own: CalicoFacts, pool: Pool, cidr: Cidr): readonly Finding[] {
  const other = parseCidr(pool.cidr);
  if (!other.ok || other.value.text === cidr.text) return [];
  if (overlaps(other.value, cidr)) {
    return [
      blocker('PoolConflict', ref(own, pool), {
        message: `IPPool ${pool.name} (${pool.cidr}) overlaps the wanted IPv6 pod network ${cidr.text}`,
        remedy: `Ask for ${pool.cidr} in spec.clusterNetwork.pods, or remove the pool with: calicoctl delete ippool ${pool.name}`,
      }),
    ];
  }
  if (pool.disabled) return [];
  return [
    blocker('PoolConflict', ref(own, pool), {
      message: `IPPool ${pool.name} (${pool.cidr}) is enabled, so pods would get IPv6 addresses outside ${cidr.text}`,
      remedy: `Ask for ${pool.cidr} in spec.clusterNetwork.pods, or disable it: kubectl patch ippools.${group(own)} ${pool.name} --type=merge -p '{"spec":{"disabled":true}}'`,
    }),
  ];
}

function checkIPv4Pool(wanted: Wanted, own: CalicoFacts): readonly Finding[] {
  const pods = wanted.pods.IPv4;
  const enabled = poolsOf(own, 'IPv4').filter((pool) => !pool.disabled);
  if (pods === undefined || enabled.length === 0 || enabled.some((pool) => pool.cidr === pods)) return [];
  return [
    {
      ...blocker('PoolConflict', null, {
        message: `No IPPool holds the IPv4 pod network ${pods}: Calico gives addresses of ${enabled.map((pool) => pool.cidr).join(', ')}`,
        remedy: 'Nothing if that is on purpose; IPv4 is left as it is.',
      }),
      blocks: [],
    },
  ];
}

const ref = (own: CalicoFacts, pool: Pool): ObjectRef => ({
  apiVersion: own.pools.known ? own.pools.value.apiVersion : 'crd.projectcalico.org/v1',
  kind: 'IPPool',
  name: pool.name,
});

const group = (own: CalicoFacts): string => ref(own, { name: '' } as Pool).apiVersion.replace(/\/.*/u, '');

const blocker = (
  reason: FindingReason,
  object: ObjectRef | null,
  words: { readonly message: string; readonly remedy: string },
): Finding => ({ reason, object, blocks: ['Pools', 'CNIConfig', 'CNIAgents'], ...words });

/** What only another spec can mend: nothing begins that would stop in the middle. */
const mistake = (reason: FindingReason, words: { readonly message: string; readonly remedy: string }): Finding => ({
  reason,
  object: null,
  blocks: PHASES,
  ...words,
});
