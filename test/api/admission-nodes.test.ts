import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DeleteOptions } from '../../src/kube/client.ts';
import { asArray, at, type KubeObject, type ObjectRef } from '../../src/model/object.ts';
import { successorOf } from '../../src/model/replaced-node.ts';
import { eventually } from '../support/eventually.ts';
import { type PolicyScene, said, startWithPolicies, sure, TRIAL } from '../support/policies.ts';

// What the operator's service account is kept from doing to Nodes and to the wish that it serves, and what it may do.

const WORKER: ObjectRef = { apiVersion: 'v1', kind: 'Node', name: 'worker-1' };
const WISH: ObjectRef = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackCluster', name: 'cluster' };

let scene: PolicyScene;

const guard = { key: 'dualstack.dev/family-missing', value: 'IPv6', effect: 'NoSchedule' };
const blue = { key: 'team', value: 'blue', effect: 'PreferNoSchedule' };
const taints = (list: readonly unknown[]): object => ({ spec: { taints: list } });
/** Those that controllers have put there. */
let theirs: readonly unknown[] = [];

beforeAll(async () => {
  scene = await startWithPolicies();
  await sure(
    scene.admin.mergePatch(WORKER, {
      metadata: {
        labels: { rack: 'r1' },
        annotations: {
          note: 'of people',
          'projectcalico.org/IPv4Address': '192.0.2.1/24',
          'projectcalico.org/IPv4IPIPTunnelAddr': '10.244.0.1',
          'projectcalico.org/IPv6Address': 'fd00::1',
          'flannel.alpha.coreos.com/public-ipv6': 'fd00::1',
        },
      },
      spec: { taints: [blue], unschedulable: true },
    }),
  );
  await eventually(
    'the node controller has seen that it is cordoned',
    async () => {
      theirs = asArray(at(await sure(scene.admin.get(WORKER)), 'spec', 'taints')).filter(
        (taint) => at(taint, 'key') !== blue.key,
      );
      const keys = theirs.map((taint) => at(taint, 'key'));
      return keys.includes('node.kubernetes.io/unschedulable') && !keys.includes('node.kubernetes.io/not-ready');
    },
    30_000,
  );
  await eventually(
    'the policy is in force',
    async () => (await patched(WORKER, { metadata: { labels: { rack: null } } })).includes('dualstack-nodes'),
    30_000,
  );
}, 180_000);
afterAll(() => scene?.stop(), 60_000);

const patched = (target: ObjectRef, patch: object | (() => object)): Promise<string> =>
  said(scene.operator.mergePatch(target, typeof patch === 'function' ? (patch() as object) : patch, TRIAL));

test.each<[string, object | (() => object)]>([
  ['the guard’s taint', () => taints([...theirs, blue, guard])],
  [
    'the taint by which people say that it is out of service',
    () => taints([...theirs, blue, { key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }]),
  ],
  ['a label that is missing', { metadata: { labels: { lost: '' } } }],
  ['an annotation that is missing', { metadata: { annotations: { lost: '' } } }],
  [
    'an address that Calico stored, taken away',
    { metadata: { annotations: { 'projectcalico.org/IPv6Address': null } } },
  ],
  [
    'addresses of IPv4 likewise',
    {
      metadata: {
        annotations: { 'projectcalico.org/IPv4Address': null, 'projectcalico.org/IPv4IPIPTunnelAddr': null },
      },
    },
  ],
  [
    'an address that flannel stored, taken away',
    { metadata: { annotations: { 'flannel.alpha.coreos.com/public-ipv6': null } } },
  ],
])('done: %s', async (_name, patch) => {
  expect(await patched(WORKER, patch)).toBe('done');
});

test('a Node with as much on it as it can bear is guarded, within what a policy may cost', async () => {
  const many = Array.from({ length: 400 }, (_, n) => `example.com/note-${n}`);
  const all = (value: string | null) => Object.fromEntries(many.map((key) => [key, value]));
  await sure(scene.admin.mergePatch(WORKER, { metadata: { labels: all('y'), annotations: all('z'.repeat(200)) } }));
  expect(await patched(WORKER, taints([...theirs, blue, guard]))).toBe('done');
  await sure(scene.admin.mergePatch(WORKER, { metadata: { labels: all(null), annotations: all(null) } }));
});

test('the guard’s taint is taken away again', async () => {
  await sure(scene.admin.mergePatch(WORKER, taints([...theirs, blue, guard])));
  expect(await said(scene.operator.mergePatch(WORKER, taints([...theirs, blue])))).toBe('done');
});

