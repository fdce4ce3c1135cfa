import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { asString, at } from '../../../src/model/object.ts';
import { type CacheChange, type Reflector, reflector } from '../../../src/kube/reflector.ts';
import { eventually } from '../../support/eventually.ts';
import { type FakeApi, fakeApi } from '../../support/fake-api.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { type Fault, type ObjectServer, objectServer } from '../../support/object-server.ts';

/** The idle time-out of 150 s then takes 0.75 s, the back-off between 2 and 150 ms. */
const TIMES_FASTER = 200;

interface Running {
  readonly cache: Reflector<string>;
  readonly changes: CacheChange<string>[];
  readonly errors: string[];
  /** Errors, and between them that the server was reached. */
  readonly told: string[];
  stop(): Promise<void>;
}

let api: FakeApi;
let server: ObjectServer;
let running: Running[];
beforeEach(async () => {
  api = await fakeApi();
  server = objectServer(api);
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((one) => one.stop()));
  await api.close();
});

function start(onChange: (change: CacheChange<string>) => void = () => {}): Running {
  const clock = hastyClock(TIMES_FASTER);
  const stop = new AbortController();
  const changes: CacheChange<string>[] = [];
  const errors: string[] = [];
  const told: string[] = [];
  const cache = reflector<string>({
    client: api.cluster(clock).client,
    clock,
    random: () => 0.5,
    query: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'here' },
    trim: (object) => asString(at(object, 'data', 'value')) ?? '',
    onChange: (change) => {
      changes.push(change);
      onChange(change);
    },
    onReached: () => told.push('reached'),
    onError: (error) => {
      errors.push('kind' in error ? error.kind : error.message);
      told.push('kind' in error ? error.kind : error.message);
    },
  });
  const run = cache.run(stop.signal);
  const one: Running = {
    cache,
    changes,
    errors,
    told,
    stop: async () => {
      stop.abort();
      await run;
    },
  };
  running.push(one);
  return one;
}

const cached = ({ cache }: Running): Record<string, string | undefined> =>
  Object.fromEntries(cache.keys().map((key) => [key, cache.get(key)]));
const follows = (one: Running): Promise<void> =>
  eventually(
    `the cache follows: ${JSON.stringify(cached(one))} is not ${JSON.stringify(server.contents())} (${one.errors.join()})`,
    () => isDeepStrictEqual(cached(one), server.contents()),
  );
const never = new AbortController().signal;

test('it lists all pages, then follows each change', async () => {
  for (let n = 0; n < 7; n++) server.put(`cm-${n}`, 'old');
  const one = start();
  expect([one.cache.hasSynced, one.cache.position]).toEqual([false, undefined]);
  expect(await one.cache.whenSynced(never)).toBe(true);
  expect(one.cache.size).toBe(7);
  const listedAt = one.cache.heardAt;
  await eventually('the watch is open', () => server.watches === 1);
  server.put('cm-3', 'new');
  server.remove('cm-4');
  server.put('cm-9', 'old');
  await follows(one);
  expect(one.changes.slice(7)).toEqual([
    { type: 'Updated', key: 'here/cm-3', item: 'new', before: 'old' },
    { type: 'Deleted', key: 'here/cm-4', before: 'old' },
    { type: 'Added', key: 'here/cm-9', item: 'old' },
  ]);
  expect(one.cache.items().toSorted()).toEqual(['new', 'old', 'old', 'old', 'old', 'old', 'old']);
  // The first version was 101.
  expect(one.cache.position).toBe('110');
  expect(one.cache.heardAt).toBeGreaterThan(listedAt ?? Number.NaN);
  expect(server.lists).toBe(1);
});

