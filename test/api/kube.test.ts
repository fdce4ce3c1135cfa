import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../src/kube/connect.ts';
import { eventRecorder } from '../../src/kube/events.ts';
import { lead } from '../../src/kube/lease.ts';
import { clientReader } from '../../src/kube/reader.ts';
import { type CacheChange, reflector } from '../../src/kube/reflector.ts';
import { asString, at, type KubeObject } from '../../src/model/object.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { connectTo } from '../support/connect.ts';
import { eventually } from '../support/eventually.ts';

let testCluster: TestCluster;
let cluster: Cluster;
beforeAll(async () => {
  testCluster = await startCluster({ controlPlanes: 1 });
  cluster = await connectTo(testCluster.kubeconfig);
});
afterAll(async () => {
  await cluster?.close();
  await testCluster?.stop();
});

const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});
const labelled = (value: string): KubeObject => ({
  ...configMap('watched', { value }),
  metadata: { name: 'watched', namespace: 'default', labels: { watched: 'yes' } },
});
const refTo = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name });

test('version and API groups are read', async () => {
  expect(await cluster.client.serverVersion()).toMatchObject({
    ok: true,
    value: { gitVersion: testCluster.settings.kubernetesVersion.replace(/^v?/, 'v') },
  });
  const groups = await cluster.client.groupVersions();
  expect(groups.ok && groups.value).toEqual(expect.arrayContaining(['v1', 'apps/v1', 'networking.k8s.io/v1']));
  expect(await cluster.client.text('/readyz')).toEqual({ ok: true, value: 'ok' });
});

test('server-side apply tells who owns a field, and takes it only by force', async () => {
  const { client } = cluster;
  expect(await client.apply(configMap('owned', { key: 'one' }), { fieldManager: 'first' })).toMatchObject({ ok: true });
  expect(await client.apply(configMap('owned', { key: 'two' }), { fieldManager: 'second' })).toMatchObject({
    ok: false,
    error: { kind: 'Conflict', conflicts: [{ manager: 'first', field: '.data.key' }] },
  });
  const dry = { fieldManager: 'second', force: true, dryRun: true };
  expect(await client.apply(configMap('owned', { key: 'two' }), dry)).toMatchObject({
    value: { data: { key: 'two' } },
  });
  expect(await client.get(refTo('owned'))).toMatchObject({ value: { data: { key: 'one' } } });
  expect(await client.apply(configMap('owned', { key: 'two' }), { fieldManager: 'second', force: true })).toMatchObject(
    {
      value: { data: { key: 'two' } },
    },
  );
});

test('what is only tried to be deleted stays', async () => {
  const { client } = cluster;
  expect(await client.create(configMap('kept', { key: 'one' }))).toMatchObject({ ok: true });
  expect(await client.delete(refTo('kept'), { dryRun: true })).toMatchObject({ ok: true });
  expect(await client.get(refTo('kept'))).toMatchObject({ ok: true });
});

test('each refusal of the server has its own kind', async () => {
  const { client } = cluster;
  const made = await client.create(configMap('refused', { key: 'one' }));
  expect(made.ok).toBe(true);
  expect(await client.create(configMap('refused', {}))).toMatchObject({ error: { kind: 'AlreadyExists' } });
  expect(await client.get(refTo('absent'))).toMatchObject({ error: { kind: 'NotFound', status: 404 } });
  expect(await client.create(configMap('Not_A_Name', {}))).toMatchObject({ error: { kind: 'Invalid', status: 422 } });
  const strict = { fieldValidation: 'Strict' } as const;
  expect(await client.create({ ...configMap('strict', {}), bogus: 1 }, strict)).toMatchObject({
    error: { kind: 'Invalid', message: expect.stringContaining('unknown field "bogus"') },
  });
  const failingTest = [{ op: 'test', path: '/data/key', value: 'two' }] as const;
  expect(await client.jsonPatch(refTo('refused'), failingTest)).toMatchObject({ error: { kind: 'Invalid' } });
  expect(await client.delete(refTo('refused'), { uid: 'another' })).toMatchObject({ error: { kind: 'Conflict' } });
  const patched = await client.mergePatch(refTo('refused'), { data: { key: null, other: 'x' } });
  expect(patched).toMatchObject({ value: { data: { other: 'x' } } });
  if (!made.ok) return;
  expect(await client.update(made.value)).toMatchObject({ error: { kind: 'Conflict', status: 409 } });
  expect(await client.delete(refTo('refused'), { uid: made.value.metadata.uid ?? '' })).toEqual({ ok: true });
  const reader = clientReader(client);
  expect(await reader.get(refTo('refused'))).toEqual({ is: 'Missing' });
  expect(await reader.list({ apiVersion: 'projectcalico.org/v3', kind: 'IPPool' })).toEqual({ is: 'Missing' });
});

test('a custom kind is found as soon as its CRD is served, keeps unknown fields, and has a status of its own', async () => {
  const { client } = cluster;
  const query = { apiVersion: 'test.example.org/v1', kind: 'Thing' };
  expect(await client.list(query)).toMatchObject({ error: { kind: 'NotFound' } });
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const crd = await client.create({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.test.example.org' },
    spec: {
      group: 'test.example.org',
      scope: 'Cluster',
      names: { kind: 'Thing', plural: 'things', singular: 'thing', listKind: 'ThingList' },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, subresources: { status: {} } },
      ],
    },
  });
  expect(crd.ok).toBe(true);
  await eventually('the kind is served', async () => (await client.list(query)).ok, 30_000);
  const thing = { ...query, metadata: { name: 'one' } };
  expect(await client.create({ ...thing, spec: { deep: [{ unknown: 1 }] }, status: { ignored: true } })).toMatchObject({
    value: { spec: { deep: [{ unknown: 1 }] } },
  });
  const status = { fieldManager: 'test', subresource: 'status' };
  expect(await client.apply({ ...thing, status: { done: 'yes' } }, status)).toMatchObject({ ok: true });
  const read = await client.get({ ...query, name: 'one' });
  expect(read).toMatchObject({ value: { spec: { deep: [{ unknown: 1 }] }, status: { done: 'yes' } } });
});

