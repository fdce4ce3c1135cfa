import { expect, test } from '@jest/globals';
import { missingFrom } from '../../../src/apply/bring-back.ts';
import { drainNode, uncordonAll } from '../../../src/apply/drain-node.ts';
import type { KubeErrorKind } from '../../../src/kube/errors.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import type { PodRef, ReplaceNode } from '../../../src/model/step.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { type FakeKube, fakeKube } from '../../support/fake-kube.ts';

const REF = { apiVersion: 'v1', kind: 'Node', name: 'worker-1' } as const;
const MARK = 'dualstack.dev/cordoned';
const NOW = '2026-11-02T12:00:00.000Z';
const STEP: ReplaceNode = { kind: 'ReplaceNode', node: 'worker-1', uid: 'old', podCIDRs: ['10.244.1.0/24'] };

const node = (
  spec: object = {},
  annotations: Record<string, string> = { note: 'x' },
  name = 'worker-1',
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: 'old', resourceVersion: '7', annotations },
  spec: { podCIDR: '10.244.1.0/24', ...spec },
});
const depsOf = (kube: FakeKube) => ({ client: kube.client, clock: fakeClock(Date.parse(NOW)) });

test('cordon and mark are one write', async () => {
  const kube = fakeKube([node()]);
  expect(await drainNode(STEP, { is: 'Cordon' }, depsOf(kube))).toMatchObject({ is: 'Changed' });
  expect(kube.writes.map(({ verb, body }) => [verb, body])).toEqual([
    ['mergePatch', { metadata: { annotations: { [MARK]: NOW }, resourceVersion: '7' }, spec: { unschedulable: true } }],
  ]);
  expect(kube.get(REF)?.metadata.annotations).toEqual({ note: 'x', [MARK]: NOW });
});

test('a Node that somebody uncordoned in the middle of its drain is cordoned again, and its mark stays as it is', async () => {
  const kube = fakeKube([node({}, { [MARK]: 'before' })]);
  expect(await drainNode(STEP, { is: 'Cordon' }, depsOf(kube))).toMatchObject({ is: 'Changed' });
  expect(kube.get(REF)).toMatchObject({
    metadata: { annotations: { [MARK]: 'before' } },
    spec: { unschedulable: true },
  });
});

test.each<[string, readonly KubeObject[]]>([
  ['it is cordoned by now, by somebody else', [node({ unschedulable: true })]],
  ['it is another one by now', [{ ...node(), metadata: { ...node().metadata, uid: 'new' } }]],
  ['it is gone', []],
])('nothing is marked where %s', async (_name, objects) => {
  const kube = fakeKube(objects);
  expect(await drainNode(STEP, { is: 'Cordon' }, depsOf(kube))).toEqual({ is: 'Unchanged' });
  expect(kube.writes).toEqual([]);
});

test('a cordon that comes in between is not taken for ours', async () => {
  const kube = fakeKube([node()]);
  const client: FakeKube['client'] = {
    ...kube.client,
    get: async (ref) => {
      const read = await kube.client.get(ref);
      kube.put({ ...node(), spec: { unschedulable: true } });
      return read;
    },
  };
  const outcome = await drainNode(STEP, { is: 'Cordon' }, { ...depsOf(kube), client });
  expect(outcome).toMatchObject({ is: 'Refused', error: { kind: 'Transient' } });
  expect(kube.get(REF)?.metadata.annotations).toEqual({ note: 'x' });
});

const podNamed = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'shop', name, uid: `uid-${name}` },
});
const refTo = (name: string): PodRef => ({ namespace: 'shop', name, uid: `uid-${name}` });
const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `p${n}`);

