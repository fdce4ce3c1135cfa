import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Cluster } from '../../src/kube/connect.ts';
import { reflector } from '../../src/kube/reflector.ts';
import type { KubeObject } from '../../src/model/object.ts';
import { NODE_FIELDS } from '../../src/observe/nodes.ts';
import { SERVICE_FIELDS } from '../../src/observe/services.ts';
import { WORKLOAD_POD_FIELDS } from '../../src/model/workload.ts';
import { POD_FIELDS } from '../../src/observe/workloads.ts';
import { TRIGGERS } from '../../src/reconcile/triggers.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { connectTo } from '../support/connect.ts';
import { eventually } from '../support/eventually.ts';
import { pruned } from '../support/fields.ts';
import { nodeSample } from '../support/node-samples.ts';

const NODES = 2_000;
const AT_ONCE = 16;

let testCluster: TestCluster;
let cluster: Cluster;
let client: KubeClient;
beforeAll(async () => {
  testCluster = await startCluster({ controlPlanes: 1 });
  cluster = await connectTo(testCluster.kubeconfig);
  client = cluster.client;
});
afterAll(async () => {
  await cluster?.close();
  await testCluster?.stop();
});

const created = async (object: KubeObject, status?: object): Promise<void> => {
  const made = await client.create(object, { fieldValidation: 'Strict' });
  if (!made.ok) throw new Error(`${made.error.message}: ${JSON.stringify(object)}`);
  if (status === undefined) return;
  const ref = { apiVersion: object.apiVersion, kind: object.kind, ...object.metadata };
  const patched = await client.mergePatch(ref, { status }, { subresource: 'status' });
  if (!patched.ok) throw new Error(patched.error.message);
};

const versionOf = ({ metadata: { uid, resourceVersion } }: KubeObject): string => `${uid} ${resourceVersion}`;

/** Lists both ways until so many objects were met in the same version, and compares each of these at each of the fields. */
async function compareBothWays(
  apiVersion: string,
  kind: string,
  fields: readonly string[],
  atLeast: number,
): Promise<void> {
  const compared = new Set<string>();
  await eventually(
    `${atLeast} ${kind}s of the same version in both lists`,
    async () => {
      const [json, part] = [await client.list({ apiVersion, kind }), await client.list({ apiVersion, kind, fields })];
      if (!json.ok || !part.ok) throw new Error(JSON.stringify([json, part]).slice(0, 500));
      const whole = new Map(json.value.items.map((item) => [versionOf(item), item]));
      for (const item of part.value.items) {
        // Else the part would be JSON as well, and this would compare nothing.
        expect(JSON.stringify(item.metadata)).not.toContain('fieldsV1');
        const same = whole.get(versionOf(item));
        if (same === undefined) continue;
        // An empty message is as good as none, and JSON shows only some of them.
        const empty = { spec: {}, status: {} };
        expect({ ...empty, ...item }).toEqual({ ...empty, ...pruned(same, fields) });
        compared.add(item.metadata.uid ?? '');
      }
      return compared.size >= atLeast;
    },
    60_000,
  );
}

test('thousands of Nodes are the same in protobuf and in JSON, in what is read of them', async () => {
  const samples = fc.sample(fc.array(nodeSample('x'), { minLength: NODES, maxLength: NODES }), 1)[0] ?? [];
  for (let from = 0; from < NODES; from += AT_ONCE) {
    await Promise.all(
      samples
        .slice(from, from + AT_ONCE)
        .map((sample, n) => created({ ...sample, metadata: { ...sample.metadata, name: `sample-${from + n}` } })),
    );
  }
  await compareBothWays('v1', 'Node', NODE_FIELDS, NODES);
}, 300_000);

const fieldsOfTrigger = (kind: string): readonly string[] =>
  TRIGGERS.find(({ query }) => query.kind === kind)?.query.fields ?? [];

test('so are Pods and Services', async () => {
  const labels = { app: 'web', empty: '' };
  for (const [n, spec] of [{ ipFamilyPolicy: 'SingleStack' }, { clusterIP: 'None', selector: labels }, {}].entries()) {
    const ports = [{ port: 80 }];
    await created({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `s${n}`, namespace: 'default', labels },
      spec: { ports, ...spec },
    });
  }
  const controller = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'u', controller: true };
  for (const [n, more] of [{ hostNetwork: true }, {}].entries()) {
    const metadata = {
      name: `p${n}`,
      namespace: 'default',
      labels,
      ownerReferences: [controller, { ...controller, uid: 'v', controller: false }],
    };
    const containers = [{ name: 'c', image: 'i' }];
    await created(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata,
        spec: { nodeName: 'none-such', automountServiceAccountToken: false, containers, ...more },
      },
      POD_STATUS,
    );
  }
  await compareBothWays('v1', 'Service', SERVICE_FIELDS, 4);
  await compareBothWays('v1', 'Service', fieldsOfTrigger('Service'), 4);
  await compareBothWays('v1', 'Pod', POD_FIELDS, 2);
  await compareBothWays('v1', 'Pod', WORKLOAD_POD_FIELDS, 2);
  await compareBothWays('v1', 'Pod', fieldsOfTrigger('Pod'), 2);
});

