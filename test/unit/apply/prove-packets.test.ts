import { expect, test } from '@jest/globals';
import type { ProvePacketsDeps } from '../../../src/apply/probe-pods.ts';
import { provePackets } from '../../../src/apply/prove-packets.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import type { ProbePlan } from '../../../src/model/step.ts';
import { PROBE_BY_LABEL } from '../../../src/verify/packets.ts';
import { PROBE_LABEL } from '../../../src/verify/probes.ts';
import { execute } from '../../../src/apply/execute.ts';
import { someStep } from '../../support/plan-scene.ts';
import { fakeKube } from '../../support/fake-kube.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { planOf } from '../../support/packets.ts';
import { podPlayer } from '../../support/pod-player.ts';

const scene = (objects: readonly KubeObject[] = []) => {
  const kube = fakeKube(objects);
  const player = podPlayer(kube);
  const clock = hastyClock(500);
  const deps: ProvePacketsDeps = {
    client: player.client,
    clock,
    namespace: 'dualstack-system',
    suffix: 'abc',
    by: 'operator',
    signal: new AbortController().signal,
  };
  const prove = (plan: ProbePlan, change: Partial<ProvePacketsDeps> = {}) =>
    provePackets({ probe: plan, fingerprint: 'f', failedBefore: 0 }, { ...deps, ...change });
  const left = async (): Promise<readonly string[]> => {
    const lists = await Promise.all(
      ['Pod', 'Service'].map((kind) =>
        kube.client.list({ apiVersion: 'v1', kind, labelSelector: `${PROBE_LABEL}=packets` }),
      ),
    );
    return lists.flatMap((list) => (list.ok ? list.value.items.map(({ metadata }) => metadata.name) : []));
  };
  return { kube, player, clock, prove, left };
};

test('a proof of a healthy cluster, and nothing is left of it', async () => {
  const { kube, prove, left } = scene();
  const proven = await prove(planOf(3));
  expect(proven).toMatchObject({
    ok: true,
    value: { failedInRow: 0, hops: [], checks: { failed: 0 }, fingerprint: 'f' },
  });
  expect(await left()).toEqual([]);
  const created = kube.writes.filter(({ verb }) => verb === 'create').map(({ on }) => on.split(' ')[0]);
  expect(created.filter((kind) => kind === 'Pod')).toHaveLength(9);
  expect(created.filter((kind) => kind === 'Service')).toHaveLength(3);
});

test('what fails is told by what the pods reported', async () => {
  const { player, prove } = scene();
  player.answer = (task) =>
    task.do === 'http' && task.node === 'node-2' && task.address.includes(':')
      ? { ok: false, failure: 'Timeout' }
      : { ok: true, microseconds: 500 };
  const proven = await prove(planOf(3));
  expect(proven.ok && proven.value.hops.map(({ hop, family, nodes }) => [hop, family, nodes])).toEqual([
    ['WithinNode', 'IPv6', ['node-2']],
  ]);
});

test.each<[string, (role: string) => object | null, string]>([
  [
    'cannot start',
    (role) =>
      role === 'server'
        ? { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason: 'ErrImagePull' } } }] }
        : null,
    'PodNotStarted',
  ],
  [
    'has one address, and never says that it is ready',
    (role) => (role === 'server' ? { phase: 'Running', podIPs: [{ ip: '10.244.9.9' }] } : null),
    'PodWithoutAddress',
  ],
  [
    'does not report',
    (role) => (role === 'runner' ? { phase: 'Running', podIPs: [{ ip: '10.244.9.9' }] } : null),
    'NoReport',
  ],
  ['reports something else', (role) => (role === 'runner' ? { phase: 'Succeeded' } : null), 'NoReport'],
])('a node whose pod %s is named, and the others are tried', async (_case, status, hop) => {
  const { player, prove, left } = scene();
  player.status = (pod, node) =>
    node === 'node-2' ? status(pod.metadata.labels?.['dualstack.dev/probe-role'] ?? '') : null;
  const proven = await prove(planOf(3));
  expect(proven.ok && proven.value.hops).toMatchObject([{ hop, nodes: ['node-2'] }]);
  expect(proven.ok && proven.value.checks.total).toBeGreaterThan(20);
  expect(await left()).toEqual([]);
});

