import type { PodOwner } from '../model/pod-owner.ts';
import type { Known } from '../model/reader.ts';
import type { BackendsByService } from '../model/service.ts';
import type { PodSurvey } from '../observe/backends.ts';
import type { Clock } from '../runtime/clock.ts';

/** Pods of a whole cluster are too many to be listed in every pass: most can do with a list of some seconds ago. */
export interface WorkloadCache {
  /** What was read less than that many milliseconds ago, or is read now. */
  get(maxAgeMs: number): Promise<Known<readonly PodOwner[]>>;
  /** The same for what is behind Services; asked at once with the other, it is told from the same list. */
  backends(maxAgeMs: number): Promise<Known<BackendsByService>>;
}

/** Both as they are now. */
export async function freshPods(cache: WorkloadCache): Promise<PodSurvey> {
  const [workloads, backends] = await Promise.all([cache.get(0), cache.backends(0)]);
  return { workloads, backends };
}

export function workloadCache(read: () => Promise<PodSurvey>, clock: Clock): WorkloadCache {
  let last: { readonly at: number; readonly survey: PodSurvey } | null = null;
  let reading: { readonly at: number; readonly survey: Promise<PodSurvey> } | null = null;

  async function survey(maxAgeMs: number): Promise<PodSurvey> {
    const now = clock.monotonic();
    // What is not known of Services alone is no reason to list all pods in every pass.
    if (last?.survey.workloads.known === true && now - last.at < maxAgeMs) return last.survey;
    if (reading !== null && now - reading.at <= maxAgeMs) return reading.survey;
    const mine = { at: now, survey: read() };
    reading = mine;
    try {
      const done = await mine.survey;
      // As old as its first part.
      last = { at: now, survey: done };
      return done;
    } finally {
      if (reading === mine) reading = null;
    }
  }

  return {
    get: async (maxAgeMs) => (await survey(maxAgeMs)).workloads,
    backends: async (maxAgeMs) => (await survey(maxAgeMs)).backends,
  };
}

/** What was read less than `maxAgeMs` of it ago, or is read now. For one reader at a time. */
export function everySoOften<T>(
  read: () => Promise<T>,
  maxAgeMs: (value: T) => number,
  clock: Pick<Clock, 'monotonic'>,
): () => Promise<T> {
  let last: { readonly at: number; readonly value: T } | null = null;
  return async () => {
    const now = clock.monotonic();
    if (last === null || now - last.at >= maxAgeMs(last.value)) last = { at: now, value: await read() };
    return last.value;
  };
}
