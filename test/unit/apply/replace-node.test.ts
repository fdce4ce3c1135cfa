import { expect, test } from '@jest/globals';
import { bringBack, missingFrom } from '../../../src/apply/bring-back.ts';
import { replaceNode } from '../../../src/apply/replace-node.ts';
import { readReplaced } from '../../../src/apply/replaced-nodes.ts';
import { at, type KubeObject } from '../../../src/model/object.ts';
import { podCIDRsOf, REPLACED_NODES_SECRET, successorOf } from '../../../src/model/replaced-node.ts';
import type { ReplaceNode } from '../../../src/model/step.ts';
import { err } from '../../../src/result.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { type FakeKube, fakeKube } from '../../support/fake-kube.ts';

const REF = { apiVersion: 'v1', kind: 'Node', name: 'worker-1' } as const;
const BOTH = ['10.244.1.0/24', 'fd00:10:244:1::/64'];
const STEP: ReplaceNode = { kind: 'ReplaceNode', node: 'worker-1', uid: 'old', podCIDRs: BOTH };

const workerNode = (change: Partial<KubeObject['metadata']> = {}, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'worker-1', uid: 'old', resourceVersion: '7', labels: { rack: 'r1' }, ...change },
  spec: { podCIDR: BOTH[0], podCIDRs: BOTH.slice(0, 1), ...spec },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
});

const storedIn = async ({ client }: FakeKube) => {
  const read = await readReplaced(client);
  return read.ok ? read.value : [];
};

test('somebody else deletes the Node right before: it was stored, and is created all the same', async () => {
  const kube = fakeKube([workerNode()]);
  const storedAtDelete: string[] = [];
  const client: FakeKube['client'] = {
    ...kube.client,
    delete: async (ref) => {
      storedAtDelete.push(...(await storedIn(kube)).map(({ uid }) => uid));
      await kube.client.delete(ref);
      return err({ kind: 'NotFound', verb: 'delete', object: 'Node worker-1', message: 'not found' });
    },
  };
  expect(await replaceNode(STEP, { client, clock: systemClock })).toMatchObject({ is: 'Changed' });
  expect(storedAtDelete).toEqual(['old']);
  const node = kube.get(REF);
  expect(node?.metadata.labels).toEqual({ rack: 'r1' });
  expect(node === undefined ? [] : podCIDRsOf(node)).toEqual(BOTH);
  expect(await storedIn(kube)).toEqual([]);
});

test.each([
  ['over and over', Number.POSITIVE_INFINITY, 'Transient'],
  ['once, and made not ready by it', 1, 'Transient'],
])('a Node that is written to at the moment of its deletion (%s) leaves nothing stored', async (_, conflicts, kind) => {
  const kube = fakeKube([workerNode()]);
  let seen = 0;
  const client: FakeKube['client'] = {
    ...kube.client,
    get: async (ref) => {
      const read = await kube.client.get(ref);
      const changed = read.ok && ref.kind === 'Node' && seen >= conflicts;
      return changed ? { ...read, value: { ...read.value, status: { conditions: [] } } } : read;
    },
    delete: () => {
      seen += 1;
      return Promise.resolve(err({ kind: 'Conflict', verb: 'delete', object: 'Node worker-1', message: 'changed' }));
    },
  };
  expect(await replaceNode(STEP, { client, clock: systemClock })).toMatchObject({ is: 'Refused', error: { kind } });
  expect(seen).toBeGreaterThan(0);
  expect(await storedIn(kube)).toEqual([]);
});

test('what is written to the old object while that waits to go is not lost with it', async () => {
  const before = workerNode();
  const entry = { at: '2026-11-02T12:00:00Z', uid: 'old', node: successorOf(before, BOTH) };
  const deleted = { deletionTimestamp: '2026-11-02T12:00:00Z', finalizers: ['orphan'] };
  const taints = [{ key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' }];
  const kube = fakeKube([
    {
      ...workerNode({ ...deleted, labels: { rack: 'r2' } }, { unschedulable: true, taints }),
      status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
    },
    { ...REPLACED_NODES_SECRET, metadata: REPLACED_NODES_SECRET, data: {} },
  ]);
  expect(await bringBack(entry, { client: kube.client, clock: systemClock }, 0)).toEqual({ is: 'Terminating' });
  const [stored] = await storedIn(kube);
  expect(stored).toMatchObject({ uid: 'old', node: { metadata: { labels: { rack: 'r2' } } } });
  expect(at(stored?.node, 'spec')).toEqual({ podCIDR: BOTH[0], podCIDRs: BOTH, unschedulable: true, taints });
  expect(stored?.node.metadata.finalizers).toBeUndefined();
  expect(stored?.node['status']).toEqual(before['status']);

  // Nothing new: nothing is written.
  const stores = () => kube.writes.filter(({ verb }) => verb === 'mergePatch').length;
  expect(stores()).toBe(1);
  await bringBack(stored!, { client: kube.client, clock: systemClock }, 0);
  expect(stores()).toBe(1);
});

const taint = (key: string, effect = 'NoSchedule') => ({ key, effect });

test.each<[string, boolean]>([
  ['node.kubernetes.io/not-ready', false],
  ['node.kubernetes.io/unreachable', false],
  ['node.kubernetes.io/memory-pressure', false],
  ['node.kubernetes.io/disk-pressure', false],
  ['node.kubernetes.io/pid-pressure', false],
  ['node.kubernetes.io/network-unavailable', false],
  // Made from spec.unschedulable, which comes back itself.
  ['node.kubernetes.io/unschedulable', false],
  ['node.cloudprovider.kubernetes.io/uninitialized', false],
  ['node.cloudprovider.kubernetes.io/shutdown', false],
  ['node.kubernetes.io/out-of-service', true],
  ['node.kubernetes.io/of-a-later-version', false],
  ['node-role.kubernetes.io/control-plane', true],
  ['ToBeDeletedByClusterAutoscaler', true],
  ['dualstack.dev/missing-family', true],
  ['team', true],
])('a Node that was registered anew gets taint %s back: %s', (key, comesBack) => {
  const stored = workerNode({}, { taints: [taint(key)] });
  const now = workerNode({ uid: 'new' }, { taints: [taint('node.kubernetes.io/not-ready', 'NoExecute')] });
  const expected = [taint('node.kubernetes.io/not-ready', 'NoExecute'), taint(key)];
  expect(missingFrom(stored, now)).toEqual(comesBack ? { spec: { taints: expected } } : null);
});

test('a taint that is there again is not put on twice; one of another effect is another taint', () => {
  const stored = workerNode({}, { taints: [taint('team'), taint('team', 'NoExecute')] });
  const now = workerNode({ uid: 'new' }, { taints: [taint('team')] });
  expect(missingFrom(stored, now)).toEqual({ spec: { taints: [taint('team'), taint('team', 'NoExecute')] } });
  expect(missingFrom(stored, stored)).toBeNull();
});
