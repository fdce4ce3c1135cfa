import { parseCidr } from '../net/cidr.ts';
import { at } from '../model/object.ts';
import type { Family } from '../net/family.ts';
import { celBlocks, celEachCidr, celFamily } from './cel.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import type { Problem, Rule } from './rule.ts';
import { cidrBlocksOf } from './rules.ts';

/** Prefix lengths that Calico takes for the blocks of a pool. */
export const BLOCK_SIZE: Readonly<Record<Family, readonly [number, number]>> = { IPv4: [20, 32], IPv6: [116, 128] };

/**
 * Ties `spec.<option>.pool.blockSize` to the pool's family and prefix. The pool is that of the added family, so with one family
 * there is none, and any block size that fits either family is kept for later.
 */
export function poolBlockSizeRule(option: string): Rule {
  const size = `self.${option}.pool.blockSize`;
  const within = (family: Family) => `(${size} >= ${BLOCK_SIZE[family][0]} && ${size} <= ${BLOCK_SIZE[family][1]})`;
  const absent = `!has(self.${option}) || !has(self.${option}.pool) || !has(${size})`;
  const fitsPool = celEachCidr(
    'pods',
    'p',
    `(${celFamily('p')} != self.ipFamilies[1] || ${size} >= cidr(p).prefixLength())`,
  );
  return {
    name: `${option}-block-size`,
    fieldPath: `.${option}.pool.blockSize`,
    celValue: `${celBlocks('pods')}.join(', ')`,
    cel: `${absent} || (self.ipFamilies.size() < 2 ? (${within('IPv4')} || ${within('IPv6')}) : ((self.ipFamilies[1] == 'IPv4' ? ${within('IPv4')} : ${within('IPv6')}) && ${fitsPool}))`,
    message:
      'the block size must be from 20 to 32 (IPv4) or from 116 to 128 (IPv6), as the added family is, and not shorter than the prefix length of its pod network',
    check: (spec) => checkBlockSize(spec, option),
  };
}

function checkBlockSize(spec: ClusterSpec, option: string): readonly Problem[] {
  const size = at(spec, option, 'pool', 'blockSize');
  if (typeof size !== 'number') return [];
  const path = `spec.${option}.pool.blockSize`;
  const added = spec.ipFamilies[1];
  const allowed = added === undefined ? [BLOCK_SIZE.IPv4, BLOCK_SIZE.IPv6] : [BLOCK_SIZE[added]];
  if (!allowed.some(([shortest, longest]) => size >= shortest && size <= longest)) {
    return [
      {
        path,
        message: `${size} must be ${allowed.map(([shortest, longest]) => `from ${shortest} to ${longest}`).join(' or ')}`,
      },
    ];
  }
  return cidrBlocksOf(spec, 'pods').flatMap((text) => {
    const cidr = parseCidr(text);
    if (!cidr.ok || cidr.value.family !== added || size >= cidr.value.prefix) return [];
    return [{ path, message: `${size} is shorter than the pod network ${text}: write at least ${cidr.value.prefix}` }];
  });
}
