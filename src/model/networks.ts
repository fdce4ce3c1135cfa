import { parseCidr } from '../net/cidr.ts';
import { parseList } from '../net/list.ts';
import { type Known, known, unknown } from './reader.ts';

/** What a cluster has networks for, as the spec calls it. */
export const NETWORKS = ['pods', 'services'] as const;
export type Network = (typeof NETWORKS)[number];

/** The networks of a flag, canonical and in order; null when a component would not take the text either. */
export function networksOf(text: string): readonly string[] | null {
  const parsed = parseList(text, parseCidr);
  return parsed.ok ? parsed.value.map((cidr) => cidr.text) : null;
}

/** True when both texts name the same networks in the same order, however they are spelt. */
export function sameRange(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || sameNetworks(networksOf(a), networksOf(b));
}

const sameNetworks = (a: readonly string[] | null, b: readonly string[] | null): boolean =>
  a !== null && b !== null && a.length === b.length && a.every((network, index) => network === b[index]);

/** True when `longer` begins with all that `shorter` has. */
export const isPrefixOf = (shorter: readonly string[], longer: readonly string[]): boolean =>
  shorter.every((network, index) => network === longer[index]);

/** `wanted` as a flag's text, each network in the spelling in which it is live already: what need not change does not change. */
export function keepSpelling(live: string | undefined, wanted: readonly string[]): string {
  const spelt = new Map((live ?? '').split(',').map((item) => [networksOf(item)?.[0], item]));
  return wanted.map((network) => spelt.get(networksOf(network)?.[0]) ?? network).join(',');
}

/** A place where the control plane names its networks. */
export interface Mention {
  readonly where: string;
  readonly text: string;
}

/** None where nothing is said. */
export const mention = (where: string, text: string | undefined): readonly Mention[] =>
  text === undefined || text === '' ? [] : [{ where, text }];

/**
 * What all mentions agree on. Half-converted components count as agreeing: the longest list is what the rest is on the way to.
 */
export function agreed(mentions: readonly Mention[]): Known<readonly string[]> {
  const lists = mentions.map((entry) => ({ ...entry, networks: networksOf(entry.text) }));
  const longest = lists.reduce<(typeof lists)[number] | null>(
    (best, next) => (best === null || (next.networks?.length ?? 0) > (best.networks?.length ?? 0) ? next : best),
    null,
  );
  if (longest === null) return unknown('no component says it');
  for (const { where, text, networks } of lists) {
    if (networks === null) return unknown(`${where} is "${text}", which cannot be read`);
    if (!isPrefixOf(networks, longest.networks ?? [])) {
      return unknown(`${where} is ${text}, but ${longest.where} is ${longest.text}`);
    }
  }
  return known(longest.networks ?? []);
}
