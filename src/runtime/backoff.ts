import type { Random } from './clock.ts';

export interface BackoffOptions {
  /** Delay after the first failure, in milliseconds. */
  readonly baseMs: number;
  /** No delay is longer, jitter included. */
  readonly maxMs: number;
  /** The share of a delay that is left to chance: 0.5 gives between half and all of it. */
  readonly jitter: number;
}

/**
 * How long to wait after the n-th failure in a row (the first is 1): base · 2ⁿ⁻¹ up to the maximum, shortened by a random part so
 * that many clients which failed together do not come back together.
 */
export function backoffDelay(options: BackoffOptions, failures: number, random: Random): number {
  // 2^1023 is the largest power that is a number; far beyond any maximum.
  const exponent = Math.min(Math.max(0, failures - 1), 1000);
  const whole = Math.min(options.maxMs, options.baseMs * 2 ** exponent);
  return whole * (1 - options.jitter * random());
}