test('a pod that the server refuses is that node’s trouble; when all are refused the run ends, and cleans up', async () => {
  const one = scene();
  one.kube.refuse = (verb, on) => (verb === 'create' && on.includes('server-1-') ? 'Forbidden' : null);
  expect(await one.prove(planOf(3))).toMatchObject({
    ok: true,
    value: { hops: [{ hop: 'PodNotStarted', nodes: ['node-2'] }] },
  });

  const all = scene();
  all.kube.refuse = (verb, on) => (verb === 'create' && on.startsWith('Pod') ? 'Forbidden' : null);
  expect(await all.prove(planOf(3))).toMatchObject({ ok: false, error: { kind: 'Blocked' } });
  expect(await all.left()).toEqual([]);
});

test('a signal ends it, and what it made is removed all the same', async () => {
  const { player, prove, left } = scene();
  const ending = new AbortController();
  player.status = () => {
    ending.abort();
    return { phase: 'Pending' };
  };
  expect(await prove(planOf(3), { signal: ending.signal })).toMatchObject({ ok: false, error: { kind: 'Transient' } });
  expect(await left()).toEqual([]);
});

const leftover = (name: string, by: string, ageMinutes: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'dualstack-system',
    labels: { [PROBE_LABEL]: 'packets', [PROBE_BY_LABEL]: by },
    creationTimestamp: new Date(hastyClock(500).now() - ageMinutes * 60_000).toISOString(),
  },
});

test('what a killed run left is removed first; a run of somebody else goes on', async () => {
  const { prove, left } = scene([
    leftover('mine', 'operator', 1),
    leftover('running', 'command', 1),
    leftover('forgotten', 'command', 60),
  ]);
  await prove(planOf(2));
  expect(await left()).toEqual(['running']);
});

test('few pods are there at the same time, however many nodes are probed', async () => {
  const { player, prove } = scene();
  const proven = await prove(planOf(40));
  expect(proven).toMatchObject({ ok: true, value: { hops: [] } });
  expect(player.most()).toBeLessThanOrEqual(40 + 2 * 20);
});

/** What carrying out the step comes to where Services are refused. */
const outcome = async (kind: 'Forbidden' | 'ServerError') => {
  const { kube, player } = scene();
  kube.refuse = (verb, on) => (verb === 'create' && on.startsWith('Service') ? kind : null);
  const step = someStep(
    'verify/packets',
    { is: 'Pending' },
    {
      kind: 'VerifyPackets',
      phase: 'Verify',
      fingerprint: 'f',
      failedBefore: 2,
      probe: planOf(2),
    },
  );
  return execute(step, {
    client: player.client,
    clock: hastyClock(500),
    namespace: 'dualstack-system',
    suffix: () => 'abc',
    attempt: () => '1-x',
    signal: new AbortController().signal,
  });
};

test('carried out as a step, a proof that cannot be made is a failed proof, and a bad moment is none', async () => {
  expect(await outcome('Forbidden')).toMatchObject({
    is: 'Probed',
    connectivity: { failedInRow: 3, hops: [{ hop: 'NotRun', message: expect.stringContaining('refused on purpose') }] },
  });
  expect(await outcome('ServerError')).toMatchObject({ is: 'Refused', error: { kind: 'Transient' } });
});

test('without a node that is Ready nothing is made, and that is told', async () => {
  const { kube, prove } = scene();
  expect(await prove(planOf(0))).toMatchObject({ ok: true, value: { hops: [{ hop: 'NotRun' }], failedInRow: 1 } });
  expect(kube.writes).toEqual([]);
});
