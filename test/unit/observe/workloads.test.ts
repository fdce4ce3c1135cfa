import { expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/model/object.ts';
import type { PodOwner, RestartFacts } from '../../../src/model/pod-owner.ts';
import type { PagedReader } from '../../../src/model/reader.ts';
import { readPodOwners } from '../../../src/observe/workloads.ts';

const BOTH = ['10.0.0.1', 'fd00::1'];

/** Pages of one object each; a kind that `failing` names cannot be read. */
const pagesOf = (objects: readonly KubeObject[], failing: string | null = null): PagedReader =>
  async function* ({ kind }) {
    for (const object of objects.filter((each) => each.kind === kind)) yield { is: 'Found', value: [object] };
    if (kind === failing) yield { is: 'Unreadable', why: `${kind}s: forbidden` };
  };

async function ownersOf(...objects: readonly KubeObject[]): Promise<readonly PodOwner[]> {
  const read = await readPodOwners(pagesOf(objects));
  if (!read.known) throw new Error(read.why);
  return read.value;
}

interface PodShape {
  readonly owner?: { readonly kind: string; readonly name: string };
  readonly hash?: string;
  readonly ips?: readonly string[];
  readonly ready?: boolean;
  readonly created?: string;
  readonly phase?: string;
  readonly hostNetwork?: boolean;
  readonly deleted?: boolean;
}

const pod = (name: string, shape: PodShape = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'shop',
    creationTimestamp: shape.created ?? '2026-11-01T00:00:00Z',
    ...(shape.deleted === true ? { deletionTimestamp: '2026-11-02T00:00:00Z' } : {}),
    ...(shape.hash === undefined ? {} : { labels: { 'pod-template-hash': shape.hash } }),
    ...(shape.owner === undefined ? {} : { ownerReferences: [{ ...shape.owner, controller: true }] }),
  },
  spec: { hostNetwork: shape.hostNetwork ?? false },
  status: {
    phase: shape.phase ?? 'Running',
    podIPs: (shape.ips ?? ['10.0.0.1']).map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: (shape.ready ?? true) ? 'True' : 'False' }],
  },
});

const workload = (
  kind: string,
  spec: object = {},
  status: object = {},
  metadata: Partial<KubeObject['metadata']> = {},
): KubeObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'web', namespace: 'shop', generation: 2, ...metadata },
  spec: { template: { metadata: { labels: { app: 'web', tier: 'front' } } }, ...spec },
  status: { observedGeneration: 2, ...status },
});

const ofWeb = (name: string, shape: PodShape = {}): KubeObject =>
  pod(name, { owner: { kind: 'ReplicaSet', name: 'web-5d4f' }, hash: '5d4f', ...shape });
const DEPLOYED = workload('Deployment', { replicas: 2 }, { replicas: 2, updatedReplicas: 2, readyReplicas: 2 });

test('pods are counted by the Deployment that keeps them, each with the families it lacks', async () => {
  const [web, ...others] = await ownersOf(
    DEPLOYED,
    ofWeb('a'),
    ofWeb('b', { ips: BOTH }),
    ofWeb('c', { ips: ['fd00::2'] }),
  );
  expect(others).toEqual([]);
  expect(web).toMatchObject({ kind: 'Deployment', name: 'web', pods: 3, without: { IPv4: 1, IPv6: 1 } });
});

test.each<[string, PodShape]>([
  ['on the network of their host', { hostNetwork: true }],
  ['that have ended', { phase: 'Succeeded' }],
  ['that failed', { phase: 'Failed' }],
  ['that are being deleted', { deleted: true }],
])('pods %s are not counted', async (_, shape) => {
  expect(await ownersOf(DEPLOYED, ofWeb('a', shape))).toEqual([]);
});

test('a pod without an address yet lacks nothing, but is not ready', async () => {
  const [web] = await ownersOf(DEPLOYED, ofWeb('a', { ips: [], ready: false }));
  expect(web).toMatchObject({ pods: 0, without: { IPv4: 0, IPv6: 0 }, restart: { notReady: { pod: 'a' } } });
});

test.each<[string, KubeObject, string]>([
  ['a StatefulSet', pod('p', { owner: { kind: 'StatefulSet', name: 'web' } }), 'StatefulSet web'],
  ['a Job', pod('p', { owner: { kind: 'Job', name: 'run-1' } }), 'Job run-1'],
  ['nobody', pod('p'), 'Pod p'],
  [
    'a ReplicaSet that no Deployment made',
    pod('p', { owner: { kind: 'ReplicaSet', name: 'lone' } }),
    'ReplicaSet lone',
  ],
  [
    'a ReplicaSet that is merely called like one',
    pod('p', { owner: { kind: 'ReplicaSet', name: 'gone-77' }, hash: '77' }),
    'ReplicaSet gone-77',
  ],
])('a pod that %s keeps', async (_, object, owner) => {
  const owners = await ownersOf(DEPLOYED, workload('StatefulSet'), object);
  expect(owners.map(({ kind, name }) => `${kind} ${name}`)).toEqual([owner]);
});

