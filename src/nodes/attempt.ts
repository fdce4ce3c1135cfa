import type { NodeFacts } from '../model/facts.ts';

/** A remedy that was asked for. All of it is in the token, which is kept with what is asked of the host and goes when the Node goes. */
export interface Attempt {
  /** The how-manieth without a calm time in between, from 1. */
  readonly count: number;
  /** When it was asked for, and since when the address had been there: seconds since the epoch. */
  readonly at: number;
  readonly since: number;
  /** What it was asked for: the address that the kubelet was to find, or to be told. */
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

/** What was asked of a node last; null: nothing. */
export const lastAttempt = ({ agent }: NodeFacts): Attempt | null => attemptOf(agent?.spec.restart?.kubelet);

/** Remedies of one node in a row after which it is left to people. */
export const MAX_ATTEMPTS = 5;
/** Seconds from one to the next; twice as many after each further one. */
export const FIRST_PAUSE_S = 600;
/** Seconds without one after which the next is a first one again. More than the longest pause. */
export const CALM_S = 6 * 3600;
/**
 * Seconds within which a node that was remedied is to be whole: the agent restarts the kubelet, and that tells its addresses, or a cloud controller
 * manager does, which looks every 5 minutes.
 */
export const PATIENCE_S = 360;

type Turn =
  | { readonly is: 'Due'; readonly token: string }
  | Waiting
  /** There were too many in a row. */
  | { readonly is: 'GivenUp'; readonly attempt: Attempt };

/** Due only then (seconds since the epoch), as far as is known now. `pausedUntil`: not before then, because of what was done before. */
export interface Waiting {
  readonly is: 'Waiting';
  readonly until: number;
  readonly pausedUntil?: number;
}

interface NextAttempt extends Pick<Attempt, 'address' | 'since'> {
  /** Not before then, whatever was before; seconds since the epoch. */
  readonly notBefore: number;
}

/** Whether one more may be asked for: after each in a row the next has to wait longer, and in the end there is none. */
export function turnAfter(last: Attempt | null, { address, since, notBefore }: NextAttempt, now: number): Turn {
  const inARow = last !== null && now < last.at + CALM_S ? last : null;
  if (inARow !== null && inARow.count >= MAX_ATTEMPTS) return { is: 'GivenUp', attempt: inARow };
  const pausedUntil = inARow === null ? 0 : inARow.at + pauseAfter(inARow);
  const until = Math.max(notBefore, pausedUntil);
  if (now < until) return { is: 'Waiting', until, ...(now < pausedUntil ? { pausedUntil } : {}) };
  return { is: 'Due', token: tokenOf({ count: (inARow?.count ?? 0) + 1, at: now, since, address }) };
}

const pauseAfter = ({ count }: Attempt): number => FIRST_PAUSE_S * 2 ** (count - 1);

/** Whole seconds since the epoch, as Kubernetes writes times. */
export const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

/** Of a time in RFC 3339. */
export const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000);
