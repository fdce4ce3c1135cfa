import type { NodeException, NodesStatus } from '../api/cluster-status.ts';
import { clip, LIMITS } from '../api/fields.ts';
import type { NodeFacts } from '../model/facts.ts';
import type { Wanted } from '../model/wanted.ts';
import type { Family } from '../net/family.ts';
import { whyMissing } from './causes.ts';

/** Counts of the nodes by families, and the worst of those that are not as wanted. */
export function nodesStatus(wanted: Wanted, nodes: readonly NodeFacts[], now: number): NodesStatus {
  const lacking = nodes.filter((node) => wanted.families.some((family) => !has(node, family)));
  return {
    total: nodes.length,
    dualStack: nodes.filter((node) => has(node, 'IPv4') && has(node, 'IPv6')).length,
    ipv4Only: nodes.filter((node) => has(node, 'IPv4') && !has(node, 'IPv6')).length,
    ipv6Only: nodes.filter((node) => !has(node, 'IPv4') && has(node, 'IPv6')).length,
    none: nodes.filter((node) => familiesOf(node).length === 0).length,
    delayed: lacking.filter((node) => isDelayed(node, wanted, now)).length,
    exceptions: lacking
      .toSorted((a, b) => familiesOf(a).length - familiesOf(b).length || a.name.localeCompare(b.name))
      .slice(0, LIMITS.exceptions)
      .flatMap((node) => exceptionOf(node, wanted.families, !isDelayed(node, wanted, now))),
  };
}

/** Longer than the grace period without: counted from when the Node came to be. */
const isDelayed = (node: NodeFacts, wanted: Wanted, now: number): boolean =>
  now - Date.parse(node.createdAt) > wanted.nodes.gracePeriod * 1000;

function exceptionOf(node: NodeFacts, families: readonly Family[], isNew: boolean): readonly NodeException[] {
  for (const family of families) {
    const missing = whyMissing(node, family, isNew);
    if (missing === null) continue;
    return [
      {
        name: node.name,
        families: [...familiesOf(node)],
        cause: missing.cause,
        message: clip(missing.sentence),
        remedy: clip(missing.remedy),
      },
    ];
  }
  return [];
}

export const familiesOf = (node: NodeFacts): readonly Family[] => [
  ...new Set(node.internalIPs.map((ip): Family => (ip.includes(':') ? 'IPv6' : 'IPv4'))),
];

const has = (node: NodeFacts, family: Family): boolean => familiesOf(node).includes(family);
