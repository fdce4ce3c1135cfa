import type { NodeException, NodesStatus } from '../api/cluster-status.ts';
import { clip, LIMITS } from '../api/fields.ts';
import { GUARD_TAINT } from '../api/names.ts';
import type { NodeFacts } from '../model/facts.ts';
import type { NodeProof } from '../model/node-proof.ts';
import type { Wanted } from '../model/wanted.ts';
import type { Family } from '../net/family.ts';
import { isGuarded, type Proofs } from '../plan/guard-steps.ts';
import { type Missing, whyMissing, whyUnproven } from './causes.ts';

/** Counts of the nodes by families, and the worst of those that are not as wanted. */
export function nodesStatus(wanted: Wanted, nodes: readonly NodeFacts[], proofs: Proofs, now: number): NodesStatus {
  const lacking = nodes.filter((node) => wanted.families.some((family) => !has(node, family)));
  return {
    total: nodes.length,
    dualStack: nodes.filter((node) => has(node, 'IPv4') && has(node, 'IPv6')).length,
    ipv4Only: nodes.filter((node) => has(node, 'IPv4') && !has(node, 'IPv6')).length,
    ipv6Only: nodes.filter((node) => !has(node, 'IPv4') && has(node, 'IPv6')).length,
    none: nodes.filter((node) => familiesOf(node).length === 0).length,
    delayed: lacking.filter((node) => isDelayed(node, wanted, now)).length,
    exceptions: nodes
      .flatMap((node) => {
        const why = whyNotWhole(node, wanted.families, proofOf(proofs, node), !isDelayed(node, wanted, now));
        return why === null ? [] : [{ node, why }];
      })
      .toSorted((a, b) => badness(a) - badness(b) || a.node.name.localeCompare(b.node.name))
      .slice(0, LIMITS.exceptions)
      .map(({ node, why }) => exceptionOf(node, why)),
  };
}

/** Longer than the grace period without: counted from when the Node came to be. */
const isDelayed = (node: NodeFacts, wanted: Wanted, now: number): boolean =>
  now - Date.parse(node.createdAt) > wanted.nodes.gracePeriod * 1000;

export const proofOf = (proofs: Proofs, node: NodeFacts): NodeProof | null =>
  proofs?.known === true ? (proofs.value.nodes[node.name] ?? null) : null;

/** Null: it has every wanted family, and nothing says that it does not carry them. */
export function whyNotWhole(
  node: NodeFacts,
  families: readonly Family[],
  proof: NodeProof | null,
  isNew = false,
): Missing | null {
  for (const family of families) {
    const missing = whyMissing(node, family, isNew, proof);
    if (missing !== null) return missing;
  }
  return families.length < 2 ? null : whyUnproven(proof, isGuarded(node));
}

/** A node that lost what it had comes before those that merely lack something. */
const badness = ({ node, why }: { readonly node: NodeFacts; readonly why: Missing }): number =>
  why.cause === 'CNILostPrimary' ? -1 : familiesOf(node).length;

function exceptionOf(node: NodeFacts, { cause, sentence, remedy }: Missing): NodeException {
  const guarded = isGuarded(node);
  return {
    name: node.name,
    families: [...familiesOf(node)],
    cause,
    message: clip(guarded ? `${sentence} ${GUARDED}` : sentence),
    remedy: clip(remedy),
    ...(guarded ? { guarded } : {}),
  };
}

export const GUARDED = `New pods are kept off it by the taint ${GUARD_TAINT}.`;

export const familiesOf = (node: NodeFacts): readonly Family[] => [
  ...new Set(node.internalIPs.map((ip): Family => (ip.includes(':') ? 'IPv6' : 'IPv4'))),
];

const has = (node: NodeFacts, family: Family): boolean => familiesOf(node).includes(family);