test('each pod is evicted by its uid, with the grace period of its own', async () => {
  const kube = fakeKube([podNamed('a')]);
  expect(await drainNode(STEP, { is: 'Evict', pods: [refTo('a')] }, depsOf(kube))).toEqual({
    is: 'Changed',
    what: 'evicted 1 pod(s) of Node worker-1 (shop/a)',
  });
  expect(kube.writes).toEqual([
    {
      verb: 'createSubresource',
      on: 'Pod shop/a/eviction',
      body: {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { namespace: 'shop', name: 'a' },
        deleteOptions: { preconditions: { uid: 'uid-a' } },
      },
    },
  ]);
});

test.each<[string, number, (name: string) => KubeErrorKind | null, object, number]>([
  ['all gone by now', 2, () => 'NotFound', { is: 'Changed' }, 2],
  ['others by now', 2, () => 'Conflict', { is: 'Changed' }, 2],
  [
    'one held by a budget',
    3,
    (name) => (name === 'p0' ? 'TooManyRequests' : null),
    { is: 'Changed', what: expect.stringMatching(/evicted 2 pod\(s\) .*p1, shop\/p2\); 1 not yet: .*p0/u) },
    3,
  ],
  [
    'all held',
    2,
    () => 'TooManyRequests',
    { is: 'Refused', error: { kind: 'Transient', message: expect.stringContaining('Pod shop/p0') } },
    2,
  ],
  ['all held, many', 9, () => 'TooManyRequests', { is: 'Refused', error: { kind: 'Transient' } }, 3],
  ['not allowed to', 9, () => 'Forbidden', { is: 'Refused', error: { kind: 'Blocked' } }, 3],
  ['more than at once', 25, () => null, { is: 'Changed' }, 20],
  ['none', 0, () => null, { is: 'Unchanged' }, 0],
])('evictions: %s', async (_name, count, refuse, outcome, tries) => {
  const kube = fakeKube(names(count).map(podNamed));
  let tried = 0;
  kube.refuse = (verb, on) => {
    if (verb !== 'createSubresource') return null;
    tried += 1;
    return refuse(/shop\/(?<name>\w+)/u.exec(on)?.groups?.['name'] ?? '');
  };
  expect(await drainNode(STEP, { is: 'Evict', pods: names(count).map(refTo) }, depsOf(kube))).toMatchObject(outcome);
  expect(tried).toBe(tries);
});

test('what is waited for is not done', async () => {
  const kube = fakeKube([node()]);
  expect(await drainNode(STEP, { is: 'Await' }, depsOf(kube))).toEqual({ is: 'Unchanged' });
  expect(kube.writes).toEqual([]);
});

test('all own cordons are ended, and no other', async () => {
  const kube = fakeKube([
    node({ unschedulable: true }, { note: 'x', [MARK]: NOW }),
    node({ unschedulable: true }, {}, 'theirs'),
    node({}, {}, 'free'),
  ]);
  expect(await uncordonAll(kube.client)).toEqual({ ok: true, value: ['worker-1'] });
  expect(kube.get(REF)).toMatchObject({ metadata: { annotations: { note: 'x' } }, spec: { podCIDR: '10.244.1.0/24' } });
  expect(kube.get(REF)?.['spec']).not.toHaveProperty('unschedulable');
  expect(kube.get({ ...REF, name: 'theirs' })?.['spec']).toMatchObject({ unschedulable: true });
  expect(kube.writes).toHaveLength(1);
});

test('a Node that its kubelet registered anew is cordoned and marked again, unless somebody cordoned it meanwhile', () => {
  const stored = node({ unschedulable: true }, { note: 'x', [MARK]: NOW });
  expect(missingFrom(stored, node({}, {}))).toMatchObject({
    metadata: { annotations: { note: 'x', [MARK]: NOW } },
    spec: { unschedulable: true },
  });
  expect(missingFrom(stored, node({ unschedulable: true }, {}))).toMatchObject({
    metadata: { annotations: { note: 'x' } },
  });
  expect(missingFrom(stored, node({ unschedulable: true }, {}))?.['metadata']).not.toHaveProperty([
    'annotations',
    MARK,
  ]);
});
