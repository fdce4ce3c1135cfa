import type { Clock } from '../runtime/clock.ts';

/** Changes on thousands of nodes come in bursts. Where there was nothing to do they are gathered for so long, and with them what is written. */
export const GATHER_MS = 1_000;

/** Says how soon a change around something is to be looked at: while work is under way at once, while nothing is to be done once a second at most. */
export interface Gathering {
  /** A look begins: what changes while it lasts is no reason for another right after it, where there was nothing to do before. */
  begins(name: string): void;
  /** A look was begun then (monotonic milliseconds) and has ended; `nothing`: there was nothing to do. */
  looked(name: string, begun: number, found: 'Nothing' | 'Work'): void;
  /** Milliseconds until the next look. */
  delay(name: string): number;
}

export function gathering(clock: Pick<Clock, 'monotonic'>): Gathering {
  const restingSince = new Map<string, number>();
  return {
    begins: (name) => {
      if (restingSince.has(name)) restingSince.set(name, clock.monotonic());
    },
    looked: (name, begun, found) => {
      if (found === 'Nothing') restingSince.set(name, begun);
      else restingSince.delete(name);
    },
    delay: (name) => {
      const since = restingSince.get(name);
      return since === undefined ? 0 : Math.max(0, since + GATHER_MS - clock.monotonic());
    },
  };
}
