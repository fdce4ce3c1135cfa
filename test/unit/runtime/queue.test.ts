import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type QueueOptions, workQueue, type WorkQueue } from '../../../src/runtime/queue.ts';
import { type FakeClock, fakeClock, settle } from '../../support/fake-clock.ts';

interface Bench {
  readonly queue: WorkQueue;
  readonly clock: FakeClock;
  /** Keys in the order in which their work began. */
  readonly began: string[];
  readonly inWork: ReadonlySet<string>;
  /** Ends the work on a key. */
  readonly finish: (key: string, failure?: Error) => Promise<void>;
}

function bench(options: Partial<QueueOptions> = {}): Bench {
  const clock = fakeClock();
  const began: string[] = [];
  const inWork = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  const queue = workQueue({
    concurrency: 2,
    clock,
    random: () => 0,
    work: (key) => {
      if (inWork.has(key)) throw new Error(`${key} is worked on twice at once`);
      began.push(key);
      return new Promise<void>((resolve, reject) => inWork.set(key, { resolve, reject })).finally(() =>
        inWork.delete(key),
      );
    },
    ...options,
  });
  return {
    queue,
    clock,
    began,
    get inWork() {
      return new Set(inWork.keys());
    },
    async finish(key, failure) {
      const work = inWork.get(key);
      if (work === undefined) throw new Error(`${key} is not worked on`);
      if (failure === undefined) work.resolve();
      else work.reject(failure);
      await settle();
    },
  };
}

test('a key that waits is not added twice', async () => {
  const { queue, began, finish } = bench({ concurrency: 1 });
  for (const key of ['a', 'b', 'b', 'b']) queue.add(key);
  await settle();
  expect(began).toEqual(['a']);
  await finish('a');
  await finish('b');
  expect(began).toEqual(['a', 'b']);
});

test('a key in work is not run beside itself, but once more afterwards', async () => {
  const { queue, began, finish } = bench();
  queue.add('a');
  await settle();
  for (let n = 0; n < 3; n++) queue.add('a');
  await settle();
  expect(began).toEqual(['a']);
  await finish('a');
  expect(began).toEqual(['a', 'a']);
  await finish('a');
  expect(began).toEqual(['a', 'a']);
});

test('no more run at once than allowed', async () => {
  const one = bench({ concurrency: 2 });
  for (const key of ['a', 'b', 'c']) one.queue.add(key);
  await settle();
  expect([...one.inWork]).toEqual(['a', 'b']);
  await one.finish('a');
  expect([...one.inWork]).toEqual(['b', 'c']);
});

test('of several delays the earliest counts', async () => {
  const { queue, began, clock, finish } = bench();
  queue.addAfter('a', 5_000);
  queue.addAfter('a', 1_000);
  queue.addAfter('a', 9_000);
  await clock.advance(999);
  expect(began).toEqual([]);
  await clock.advance(1);
  expect(began).toEqual(['a']);
  await finish('a');
  await clock.advance(60_000);
  expect(began).toEqual(['a']);
  queue.addAfter('a', 0);
  await settle();
  expect(began).toEqual(['a', 'a']);
});

test('work that fails comes again after 5 ms, 10 ms, 20 ms … until it is forgotten', async () => {
  const errors: string[] = [];
  const { queue, began, clock, finish } = bench({ onError: (key, error) => errors.push(`${key}: ${String(error)}`) });
  queue.add('a');
  await settle();
  for (const delay of [5, 10, 20, 40]) {
    const before = began.length;
    await finish('a', new Error('no'));
    await clock.advance(delay - 1);
    expect(began.length).toBe(before);
    await clock.advance(1);
    expect(began.length).toBe(before + 1);
  }
  expect(queue.failures('a')).toBe(4);
  expect(errors).toEqual(Array(4).fill('a: Error: no'));
  queue.forget('a');
  expect(queue.failures('a')).toBe(0);
  await finish('a', new Error('no'));
  await clock.advance(5);
  expect(began.length).toBe(6);
});

test('back-off ends at 1000 s', async () => {
  const { queue, clock, began, finish } = bench();
  for (let n = 0; n < 40; n++) {
    queue.addRateLimited('a');
    await clock.advance(1_000_000);
    expect(began.length).toBe(n + 1);
    await finish('a');
  }
});

test('shutdown waits for what is in work and starts nothing else', async () => {
  const { queue, began, clock, finish } = bench({ concurrency: 1 });
  for (const key of ['a', 'b']) queue.add(key);
  queue.addAfter('c', 1_000);
  await settle();
  queue.add('a');
  let down = false;
  const ended = queue.shutdown().then(() => (down = true));
  await clock.advance(5_000);
  expect(down).toBe(false);
  await finish('a');
  await ended;
  for (const key of ['d', 'e']) queue.add(key);
  queue.addAfter('f', 10);
  queue.addRateLimited('g');
  await clock.advance(5_000);
  expect(began).toEqual(['a']);
  expect(clock.pending).toBe(0);
});

test('it tells what it does', async () => {
  const told: string[] = [];
  const { queue, clock, finish } = bench({
    concurrency: 1,
    observer: {
      added: () => told.push('added'),
      retried: () => told.push('retried'),
      depth: (waiting) => told.push(`depth ${waiting}`),
      started: (waited) => {
        told.push(`started after ${waited} s`);
        return (worked) => told.push(`finished after ${worked} s`);
      },
    },
  });
  queue.add('a');
  queue.add('b');
  await clock.advance(3_000);
  await finish('a');
  expect(told.filter((line) => !line.startsWith('depth'))).toEqual([
    'added',
    'started after 0 s',
    'added',
    'finished after 3 s',
    'started after 3 s',
  ]);
  expect(told).toContain('depth 1');
  expect(told.at(-2)).toBe('depth 0');
  await finish('b');
});

const action = fc.record({
  do: fc.constantFrom('add', 'addAfter', 'addRateLimited', 'finish', 'fail', 'advance'),
  key: fc.constantFrom('a', 'b', 'c'),
  time: fc.nat(2_000),
});

test('no key that was added is ever forgotten, and none runs beside itself', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      /** Keys that must begin again, with how many had begun when they were added. */
      const owed = new Map<string, number>();
      const current = bench();
      for (const { do: what, key, time } of actions) {
        if (what === 'add' || what === 'addAfter' || what === 'addRateLimited')
          owed.set(key, current.began.filter((k) => k === key).length);
        if (what === 'add') current.queue.add(key);
        else if (what === 'addAfter') current.queue.addAfter(key, time);
        else if (what === 'addRateLimited') current.queue.addRateLimited(key);
        else if (what === 'advance') await current.clock.advance(time);
        else if (current.inWork.has(key)) await current.finish(key, what === 'fail' ? new Error('no') : undefined);
        await settle();
      }
      for (let round = 0; round < 6; round++) {
        await current.clock.advance(1_000_000);
        for (const key of current.inWork) await current.finish(key);
      }
      for (const [key, before] of owed) expect(current.began.filter((k) => k === key).length).toBeGreaterThan(before);
      expect(current.inWork.size).toBe(0);
      expect(current.clock.pending).toBe(0);
    }),
    { numRuns: 60 },
  );
});
