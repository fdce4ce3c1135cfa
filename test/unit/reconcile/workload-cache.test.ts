import { expect, test } from '@jest/globals';
import { known, unknown } from '../../../src/model/reader.ts';
import { everySoOften, workloadCache } from '../../../src/reconcile/workload-cache.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { podOwner } from '../../support/pod-owners.ts';

test('read again when it is too old, or could not be read', async () => {
  const clock = fakeClock(0);
  let reads = 0;
  let readable = true;
  const cache = workloadCache(() => {
    reads += 1;
    const workloads = readable ? known([podOwner(`w${reads}`)]) : unknown('503');
    return Promise.resolve({ workloads, backends: known({}) });
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

test('what is behind Services comes from the same list, also while that is being read', async () => {
  let reads = 0;
  const cache = workloadCache(async () => {
    reads += 1;
    return { workloads: known([podOwner('w')]), backends: known({}) };
  }, fakeClock(0));
  const [workloads, backends] = await Promise.all([cache.get(0), cache.backends(0)]);
  expect(workloads).toMatchObject({ value: [{ name: 'w' }] });
  expect(backends).toEqual(known({}));
  expect(reads).toBe(1);
});

test('that Services could not be read does not have all pods listed again', async () => {
  let reads = 0;
  const cache = workloadCache(async () => {
    reads += 1;
    return { workloads: known([]), backends: unknown('403') };
  }, fakeClock(0));
  expect(await cache.backends(30_000)).toEqual(unknown('403'));
  expect(await cache.backends(30_000)).toEqual(unknown('403'));
  expect(reads).toBe(1);
});

test('what is read every so often is kept as long as its value says', async () => {
  const clock = fakeClock();
  const values = ['short', 'long', 'last'];
  const get = everySoOften(
    () => Promise.resolve(values.shift()),
    (value) => (value === 'short' ? 1_000 : 60_000),
    clock,
  );
  expect([await get(), await get()]).toEqual(['short', 'short']);
  await clock.advance(1_000);
  expect(await get()).toBe('long');
  await clock.advance(59_999);
  expect(await get()).toBe('long');
  await clock.advance(1);
  expect(await get()).toBe('last');
});
