import { expect, test } from '@jest/globals';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { Cluster } from '../../../src/kube/connect.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { inTime } from '../../../src/reconcile/in-time.ts';
import { runOperator } from '../../../src/reconcile/operator.ts';
import { err, ok, type Result } from '../../../src/result.ts';
import { silentLogger } from '../../../src/runtime/log.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { PROBE_BY_LABEL } from '../../../src/verify/packets.ts';
import { PROBE_LABEL } from '../../../src/verify/probes.ts';
import { fakeClock, settle } from '../../support/fake-clock.ts';
import type { FakeKube } from '../../support/fake-kube.ts';
import { type LeaseStore, leaseStore } from '../../support/fake-lease.ts';
import { resource, scene } from './scene.ts';

const NEVER = new Promise<never>(() => {});

/** Lists and watches the one resource there is; to `get` it is what a pass begins with. */
function clientThat(
  hangs: boolean,
  objects: readonly KubeObject[] = [],
): { readonly client: KubeClient; readonly asked: () => number; readonly kube: FakeKube } {
  const { kube } = scene([resource(), ...objects]);
  let gets = 0;
  const client = {
    ...kube.client,
    get: (...call: Parameters<KubeClient['get']>) => {
      if (call[0].kind !== 'DualStackCluster') return kube.client.get(...call);
      gets += 1;
      return hangs ? NEVER : kube.client.get(...call);
    },
    serves: () => Promise.resolve(ok(false)),
    async *pages(...call: Parameters<KubeClient['pages']>) {
      yield await kube.client.list(...call);
    },
    openWatch: (_query, version, _seconds, options) =>
      new Promise((resolve) => {
        const noList = err({ kind: 'Invalid', verb: 'watch', object: '', message: 'no list in a watch' } as const);
        if (version === null) resolve(noList);
        const stopped = err({
          kind: 'Cancelled',
          verb: 'watch',
          object: 'DualStackClusters',
          message: 'stopped',
        } as const);
        options?.signal?.addEventListener('abort', () => resolve(stopped), { once: true });
      }),
  } satisfies KubeClient;
  return { client, asked: () => gets, kube };
}

interface Running {
  readonly end: () => Result<void, string> | undefined;
  readonly lease: LeaseStore;
  readonly clock: ReturnType<typeof fakeClock>;
  readonly stop: () => void;
  readonly kube: FakeKube;
}

async function running(hangs: boolean, objects: readonly KubeObject[] = []): Promise<Running> {
  const clock = fakeClock();
  const lease = leaseStore();
  const { client, asked, kube } = clientThat(hangs, objects);
  const stopping = new AbortController();
  let end: Result<void, string> | undefined;
  const cluster = { client, leaseClient: lease.client() as KubeClient } as Cluster;
  const options = {
    identity: 'me',
    namespace: 'dualstack-system',
    image: { flag: undefined, ownPod: null },
    metricsAddress: '127.0.0.1:0',
    probeAddress: '127.0.0.1:0',
    leaderElect: true,
  };
  const deps = {
    cluster,
    clock,
    random: () => 0.5,
    log: silentLogger,
    metrics: createMetrics(clock),
    newId: () => 'id',
  };
  void (async () => {
    end = await runOperator(options, deps, stopping.signal);
  })();
  // Its servers listen on real sockets, which no clock of ours drives.
  for (const deadline = Date.now() + 10_000; asked() === 0 && Date.now() < deadline; ) await settle();
  expect(asked()).toBeGreaterThan(0);
  return { end: () => end, lease, clock, stop: () => stopping.abort(), kube };
}

async function ended({ end }: Running): Promise<Result<void, string> | undefined> {
  for (const deadline = Date.now() + 5_000; end() === undefined && Date.now() < deadline; ) await settle();
  return end();
}

test('stopped: ends in order and gives the Lease back', async () => {
  const run = await running(false);
  run.stop();
  expect(await ended(run)).toEqual({ ok: true, value: undefined });
  expect(run.lease.holder).toBe('');
});

test('the Lease is lost: ends, and says why', async () => {
  const run = await running(false);
  run.lease.mood = 'Hangs';
  await run.clock.advance(15_000);
  expect(await ended(run)).toMatchObject({ ok: false, error: expect.stringContaining('Lease was lost') });
});

test('the Lease is lost while work hangs: ends all the same, and soon', async () => {
  const run = await running(true);
  run.lease.mood = 'Hangs';
  await run.clock.advance(15_000);
  expect(run.end()).toBeUndefined();
  await run.clock.advance(30_000);
  expect(await ended(run)).toMatchObject({ ok: false, error: expect.stringContaining('did not end within 30 s') });
});

test('stopped while work hangs: ends without giving the Lease to somebody else before its time', async () => {
  const run = await running(true);
  run.stop();
  await run.clock.advance(29_000);
  expect(run.end()).toBeUndefined();
  await run.clock.advance(2_000);
  expect(await ended(run)).toMatchObject({ ok: false });
  expect(run.lease.holder).toBe('me');
});

test('work that ends in time is waited for, and leaves no timer', async () => {
  const clock = fakeClock();
  const asked = new AbortController();
  const { promise, resolve } = Promise.withResolvers<string>();
  const work = inTime(clock, 1000, asked.signal, promise);
  await clock.advance(5000);
  asked.abort();
  await clock.advance(999);
  resolve('done');
  expect(await work).toBe('done');
  expect(clock.pending).toBe(0);
});

const probeOf = (kind: 'Pod' | 'Service', name: string, by: string): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: {
    namespace: 'dualstack-system',
    name,
    creationTimestamp: new Date(fakeClock().now()).toISOString(),
    labels: { [PROBE_LABEL]: 'packets', [PROBE_BY_LABEL]: by },
  },
});

test('what a killed leader left of a proof with packets is gone before the first pass; what a command made goes on', async () => {
  const objects = [
    probeOf('Pod', 'old', 'operator'),
    probeOf('Service', 'old', 'operator'),
    probeOf('Pod', 'new', 'command'),
  ];
  const run = await running(true, objects);
  const at = (kind: string, name: string) =>
    run.kube.get({ apiVersion: 'v1', kind, namespace: 'dualstack-system', name });
  expect([at('Pod', 'old'), at('Service', 'old')]).toEqual([undefined, undefined]);
  expect(at('Pod', 'new')).toBeDefined();
  run.stop();
  run.lease.mood = 'Hangs';
  await run.clock.advance(45_000);
  await ended(run);
});
