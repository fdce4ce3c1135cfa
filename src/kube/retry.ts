import { backoffDelay } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { type Result, unreachable } from '../result.ts';
import type { KubeError } from './errors.ts';

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How often in all a request is sent. Default 4. */
  readonly attempts?: number;
}

const DEFAULT_ATTEMPTS = 4;
const BACKOFF = { baseMs: 200, maxMs: 5_000, jitter: 0.5 };
/** A server that asks for a longer pause is better told to the caller, who has other things to do meanwhile. */
const LONGEST_PAUSE_S = 10;

/**
 * Sends again what failed for a passing reason. Reads: busy (429), server errors, network. Writes: only what surely was not carried
 * out, that is 429 (refused before execution) and a connection that never came about.
 */
export async function withRetry<T>(
  options: RetryOptions,
  access: 'read' | 'write',
  signal: AbortSignal | undefined,
  send: () => Promise<Result<T, KubeError>>,
): Promise<Result<T, KubeError>> {
  const attempts = options.attempts ?? DEFAULT_ATTEMPTS;
  for (let attempt = 1; ; attempt++) {
    const result = await send();
    if (result.ok || attempt >= attempts || !mayRetry(result.error, access)) return result;
    const asked = result.error.retryAfterSeconds ?? 0;
    if (asked > LONGEST_PAUSE_S) return result;
    const delay = Math.max(asked * 1000, backoffDelay(BACKOFF, attempt, options.random));
    if (!(await options.clock.sleep(delay, signal))) return result;
  }
}

function mayRetry(error: KubeError, access: 'read' | 'write'): boolean {
  switch (error.kind) {
    case 'TooManyRequests':
      return true;
    case 'Network':
      return access === 'read' || error.notSent === true;
    case 'ServerError':
      return access === 'read';
    case 'Timeout':
      // Already waited for long; the caller decides.
      return false;
    case 'NotFound':
    case 'Conflict':
    case 'AlreadyExists':
    case 'Forbidden':
    case 'Unauthorized':
    case 'Invalid':
    case 'Gone':
    case 'Cancelled':
    case 'Unknown':
      return false;
    default:
      return unreachable(error.kind);
  }
}