test.each<[string, object | (() => object), string]>([
  ['a taint of people, taken away', () => taints([...theirs]), 'removal of taint team'],
  [
    'the guard’s taint with a stronger effect',
    () => taints([...theirs, blue, { ...guard, effect: 'NoExecute' }]),
    'taint dualstack.dev/family-missing:NoExecute',
  ],
  [
    'a taint of the node controller',
    () => taints([...theirs, blue, { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }]),
    'taint node.kubernetes.io/unreachable:NoExecute',
  ],
  ['uncordoning', { spec: { unschedulable: null } }, 'spec.unschedulable'],
  ['another providerID', { spec: { providerID: 'mine://1' } }, 'spec.providerID'],
  ['another label', { metadata: { labels: { rack: 'r2' } } }, 'metadata.labels[rack]'],
  ['a label, taken away', { metadata: { labels: { rack: null } } }, 'metadata.labels[rack]'],
  ['another annotation', { metadata: { annotations: { note: 'mine' } } }, 'metadata.annotations[note]'],
  ['an annotation, taken away', { metadata: { annotations: { note: null } } }, 'metadata.annotations[note]'],
  ['a finalizer', { metadata: { finalizers: ['example.com/mine'] } }, 'metadata.finalizers'],
])('refused: %s', async (_name, patch, what) => {
  const words = await patched(WORKER, patch);
  expect(words).toContain("ValidatingAdmissionPolicy 'dualstack-nodes'");
  expect(words).toContain('may set and remove the taint dualstack.dev/family-missing on Node worker-1');
  expect(words.slice(words.indexOf('refused: '))).toContain(what);
});

const seen = async (): Promise<DeleteOptions> => {
  const { uid = '', resourceVersion = '' } = (await sure(scene.admin.get(WORKER))).metadata;
  return { uid, resourceVersion, propagationPolicy: 'Orphan', dryRun: true };
};
/** The kubelet writes all the time: what was seen may be over by the time it is told. */
async function deleted(change: (options: DeleteOptions) => DeleteOptions): Promise<string> {
  for (;;) {
    const done = await scene.operator.delete(WORKER, change(await seen()));
    if (done.ok || done.error.kind !== 'Conflict') return said(Promise.resolve(done));
  }
}

test.each<[string, (options: DeleteOptions) => DeleteOptions]>([
  ['that takes its dependents with it', (options) => ({ ...options, propagationPolicy: 'Background' })],
  ['that says nothing of its dependents', ({ propagationPolicy: _policy, ...options }) => options],
  ['whatever it is by now', ({ resourceVersion: _version, ...options }) => options],
  ['of anybody of that name', ({ uid: _uid, ...options }) => options],
])('refused: a deletion %s', async (_name, change) => {
  const words = await deleted(change);
  expect(words).toContain("ValidatingAdmissionPolicy 'dualstack-nodes'");
  expect(words).toContain('deletes Node worker-1 only to replace it');
});

const successor = async (): Promise<KubeObject> => {
  const node = await sure(scene.admin.get(WORKER));
  return {
    ...successorOf(node, ['10.244.1.0/24']),
    metadata: { ...successorOf(node, []).metadata, name: 'worker-9' },
  };
};

test('a Node that was replaced is created', async () => {
  await eventually(
    'it is ready',
    async () => (await said(scene.operator.create(await successor(), TRIAL))) === 'done',
    30_000,
  );
});

test.each<[string, (node: KubeObject) => KubeObject, string]>([
  ['one that no kubelet has written to', ({ status: _status, ...node }) => node, 'Ready'],
  ['one without podCIDRs', (node) => ({ ...node, spec: {} }), 'podCIDRs'],
  [
    'one with an owner',
    (node) => ({
      ...node,
      metadata: { ...node.metadata, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'b' }] },
    }),
    'owners',
  ],
  [
    'one with a finalizer',
    (node) => ({ ...node, metadata: { ...node.metadata, finalizers: ['example.com/mine'] } }),
    'finalizers',
  ],
  ['one without a kubelet’s labels', (node) => ({ ...node, metadata: { name: 'worker-9' } }), 'kubernetes.io/hostname'],
  [
    'one that does not say what it runs on',
    (node) => ({ ...node, status: { ...(node['status'] as object), nodeInfo: undefined } }),
    'status.nodeInfo',
  ],
])('refused: to create %s', async (_name, change, what) => {
  const words = await said(scene.operator.create(change(await successor()), TRIAL));
  expect(words).toContain("ValidatingAdmissionPolicy 'dualstack-nodes'");
  expect(words).toContain(what);
});

