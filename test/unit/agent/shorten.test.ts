import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Goroutines } from '../../../src/agent/goroutines.ts';
import { readHost } from '../../../src/agent/host.ts';
import { noInterfaces } from '../../../src/agent/netfs.ts';
import { makeShortener } from '../../../src/agent/shorten.ts';
import type { Prepared, Shortener } from '../../../src/agent/shorten.ts';
import { err, ok } from '../../../src/result.ts';
import type { Result } from '../../../src/result.ts';
import { TestHost } from '../../support/agent-host.ts';
import { atWork, drained, some, stacks } from '../../support/api-server-stacks.ts';
import { type FakeClock, fakeClock, settle } from '../../support/fake-clock.ts';
import { goroutineProfile } from '../../support/goroutine-profile.ts';

const UID = '0f5b8ee1b4d3f9ab0c6d7e8f90a1b2c3';

let host: TestHost;
let clock: FakeClock;
let pid: number;
let ended: number[];
let asked: string[];
let running: number;
let closed: number;
/** What the server shows of itself, at each moment since the questions were put. */
let shows: (seconds: number) => readonly Goroutines[];
let refuses: string | null;
let terminates: () => Result<void, string>;

beforeEach(() => {
  host = new TestHost();
  clock = fakeClock();
  [ended, asked, running, closed, refuses] = [[], [], 0, 0, null];
  shows = (seconds) => (seconds >= 2 ? drained() : []);
  terminates = () => ok(undefined);
  pid = host.startFromManifest('kube-apiserver');
  host.write(`/proc/${pid}/cgroup`, `0::/kubepods/burstable/pod${UID}/abc\n`);
  host.write(
    `/var/log/pods/kube-system_kube-apiserver-cp-1_${UID}/kube-apiserver/0.log`,
    '2026-01-01T00:00:00Z stderr F x\n',
  );
  connections('0');
});
afterEach(() => host.clear());

/** Connections of the API server by what they have left to send. */
const connections = (...unsent: readonly string[]): void =>
  host.write(
    `/proc/${pid}/net/tcp`,
    [
      'sl',
      ...unsent.map(
        (queue, i) =>
          ` ${i}: 010200C0:192B 020200C0:${(40_000 + i).toString(16)} 01 ${queue.includes(':') ? queue : `${queue}:0`} 00:0`,
      ),
    ].join('\n'),
  );

function makeOne(): Shortener {
  return makeShortener({
    files: host.files,
    clock,
    log: () => undefined,
    terminate: (process) => {
      const result = terminates();
      if (result.ok) ended.push(process.pid);
      return result;
    },
    open: (server) => ({
      close: () => Promise.resolve(void (closed += 1)),
      get: async (path, signal) => {
        asked.push(`${server}${path}`);
        if (refuses !== null) return err(refuses);
        const seconds = Number(/seconds=(\d+)/.exec(path)?.[1] ?? 0);
        if (seconds === 0) return ok(goroutineProfile(atWork()));
        running += 1;
        const whole = await clock.sleep(seconds * 1000, signal);
        running -= 1;
        return whole ? ok(goroutineProfile(shows(seconds))) : err('cancelled');
      },
    }),
  });
}

const prepare = async (shortener: Shortener): Promise<Prepared> =>
  shortener.prepare(
    await readHost(host.files, [], () => Promise.resolve(host.health['/readyz'] ?? null), noInterfaces),
  );

async function edit(): Promise<Shortener> {
  const shortener = makeOne();
  (await prepare(shortener)).start();
  return shortener;
}

test('the old process is ended shortly after it has answered everything, and the other questions are given up', async () => {
  const shortener = await edit();
  await clock.advance(1_900);
  expect(ended).toEqual([]);
  expect(shortener.note()).toContain('answers its last requests');
  await clock.advance(400);
  expect(ended).toEqual([pid]);
  expect(shortener.note()).toContain('had answered every request');
  expect([running, clock.pending, closed]).toEqual([0, 0, 1]);
  expect(asked[0]).toBe('https://192.0.2.1:6443/debug/pprof/goroutine');
  expect(asked.at(-1)).toBe(asked[0]);
});