const POD_STATUS = {
  phase: 'Running',
  podIP: '10.1.1.1',
  podIPs: [{ ip: '10.1.1.1' }, { ip: 'fd00::1' }],
  conditions: [
    { type: 'Ready', status: 'True' },
    { type: 'Initialized', status: 'False', message: 'ü' },
  ],
  startTime: '2026-01-02T03:04:05Z',
  initContainerStatuses: [
    {
      name: 'first',
      image: 'i',
      imageID: '',
      ready: true,
      restartCount: 0,
      state: { terminated: { exitCode: 0, reason: 'Completed' } },
      lastState: { terminated: { exitCode: 0 } },
    },
  ],
  containerStatuses: [
    {
      name: 'c',
      image: 'i',
      imageID: '',
      ready: false,
      restartCount: 3,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'm' } },
      lastState: { terminated: { exitCode: 137, signal: 9, reason: 'OOMKilled', message: 'the end' } },
    },
    {
      name: 'd',
      image: 'i',
      imageID: '',
      ready: false,
      restartCount: 1,
      state: { terminated: { exitCode: 2, signal: 1, reason: 'Error', message: 'again' } },
      lastState: {},
    },
  ],
};

test('refusals in protobuf are understood', async () => {
  expect(await client.list({ apiVersion: 'v1', kind: 'Node', fields: [], labelSelector: 'a=(' })).toMatchObject({
    error: { kind: 'Invalid', status: 400, message: expect.stringContaining('unable to parse requirement') },
  });
  const query = { apiVersion: 'v1', kind: 'Node', fields: [] };
  expect(await client.openWatch({ ...query, fieldSelector: 'spec.none=1' }, '1', 10)).toMatchObject({
    error: { kind: 'Invalid', status: 400 },
  });
});

test('a kind without protobuf comes as JSON although protobuf is asked for first', async () => {
  const crds = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', fields: ['spec.group'] };
  expect(await client.list(crds)).toMatchObject({ ok: true });
});

test('a cached watch of Nodes in protobuf follows through changes, deletions and the loss of the API server', async () => {
  const stop = new AbortController();
  const errors: string[] = [];
  const watched = (fields: readonly string[] | undefined) =>
    reflector<string>({
      client,
      clock: systemClock,
      random: Math.random,
      query: { apiVersion: 'v1', kind: 'Node', ...(fields === undefined ? {} : { fields }) },
      trim: (node) => JSON.stringify([node.metadata.uid, node.metadata.labels]),
      onError: (error) => errors.push(error.message),
    });
  const caches = [watched(['metadata.labels']), watched(undefined)] as const;
  const followed = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'followed' } };
  await created(followed);
  const running = Promise.all(caches.map((cache) => cache.run(stop.signal)));
  try {
    for (const cache of caches) expect(await cache.whenSynced(stop.signal)).toBe(true);
    const ref = { apiVersion: 'v1', kind: 'Node', name: 'followed' };
    const alike = (what: string): Promise<void> =>
      eventually(
        what,
        () => {
          const [part, json] = caches.map((cache) =>
            cache
              .keys()
              .toSorted()
              .map((key) => [key, cache.get(key)]),
          );
          return JSON.stringify(part) === JSON.stringify(json);
        },
        60_000,
      );
    await alike('both caches are the same');
    expect(errors).toEqual([]);
    expect(await client.mergePatch(ref, { metadata: { labels: { fresh: 'yes' } } })).toMatchObject({ ok: true });
    await eventually('the label is seen', () =>
      caches.every((cache) => cache.get('followed')?.includes('fresh') === true),
    );
    testCluster.node('cp-1').kill('kube-apiserver');
    await eventually('both notice', () => errors.length >= 2, 30_000);
    await eventually('it answers again', async () => (await client.delete(ref)).ok, 60_000);
    await eventually(
      'the deletion is seen',
      () => caches.every((cache) => cache.get('followed') === undefined),
      60_000,
    );
    await created(followed);
    await eventually('the new one is seen', () => caches.every((cache) => cache.get('followed') !== undefined));
    await alike('both caches are still the same');
  } finally {
    stop.abort();
    await running;
  }
});
