import type { NodeFacts } from '../model/facts.ts';
import { addressOfFamily, bestOnHost, goneAddress, isOnHost } from '../model/node-address.ts';
import { type Family, isOfFamily, otherFamily } from '../net/family.ts';
import { type Attempt, lastAttempt, PATIENCE_S, secondsOf, timeOf, turnAfter, type Waiting } from './attempt.ts';
import type { Tried } from './cause.ts';
import { correctionOf, type RemedyOutlook } from './correction.ts';
import { onlyFamilyOf, regimeOf } from './regime.ts';

type Restart =
  | { readonly is: 'Due'; readonly token: string; readonly newcomer: Newcomer }
  | Waiting
  | { readonly is: 'Asked'; readonly attempt: Attempt }
  /** Asked for because of this very address, and the node is as it was. */
  | { readonly is: 'InVain'; readonly attempt: Attempt }
  /** Another address has come, after too many in a row. */
  | { readonly is: 'GivenUp'; readonly attempt: Attempt }
  /** The kubelet was started when the address was there: it had its chance. */
  | { readonly is: 'Pointless' };

/** An address of a family that a kubelet would find when it is started again. */
interface Newcomer {
  readonly family: Family;
  readonly address: string;
  /** Seconds since the epoch, by the clock of its host. */
  readonly since: number;
  /** The kubelet is told an address of that family that is there, or leaves both to the cloud provider: a restart would add nothing. */
  readonly isTold: boolean;
}

/**
 * Whether the kubelet of a node is to be restarted, so that the script that works `--node-ip` out looks again; null: that is no remedy for this node.
 * For one address it is asked for once, whatever comes of it. Addresses that come and go are new ones each time: after each the next has to wait longer.
 */
export function restartOf(node: NodeFacts, { families, settings, now }: RemedyOutlook): Restart | null {
  const newcomer = newcomerOf(node, families);
  if (newcomer === null) return null;
  const nowS = Math.floor(now / 1000);
  const attempt = lastAttempt(node);
  if (attempt !== null && attempt.address === newcomer.address && attempt.since === newcomer.since) {
    if (nowS < attempt.at + PATIENCE_S) return { is: 'Asked', attempt };
    return newcomer.isTold ? null : { is: 'InVain', attempt };
  }
  if (newcomer.isTold) return null;
  if (!isNewer(newcomer, node)) return { is: 'Pointless' };
  const notBefore = newcomer.since + settings.gracePeriod;
  const turn = turnAfter(attempt, { ...newcomer, notBefore }, nowS);
  return turn.is === 'Due' ? { ...turn, newcomer } : turn;
}

/** A family that the Node lacks, or shows an address of that is gone, while its host has one. */
function newcomerOf(node: NodeFacts, families: readonly Family[]): Newcomer | null {
  // Of most nodes this is all that has to be looked at.
  if (node.agent?.report?.kubelet.nodeIPFrom === undefined) return null;
  const regime = regimeOf(node);
  if (regime.is !== 'BootScript' && regime.is !== 'Cloud') return null;
  for (const [index, family] of families.entries()) {
    const isShown = addressOfFamily(node.internalIPs, family) !== undefined;
    // What a cloud provider wrote need not be on the host. And the primary one is what a node is reached by: where that is gone, people have to look.
    const isGone = regime.is === 'BootScript' && index > 0 && goneAddress(node, family) !== null;
    if (isShown && !isGone) continue;
    const best = bestOnHost(node, family);
    if (best === null) continue;
    const told = regime.nodeIPs.find((ip) => isOfFamily(ip, family));
    const isTold =
      regime.is === 'Cloud'
        ? onlyFamilyOf(regime.nodeIPs) !== otherFamily(family)
        : told !== undefined && isOnHost(node, told);
    return { family, address: best.address, since: secondsOf(best.since), isTold };
  }
  return null;
}

function isNewer({ since }: Newcomer, { agent }: NodeFacts): boolean {
  const startedAt = agent?.report?.kubelet.running?.startedAt;
  return startedAt !== undefined && since > secondsOf(startedAt);
}

/** Both by the clock of one host. What the agent saw at its first look may be older than it says. */
export const isNewerThan = (since: string, startedAt: string): boolean => secondsOf(since) > secondsOf(startedAt);

/** What has been done about what ails the node now; null: nothing. */
export function triedOf(node: NodeFacts, outlook: RemedyOutlook): Tried | null {
  const restart = restartOf(node, outlook);
  if (restart !== null) {
    if (restart.is !== 'Asked' && restart.is !== 'InVain' && restart.is !== 'GivenUp') return null;
    const tried = { remedy: 'RestartKubelet', ...timesOf(restart.attempt) } as const;
    return restart.is === 'Asked' ? tried : { ...tried, inVain: true };
  }
  const correction = correctionOf(node, outlook, null);
  if (correction === null) return whileDown(node, outlook);
  if (correction.is === 'Due' || correction.is === 'Waiting') return null;
  const tried = { remedy: 'SetNodeIP', ...timesOf(correction.attempt) } as const;
  return correction.is === 'Asked' ? tried : { ...tried, inVain: true };
}

/** Nothing can be told of the addresses of a kubelet that restarts because it was asked to: what was begun goes on meanwhile. */
function whileDown(node: NodeFacts, { now }: RemedyOutlook): Tried | null {
  const attempt = lastAttempt(node);
  if (attempt === null || regimeOf(node).is !== 'NotRunning' || now >= (attempt.at + PATIENCE_S) * 1000) return null;
  const isCorrection = (node.agent?.spec.kubelet?.nodeIPs ?? []).length > 0;
  return { remedy: isCorrection ? 'SetNodeIP' : 'RestartKubelet', ...timesOf(attempt) };
}

/** Until when nothing is done, because of what was done before (RFC 3339); null: nothing is waited for on that account. */
export function pausedUntil(node: NodeFacts, outlook: RemedyOutlook): string | null {
  const next = restartOf(node, outlook) ?? correctionOf(node, outlook, null);
  return next?.is === 'Waiting' && next.pausedUntil !== undefined ? timeOf(next.pausedUntil) : null;
}

export const timesOf = (attempt: Attempt | null): Pick<Tried, 'times' | 'at'> =>
  attempt === null ? { times: 1 } : { times: attempt.count, at: timeOf(attempt.at) };
