import { expect, test } from '@jest/globals';
import { known, unknown } from '../../../src/model/reader.ts';
import { workloadCache } from '../../../src/reconcile/workload-cache.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { podOwner } from '../../support/pod-owners.ts';

test('read again when it is too old, or could not be read', async () => {
  const clock = fakeClock(0);
  let reads = 0;
  let readable = true;
  const cache = workloadCache(() => {
    reads += 1;
    return Promise.resolve(readable ? known([podOwner(`w${reads}`)]) : unknown('503'));
  }, clock);
  const first = await cache.get(30_000);
  await clock.advance(29_999);
  expect(await cache.get(30_000)).toBe(first);
  await clock.advance(1);
  readable = false;
  expect(await cache.get(30_000)).toEqual(unknown('503'));
  readable = true;
  expect(await cache.get(30_000)).toMatchObject({ value: [{ name: 'w3' }] });
  expect(await cache.get(0)).toMatchObject({ value: [{ name: 'w4' }] });
});