const wish = (name: string, podCIDRs?: string): KubeObject => ({
  apiVersion: WISH.apiVersion,
  kind: WISH.kind,
  metadata: { name },
  spec: {
    mode: 'Plan',
    ipFamilies: ['IPv4', 'IPv6'],
    clusterNetwork: { pods: { cidrBlocks: ['fd00:10:244::/56'] }, services: { cidrBlocks: ['fd00:10:96::/112'] } },
    ...(podCIDRs === undefined ? {} : { nodes: { podCIDRs } }),
  },
});
const asked = (options: DeleteOptions): DeleteOptions => options;

test.each([undefined, 'Keep'])('refused: a deletion that nobody asked for (podCIDRs %s)', async (podCIDRs) => {
  await sure(scene.admin.create(wish('cluster', podCIDRs)));
  await eventually('it is refused', async () => (await deleted(asked)) !== 'done');
  const words = await deleted(asked);
  expect(words).toContain("ValidatingAdmissionPolicy 'dualstack-node-replace'");
  expect(words).toContain('DualStackCluster cluster does not ask for that (spec.nodes.podCIDRs: Replace or Drain)');
  expect(await said(scene.admin.delete(WORKER, { dryRun: true }))).toBe('done');
  await sure(scene.admin.delete(WISH));
});

test('a deletion that was asked for is done, unless another resource says otherwise', async () => {
  await sure(scene.admin.create(wish('cluster', 'Drain')));
  await eventually('it is done', async () => (await deleted(asked)) === 'done');
  await sure(scene.admin.delete(WISH));
  await sure(scene.admin.create(wish('cluster', 'Replace')));
  await eventually('it is done', async () => (await deleted(asked)) === 'done');
  await sure(scene.admin.create(wish('second', 'Keep')));
  await eventually('the second counts', async () => (await deleted(asked)).includes('DualStackCluster second'));
  await sure(scene.admin.delete({ ...WISH, name: 'second' }));
});

const ownedBy = (owner: object): object => ({ metadata: { ownerReferences: [owner] } });

test('a CSINode is made to belong to its Node, and nothing else of it changes', async () => {
  const csi: ObjectRef = { apiVersion: 'storage.k8s.io/v1', kind: 'CSINode', name: 'worker-1' };
  const { uid = '' } = (await sure(scene.admin.get(WORKER))).metadata;
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'worker-1', uid };
  const driver = { name: 'csi.example.com', nodeID: 'worker-1', topologyKeys: [] };
  const { apiVersion, kind } = csi;
  await sure(scene.admin.create({ apiVersion, kind, metadata: { name: 'worker-1' }, spec: { drivers: [driver] } }));
  expect(await patched(csi, ownedBy(owner))).toBe('done');
  for (const [patch, what] of [
    [{ spec: { drivers: [{ ...driver, allocatable: { count: 1 } }] } }, 'spec'],
    [{ metadata: { annotations: { mine: '' } } }, 'metadata.annotations'],
    [ownedBy({ ...owner, name: 'cp-1' }), 'owner Node cp-1'],
  ] as const) {
    const words = await patched(csi, patch);
    expect(words).toContain("ValidatingAdmissionPolicy 'dualstack-csi-nodes'");
    expect(words.slice(words.indexOf('refused: '))).toContain(what);
  }
});

test('refused: to write the wish oneself', async () => {
  for (const [patch, what] of [
    [{ spec: { nodes: { podCIDRs: 'Keep' } } }, 'spec'],
    [{ metadata: { labels: { mine: '' } } }, 'metadata.labels'],
    [{ metadata: { finalizers: ['example.com/mine'] } }, 'finalizer example.com/mine'],
  ] as const) {
    const words = await patched(WISH, patch);
    expect(words).toContain("ValidatingAdmissionPolicy 'dualstack-wish'");
    expect(words.slice(words.indexOf('refused: '))).toContain(what);
  }
  expect(await patched(WISH, { metadata: { finalizers: ['dualstack.dev/revert'] } })).toBe('done');
});

// Last, since it takes the definition away.
test('everybody else deletes Nodes as ever, also where there is no wish, nor a definition of one', async () => {
  await sure(scene.admin.delete(WISH));
  expect(await said(scene.admin.delete(WORKER, { dryRun: true }))).toBe('done');
  await scene.cluster.kubectl(['delete', 'crd', 'dualstackclusters.dualstack.dev']);
  await scene.cluster.kubectl(['annotate', 'validatingadmissionpolicy', 'dualstack-node-replace', 'touched=yes']);
  for (let times = 0; times < 20; times += 1)
    expect(await said(scene.admin.delete(WORKER, { dryRun: true }))).toBe('done');
});