test('it tells when the server answers again, also when nothing has changed', async () => {
  for (let n = 0; n < 4; n++) server.put(`cm-${n}`, 'old');
  const one = start();
  await eventually('the watch is open', () => server.watches === 1);
  const before = one.told.length;
  expect(one.told.slice(-3)).toEqual(['reached', 'reached', 'reached']);
  server.faults.push({ on: 'watch', do: 'HangUp' }, { on: 'watch', do: 'HangUp' });
  api.cut();
  await eventually('the watch is open again', () => one.told.length > before && one.told.at(-1) === 'reached');
  expect(one.told[before]).toBe('Network');
  expect(one.changes).toHaveLength(4);
});

const faults: readonly (readonly [string, Fault])[] = [
  ['a watch that is refused with 410', { on: 'watch', do: 'Status', code: 410, reason: 'Expired' }],
  [
    'a watch that is refused with 429',
    { on: 'watch', do: 'Status', code: 429, reason: 'TooManyRequests', retryAfter: '2' },
  ],
  ['a watch that is refused with 500', { on: 'watch', do: 'Status', code: 500, reason: 'InternalError' }],
  ['a watch that is cut before it begins', { on: 'watch', do: 'HangUp' }],
  ['410 told inside the watch', { on: 'watch', do: 'ErrorEvent', code: 410 }],
  ['another error told inside the watch', { on: 'watch', do: 'ErrorEvent', code: 500 }],
  ['half a line, then the end', { on: 'watch', do: 'HalfLine', afterwards: 'End' }],
  ['half a line, then silence', { on: 'watch', do: 'HalfLine', afterwards: 'Silence' }],
  ['a line that is no JSON', { on: 'watch', do: 'Garbage' }],
  ['a watch that ends at once', { on: 'watch', do: 'EndAtOnce' }],
  ['a connection that is dead but never closed', { on: 'watch', do: 'Silence' }],
  ['a list page that is refused', { on: 'list', do: 'Status', code: 410, reason: 'Expired' }],
  ['a list that hangs up', { on: 'list', do: 'HangUp' }],
];

test.each(faults)('it survives %s', async (_, fault) => {
  for (let n = 0; n < 4; n++) server.put(`cm-${n}`, 'old');
  server.faults.push(fault);
  const one = start();
  await one.cache.whenSynced(never);
  server.put('cm-1', 'new');
  server.remove('cm-2');
  await follows(one);
  expect(server.faults).toEqual([]);
  // And it still follows afterwards.
  server.put('cm-5', 'last');
  await follows(one);
  const told = one.changes.filter((change) => change.type !== 'Updated').map(({ type, key }) => `${type} ${key}`);
  expect(told).toEqual([...new Set(told)]);
});

test('a watch goes on from where the last one was, without a new list', async () => {
  server.put('a', '1');
  const one = start();
  await eventually('the watch is open', () => server.watches === 1);
  for (let n = 0; n < 3; n++) {
    api.cut();
    server.put('a', `after ${n}`);
    await follows(one);
    await eventually('the watch is open again', () => server.watches === 1);
  }
  expect(server.lists).toBe(1);
});

test('a bookmark saves the next watch from 410', async () => {
  server.put('a', '1');
  const one = start();
  await eventually('the watch is open', () => server.watches === 1);
  server.compact();
  server.bookmark();
  server.put('b', '2');
  await follows(one);
  api.cut();
  server.put('c', '3');
  await follows(one);
  expect(server.lists).toBe(1);
});

test('without the bookmark it lists again, and tells only what changed', async () => {
  server.put('a', '1');
  server.put('b', '1');
  const one = start();
  await eventually('the watch is open', () => server.watches === 1);
  server.faults.push({ on: 'watch', do: 'HangUp' });
  api.cut();
  server.remove('b');
  server.put('c', '1');
  server.compact();
  await follows(one);
  expect(server.lists).toBe(2);
  expect(
    one.changes
      .slice(2)
      .map(({ type, key }) => `${type} ${key}`)
      .toSorted(),
  ).toEqual(['Added here/c', 'Deleted here/b']);
});

