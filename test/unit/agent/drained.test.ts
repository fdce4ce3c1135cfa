import { expect, test } from '@jest/globals';
import { array, assert, boolean, integer, property, record, string, subarray } from 'fast-check';
import { beforeShutdown, judgeDrained, stillAnswered } from '../../../src/agent/drained.ts';
import type { Goroutines } from '../../../src/agent/goroutines.ts';
import { parseGoroutines } from '../../../src/agent/goroutines.ts';
import { atWork, drained, HELPERS, some, stacks } from '../../support/api-server-stacks.ts';
import { goroutineProfile } from '../../support/goroutine-profile.ts';

const BEFORE = [beforeShutdown(atWork()), beforeShutdown(atWork(some(5, stacks.list)))];

const notYet = (n: number, stack: readonly string[]): readonly Goroutines[] => [
  ...drained().filter((entry) => entry.stack.at(-1) !== stacks.helper(n).at(-1)),
  ...(stack === stacks.helper(n) ? [] : [some(-1, stacks.helper(n)), some(1, stack)]),
];

test.each<[string, readonly Goroutines[], 'Drained' | 'Running' | 'Busy']>([
  ['everything is answered', drained(), 'Drained'],
  ['watches have come since', drained(some(4, stacks.watch)), 'Drained'],
  ['watches of an aggregated API are left', drained(some(1, stacks.aggregatedWatch)), 'Drained'],
  ['nobody has told it to end', [some(2, stacks.list)], 'Running'],
  ['it has just been told: no helper has gone on', [some(-1, stacks.main), some(1, stacks.main)], 'Busy'],
  ['it runs its hooks', [some(-1, stacks.main), some(1, stacks.mainInHooks)], 'Busy'],
  ['requests are waited for', notYet(7, stacks.waitsForRequests(7)), 'Busy'],
  ['a helper has not run yet', notYet(7, stacks.helper(7)), 'Busy'],
  [
    'its audit log is being written',
    [...drained().slice(2), some(-1, stacks.main), some(1, stacks.mainInAudit)],
    'Busy',
  ],
  ['a new exec', drained(some(1, stacks.exec)), 'Busy'],
  ['logs are read', drained(some(1, stacks.logs)), 'Busy'],
  ['a console of an aggregated API', drained(some(1, stacks.aggregatedConsole)), 'Busy'],
  ['a reader is slow to take the last bytes', drained(some(1, stacks.lastBytes)), 'Busy'],
  ['a reader is slow to take the last bytes, HTTP/1.1', drained(some(1, stacks.lastBytesHttp1)), 'Busy'],
])('%s', (_, difference, is) => {
  expect(judgeDrained(BEFORE, difference)).toMatchObject({ is });
});

test.each([
  ['exec', stacks.exec],
  ['logs', stacks.logs],
  ['last bytes', stacks.lastBytes],
])('%s that was there before the edit and still is does not show in the difference, and counts', (_, stack) => {
  const before = [beforeShutdown(atWork(some(1, stack))), beforeShutdown(atWork(some(1, stack)))];
  expect(judgeDrained(before, drained()).is).toBe('Busy');
  expect(judgeDrained(before, drained(some(-1, stack))).is).toBe('Drained');
  // It ended while the questions were put: whether the difference began with it nobody knows.
  expect(judgeDrained([before[0]!, ...BEFORE], drained()).is).toBe('Busy');
});

test('a server is never taken for done while one helper of its shutdown is left', () => {
  assert(
    property(subarray(HELPERS, { minLength: 1 }), boolean(), (left, waits) => {
      const difference = [
        some(-1, stacks.main),
        some(1, stacks.main),
        ...HELPERS.filter((n) => waits || !left.includes(n)).map((n) => some(-1, stacks.helper(n))),
        ...(waits ? left.map((n) => some(1, stacks.waitsForRequests(n))) : []),
      ];
      expect(judgeDrained(BEFORE, difference).is).toBe('Busy');
    }),
  );
});

const older = (picture: readonly Goroutines[]): readonly Goroutines[] =>
  picture.map(({ stack, count }) => ({ count, stack: stack.map((name) => name.replace('RunWithContext', 'Run')) }));

test('Kubernetes before 1.31 calls the method Run', () => {
  expect(judgeDrained([beforeShutdown(older(atWork()))], older(drained())).is).toBe('Drained');
  expect(judgeDrained([beforeShutdown(older(atWork()))], older(notYet(7, stacks.waitsForRequests(7)))).is).toBe('Busy');
});

test('a profile is read as it was written', () => {
  const sample = record({
    stack: array(string({ minLength: 1 }), { minLength: 1, maxLength: 90 }),
    count: integer({ min: -100_000, max: 100_000 }),
  });
  assert(
    property(array(sample), (samples) => {
      expect(parseGoroutines(goroutineProfile(samples))).toEqual({ ok: true, value: samples });
    }),
  );
});

test('what is no profile is an error, also one that was cut', () => {
  expect(parseGoroutines(Buffer.from('404 page not found')).ok).toBe(false);
  const whole = goroutineProfile(drained());
  for (let length = 0; length < whole.length; length += 7)
    expect(parseGoroutines(whole.subarray(0, length)).ok).toBe(false);
});

test('what a stopping server still answers is told by its handlers, also where it began before the edit', () => {
  const before = [beforeShutdown(atWork()), beforeShutdown(atWork(some(5, stacks.list), some(3, stacks.watch)))];
  expect(stillAnswered(before, drained(some(-1, stacks.list), some(1, stacks.exec)))).toEqual([
    '1 × handlers.ListResource.func1, at handlers.ListResource.func1',
    '1 × proxy.(*UpgradeAwareHandler).ServeHTTP, at io.Copy',
  ]);
  expect(stillAnswered(before, drained(some(-2, stacks.list)))).toEqual([]);
});
