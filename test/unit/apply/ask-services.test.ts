import { expect, test } from '@jest/globals';
import { askServices } from '../../../src/apply/ask-services.ts';
import type { ProvePacketsDeps } from '../../../src/apply/probe-pods.ts';
import type { AskServices } from '../../../src/model/step.ts';
import { PROBE_LABEL } from '../../../src/verify/probes.ts';
import { fakeKube } from '../../support/fake-kube.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { podPlayer } from '../../support/pod-player.ts';

const SERVICES = ['a', 'b', 'c', 'd'].map((name, n) => ({
  namespace: 'shop',
  name,
  clusterIPs: [`10.96.0.${n + 1}`, `fd00:10:96::${n + 1}`],
  port: 80,
}));

const STEP: AskServices = {
  kind: 'AskServices',
  fingerprint: 'f',
  failedBefore: 1,
  image: { image: 'operator:v1', pullPolicy: null, pullSecrets: [] },
  from: ['node-1', 'node-2'],
  services: SERVICES,
  newest: '2026-11-01T00:00:00Z',
};

function scene() {
  const kube = fakeKube([]);
  const player = podPlayer(kube);
  const deps: ProvePacketsDeps = {
    client: player.client,
    clock: hastyClock(500),
    namespace: 'dualstack-system',
    suffix: 'abc',
    by: 'operator',
    signal: new AbortController().signal,
  };
  const left = async (): Promise<number> => {
    const pods = await kube.client.list({ apiVersion: 'v1', kind: 'Pod', labelSelector: PROBE_LABEL });
    return pods.ok ? pods.value.items.length : Number.NaN;
  };
  return { kube, player, deps, left };
}

type Scene = ReturnType<typeof scene>;

test('all answer: two pods ask each address of each, and nothing is left', async () => {
  const { kube, player, deps, left } = scene();
  const tasks: string[] = [];
  player.answer = (task, node) => {
    tasks.push(`${node} ${task.do} ${'address' in task ? `${task.address} ${task.port}` : ''}`);
    return { ok: true, microseconds: 500 };
  };
  const ran = await askServices(STEP, deps);
  expect(ran).toMatchObject({
    ok: true,
    value: { asked: 4, answered: 4, silent: [], failedInRow: 0, notAsked: null, from: ['node-1', 'node-2'] },
  });
  expect(tasks).toHaveLength(16);
  expect(tasks).toContain('node-2 tcp fd00:10:96::3 80');
  expect(kube.writes.filter(({ verb, on }) => verb === 'create' && on.startsWith('Pod'))).toHaveLength(2);
  expect(await left()).toBe(0);
});

test.each<[string, (address: string, node: string) => boolean, object]>([
  [
    'one that answers over IPv4 alone is told',
    (address) => address !== 'fd00:10:96::2',
    { answered: 3, silent: [{ namespace: 'shop', name: 'b', family: 'IPv6' }], failedInRow: 2 },
  ],
  [
    'also when it is so from one node alone',
    (address, node) => address !== 'fd00:10:96::2' || node === 'node-1',
    { answered: 3, silent: [{ name: 'b', family: 'IPv6' }] },
  ],
  [
    'one that answers over neither, as one behind a NetworkPolicy, is not judged',
    (address) => !address.endsWith('2'),
    { asked: 4, answered: 3, silent: [], failedInRow: 0 },
  ],
  [
    'also when each node has lost another family',
    (address, node) => !address.endsWith('2') || (address.includes(':') ? node === 'node-1' : node === 'node-1'),
    { asked: 4, answered: 3, silent: [] },
  ],
])('%s', async (_what, answers, value) => {
  const { player, deps } = scene();
  player.answer = (task, node) =>
    task.do === 'tcp' && answers(task.address, node)
      ? { ok: true, microseconds: 500 }
      : { ok: false, failure: 'Refused' };
  expect(await askServices(STEP, deps)).toMatchObject({ ok: true, value });
});

test.each<[string, (made: Scene) => void, Partial<AskServices>, string]>([
  ['no node is Ready', () => undefined, { from: [] }, 'no node is Ready'],
  [
    'pods do not start',
    ({ player }) => {
      player.status = () => ({
        phase: 'Pending',
        containerStatuses: [{ state: { waiting: { reason: 'ErrImagePull' } } }],
      });
    },
    {},
    'the pod did not start (ErrImagePull)',
  ],
])('%s: it is told why nobody was asked, and held against nobody', async (_what, break_, change, why) => {
  const made = scene();
  break_(made);
  const ran = await askServices({ ...STEP, ...change }, made.deps);
  expect(ran).toMatchObject({ ok: true, value: { asked: 0, silent: [], failedInRow: 0, notAsked: why } });
  expect(await made.left()).toBe(0);
});