test('the oldest pod that is not ready and the youngest pod are told', async () => {
  const [web] = await ownersOf(
    DEPLOYED,
    ofWeb('a', { created: '2026-11-01T02:00:00Z', ready: false }),
    ofWeb('b', { created: '2026-11-01T01:00:00Z', ready: false }),
    ofWeb('c', { created: '2026-11-01T03:00:00Z' }),
  );
  expect(web?.restart).toMatchObject({
    notReady: { pod: 'b', since: '2026-11-01T01:00:00Z' },
    youngestPod: '2026-11-01T03:00:00Z',
  });
});

const restartOf = async (object: KubeObject, ...more: readonly KubeObject[]): Promise<RestartFacts | null> => {
  const owner = object.kind === 'Deployment' ? ofWeb('a') : pod('a', { owner: { kind: object.kind, name: 'web' } });
  return (await ownersOf(object, owner, ...more))[0]?.restart ?? null;
};

test.each<[string, KubeObject, boolean]>([
  ['Deployment, all new and ready', DEPLOYED, true],
  ['Deployment, template not seen yet', workload('Deployment', { replicas: 1 }, { observedGeneration: 1 }), false],
  [
    'Deployment, old pods left',
    workload('Deployment', { replicas: 1 }, { replicas: 2, updatedReplicas: 1, readyReplicas: 2 }),
    false,
  ],
  [
    'Deployment, new pod not ready',
    workload('Deployment', { replicas: 2 }, { replicas: 2, updatedReplicas: 2, readyReplicas: 1 }),
    false,
  ],
  [
    'StatefulSet, one revision',
    workload('StatefulSet', { replicas: 1 }, { currentRevision: 'r', updateRevision: 'r', readyReplicas: 1 }),
    true,
  ],
  [
    'StatefulSet, two revisions',
    workload('StatefulSet', { replicas: 1 }, { currentRevision: 'r', updateRevision: 's', readyReplicas: 1 }),
    false,
  ],
  [
    'DaemonSet, everywhere',
    workload('DaemonSet', {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 2 }),
    true,
  ],
  [
    'DaemonSet, one to go',
    workload('DaemonSet', {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 1, numberReady: 2 }),
    false,
  ],
])('rolled out: %s', async (_, object, rolledOut) => {
  expect(await restartOf(object)).toMatchObject({ rolledOut });
});

test.each<[RestartFacts['obstacle'], KubeObject]>([
  ['Paused', workload('Deployment', { paused: true })],
  ['OnDelete', workload('DaemonSet', { updateStrategy: { type: 'OnDelete' } })],
  ['OnDelete', workload('StatefulSet', { updateStrategy: { type: 'OnDelete' } })],
  [
    'Partition',
    workload('StatefulSet', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } }),
  ],
  [null, workload('StatefulSet', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } })],
])('obstacle %s', async (obstacle, object) => {
  expect(await restartOf(object)).toMatchObject({ obstacle });
});

test('label, mark, keeper and strategy are told', async () => {
  const metadata = {
    labels: { 'dualstack.dev/restart': 'false' },
    annotations: { 'dualstack.dev/restarted': 'a,b' },
    ownerReferences: [{ kind: 'Database', name: 'db', controller: true }],
  };
  expect(await restartOf(workload('Deployment', { strategy: { type: 'Recreate' } }, {}, metadata))).toMatchObject({
    label: 'false',
    mark: 'a,b',
    keeper: 'Database db',
    allAtOnce: true,
  });
});

const budget = (selector: unknown, disruptionsAllowed = 0, namespace = 'shop'): KubeObject => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'pdb', namespace },
  spec: { selector },
  status: { disruptionsAllowed },
});
const expression = (key: string, operator: string, ...values: readonly string[]) => ({
  matchExpressions: [{ key, operator, values }],
});

test.each<[string, KubeObject, string | null]>([
  ['by label', budget({ matchLabels: { app: 'web' } }), 'pdb'],
  ['of others', budget({ matchLabels: { app: 'db' } }), null],
  ['that allows one', budget({ matchLabels: { app: 'web' } }, 1), null],
  ['elsewhere', budget({ matchLabels: { app: 'web' } }, 0, 'other'), null],
  ['of everything', budget({}), 'pdb'],
  ['of nothing', budget(undefined), null],
  ['In', budget(expression('app', 'In', 'web', 'api')), 'pdb'],
  ['not In', budget(expression('app', 'In', 'api')), null],
  ['NotIn', budget(expression('app', 'NotIn', 'api')), 'pdb'],
  ['Exists', budget(expression('tier', 'Exists')), 'pdb'],
  ['DoesNotExist', budget(expression('tier', 'DoesNotExist')), null],
])('a budget %s', async (_, object, name) => {
  expect(await restartOf(DEPLOYED, object)).toMatchObject({ budget: name });
});

test.each(['Pod', 'Deployment', 'PodDisruptionBudget'])('without %ss nothing is said', async (kind) => {
  const read = await readPodOwners(pagesOf([DEPLOYED, ofWeb('a')], kind));
  expect(read).toEqual({ known: false, why: `${kind}s: forbidden` });
});
