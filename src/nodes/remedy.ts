import type { NodeFacts } from '../model/facts.ts';
import type { AgentFacts, HostAddress } from '../model/host.ts';
import { addressOfFamily, bestOnHost, goneAddress } from '../model/node-address.ts';
import { fitnessOf } from '../net/choose.ts';
import { type Family, otherFamily } from '../net/family.ts';
import type { Tried } from './cause.ts';
import { familyOfNodeIP, onlyFamilyOf, regimeOf } from './regime.ts';

/** What decides on remedies, the same for all nodes of a pass. */
export interface RemedyOutlook {
  /** Wanted families, primary first. */
  readonly families: readonly Family[];
  /** Seconds. */
  readonly settings: { readonly gracePeriod: number };
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A restart that was asked for. All of it is in the token, which is kept with what is asked of the host and goes when the Node goes. */
export interface Attempt {
  /** The how-manieth without a calm time in between, from 1. */
  readonly count: number;
  /** When it was asked for, and since when the address had been there: seconds since the epoch. */
  readonly at: number;
  readonly since: number;
  /** What it was asked for: the address that the kubelet was to find. */
  readonly address: string;
}

/** At most 63 of the 64 characters that a token may have: `2.1793620000.1793619600.2001:db8::11`. */
export const tokenOf = ({ count, at, since, address }: Attempt): string => `${count}.${at}.${since}.${address}`;

/** Null: there is no token, or it is none of ours. */
export function attemptOf(token: string | undefined): Attempt | null {
  const match = /^(\d)\.(\d{1,10})\.(\d{1,10})\.([0-9a-f.:]+)$/.exec(token ?? '');
  if (match === null) return null;
  const [, count, at, since, address = ''] = match;
  return { count: Number(count), at: Number(at), since: Number(since), address };
}

/** Restarts in a row after which it is left to people. */
export const MAX_ATTEMPTS = 5;
/** Seconds from one restart to the next; twice as many after each further one. */
export const FIRST_PAUSE_S = 600;
/** Seconds without a restart after which the next one is a first one again. More than the longest pause. */
export const CALM_S = 6 * 3600;
/**
 * Seconds within which a node that was remedied is to be whole: the agent restarts the kubelet, and that tells its addresses, or a cloud controller
 * manager does, which looks every 5 minutes.
 */
export const PATIENCE_S = 360;

export type Restart =
  | { readonly is: 'Due'; readonly token: string; readonly newcomer: Newcomer }
  /** Due only then (seconds since the epoch), as far as is known now. */
  | { readonly is: 'Waiting'; readonly until: number }
  | { readonly is: 'Asked'; readonly attempt: Attempt }
  /** Asked for because of this very address, and the node is as it was. */
  | { readonly is: 'InVain'; readonly attempt: Attempt }
  /** Another address has come, after too many in a row. */
  | { readonly is: 'GivenUp'; readonly attempt: Attempt }
  /** The kubelet was started when the address was there: it had its chance. */
  | { readonly is: 'Pointless' };

/** An address of a family that a kubelet would find when it is started again. */
export interface Newcomer {
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
  const attempt = attemptOf(node.agent?.spec.restart?.kubelet);
  if (attempt !== null && attempt.address === newcomer.address && attempt.since === newcomer.since) {
    if (nowS < attempt.at + PATIENCE_S) return { is: 'Asked', attempt };
    return newcomer.isTold ? null : { is: 'InVain', attempt };
  }
  if (newcomer.isTold) return null;
  if (!isNewer(newcomer, node)) return { is: 'Pointless' };
  const inARow = attempt !== null && nowS < attempt.at + CALM_S ? attempt : null;
  if (inARow !== null && inARow.count >= MAX_ATTEMPTS) return { is: 'GivenUp', attempt: inARow };
  const until = Math.max(newcomer.since + settings.gracePeriod, inARow === null ? 0 : inARow.at + pauseAfter(inARow));
  if (nowS < until) return { is: 'Waiting', until };
  const next = { count: (inARow?.count ?? 0) + 1, at: nowS, since: newcomer.since, address: newcomer.address };
  return { is: 'Due', token: tokenOf(next), newcomer };
}

export const pauseAfter = ({ count }: Attempt): number => FIRST_PAUSE_S * 2 ** (count - 1);

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
    const told = regime.nodeIPs.find((ip) => familyOfNodeIP(ip) === family);
    const isTold =
      regime.is === 'Cloud'
        ? onlyFamilyOf(regime.nodeIPs) !== otherFamily(family)
        : told !== undefined && isOnHost(node, told);
    return { family, address: best.address, since: secondsOf(best.since), isTold };
  }
  return null;
}

