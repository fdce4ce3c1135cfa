import type { PodOwner } from '../model/pod-owner.ts';
import type { Known } from '../model/reader.ts';
import type { Clock } from '../runtime/clock.ts';

/** Pods of a whole cluster are too many to be listed in every pass: most can do with a list of some seconds ago. */
export interface WorkloadCache {
  /** What was read less than that many milliseconds ago, or is read now. */
  get(maxAgeMs: number): Promise<Known<readonly PodOwner[]>>;
}

export function workloadCache(read: () => Promise<Known<readonly PodOwner[]>>, clock: Clock): WorkloadCache {
  let last: { readonly at: number; readonly value: Known<readonly PodOwner[]> } | null = null;
  return {
    async get(maxAgeMs) {
      const begun = clock.monotonic();
      if (last !== null && last.value.known && begun - last.at < maxAgeMs) return last.value;
      // As old as its first part.
      last = { at: begun, value: await read() };
      return last.value;
    },
  };
}
