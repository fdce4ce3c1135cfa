import { expect, test } from '@jest/globals';
import { GATHER_MS, gathering } from '../../../src/reconcile/gather.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { workQueue } from '../../../src/runtime/queue.ts';

test('while there is work nothing waits', () => {
  const clock = fakeClock();
  const gather = gathering(clock);
  expect(gather.delay('a')).toBe(0);
  gather.looked('a', clock.monotonic(), 'Nothing');
  expect(gather.delay('a')).toBe(GATHER_MS);
  expect(gather.delay('b')).toBe(0);
  gather.looked('a', clock.monotonic(), 'Work');
  expect(gather.delay('a')).toBe(0);
});

test('a single change is looked at straight away, and a burst once a second', async () => {
  const clock = fakeClock();
  const gather = gathering(clock);
  const looks: number[] = [];
  const queue = workQueue({
    concurrency: 1,
    clock,
    random: () => 0.5,
    work: (name) => {
      looks.push(clock.monotonic());
      gather.looked(name, clock.monotonic(), 'Nothing');
      return Promise.resolve();
    },
  });
  const change = (): void => queue.addAfter('a', gather.delay('a'));
  const start = clock.monotonic();
  const since = (): readonly number[] => looks.map((at) => at - start);
  change();
  await clock.advance(1);
  expect(since()).toEqual([0]);

  await clock.advance(9_999);
  for (let turn = 0; turn < 300; turn += 1) {
    change();
    await clock.advance(10);
  }
  await clock.advance(5_000);
  expect(since()).toEqual([0, 10_000, 11_000, 12_000, 13_000]);
  await queue.shutdown();
});

test('what changes during a look is looked at a second after its beginning, not right after it', async () => {
  const clock = fakeClock();
  const gather = gathering(clock);
  const looks: number[] = [];
  const queue = workQueue({
    concurrency: 1,
    clock,
    random: () => 0.5,
    work: async (name) => {
      const begun = clock.monotonic();
      looks.push(begun);
      gather.begins(name);
      await clock.sleep(200);
      gather.looked(name, begun, 'Nothing');
    },
  });
  gather.looked('a', clock.monotonic(), 'Nothing');
  await clock.advance(5_000);
  const start = clock.monotonic();
  for (let turn = 0; turn < 30; turn += 1) {
    queue.addAfter('a', gather.delay('a'));
    await clock.advance(100);
  }
  expect(looks.map((at) => at - start)).toEqual([0, 1_000, 2_000, 3_000]);
  await clock.advance(5_000);
  await queue.shutdown();
});