const isOnHost = ({ agent }: NodeFacts, ip: string): boolean =>
  agent?.report?.addresses.some(({ address }) => address === ip) ?? false;

const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000);

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
    const { count, at } = restart.attempt;
    const time = new Date(at * 1000).toISOString().replace('.000Z', 'Z');
    const tried = { remedy: 'RestartKubelet', times: count, at: time } as const;
    return restart.is === 'Asked' ? tried : { ...tried, inVain: true };
  }
  const correction = correctionOf(node, outlook, null);
  const tried = { remedy: 'SetNodeIP', times: 1 } as const;
  if (correction?.is === 'Asked') return tried;
  return correction?.is === 'Refused' || correction?.is === 'InVain' ? { ...tried, inVain: true } : null;
}

export type Correction =
  | { readonly is: 'Due'; readonly nodeIPs: readonly string[]; readonly gone: string; readonly again: boolean }
  | { readonly is: 'Waiting' }
  | { readonly is: 'Asked'; readonly nodeIPs: readonly string[] }
  /** The kubelet has run with it for long enough, and the Node shows the old one. */
  | { readonly is: 'InVain' }
  /** It was tried and undone there. */
  | { readonly is: 'Refused'; readonly why: string };

/**
 * Whether `--node-ip` is to name another address of the second family, because the one that it names is gone from the host while another is there
 * that stays; null: that is no remedy for this node. The old one has to be gone, and the new one there, for the grace period.
 * @param goneSince Since when the address has been gone (RFC 3339); null: that is not known, so it is waited for.
 */
export function correctionOf(
  node: NodeFacts,
  { families, settings, now }: RemedyOutlook,
  goneSince: string | null,
): Correction | null {
  const [primary, second] = families;
  const { agent } = node;
  if (primary === undefined || second === undefined || agent?.report == null) return null;
  const gone = goneAddress(node, second);
  if (gone === null) return null;
  const regime = regimeOf(node);
  const first = addressOfFamily(node.internalIPs, primary);
  const best = bestOnHost(node, second);
  if (regime.is !== 'Literal' || best === null || !stays(best) || first === undefined || !isOnHost(node, first)) {
    return null;
  }
  const nodeIPs = [first, best.address];
  const pair = nodeIPs.join(',');
  const { refused, kubelet } = agent.report;
  const refusal = refused.find(
    ({ component, value, generation }) => component === 'kubelet' && value === pair && generation === agent.generation,
  );
  if (refusal !== undefined) return { is: 'Refused', why: refusal.why };
  const isAsked = agent.spec.kubelet?.nodeIPs.join(',') === pair;
  if (isAsked && !isDrifted(agent)) {
    const since = Date.parse(kubelet.running?.startedAt ?? '');
    const hasRunSo = regime.nodeIPs.join(',') === pair && now - since > PATIENCE_S * 1000;
    return hasRunSo ? { is: 'InVain' } : { is: 'Asked', nodeIPs };
  }
  if (!regime.nodeIPs.includes(gone)) return null;
  if (goneSince === null) return { is: 'Waiting' };
  const from = Math.max(Date.parse(goneSince), Date.parse(best.since));
  return now - from < settings.gracePeriod * 1000 ? { is: 'Waiting' } : { is: 'Due', nodeIPs, gone, again: isAsked };
}

/** Somebody changed the host after what was asked of it had been in force. */
const isDrifted = ({ conditions, generation }: AgentFacts): boolean =>
  conditions.some(
    ({ type, reason, observedGeneration }) =>
      type === 'Applied' && reason === 'Drifted' && observedGeneration === generation,
  );

/** A virtual IP may be another host's in a moment: to follow it would be worse than to tell. */
const stays = (address: HostAddress): boolean => fitnessOf(address) === 'Lasting';
