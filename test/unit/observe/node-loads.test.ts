import { expect, test } from '@jest/globals';
import type { NodeLoad } from '../../../src/model/node-load.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import type { Known, Reader } from '../../../src/model/reader.ts';
import { readNodeLoads } from '../../../src/observe/node-loads.ts';

const NODE = 'worker-1';

/** Answers as the API server does; a kind that `failing` names cannot be read, one that nobody knows is missing. */
const readerOf = (objects: readonly KubeObject[], failing: string | null = null): Reader => ({
  get: () => Promise.resolve({ is: 'Missing' }),
  list: ({ kind, fieldSelector }) => {
    if (kind === failing) return Promise.resolve({ is: 'Unreadable', why: `${kind}s: forbidden` });
    const found = objects.filter((each) => each.kind === kind);
    if (kind !== 'Pod') return Promise.resolve(found.length === 0 ? { is: 'Missing' } : { is: 'Found', value: found });
    return Promise.resolve({ is: 'Found', value: fieldSelector === `spec.nodeName=${NODE}` ? found : [] });
  },
});

async function loadOf(...objects: readonly KubeObject[]): Promise<NodeLoad> {
  const load = (await readNodeLoads(readerOf(objects), [NODE]))[NODE] as Known<NodeLoad>;
  if (!load.known) throw new Error(load.why);
  return load.value;
}

const ownedBy = (kind: string) => ({ ownerReferences: [{ kind, name: 'web', controller: true }] });

const pod = (
  name: string,
  metadata: Partial<KubeObject['metadata']> = {},
  spec: object = {},
  status: object = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    labels: { app: 'web' },
    ...ownedBy('ReplicaSet'),
    ...metadata,
  },
  spec: { nodeName: NODE, ...spec },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], ...status },
});

const tolerating = (toleration: object) => ({ tolerations: [toleration] });
const CORDON = 'node.kubernetes.io/unschedulable';

test.each<[string, KubeObject, boolean]>([
  ['of a Deployment', pod('a'), false],
  ['of a StatefulSet', pod('a', ownedBy('StatefulSet')), false],
  ['of a Job that runs', pod('a', ownedBy('Job')), false],
  ['of a kind that nobody knows', pod('a', ownedBy('Database')), false],
  ['that nobody controls', pod('a', { ownerReferences: [] }), false],
  ['that waits for its volumes', pod('a', {}, {}, { phase: 'Pending' }), false],
  ['on its way out', pod('a', { deletionTimestamp: '2026-11-02T12:00:00Z' }), false],
  ['of a DaemonSet', pod('a', ownedBy('DaemonSet')), true],
  ['the mirror of a static pod', pod('a', { annotations: { 'kubernetes.io/config.mirror': 'h' } }), true],
  ['that has succeeded', pod('a', {}, {}, { phase: 'Succeeded' }), true],
  ['that has failed', pod('a', {}, {}, { phase: 'Failed' }), true],
  ['of this program', pod('a', { namespace: 'dualstack-system' }), true],
  ['that tolerates everything', pod('a', {}, tolerating({ operator: 'Exists' })), true],
  ['that tolerates a cordon', pod('a', {}, tolerating({ key: CORDON, operator: 'Exists' })), true],
  ['the same, of its effect', pod('a', {}, tolerating({ key: CORDON, effect: 'NoSchedule' })), true],
  ['of another effect', pod('a', {}, tolerating({ key: CORDON, operator: 'Exists', effect: 'NoExecute' })), false],
  ['of another value', pod('a', {}, tolerating({ key: CORDON, operator: 'Equal', value: 'x' })), false],
  ['that tolerates something else', pod('a', {}, tolerating({ key: 'team', operator: 'Exists' })), false],
])('a pod %s', async (_name, object, stays) => {
  expect((await loadOf(object)).pods.map(({ name }) => name)).toEqual(stays ? [] : ['a']);
});

