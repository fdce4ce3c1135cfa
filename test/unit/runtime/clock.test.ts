import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { backoffDelay } from '../../../src/runtime/backoff.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { fakeClock } from '../../support/fake-clock.ts';

test('a sleep says whether it lasted, and leaves no timer behind', async () => {
  const clock = fakeClock();
  const stop = new AbortController();
  const [whole, broken] = [clock.sleep(1_000), clock.sleep(5_000, stop.signal)];
  await clock.advance(1_000);
  expect(await whole).toBe(true);
  stop.abort();
  expect(await broken).toBe(false);
  expect(await clock.sleep(5_000, stop.signal)).toBe(false);
  expect(clock.pending).toBe(0);
});

test('the system clock sleeps, wakes and cancels', async () => {
  const started = systemClock.monotonic();
  expect(await systemClock.sleep(15)).toBe(true);
  // Timers of Node may fire up to one millisecond early.
  expect(systemClock.monotonic() - started).toBeGreaterThanOrEqual(14);
  let fired = false;
  const timer = systemClock.setTimeout(() => (fired = true), 1);
  timer.cancel();
  // A delay that Node cannot hold must not fire at once.
  const far = systemClock.setTimeout(() => (fired = true), 2 ** 40);
  await systemClock.sleep(10);
  far.cancel();
  expect(fired).toBe(false);
});

test('back-off doubles up to its maximum', () => {
  const delays = [1, 2, 3, 4, 18, 19, 5000].map((n) =>
    backoffDelay({ baseMs: 5, maxMs: 1_000_000, jitter: 0 }, n, () => 0.9),
  );
  expect(delays).toEqual([5, 10, 20, 40, 655_360, 1_000_000, 1_000_000]);
});

test('jitter only ever shortens, by no more than its share', () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 }), chance, chance, (failures, jitter, random) => {
      const whole = backoffDelay({ baseMs: 800, maxMs: 30_000, jitter: 0 }, failures, () => 0);
      const delay = backoffDelay({ baseMs: 800, maxMs: 30_000, jitter }, failures, () => random);
      expect(delay).toBeLessThanOrEqual(whole);
      expect(delay).toBeGreaterThanOrEqual(whole * (1 - jitter));
    }),
  );
});