test('an object that was deleted and made anew while nobody watched is told as both', async () => {
  server.put('a', 'first');
  const one = start();
  await eventually('the watch is open', () => server.watches === 1);
  server.faults.push({ on: 'watch', do: 'HangUp' });
  api.cut();
  server.remove('a');
  server.put('a', 'second');
  server.compact();
  await follows(one);
  expect(one.changes.slice(1)).toEqual([
    { type: 'Deleted', key: 'here/a', before: 'first' },
    { type: 'Added', key: 'here/a', item: 'second' },
  ]);
});

test('a handler that throws is told and harms nothing', async () => {
  const one = start(() => {
    throw new Error('a bug in a handler');
  });
  server.put('a', '1');
  server.put('b', '2');
  await follows(one);
  expect(one.errors).toEqual(['a bug in a handler', 'a bug in a handler']);
});

test('Retry-After is heeded even when the back-off is shorter', async () => {
  server.faults.push({ on: 'watch', do: 'Status', code: 503, reason: 'ServiceUnavailable', retryAfter: '60' });
  const started = performance.now();
  start();
  await eventually('the watch is open', () => server.watches === 1);
  expect(performance.now() - started).toBeGreaterThanOrEqual(60_000 / TIMES_FASTER - 1);
});

test('it waits patiently for a server that comes late', async () => {
  for (let n = 0; n < 12; n++)
    server.faults.push({ on: 'list', do: 'Status', code: 503, reason: 'ServiceUnavailable' });
  server.put('a', '1');
  const one = start();
  expect(await one.cache.whenSynced(never)).toBe(true);
  expect(one.errors.length).toBeGreaterThan(0);
});

test('stopping leaves nothing open, in a watch as in a back-off', async () => {
  const one = start();
  await eventually('the watch is open', () => server.watches === 1);
  await one.stop();
  await eventually('the watch is closed', () => server.watches === 0);
  // As many as there may be tries before it is stopped, on a slow machine too.
  for (let n = 0; n < 100; n++) server.faults.push({ on: 'list', do: 'Status', code: 403, reason: 'Forbidden' });
  const two = start();
  await eventually('the refusal is told', () => two.errors.includes('Forbidden'));
  await two.stop();
  const aborted = new AbortController();
  aborted.abort();
  const before = api.requests.length;
  expect(await two.cache.whenSynced(aborted.signal)).toBe(false);
  expect(api.requests.length).toBe(before);
});

test('the end of the wait for the first list is told when the program stops', async () => {
  for (let n = 0; n < 100; n++) server.faults.push({ on: 'list', do: 'HangUp' });
  const one = start();
  const stop = new AbortController();
  const waited = one.cache.whenSynced(stop.signal);
  stop.abort();
  expect(await waited).toBe(false);
});

