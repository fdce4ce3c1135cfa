import type { ServiceMigration } from '../model/step.ts';
import { type Refusal, type Refusals, serviceKey } from '../model/service.ts';
import type { Clock } from '../runtime/clock.ts';

/**
 * Services whose change was refused. Kept by the process alone: another one that begins to lead tries each of them once. What comes to stand in the way of so many
 * Services may be thousands of them, more than a status can hold.
 */
export interface RefusalBook {
  note(service: ServiceMigration, why: string): void;
  /** All there are. */
  known(): Refusals;
}

/** What refuses it may have been mended meanwhile, and nothing of the Service shows that. */
const RETRY_MS = 15 * 60_000;
/** By then it was tried again, or is gone. */
const FORGOTTEN_MS = 4 * RETRY_MS;

export function refusalBook(clock: Clock): RefusalBook {
  const noted = new Map<string, Omit<Refusal, 'isDue'> & { readonly at: number }>();
  return {
    note(service, why) {
      noted.set(serviceKey(service), { resourceVersion: service.resourceVersion, why, at: clock.monotonic() });
    },
    known() {
      const now = clock.monotonic();
      for (const [key, { at }] of noted) if (now - at >= FORGOTTEN_MS) noted.delete(key);
      return Object.fromEntries(
        [...noted].map(([key, { at, resourceVersion, why }]) => [
          key,
          { resourceVersion, why, isDue: now - at >= RETRY_MS },
        ]),
      );
    },
  };
}
