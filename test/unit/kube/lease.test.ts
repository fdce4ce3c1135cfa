import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type ElectionEnd, type ElectionOptions, lead } from '../../../src/kube/lease.ts';
import { microTime } from '../../../src/kube/micro-time.ts';
import { at } from '../../../src/model/object.ts';
import { type FakeClock, fakeClock, settle } from '../../support/fake-clock.ts';
import { type LeaseStore, leaseStore } from '../../support/fake-lease.ts';

interface Candidate {
  leading: boolean;
  readonly ended: () => ElectionEnd | undefined;
  readonly done: Promise<ElectionEnd>;
  stop(): void;
}

function candidate(
  store: LeaseStore,
  clock: FakeClock,
  identity: string,
  more: Partial<ElectionOptions> = {},
): Candidate {
  const stop = new AbortController();
  let end: ElectionEnd | undefined;
  const options = {
    client: store.client(),
    clock,
    random: () => 0.5,
    namespace: 'home',
    name: 'the-lease',
    identity,
    ...more,
  };
  const elected = lead(options, stop.signal, async (signal) => {
    one.leading = true;
    await new Promise((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener('abort', resolve);
    });
    one.leading = false;
  });
  const done = elected.then((how) => {
    end = how;
    return how;
  });
  const one: Candidate = { leading: false, ended: () => end, done, stop: () => stop.abort() };
  return one;
}

const spec = (store: LeaseStore, field: string): unknown => at(store.stored, 'spec', field);

test('the first candidate makes the Lease, with times of six digits', async () => {
  const [store, clock] = [leaseStore(), fakeClock(Date.UTC(2026, 4, 6, 7, 8, 9, 10))];
  const one = candidate(store, clock, 'one');
  await settle();
  expect(one.leading).toBe(true);
  expect(store.stored).toMatchObject({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'the-lease', namespace: 'home' },
    spec: {
      holderIdentity: 'one',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      renewTime: '2026-05-06T07:08:09.010000Z',
    },
  });
  one.stop();
  expect(await one.done).toBe('Stopped');
});

test('the leader renews every 2 s with one write and keeps the time at which it came to office', async () => {
  const [store, clock] = [leaseStore(), fakeClock()];
  const one = candidate(store, clock, 'one');
  await settle();
  const acquired = spec(store, 'acquireTime');
  await clock.advance(20_000);
  expect(store.writes).toBe(11);
  expect(spec(store, 'acquireTime')).toBe(acquired);
  expect(spec(store, 'renewTime')).toBe(microTime(clock.now()));
  expect(one.leading).toBe(true);
  one.stop();
  await one.done;
  expect(clock.pending).toBe(0);
});

test('another waits until the Lease has not been renewed for 15 s by its own clock, then counts a transition', async () => {
  const [store, clock] = [leaseStore(), fakeClock()];
  // Its clock is hours away: what is written in the Lease must not matter.
  const first = candidate(store, fakeClock(0), 'first');
  await settle();
  const leaders: string[] = [];
  const second = candidate(store, clock, 'second', { onLeader: (identity) => leaders.push(identity) });
  await clock.advance(14_900);
  expect(second.leading).toBe(false);
  await clock.advance(3_400);
  expect(second.leading).toBe(true);
  expect(store.holder).toBe('second');
  expect(spec(store, 'leaseTransitions')).toBe(1);
  expect(leaders).toEqual(['first', 'second']);
  for (const one of [first, second]) one.stop();
  await Promise.all([first.done, second.done]);
});

test('a leader that stops gives the Lease back, after its work has ended', async () => {
  const [store, clock] = [leaseStore(), fakeClock()];
  const work = Promise.withResolvers<void>();
  const stop = new AbortController();
  const done = lead(
    { client: store.client(), clock, random: () => 0, namespace: 'home', name: 'l', identity: 'one' },
    stop.signal,
    () => work.promise,
  );
  await settle();
  stop.abort();
  await settle();
  expect(store.holder).toBe('one');
  work.resolve();
  expect(await done).toBe('Stopped');
  expect(store.holder).toBe('');
  const next = candidate(store, clock, 'next');
  await settle();
  expect(next.leading).toBe(true);
  next.stop();
  await next.done;
});

