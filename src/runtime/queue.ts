import PQueue from 'p-queue';
import { type BackoffOptions, backoffDelay } from './backoff.ts';
import type { Clock, Random, Timer } from './clock.ts';

/** Told of what the queue does, for metrics. Durations in seconds. */
export interface QueueObserver {
  added(): void;
  retried(): void;
  depth(waiting: number): void;
  /** Gives what is to be called with the seconds worked, when the work is done. */
  started(secondsWaited: number): (secondsWorked: number) => void;
}

export interface QueueOptions {
  /** Keys worked on at once; one key never twice at once. */
  readonly concurrency: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Works on one key. A rejection is told to `onError` and the key comes again after its back-off. */
  readonly work: (key: string) => Promise<void>;
  readonly onError?: (key: string, error: unknown) => void;
  readonly observer?: QueueObserver;
  readonly backoff?: BackoffOptions;
}

/** A queue of keys, never of objects: whoever works on a key looks at the present state of what it names. */
export interface WorkQueue {
  /** Once more if it is being worked on now, not at all if it already waits. */
  add(key: string): void;
  /** Adds it later. Of several delays for one key the earliest counts. */
  addAfter(key: string, milliseconds: number): void;
  /** Adds it after its back-off, which grows with each call until `forget`. */
  addRateLimited(key: string): void;
  /** The key did well: its back-off begins anew. */
  forget(key: string): void;
  failures(key: string): number;
  /** Takes no more keys and drops those that wait; settles when the ones in work are done. */
  shutdown(): Promise<void>;
}

/** 5 ms · 2ⁿ up to 1000 s, as in other controllers. */
const BACKOFF: BackoffOptions = { baseMs: 5, maxMs: 1_000_000, jitter: 0.25 };

type KeyState = 'Waiting' | 'Working' | 'WorkingAndWanted';

export function workQueue(options: QueueOptions): WorkQueue {
  const { clock, observer } = options;
  const lanes = new PQueue({ concurrency: options.concurrency });
  const states = new Map<string, KeyState>();
  const delayed = new Map<string, { readonly at: number; readonly timer: Timer }>();
  const failed = new Map<string, number>();
  let open = true;

  const enqueue = (key: string): void => {
    states.set(key, 'Waiting');
    const since = clock.monotonic();
    // `clear()` at shutdown rejects what waits; that is no error.
    lanes.add(() => workOn(key, since)).catch(() => {});
    observer?.depth(lanes.size);
  };

  const workOn = async (key: string, since: number): Promise<void> => {
    states.set(key, 'Working');
    const started = clock.monotonic();
    observer?.depth(lanes.size);
    const finished = observer?.started((started - since) / 1000);
    try {
      await options.work(key);
    } catch (thrown) {
      options.onError?.(key, thrown);
      queue.addRateLimited(key);
    } finally {
      const wanted = states.get(key) === 'WorkingAndWanted';
      states.delete(key);
      finished?.((clock.monotonic() - started) / 1000);
      if (wanted && open) enqueue(key);
    }
  };

  const queue: WorkQueue = {
    add(key) {
      if (!open) return;
      const state = states.get(key);
      if (state === 'Waiting' || state === 'WorkingAndWanted') return;
      observer?.added();
      if (state === 'Working') states.set(key, 'WorkingAndWanted');
      else enqueue(key);
    },

    addAfter(key, milliseconds) {
      if (!open) return;
      if (milliseconds <= 0) return queue.add(key);
      const at = clock.monotonic() + milliseconds;
      const earlier = delayed.get(key);
      if (earlier !== undefined && earlier.at <= at) return;
      earlier?.timer.cancel();
      const timer = clock.setTimeout(() => {
        delayed.delete(key);
        queue.add(key);
      }, milliseconds);
      delayed.set(key, { at, timer });
    },

    addRateLimited(key) {
      if (!open) return;
      const failures = queue.failures(key) + 1;
      failed.set(key, failures);
      observer?.retried();
      queue.addAfter(key, backoffDelay(options.backoff ?? BACKOFF, failures, options.random));
    },

    forget: (key) => {
      failed.delete(key);
    },
    failures: (key) => failed.get(key) ?? 0,

    async shutdown() {
      open = false;
      for (const { timer } of delayed.values()) timer.cancel();
      delayed.clear();
      lanes.clear();
      observer?.depth(0);
      await lanes.onIdle();
    },
  };
  return queue;
}
