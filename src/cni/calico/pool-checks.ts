import { BLOCK_SIZE } from '../../api/pool-rule.ts';
import { checkEgress } from '../../model/egress.ts';
import type { ClusterFacts } from '../../model/facts.ts';
import { type Finding, finding, type FindingWords } from '../../model/finding.ts';
import type { FindingReason } from '../../model/finding-reasons.ts';
import type { ObjectRef } from '../../model/object.ts';
import { PHASES } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { type Cidr, overlaps, parseCidr } from '../../net/cidr.ts';
import { type Family, otherFamily } from '../../net/family.ts';
import { poolsOf, type CalicoFacts, type ConfigFacts, type Pool } from './facts.ts';
import { blocker, warning } from './findings.ts';
import { DEFAULTS, optionsOf } from './options.ts';

/**
 * Rules for the pool of the family that comes. Calico's own CRD checks almost none of them, so that a pool that breaks one would be stored and
 * fail later.
 */
export function checkPools(
  wanted: Wanted,
  facts: ClusterFacts,
  own: CalicoFacts,
  config: ConfigFacts,
  family: Family,
): readonly Finding[] {
  const cidr = parseCidr(wanted.pods[family] ?? '');
  if (!cidr.ok || !own.pools.known) return [];
  return [
    ...checkEncapsulation(wanted, config, family),
    ...checkBlockSize(wanted, own, cidr.value),
    ...poolsOf(own, family).flatMap((pool) => checkOther(own, pool, cidr.value)),
    ...checkPrimaryPool(wanted, own, otherFamily(family)),
    ...checkNAT(wanted, facts, own, family),
  ];
}

function checkEncapsulation(wanted: Wanted, { backend }: ConfigFacts, family: Family): readonly Finding[] {
  const encapsulation = optionsOf(wanted.options).pool?.encapsulation ?? 'Auto';
  const field = `spec.calico.pool.encapsulation: ${encapsulation}`;
  const isIPIP = encapsulation === 'IPIP' || encapsulation === 'IPIPCrossSubnet';
  if (isIPIP && family === 'IPv6') {
    return [
      mistake('EncapsulationUnsupported', {
        message: `${field} cannot be had: IPIP carries no IPv6`,
        remedy: 'Set it to Auto: with BGP, IPv6 is routed beside the IPIP of IPv4; or to VXLAN.',
      }),
    ];
  }
  if (backend === 'vxlan' && (encapsulation === 'None' || isIPIP)) {
    return [
      mistake('EncapsulationMismatch', {
        message: `${field} does not fit calico_backend: vxlan: without BGP and without VXLAN no ${family} gets from node to node`,
        remedy: 'Set it to Auto, VXLAN or VXLANCrossSubnet.',
      }),
    ];
  }
  return [];
}

function checkBlockSize(wanted: Wanted, own: CalicoFacts, cidr: Cidr): readonly Finding[] {
  const asked = optionsOf(wanted.options).pool?.blockSize;
  const existing = poolsOf(own, cidr.family).find((pool) => pool.cidr === cidr.text);
  if (existing !== undefined) {
    if (asked === undefined || existing.blockSize === null || existing.blockSize === asked) return [];
    return [
      warning('PoolBlockSize', ref(own, existing), {
        message: `IPPool ${existing.name} has blockSize ${existing.blockSize}, spec.calico.pool.blockSize is ${asked}: it cannot be changed and stays`,
        remedy: 'Leave the field out.',
      }),
    ];
  }
  const { family } = cidr;
  const [shortest, longest] = BLOCK_SIZE[family];
  const blockSize = asked ?? DEFAULTS.blockSize[family];
  if (blockSize >= shortest && blockSize <= longest && blockSize >= cidr.prefix) return [];
  const fits = blockSize >= shortest && blockSize <= longest;
  return [
    mistake('PoolBlockSize', {
      message: `spec.calico.pool.blockSize: ${blockSize} does not fit the ${family} pool ${cidr.text}: ${fits ? `the pool is only a /${cidr.prefix}` : `blocks of ${family} are /${shortest} to /${longest}`}`,
      remedy: `Set it to a value from ${Math.max(shortest, cidr.prefix)} to ${longest}.`,
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
        message: `IPPool ${pool.name} (${pool.cidr}) overlaps the wanted ${cidr.family} pod network ${cidr.text}`,
        remedy: `Ask for ${pool.cidr} in spec.clusterNetwork.pods, or remove the pool with: calicoctl delete ippool ${pool.name}`,
      }),
    ];
  }
  if (pool.disabled) return [];
  return [
    blocker('PoolConflict', ref(own, pool), {
      message: `IPPool ${pool.name} (${pool.cidr}) is enabled, so pods would get ${cidr.family} addresses outside ${cidr.text}`,
      remedy: `Ask for ${pool.cidr} in spec.clusterNetwork.pods, or disable it: kubectl patch ippools.${group(own)} ${pool.name} --type=merge -p '{"spec":{"disabled":true}}'`,
    }),
  ];
}

function checkPrimaryPool(wanted: Wanted, own: CalicoFacts, family: Family): readonly Finding[] {
  const pods = wanted.pods[family];
  const enabled = poolsOf(own, family).filter((pool) => !pool.disabled);
  if (pods === undefined || enabled.length === 0 || enabled.some((pool) => pool.cidr === pods)) return [];
  return [
    warning('PoolConflict', null, {
      message: `No IPPool holds the ${family} pod network ${pods}: Calico gives addresses of ${enabled.map((pool) => pool.cidr).join(', ')}`,
      remedy: `Nothing if that is on purpose; ${family} is left as it is.`,
    }),
  ];
}

/** The option is about the pool that comes; a pool that is there is its owner's. */
function checkNAT(wanted: Wanted, facts: ClusterFacts, own: CalicoFacts, family: Family): readonly Finding[] {
  const pool = poolsOf(own, 'IPv6').find(({ cidr, disabled }) => cidr === wanted.pods.IPv6 && !disabled);
  const asked = family === 'IPv6' ? optionsOf(wanted.options).pool?.natOutgoing : undefined;
  const what = `IPPool ${pool?.name ?? `of ${wanted.pods.IPv6 ?? ''}`}`;
  return checkEgress(wanted, facts, {
    isOn: asked ?? pool?.natOutgoing ?? DEFAULTS.natOutgoing.IPv6,
    object: pool === undefined ? null : ref(own, pool),
    off: `natOutgoing of ${what} is false`,
    remedy:
      family === 'IPv6'
        ? 'Set spec.calico.pool.natOutgoing: true'
        : `kubectl patch ippools.${group(own)} ${pool?.name ?? ''} --type=merge -p '{"spec":{"natOutgoing":true}}'`,
  });
}

const ref = (own: CalicoFacts, pool: Pool): ObjectRef => ({
  apiVersion: own.pools.known ? own.pools.value.apiVersion : 'crd.projectcalico.org/v1',
  kind: 'IPPool',
  name: pool.name,
});

const group = (own: CalicoFacts): string => ref(own, { name: '' } as Pool).apiVersion.replace(/\/.*/u, '');

/** What only another spec can mend: nothing begins that would stop in the middle. */
const mistake = (reason: FindingReason, words: FindingWords): Finding => finding(reason, null, PHASES, words);
