import { type Cidr, parseCidr } from '../net/cidr.ts';
import { celBlocks, celEachCidr, celFamily, type CelRule, celWhereGiven } from './cel.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import type { Problem } from './rule.ts';
import { cidrBlocksOf, type Network } from './rules.ts';

/**
 * What a change of the spec may not touch once a spec was applied in full: the primary family, and the CIDR of a family that stays.
 * The rules look at changes of the spec alone, so they can never refuse a status.
 */
export function checkTransition(
  before: ClusterSpec,
  after: ClusterSpec,
  applied: ClusterSpec | undefined,
): readonly Problem[] {
  if (applied === undefined) return [];
  return [
    ...primaryStays(before, after, applied),
    ...cidrsStay('pods', before, after, applied),
    ...cidrsStay('services', before, after, applied),
  ];
}

/** The same for the API server, where `self` is the whole object. */
export const TRANSITION_RULES: readonly CelRule[] = [
  {
    rule: 'self.spec.ipFamilies == oldSelf.spec.ipFamilies || !has(oldSelf.status) || !has(oldSelf.status.applied) || self.spec.ipFamilies[0] == oldSelf.status.applied.ipFamilies[0]',
    fieldPath: '.spec.ipFamilies',
    message:
      'the primary family cannot be changed once applied: keep the first entry; a second can be added or removed',
    messageExpression:
      "'the primary family ' + oldSelf.status.applied.ipFamilies[0] + ' cannot be changed once applied: keep it as the first entry'",
  },
  cidrsStayCel('pods'),
  cidrsStayCel('services'),
];

function primaryStays(before: ClusterSpec, after: ClusterSpec, applied: ClusterSpec): readonly Problem[] {
  const [primary] = applied.ipFamilies;
  if (before.ipFamilies.join() === after.ipFamilies.join() || after.ipFamilies[0] === primary) return [];
  return [
    {
      path: 'spec.ipFamilies',
      message: `the primary family ${primary} cannot be changed once applied: keep it as the first entry`,
    },
  ];
}

function cidrsStay(
  network: Network,
  before: ClusterSpec,
  after: ClusterSpec,
  applied: ClusterSpec,
): readonly Problem[] {
  if (cidrBlocksOf(before, network).join() === cidrBlocksOf(after, network).join()) return [];
  const kept = readable(cidrBlocksOf(applied, network));
  return readable(cidrBlocksOf(after, network)).flatMap((cidr) =>
    kept
      .filter((old) => old.family === cidr.family && old.text !== cidr.text)
      .map((old) => ({
        path: `spec.clusterNetwork.${network}.cidrBlocks`,
        message: `"${cidr.text}" differs from ${old.text}, which is applied: keep ${old.text}, or first remove ${cidr.family} where it is the second family`,
      })),
  );
}

function cidrsStayCel(network: Network): CelRule {
  const [now, then, kept] = ['self.spec', 'oldSelf.spec', 'oldSelf.status.applied'] as const;
  const unchanged = `(has(${then}.clusterNetwork) && has(${then}.clusterNetwork.${network}) && ${celBlocks(network, now)} == ${celBlocks(network, then)})`;
  const same = celEachCidr(network, 'k', `${celFamily('n')} != ${celFamily('k')} || n == k`, kept);
  const kepts = celEachCidr(network, 'n', same, now);
  return {
    rule: `!has(oldSelf.status) || !has(${kept}) || ${celWhereGiven(network, unchanged, now)} || ${kepts}`,
    fieldPath: `.spec.clusterNetwork.${network}.cidrBlocks`,
    message: 'a CIDR cannot be changed once applied: keep it, or first remove its family where it is the second',
    messageExpression: `'an applied CIDR cannot be changed: keep ' + ${celBlocks(network, kept)}.join(', ') + ', or first remove the second family'`,
  };
}

const readable = (texts: readonly string[]): readonly Cidr[] =>
  texts.flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr.ok ? [cidr.value] : [];
  });