test('as long as it is busy it is left alone, and for ever if it stays so', async () => {
  shows = (seconds) => (seconds >= 10 ? drained() : [some(-1, stacks.main), some(1, stacks.main)]);
  await edit();
  await clock.advance(9_900);
  expect(ended).toEqual([]);
  await clock.advance(500);
  expect(ended).toEqual([pid]);

  ended = [];
  shows = () => drained(some(1, stacks.exec));
  const shortener = await edit();
  await clock.advance(60_000);
  expect(ended).toEqual([]);
  expect(shortener.note()).toContain('ends by itself');
  expect(shortener.note()).toContain('not a watch');
});

test('a kubelet that never tells it to end: nothing is sent', async () => {
  shows = () => [some(3, stacks.list)];
  const shortener = await edit();
  await clock.advance(60_000);
  expect(ended).toEqual([]);
  expect(shortener.note()).toContain('the kubelet has not told it to end');
});

test('connections that still have something to send are waited for, for a while', async () => {
  connections('1F40', '0');
  await edit();
  await clock.advance(2_600);
  expect(ended).toEqual([]);
  connections('0', 'FF');
  await clock.advance(100);
  expect(ended).toEqual([pid]);

  ended = [];
  connections('1F40');
  await edit();
  await clock.advance(3_400);
  expect(ended).toEqual([]);
  // Who reads that slowly gets the rest from the kernel.
  await clock.advance(300);
  expect(ended).toEqual([pid]);
});

test.each<[string, () => void, string]>([
  ['data in both directions would be cut off', () => connections('1F40:10'), 'both directions'],
  ['connections cannot be seen', () => host.remove(`/proc/${pid}/net/tcp`), 'cannot be seen'],
  ['it may not ask', () => (refuses = '403 Forbidden'), '403'],
  [
    'profiling is off',
    () => host.write(`/proc/${pid}/cmdline`, host.read(`/proc/${pid}/cmdline`) + '--profiling=false\0'),
    '--profiling=false',
  ],
  ['the server does not answer', () => (host.health['/readyz'] = false), 'does not answer'],
  ['its pod is not proven', () => host.write(`/proc/${pid}/cgroup`, '0::/\n'), 'control group'],
  ['the address is not this host’s', () => host.write('/proc/1/net/fib_trie', ''), 'not an address of this host'],
  ['it may not signal', () => (terminates = () => err('kill EPERM')), 'EPERM'],
])('nothing is sent when %s', async (_, change, note) => {
  change();
  const shortener = await edit();
  await clock.advance(60_000);
  expect(ended).toEqual([]);
  expect(shortener.note()).toContain(note);
  expect([running, clock.pending]).toEqual([0, 0]);
});

test('an edit that was not made takes the questions back', async () => {
  const shortener = makeOne();
  (await prepare(shortener)).cancel();
  await settle();
  await clock.advance(60_000);
  expect([ended, running, shortener.note()]).toEqual([[], 0, null]);
});

test('a server that does not answer in time does not hold up the edit', async () => {
  const shortener = makeShortener({
    files: host.files,
    clock,
    log: () => undefined,
    terminate: () => ok(undefined),
    open: () => ({
      close: () => Promise.resolve(),
      get: (_, signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve(err('cancelled')), { once: true })),
    }),
  });
  const preparing = prepare(shortener);
  await clock.advance(10_000);
  (await preparing).start();
  expect(shortener.note()).toContain('cancelled');
});

test('a later edit ends the waiting of an earlier one', async () => {
  const shortener = await edit();
  (await prepare(shortener)).start();
  await clock.advance(2_500);
  expect(ended).toEqual([pid]);
});
