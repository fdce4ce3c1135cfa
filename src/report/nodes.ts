import type { NodeException, NodesStatus } from '../api/cluster-status.ts';
import { clip, LIMITS } from '../api/fields.ts';
import { GUARD_TAINT } from '../api/names.ts';
import type { NodeFacts } from '../model/facts.ts';
import type { NodeProof } from '../model/node-proof.ts';
import { FAMILIES, type Family, hasFamily, isIPv6 } from '../net/family.ts';
import { timeOf } from '../nodes/attempt.ts';
import { type Diagnosis, pauseText, type Tried, triedText } from '../nodes/cause.ts';
import { diagnose, type Severity, severityOf } from '../nodes/diagnose.ts';
import type { Known, Outlook } from '../nodes/told.ts';
import { isGuarded, type Proofs } from '../plan/guard-steps.ts';

/** What a pass is about to do about one node. It is told before, because it may have helped by the next look. */
export interface Begun {
  readonly node: string;
  readonly tried: Tried;
}

/**
 * Counts of the nodes by families, and the worst of those that are not as wanted. Of thousands of nodes that lack a family, only those that are
 * told are looked into.
 * @param previous What was said before: since when a node has been without is remembered there.
 */
export function nodesStatus(
  outlook: Outlook,
  nodes: readonly NodeFacts[],
  proofs: Proofs,
  previous: NodesStatus | undefined,
  begun: Begun | null = null,
): NodesStatus {
  const counts = { dualStack: 0, ipv4Only: 0, ipv6Only: 0, none: 0, delayed: 0 };
  const since = sinceWhen(previous, outlook.now);
  const goneSince = goneBefore(previous);
  let delayedSince: string | null = null;
  const lacking: Lacking[] = [];
  for (const node of nodes) {
    counts[familyCount(node)] += 1;
    const severity = severityOf(node, outlook, { proof: proofOf(proofs, node), guarded: isGuarded(node) });
    if (severity === null) continue;
    const at = since(node);
    // Addresses that are known to be gone come before those that have just gone: since when is remembered only of those that are told.
    const from = severity === 'Gone' ? (goneSince.get(node.name) ?? nowText(outlook.now)) : (at ?? node.createdAt);
    const delayed = severity !== 'Whole' && severity !== 'Gone' && isDelayed(from, outlook);
    if (delayed) {
      counts.delayed += 1;
      if (delayedSince === null || from < delayedSince) delayedSince = from;
    }
    lacking.push({ node, rank: RANK[severity], since: at, from, delayed });
  }
  return {
    total: nodes.length,
    ...counts,
    ...(delayedSince === null ? {} : { delayedSince }),
    exceptions: lacking
      .sort(worstFirst)
      .slice(0, LIMITS.exceptions)
      .flatMap(({ node, since: at, delayed }) => {
        const diagnosis = diagnose(node, outlook, knownOf(node, proofs, at));
        if (diagnosis === null) return [];
        // An address that goes is an event of its own, however long something else has been wrong with the node.
        const isGone = diagnosis.cause === 'AddressGone';
        const told = isGone ? { ...diagnosis, since: goneSince.get(node.name) ?? nowText(outlook.now) } : diagnosis;
        const tried = begun?.node === node.name ? begun.tried : told.tried;
        return [exceptionOf(node, { ...told, ...(tried === undefined ? {} : { tried }) }, delayed)];
      }),
  };
}

interface Lacking {
  readonly node: NodeFacts;
  readonly rank: number;
  readonly since: string | null;
  readonly from: string;
  readonly delayed: boolean;
}

const goneBefore = (previous: NodesStatus | undefined): ReadonlyMap<string, string> =>
  new Map(
    previous?.exceptions.flatMap(({ name, cause, since }) =>
      cause === 'AddressGone' && since !== undefined ? [[name, since]] : [],
    ),
  );

/** A node that lost what it had comes before those that merely lack something. */
const RANK: Readonly<Record<Severity, number>> = { Lost: 0, Gone: 1, None: 2, One: 3, Whole: 4 };

/** The longest without comes first. Times of one form compare as texts; names in code units, which thousands of nodes can afford. */
const worstFirst = (a: Lacking, b: Lacking): number =>
  a.rank - b.rank || compare(a.from, b.from) || compare(a.node.name, b.node.name);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const familyCount = ({ internalIPs }: NodeFacts): 'dualStack' | 'ipv4Only' | 'ipv6Only' | 'none' => {
  const ipv4 = hasFamily(internalIPs, 'IPv4');
  if (hasFamily(internalIPs, 'IPv6')) return ipv4 ? 'dualStack' : 'ipv6Only';
  return ipv4 ? 'ipv4Only' : 'none';
};

const isDelayed = (since: string, { now, settings }: Outlook): boolean =>
  now - Date.parse(since) > settings.gracePeriod * 1000;

/**
 * Since when a node that is not whole now has been so: as was said before; from now on if nothing was said of it, though all were named; null:
 * nobody remembers, so since it came to be.
 */
export function sinceWhen(previous: NodesStatus | undefined, now: number): (node: NodeFacts) => string | null {
  const said = new Map(previous?.exceptions.map(({ name, since }) => [name, since ?? null]));
  const allNamed = previous !== undefined && previous.exceptions.length < LIMITS.exceptions;
  return ({ name, createdAt }) => {
    const before = said.get(name);
    if (before !== undefined) return before;
    // A Node that has just joined was not there to be named.
    return allNamed && now - Date.parse(createdAt) > JOINING_MS ? nowText(now) : null;
  };
}

const JOINING_MS = 300_000;

const nowText = (now: number): string => timeOf(Math.floor(now / 1000));

const proofOf = (proofs: Proofs, node: NodeFacts): NodeProof | null =>
  proofs?.known === true ? (proofs.value.nodes.get(node.name) ?? null) : null;

export const knownOf = (node: NodeFacts, proofs: Proofs, since: string | null): Known => ({
  proof: proofOf(proofs, node),
  guarded: isGuarded(node),
  since,
});

function exceptionOf(node: NodeFacts, diagnosis: Diagnosis, delayed: boolean): NodeException {
  const { cause, sentence, since, fix, operator, tried } = diagnosis;
  const guarded = isGuarded(node);
  const message = [
    sentence,
    ...(tried === undefined ? [] : [triedText(tried)]),
    ...(operator.may && operator.notBefore !== undefined ? [pauseText(operator.notBefore)] : []),
    ...(guarded ? [GUARDED] : []),
  ];
  return {
    name: node.name,
    families: [...familiesOf(node)],
    cause,
    message: clip(message.join(' ')),
    remedy: clip(fix.short),
    ...(fix.command === null ? {} : { command: clip(fix.command), runOn: fix.where }),
    ...(operator.may ? { byOperator: true } : {}),
    ...(since === null ? {} : { since }),
    ...(delayed ? { delayed } : {}),
    ...(tried === undefined ? {} : { tried }),
    ...(guarded ? { guarded } : {}),
  };
}

const GUARDED = `New pods are kept off it by the taint ${GUARD_TAINT}.`;

/** In the order of its addresses. */
function familiesOf({ internalIPs }: NodeFacts): readonly Family[] {
  const present = FAMILIES.filter((family) => hasFamily(internalIPs, family));
  return isIPv6(internalIPs[0] ?? '') ? present.toReversed() : present;
}
