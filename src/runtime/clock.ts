/** A timer that can be taken back. */
export interface Timer {
  cancel(): void;
}

/** Time as a dependency, so that whatever waits or measures can be tested without waiting. All values are milliseconds. */
export interface Clock {
  /** Wall-clock time since the epoch. It may jump: for what is shown or stored, not for measuring. */
  now(): number;
  /** Time that only moves forward, from an arbitrary start: for measuring and deadlines. */
  monotonic(): number;
  /** True after the whole time has passed, false as soon as the signal aborts. Never rejects. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<boolean>;
  setTimeout(run: () => void, milliseconds: number): Timer;
}

/** A random number in [0, 1). */
export type Random = () => number;

/** Node refuses longer delays (and fires them at once), so they are cut. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (milliseconds, signal) => sleepWith(systemClock, milliseconds, signal),
  setTimeout: (run, milliseconds) => {
    const handle = setTimeout(run, Math.min(Math.max(0, milliseconds), LONGEST_DELAY_MS));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** `sleep` for any clock that has a `setTimeout`. */
export function sleepWith(
  clock: Pick<Clock, 'setTimeout'>,
  milliseconds: number,
  signal?: AbortSignal,
): Promise<boolean> {
  if (signal?.aborted === true) return Promise.resolve(false);
  return new Promise((resolve) => {
    const finish = (whole: boolean): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      resolve(whole);
    };
    const onAbort = (): void => finish(false);
    const timer = clock.setTimeout(() => finish(true), milliseconds);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
