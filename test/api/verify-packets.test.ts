import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { provePackets } from '../../src/apply/prove-packets.ts';
import { type Cluster, connect } from '../../src/kube/connect.ts';
import type { KubeObject } from '../../src/model/object.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { packetServices, runnerPod, serverPod } from '../../src/verify/packets.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { eventually } from '../support/eventually.ts';
import { hastyClock } from '../support/hasty-clock.ts';
import { planOf } from '../support/packets.ts';

const CONFIG = fileURLToPath(new URL('../../config/', import.meta.url));
const NAMESPACE = 'dualstack-system';

let cluster: TestCluster;
let folder: string;
let operator: Cluster;
let admin: Cluster;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packets-'));
  cluster = await startCluster({ controlPlanes: 1, workers: 1 });
  await cluster.kubectl(['apply', '-f', join(CONFIG, 'manager/namespace.yaml')]);
  await cluster.kubectl(['apply', '-k', join(CONFIG, 'rbac')]);
  await cluster.kubectl(['apply', '-f', join(CONFIG, 'admission/probe-pods.yaml')]);
  const { stdout: token } = await cluster.kubectl(['create', 'token', 'dualstack-operator', '-n', NAMESPACE]);
  const { stdout: view } = await cluster.kubectl(['config', 'view', '--raw', '--minify']);
  const config = parse(view) as { users: { user: object }[] };
  const kubeconfig = join(folder, 'operator.yaml');
  const users = config.users.map((each) => ({ ...each, user: { token: token.trim() } }));
  await writeFile(kubeconfig, stringify({ ...config, users }));
  operator = connectTo(kubeconfig);
  admin = connectTo(cluster.kubeconfig);
});
afterAll(async () => {
  await operator?.close();
  await admin?.close();
  await cluster?.stop();
  await rm(folder, { recursive: true });
});

function connectTo(kubeconfig: string): Cluster {
  const connected = connect({ kubeconfig, version: '0', clock: systemClock, random: Math.random, environment: {} });
  if (!connected.ok) throw new Error(connected.error);
  return connected.value;
}

const plan = planOf(2, {
  families: ['IPv4'],
  nodes: [
    { name: 'cp-1', internalIPs: ['192.0.2.1'] },
    { name: 'worker-1', internalIPs: ['192.0.2.11'] },
  ],
  pairs: [
    ['cp-1', 'worker-1'],
    ['worker-1', 'cp-1'],
  ],
});
const run = { namespace: NAMESPACE, suffix: 'test', by: 'operator', plan } as const;
const pods: readonly [string, KubeObject][] = [
  ['server', serverPod(run, 'worker-1', 0)],
  ['runner in the pod network', runnerPod(run, 'worker-1', 0, 'pod', [])],
];

const left = async (): Promise<string> =>
  (await cluster.kubectl(['get', 'pods,services', '-n', NAMESPACE, '-l', 'dualstack.dev/probe', '-o', 'name'])).stdout;

test.each(pods)('the %s is admitted where the Pod Security Standard restricted is enforced', async (_name, pod) => {
  const namespace = 'strict';
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await cluster.kubectl(
    ['apply', '-f', '-'],
    stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } }),
  );
  await eventually(
    'it is admitted',
    async () => {
      const strict = { ...pod, metadata: { ...pod.metadata, namespace } };
      const made = await admin.client.create(strict, { dryRun: true, fieldValidation: 'Strict' });
      // The namespace's service account is made a moment after the namespace.
      if (!made.ok && !made.error.message.includes('service account')) throw new Error(made.error.message);
      return made.ok;
    },
    20_000,
  );
});

test.each(Object.entries(packetServices(run)))('the server knows every field of Service %s', async (_name, service) => {
  expect(await operator.client.create(service, { dryRun: true, fieldValidation: 'Strict' })).toMatchObject({
    ok: true,
  });
});

test('the operator may create probe pods and no others', async () => {
  const [[, server]] = pods as [[string, KubeObject]];
  const spec = server['spec'] as { readonly containers: readonly object[] };
  const refused = async (change: object): Promise<string> => {
    const made = await operator.client.create({ ...server, ...change }, { dryRun: true });
    return made.ok ? 'created' : made.error.message;
  };
  await eventually(
    'the policy is in force',
    async () => (await refused({ metadata: { ...server.metadata, labels: {} } })).includes('for proofs alone'),
    30_000,
  );
  expect(await refused({})).toBe('created');
  const host = runnerPod(run, 'worker-1', 0, 'host', []);
  expect(await refused(host)).toBe('created');
  expect(await refused({ spec: { ...spec, automountServiceAccountToken: true } })).toContain(
    'neither a service account token',
  );
  expect(await refused({ spec: { ...spec, volumes: [{ name: 'host', hostPath: { path: '/' } }] } })).toContain(
    'nor volumes',
  );
  expect(await refused({ spec: { ...spec, hostPID: true } })).toContain('process namespaces');
  const privileged = spec.containers.map((container) => ({ ...container, securityContext: { privileged: true } }));
  expect(await refused({ spec: { ...spec, containers: privileged } })).toContain('no privileges');
});

test('with the operator’s rights a run is made, fails honestly where pods do nothing, and leaves nothing behind', async () => {
  const deps = {
    client: operator.client,
    clock: hastyClock(20),
    namespace: NAMESPACE,
    suffix: 'abc',
    by: 'operator',
    signal: new AbortController().signal,
  } as const;
  const proven = await provePackets({ probe: plan, fingerprint: 'f', failedBefore: 0 }, deps);
  expect(proven).toMatchObject({ ok: true, value: { failedInRow: 1 } });
  const hops = proven.ok ? proven.value.hops : [];
  expect(hops.map(({ hop }) => hop)).not.toContain('NotRun');
  // Were a pod refused, its trouble would carry the server's words.
  expect(JSON.stringify(hops)).not.toMatch(/forbidden|denied|invalid/iu);
  await eventually('nothing is left', async () => (await left()) === '', 30_000);
});
