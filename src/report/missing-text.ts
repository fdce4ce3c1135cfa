import type { NodeException, NodesStatus } from '../api/cluster-status.ts';
import type { Family } from '../net/family.ts';

/** So many nodes are named in a message; the others are in the status and on the screen of `kubectl dualstack nodes`. */
const NAMED = 5;

/**
 * The nodes that lack a family, for somebody tired: how many, which, why, since when and what to do. The time is a moment and no span, which would
 * have an idle cluster written to.
 */
export function missingText(nodes: NodesStatus, families: readonly Family[]): string {
  const { total, ipv4Only, ipv6Only, none } = nodes;
  const without: Readonly<Record<Family, number>> = { IPv4: ipv6Only + none, IPv6: ipv4Only + none };
  const counts = families
    .filter((family) => without[family] > 0)
    .map((family) => `${without[family]} of ${total} nodes report no ${family}`)
    .join(' and ');
  const told = nodes.exceptions.filter((entry) => entry.families.length < families.length).slice(0, NAMED);
  const more = ipv4Only + ipv6Only + none - told.length;
  return `${counts}: ${groupsText(told)}${more > 0 ? ` and ${more} more` : ''}. kubectl dualstack nodes --only missing shows all.`;
}

/** Nodes with which the same is wrong are told together. */
function groupsText(nodes: readonly NodeException[]): string {
  const groups = Map.groupBy(nodes, whatText);
  return [...groups].map(([what, each]) => `${andList(each.map(({ name }) => name))} (${what})`).join(', ');
}

/** All of them: `a, b and c`. */
function andList(names: readonly string[]): string {
  const before = names.slice(0, -1).join(', ');
  return `${before}${before === '' ? '' : ' and '}${names.at(-1) ?? ''}`;
}

function whatText({ cause, since, remedy, tried, byOperator }: NodeException): string {
  const when = since === undefined ? '' : ` since ${timeText(since)}`;
  const who = tried === undefined && byOperator === true ? ', which the operator does' : '';
  const triedTo =
    tried === undefined ? '' : tried.inVain === true ? '; the operator tried in vain' : '; the operator is at it';
  return `${cause}${when}${remedy === undefined ? '' : `; ${remedy}${who}`}${triedTo}`;
}

/** `2026-11-02 11:48 UTC`. */
const timeText = (time: string): string => `${time.slice(0, 16).replace('T', ' ')} UTC`;
