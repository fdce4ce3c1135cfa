import type { ServiceMigration } from '../model/step.ts';
import { type Refusal, type Refusals, serviceKey } from '../model/service.ts';
import type { Clock } from '../runtime/clock.ts';

/**
 * Services whose change was refused. Kept by the process alone: another one that begins to lead tries each of them once. What comes to stand in the way of so many
 * Services may be thousands of them, more than a status can hold.
 */
export interface RefusalBook {
  note(service: ServiceMigration, why: string): void;
  /** Was given its second family: one that loses it again, and the mark of it, would be given it without end. */
  given(service: ServiceMigration): void;
  /** All there are. */
  known(): Refusals;
}

/** What refuses it may have been mended meanwhile, and nothing of the Service shows that. */
const RETRY_MS = 15 * 60_000;
/** By then it was tried again, or is gone. */
const FORGOTTEN_MS = 4 * RETRY_MS;

/** So often within that hour, and no more. */
const MOST_GIVEN = 5;
const CONTESTED = `it was given its second family ${MOST_GIVEN} times within an hour, and loses it each time together with the annotation that tells of it: something else writes the whole Service`;

export function refusalBook(clock: Clock): RefusalBook {
  const given = new Map<string, readonly number[]>();
  const noted = new Map<string, Omit<Refusal, 'isDue'> & { readonly at: number }>();
  return {
    note(service, why) {
      noted.set(serviceKey(service), { resourceVersion: service.resourceVersion, why, at: clock.monotonic() });
    },
    given(service) {
      const key = serviceKey(service);
      const now = clock.monotonic();
      const times = [...(given.get(key) ?? []), now].filter((time) => now - time < FORGOTTEN_MS);
      given.set(key, times);
      if (times.length < MOST_GIVEN) return;
      given.delete(key);
      noted.set(key, { resourceVersion: service.resourceVersion, why: CONTESTED, isContested: true, at: now });
    },
    known() {
      const now = clock.monotonic();
      for (const [key, times] of given) if (times.every((time) => now - time >= FORGOTTEN_MS)) given.delete(key);
      for (const [key, { at }] of noted) if (now - at >= FORGOTTEN_MS) noted.delete(key);
      return Object.fromEntries(
        // What was undone so often is left alone until it is forgotten.
        [...noted].map(([key, { at, ...refusal }]) => [
          key,
          { ...refusal, isDue: refusal.isContested !== true && now - at >= RETRY_MS },
        ]),
      );
    },
  };
}