test.each(['Errors', 'Hangs'] as const)(
  'a leader that cannot renew (%s) steps down after 10 s, before another can begin',
  async (mood) => {
    const [store, clock] = [leaseStore(), fakeClock()];
    const one = candidate(store, clock, 'one');
    await clock.advance(4_000);
    store.mood = mood;
    await clock.advance(8_000);
    expect(one.leading).toBe(true);
    await clock.advance(4_000);
    expect(one.ended()).toBe('Lost');
    expect(one.leading).toBe(false);
    // It may not be its own any more: it is not given back.
    expect(store.holder).toBe('one');
  },
);

test('a renewal counts from when it was sent: a slow answer does not lengthen the time in office', async () => {
  const [store, clock] = [leaseStore(), fakeClock()];
  const quick = store.client();
  const slow: ElectionOptions['client'] = {
    ...quick,
    update: async (lease) => {
      const answer = await quick.update(lease);
      await clock.sleep(4_000);
      return answer;
    },
  };
  const one = candidate(store, clock, 'one', { client: slow });
  // The first renewal is sent after 2 s and answered after 6 s; all that follow fail.
  await clock.advance(6_500);
  store.mood = 'Errors';
  await clock.advance(5_000);
  expect(one.leading).toBe(true);
  await clock.advance(1_000);
  expect(one.ended()).toBe('Lost');
});

test('an API server that is away for less than that changes nothing', async () => {
  const [store, clock] = [leaseStore(), fakeClock()];
  const errors: string[] = [];
  const one = candidate(store, clock, 'one', { onError: (error) => errors.push(error.kind) });
  await clock.advance(2_000);
  store.mood = 'Errors';
  await clock.advance(7_000);
  store.mood = 'Works';
  await clock.advance(30_000);
  expect(one.leading).toBe(true);
  expect(errors.length).toBeGreaterThan(0);
  one.stop();
  await one.done;
});

test('a leader whose Lease was taken steps down at its next renewal', async () => {
  const [store, clock] = [leaseStore(), fakeClock()];
  const one = candidate(store, clock, 'one');
  await settle();
  store.seize('other');
  await clock.advance(2_000);
  expect(one.ended()).toBe('Lost');
  expect(store.holder).toBe('other');
});

test('a write by someone else that leaves the holder alone is survived', async () => {
  const [store, clock] = [leaseStore(), fakeClock()];
  const one = candidate(store, clock, 'one');
  await settle();
  store.seize('one');
  await clock.advance(20_000);
  expect(one.leading).toBe(true);
  one.stop();
  await one.done;
});

test('work that ends by itself ends the election; work that throws does too, and the Lease is free again', async () => {
  const [store, clock] = [leaseStore(), fakeClock()];
  const options = { client: store.client(), clock, random: () => 0, namespace: 'home', name: 'l', identity: 'one' };
  expect(await lead(options, new AbortController().signal, async () => {})).toBe('Finished');
  expect(store.holder).toBe('');
  const bug = lead(options, new AbortController().signal, () => Promise.reject(new Error('a bug')));
  await expect(bug).rejects.toThrow('a bug');
  expect(store.holder).toBe('');
});

test('a candidate that is stopped while it waits was never in office', async () => {
  const [store, clock] = [leaseStore(), fakeClock()];
  const first = candidate(store, clock, 'first');
  await settle();
  const second = candidate(store, clock, 'second');
  await clock.advance(5_000);
  second.stop();
  expect(await second.done).toBe('Stopped');
  expect(store.holder).toBe('first');
  first.stop();
  await first.done;
});

test('never two leaders, whatever happens when', async () => {
  const event = fc.record({
    wait: fc.integer({ min: 0, max: 20_000 }),
    mood: fc.constantFrom<LeaseStore['mood'][]>('Works', 'Works', 'Errors', 'Hangs'),
    stop: fc.option(fc.nat(2), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 12 }), async (events) => {
      const [store, clock] = [leaseStore(), fakeClock()];
      const all = ['a', 'b', 'c'].map((identity) => candidate(store, clock, identity));
      for (const { wait, mood, stop } of events) {
        for (let rest = wait; rest > 0; rest -= 500) {
          await clock.advance(Math.min(rest, 500));
          expect(all.filter((one) => one.leading).length).toBeLessThanOrEqual(1);
        }
        store.mood = mood;
        if (stop !== undefined) all[stop]!.stop();
      }
    }),
    { numRuns: 60 },
  );
});