test('what an eviction would take from a pod is told', async () => {
  const volumes = [
    { name: 'config', configMap: { name: 'c' } },
    { name: 'cache', emptyDir: {} },
  ];
  const { pods } = await loadOf(
    pod('b', {}, { volumes }),
    pod('a', { ownerReferences: [{ kind: 'Thing', name: 't' }] }),
    pod('c', { deletionTimestamp: '2026-11-02T12:00:00Z' }),
  );
  expect(pods).toEqual([
    { namespace: 'shop', name: 'a', uid: 'uid-a', standalone: true, emptyDir: null, terminating: false, heldBy: null },
    {
      namespace: 'shop',
      name: 'b',
      uid: 'uid-b',
      standalone: false,
      emptyDir: 'cache',
      terminating: false,
      heldBy: null,
    },
    { namespace: 'shop', name: 'c', uid: 'uid-c', standalone: false, emptyDir: null, terminating: true, heldBy: null },
  ]);
});

const budget = (status: object, spec: object = {}, name = 'web', namespace = 'shop'): KubeObject => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name, namespace, generation: 1 },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  status: { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 2, ...status },
});
const unready = { conditions: [{ type: 'Ready', status: 'False' }] };

// As `pkg/registry/core/pod/storage/eviction.go` decides.
test.each<[string, readonly KubeObject[], readonly (RegExp | null)[]]>([
  ['no budget', [pod('a')], [null]],
  [
    'one that allows nothing',
    [pod('a'), budget({})],
    [/^PodDisruptionBudget shop\/web allows no more disruptions now \(it wants 2 healthy pods, and 2 are\)$/u],
  ],
  ['one of another namespace', [pod('a'), budget({}, {}, 'web', 'other')], [null]],
  ['one of other pods', [pod('a'), budget({}, { selector: { matchLabels: { app: 'db' } } })], [null]],
  ['one of all pods', [pod('a'), budget({}, { selector: {} })], [/allows no more/u]],
  ['one that allows one of two', [pod('a'), pod('b'), budget({ disruptionsAllowed: 1 })], [null, /allows no more/u]],
  [
    'one that is on its way out counts no more',
    [pod('a', { deletionTimestamp: 'x' }), pod('b'), budget({ disruptionsAllowed: 1 })],
    [null, null],
  ],
  [
    'one that was changed just now',
    [pod('a'), budget({ observedGeneration: 0, disruptionsAllowed: 1 })],
    [/not been counted/u],
  ],
  [
    'two of them',
    [pod('a'), budget({}), budget({}, {}, 'web-2')],
    [/more than one PodDisruptionBudget \(web, web-2\)/u],
  ],
  ['a pod that has not begun', [pod('a', {}, {}, { phase: 'Pending' }), budget({})], [null]],
  ['a pod that is not ready, enough others are', [pod('a', {}, {}, unready), budget({})], [null]],
  [
    'a pod that is not ready, too few are',
    [pod('a', {}, {}, unready), budget({ currentHealthy: 1 })],
    [/allows no more/u],
  ],
  [
    'a pod that is not ready, none is wanted',
    [pod('a', {}, {}, unready), budget({ desiredHealthy: 0 })],
    [/allows no more/u],
  ],
  [
    'a pod that is not ready, and such may always go',
    [pod('a', {}, {}, unready), budget({ currentHealthy: 1 }, { unhealthyPodEvictionPolicy: 'AlwaysAllow' })],
    [null],
  ],
])('whether a pod may be evicted now: %s', async (_name, objects, expected) => {
  const held = (await loadOf(...objects)).pods.map(({ heldBy }) => heldBy);
  expect(held.map((text, index) => expected[index]?.test(text ?? '') ?? text)).toEqual(
    expected.map((pattern) => (pattern === null ? null : true)),
  );
});

const attachment = (name: string, nodeName: string): KubeObject => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'VolumeAttachment',
  metadata: { name },
  spec: { nodeName },
});

test('volumes are those attached to this Node', async () => {
  expect((await loadOf(attachment('va-1', NODE), attachment('va-2', 'worker-2'))).attachments).toEqual(['va-1']);
});

test.each(['Pod', 'PodDisruptionBudget', 'VolumeAttachment'])(
  '%ss that cannot be read: it is not known',
  async (kind) => {
    const loads = await readNodeLoads(readerOf([], kind), [NODE, 'worker-2']);
    expect(loads).toEqual({
      [NODE]: { known: false, why: `${kind}s: forbidden` },
      'worker-2': { known: false, why: `${kind}s: forbidden` },
    });
  },
);
