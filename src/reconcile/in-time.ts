import type { Clock, Timer } from '../runtime/clock.ts';

/**
 * What the work came to, or `Stuck` where it has not ended so many milliseconds after the signal that asked it to. Whoever gets `Stuck` must
 * end the process: the work still hangs, and must not go on beside that of the next leader.
 */
export async function inTime<T>(
  clock: Pick<Clock, 'setTimeout'>,
  milliseconds: number,
  signal: AbortSignal,
  work: Promise<T>,
): Promise<T | 'Stuck'> {
  const { promise: deadline, resolve } = Promise.withResolvers<'Stuck'>();
  let timer: Timer | undefined;
  const begin = (): void => {
    timer = clock.setTimeout(() => resolve('Stuck'), milliseconds);
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    signal.removeEventListener('abort', begin);
    timer?.cancel();
  }
}
