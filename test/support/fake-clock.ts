import { type Clock, sleepWith } from '../../src/runtime/clock.ts';

/** A clock that stands still until it is told how far to go. */
export interface FakeClock extends Clock {
  /** Moves on, running timers in their order; lets promises that they settle go on before the next timer. */
  advance(milliseconds: number): Promise<void>;
  /** How many timers are set: zero after everything has been stopped. */
  readonly pending: number;
}

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export function fakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let elapsed = 0;
  let order = 0;
  const entries = new Set<Entry>();
  const nextUntil = (end: number): Entry | undefined =>
    [...entries].filter((entry) => entry.at <= end).toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
  const clock: FakeClock = {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    sleep: (milliseconds, signal) => sleepWith(clock, milliseconds, signal),
    setTimeout: (run, milliseconds) => {
      const entry: Entry = { at: elapsed + Math.max(0, milliseconds), order: order++, run };
      entries.add(entry);
      return { cancel: () => entries.delete(entry) };
    },
    async advance(milliseconds) {
      const end = elapsed + milliseconds;
      await settle();
      for (let entry = nextUntil(end); entry !== undefined; entry = nextUntil(end)) {
        entries.delete(entry);
        elapsed = Math.max(elapsed, entry.at);
        entry.run();
        await settle();
      }
      elapsed = end;
    },
    get pending() {
      return entries.size;
    },
  };
  return clock;
}

/** Lets everything that is already able to go on do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