describe('where the server begins a watch with the list', () => {
  beforeEach(() => {
    server = objectServer(api, { streaming: true });
    for (let n = 0; n < 4; n++) server.put(`cm-${n}`, 'old');
  });

  test('it lists and follows in one request', async () => {
    const one = start();
    expect(await one.cache.whenSynced(never)).toBe(true);
    expect(one.cache.size).toBe(4);
    server.put('cm-3', 'new');
    server.remove('cm-0');
    await follows(one);
    expect([server.streams, server.lists]).toEqual([1, 0]);
    api.cut();
    server.put('cm-1', 'new');
    await follows(one);
    expect([server.streams, server.lists]).toEqual([1, 0]);
    expect(one.errors).toEqual(['Network']);
  });

  test.each([
    ['ends', {}],
    ['tells 410', { code: 410 }],
    ['tells 500', { code: 500 }],
  ])('half a list that %s is not taken for a whole one', async (_, how) => {
    server.faults.push({ on: 'stream', do: 'Cut', after: 2, ...how }, { on: 'list', do: 'HangUp' });
    const synced: boolean[] = [];
    const one = start(() => synced.push(one.cache.hasSynced));
    await one.cache.whenSynced(never);
    expect(synced).toEqual([false, false, false, false]);
    await follows(one);
    // The next one is read in pages: a server that cuts lists in watches may do so for a reason that lasts.
    expect([server.streams, server.lists]).toEqual([1, 1]);
    server.put('cm-9', 'new');
    await follows(one);
  });

  test('a server that takes it for a plain watch is asked in pages', async () => {
    server.faults.push({ on: 'stream', do: 'Ignore' });
    const one = start();
    await eventually('the watch is open', () => server.watches === 1);
    server.bookmark();
    expect(one.cache.hasSynced).toBe(false);
    expect(await one.cache.whenSynced(never)).toBe(true);
    await follows(one);
    expect([server.streams, server.lists]).toEqual([1, 1]);
  });

  test('what was deleted, or deleted and made anew, is told after a list that comes after 410', async () => {
    const one = start();
    await eventually('the watch is open', () => server.watches === 1);
    server.faults.push({ on: 'watch', do: 'HangUp' });
    api.cut();
    server.remove('cm-0');
    server.remove('cm-1');
    server.put('cm-1', 'old');
    server.compact();
    await follows(one);
    expect([server.streams, server.lists]).toEqual([2, 0]);
    const told = one.changes.slice(4).map(({ type, key }) => `${type} ${key}`);
    expect(told.toSorted()).toEqual(['Added here/cm-1', 'Deleted here/cm-0', 'Deleted here/cm-1']);
  });

  test('what is deleted while the list comes in is gone', async () => {
    server.faults.push({ on: 'stream', do: 'Ignore' });
    const one = start();
    await eventually('the watch is open', () => server.watches === 1);
    server.put('cm-7', 'short');
    server.remove('cm-7');
    server.put('cm-8', 'long');
    await eventually('the last is there', () => one.cache.size === 1);
    server.endList();
    expect(await one.cache.whenSynced(never)).toBe(true);
    expect(one.cache.keys()).toEqual(['here/cm-8']);
  });
});

const action = fc.oneof(
  fc.record({
    do: fc.constant('put' as const),
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    value: fc.string({ maxLength: 3 }),
  }),
  fc.record({ do: fc.constant('remove' as const), name: fc.constantFrom('a', 'b', 'c', 'd', 'e') }),
  fc.record({ do: fc.constant('cut' as const) }),
  fc.record({ do: fc.constant('compact' as const) }),
  fc.record({
    do: fc.constant('fault' as const),
    fault: fc.constantFrom(
      { on: 'stream', do: 'Cut', after: 1 } as const,
      { on: 'stream', do: 'Cut', after: 2, code: 410 } as const,
      ...faults.map(([, fault]) => fault).filter((fault) => !/Silence/.test(JSON.stringify(fault))),
    ),
  }),
);

test.each([false, true])(
  'whatever happens in whatever order (streaming: %s), the cache ends up right and its story is consistent',
  async (streaming) => {
    server = objectServer(api, { streaming });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
        const one = start();
        try {
          for (const step of actions) {
            if (step.do === 'put') server.put(step.name, step.value);
            else if (step.do === 'remove') server.remove(step.name);
            else if (step.do === 'cut') api.cut();
            else if (step.do === 'compact') server.compact();
            else server.faults.push(step.fault);
            await new Promise((resolve) => setImmediate(resolve));
          }
          await one.cache.whenSynced(never);
          await follows(one);
          const replayed = new Map<string, string>();
          for (const change of one.changes) {
            expect(replayed.get(change.key)).toBe(change.type === 'Added' ? undefined : change.before);
            if (change.type === 'Deleted') replayed.delete(change.key);
            else replayed.set(change.key, change.item);
          }
          expect(Object.fromEntries(replayed)).toEqual(server.contents());
        } finally {
          await one.stop();
          server.faults.length = 0;
        }
      }),
      { numRuns: 40 },
    );
  },
);