test('a cached watch follows through the end and the return of the API server', async () => {
  const { client } = cluster;
  const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', labelSelector: 'watched=yes' };
  const changes: CacheChange<string | undefined>[] = [];
  const failures: string[] = [];
  const stop = new AbortController();
  const cache = reflector({
    client,
    clock: systemClock,
    random: Math.random,
    query,
    trim: (object) => asString(at(object, 'data', 'value')),
    onChange: (change) => changes.push(change),
    onError: (error) => failures.push(error.message),
  });
  const running = cache.run(stop.signal);
  try {
    expect(await cache.whenSynced(stop.signal)).toBe(true);
    const put = async (value: string): Promise<void> => {
      await eventually(
        'it is written',
        async () => (await client.apply(labelled(value), { fieldManager: 'test' })).ok,
        60_000,
      );
    };
    await put('before');
    await eventually('the first change is seen', () => cache.get('default/watched') === 'before');
    testCluster.node('cp-1').kill('kube-apiserver');
    await eventually('the loss is noticed', () => failures.length > 0, 30_000);
    await put('after');
    await eventually('a change afterwards is seen', () => cache.get('default/watched') === 'after', 40_000);
    await client.delete(refTo('watched'));
    await eventually('the deletion is seen', () => cache.size === 0);
    expect(changes.map(({ type }) => type)).toEqual(['Added', 'Updated', 'Deleted']);
  } finally {
    stop.abort();
    await running;
  }
});

test('one leader at a time, and the next one takes over at once when it stops', async () => {
  const durations = { leaseDuration: 3_000, renewDeadline: 2_000, retryPeriod: 300 };
  const story: string[] = [];
  const candidate = (identity: string, signal: AbortSignal) =>
    lead(
      {
        client: cluster.leaseClient,
        clock: systemClock,
        random: Math.random,
        namespace: 'default',
        name: 'election',
        identity,
        durations,
      },
      signal,
      async (leading) => {
        story.push(`${identity} leads`);
        await new Promise((resolve) => leading.addEventListener('abort', resolve));
        story.push(`${identity} ends`);
      },
    );
  const [stopFirst, stopSecond] = [new AbortController(), new AbortController()];
  const first = candidate('first', stopFirst.signal);
  await eventually('the first leads', () => story.length === 1);
  const second = candidate('second', stopSecond.signal);
  // Longer than the Lease lasts: it is renewed all the time.
  await systemClock.sleep(3_500);
  expect(story).toEqual(['first leads']);
  stopFirst.abort();
  expect(await first).toBe('Stopped');
  await eventually('the second leads', () => story.length === 3, 2_900);
  stopSecond.abort();
  expect(await second).toBe('Stopped');
  expect(story).toEqual(['first leads', 'first ends', 'second leads', 'second ends']);
  const lease = await cluster.client.get({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: 'default',
    name: 'election',
  });
  expect(lease).toMatchObject({ value: { spec: { holderIdentity: '', leaseTransitions: 1 } } });
});

test('Events are accepted by the server, and counted when they come again', async () => {
  const errors: unknown[] = [];
  let ids = 0;
  const recorder = eventRecorder({
    client: cluster.client,
    clock: systemClock,
    newId: () => `e${ids++}`,
    controller: 'dualstack.dev/operator',
    instance: 'test',
    onError: (error) => errors.push(error),
  });
  const node = { apiVersion: 'v1', kind: 'Node', name: 'cp-1' };
  const content = { type: 'Warning', reason: 'NotReady', action: 'Observe', note: 'ü'.repeat(2_000) } as const;
  for (let n = 0; n < 3; n++) await recorder.record(node, content);
  await recorder.record({ ...refTo('x'), namespace: 'kube-system' }, { ...content, type: 'Normal' });
  expect(errors).toEqual([]);
  const stored = await cluster.client.get({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    namespace: 'default',
    name: 'cp-1.e0',
  });
  expect(stored).toMatchObject({ value: { series: { count: 3 }, regarding: { name: 'cp-1' } } });
});

test('a CA that is replaced on disk is trusted from the next request on', async () => {
  const pki = join(testCluster.node('cp-1').hostRoot, 'etc/kubernetes/pki');
  const folder = mkdtempSync(join(tmpdir(), 'ca-reload-'));
  const ca = join(folder, 'ca.crt');
  const kubeconfig = join(folder, 'config');
  const text = readFileSync(testCluster.kubeconfig, 'utf8');
  writeFileSync(kubeconfig, text.replace(/certificate-authority-data: .*/, `certificate-authority: ${ca}`));
  copyFileSync(join(pki, 'front-proxy-ca.crt'), ca);
  const own = await connectTo(kubeconfig);
  try {
    expect(await own.client.text('/version')).toMatchObject({
      error: { kind: 'Network', message: expect.stringMatching(/certificate/i) },
    });
    copyFileSync(join(pki, 'ca.crt'), ca);
    expect(await own.client.text('/version')).toMatchObject({ ok: true });
  } finally {
    await own.close();
    rmSync(folder, { recursive: true });
  }
});
