import type { NodeFacts } from '../model/facts.ts';
import { type AgentFacts, hasDrifted, type HostAddress } from '../model/host.ts';
import { addressOfFamily, bestOnHost, goneAddress, isOnHost } from '../model/node-address.ts';
import { fitnessOf } from '../net/choose.ts';
import type { Family } from '../net/family.ts';
import { type Attempt, lastAttempt, PATIENCE_S, secondsOf, turnAfter, type Waiting } from './attempt.ts';
import { regimeOf } from './regime.ts';

/** What decides on remedies, the same for all nodes of a pass. */
export interface RemedyOutlook {
  /** Wanted families, primary first. */
  readonly families: readonly Family[];
  /** Seconds. */
  readonly settings: { readonly gracePeriod: number };
  /** Milliseconds since the epoch. */
  readonly now: number;
}

type Correction =
  | {
      readonly is: 'Due';
      readonly nodeIPs: readonly string[];
      readonly gone: string;
      /** Somebody changed the host after this very pair had been in force. */
      readonly again: boolean;
      /** Holds the attempt. */
      readonly token: string;
    }
  | Waiting
  /** `attempt`: null where the token of the asking is not there any more. */
  | { readonly is: 'Asked'; readonly nodeIPs: readonly string[]; readonly attempt: Attempt | null }
  /** It was asked for long enough ago, and the Node shows the old one. */
  | { readonly is: 'InVain'; readonly attempt: Attempt | null }
  /** It was tried and undone there. */
  | { readonly is: 'Refused'; readonly why: string; readonly attempt: Attempt | null }
  /** Another address has come, or somebody has changed it back, after too many in a row. */
  | { readonly is: 'GivenUp'; readonly attempt: Attempt };

/**
 * Whether `--node-ip` is to name another address of the second family, because the one that it names is gone from the host while another is there
 * that stays; null: that is no remedy for this node. The old one has to be gone, and the new one there, for the grace period. Addresses that come
 * and go are new ones each time, and one that somebody takes out again is, too: after each the next has to wait longer.
 * @param goneSince Since when the address has been gone (RFC 3339); null: that is not known, so it is waited for.
 */
export function correctionOf(node: NodeFacts, outlook: RemedyOutlook, goneSince: string | null): Correction | null {
  const change = changeOf(node, outlook);
  if (change === null) return null;
  const { agent, pair, best, regimeIPs, gone } = change;
  const nodeIPs = pair.split(',');
  const last = lastAttempt(node);
  const attempt = last?.address === best.address ? last : null;
  const refusal = agent.report.refused.find(
    ({ component, value, generation }) => component === 'kubelet' && value === pair && generation === agent.generation,
  );
  if (refusal !== undefined) return { is: 'Refused', why: refusal.why, attempt };
  const isAsked = agent.spec.kubelet?.nodeIPs.join(',') === pair;
  if (isAsked && !hasDrifted(agent)) {
    return isOverdue(change, attempt, outlook.now) ? { is: 'InVain', attempt } : { is: 'Asked', nodeIPs, attempt };
  }
  if (!regimeIPs.includes(gone)) return null;
  const since = secondsOf(best.since);
  const bothSince = goneSince === null ? Infinity : Math.max(secondsOf(goneSince), since);
  const notBefore = bothSince + outlook.settings.gracePeriod;
  const turn = turnAfter(last, { address: best.address, since, notBefore }, Math.floor(outlook.now / 1000));
  return turn.is === 'Due' ? { is: 'Due', nodeIPs, gone, again: isAsked, token: turn.token } : turn;
}

interface Change {
  readonly agent: AgentFacts & { readonly report: NonNullable<AgentFacts['report']> };
  /** What `--node-ip` is to be. */
  readonly pair: string;
  readonly best: HostAddress;
  /** What it is now. */
  readonly regimeIPs: readonly string[];
  /** What the Node shows, and its host no longer has. */
  readonly gone: string;
}

function changeOf(node: NodeFacts, { families }: RemedyOutlook): Change | null {
  const [primary, second] = families;
  const report = node.agent?.report;
  if (primary === undefined || second === undefined || node.agent === null || report == null) return null;
  const gone = goneAddress(node, second);
  if (gone === null) return null;
  const regime = regimeOf(node);
  const first = addressOfFamily(node.internalIPs, primary);
  const best = bestOnHost(node, second);
  if (regime.is !== 'Literal' || best === null || !stays(best) || first === undefined || !isOnHost(node, first)) {
    return null;
  }
  const agent = { ...node.agent, report };
  return { agent, pair: `${first},${best.address}`, best, regimeIPs: regime.nodeIPs, gone };
}

/** The agent has had the time that it takes; where nobody knows when it was asked, its kubelet has. */
function isOverdue({ agent, pair, regimeIPs }: Change, attempt: Attempt | null, now: number): boolean {
  if (attempt !== null) return now / 1000 >= attempt.at + PATIENCE_S;
  const since = Date.parse(agent.report.kubelet.running?.startedAt ?? '');
  return regimeIPs.join(',') === pair && now - since > PATIENCE_S * 1000;
}

/** A virtual IP may be another host's in a moment: to follow it would be worse than to tell. */
const stays = (address: HostAddress): boolean => fitnessOf(address) === 'Lasting';
