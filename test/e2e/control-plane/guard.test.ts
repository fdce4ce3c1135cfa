import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { asArray, at, type KubeObject } from '../../../src/model/object.ts';
import { startCluster, type TestCluster } from '../../cluster/index.ts';
import { askForDualStack, conditionOf, isReady, statusNow, untilStatus } from '../../support/conversion.ts';
import { eventually } from '../../support/eventually.ts';
import {
  type Agents,
  install,
  type OperatorProcess,
  PROGRAM,
  startAgents,
  startOperator,
} from '../../support/install.ts';

// One cluster's life, in order: workloads are restarted at the end of the conversion; then a node joins whose IPv6 is late.

const CONVERT_MS = 240_000;
const LATE = 'worker-2';
const TAINT = 'dualstack.dev/family-missing';
const run = promisify(execFile);

let cluster: TestCluster;
let operator: OperatorProcess;
const agents: Agents[] = [];

beforeAll(async () => {
  cluster = await startCluster({ workers: 2, calico: { manifest: 'vxlan' }, keep: process.env['KEEP'] === '1' });
  await leave(LATE);
  await cluster.kubectl(['create', 'namespace', 'shop']);
  await cluster.kubectl(['apply', '-f', '-'], WORKLOADS.map((each) => JSON.stringify(each)).join('\n---\n'));
  await cluster.kubectl(['-n', 'shop', 'wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s']);
  await install(cluster);
  const there = cluster.nodes.filter(({ name }) => name !== LATE);
  agents.push(await startAgents(cluster, {}, there));
  operator = await startOperator(cluster);
}, 180_000);

afterAll(async () => {
  await operator?.stop();
  await Promise.all(agents.map((each) => each.stop()));
  await cluster?.stop();
}, 60_000);

/** The host goes, and its Node with it: as if it had never joined. */
async function leave(name: string): Promise<void> {
  await cluster.node(name).powerOff();
  await cluster.kubectl(['delete', 'node', name]);
  await cluster.kubectl([
    'delete',
    'pod',
    '-A',
    '--field-selector',
    `spec.nodeName=${name}`,
    '--force',
    '--grace-period=0',
  ]);
}

const podTemplate = (app: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] },
});

const workload = (kind: string, name: string, spec: object, label: string | null = 'true') => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: 'shop', ...(label === null ? {} : { labels: { 'dualstack.dev/restart': label } }) },
  spec: { selector: { matchLabels: { app: name } }, template: podTemplate(name), ...spec },
});

const WORKLOADS = [
  workload('Deployment', 'web', { replicas: 3 }),
  workload('StatefulSet', 'db', { replicas: 2, serviceName: 'db' }),
  workload('DaemonSet', 'log', {}),
  workload('Deployment', 'held', { replicas: 1 }),
  workload('Deployment', 'left', { replicas: 1 }, null),
  workload('DaemonSet', 'by-hand', { updateStrategy: { type: 'OnDelete' } }),
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'held', namespace: 'shop' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'held' } } },
  },
];

const list = async (...args: readonly string[]): Promise<readonly KubeObject[]> =>
  (JSON.parse((await cluster.kubectl(['get', ...args, '-o', 'json'])).stdout) as { items: KubeObject[] }).items;

const pods = (app: string) => list('pod', '-n', 'shop', '-l', `app=${app}`);
const addressesOf = (pod: KubeObject): number => asArray(at(pod, 'status', 'podIPs')).length;

const command = async (...args: readonly string[]): Promise<string> =>
  (await run(process.execPath, [PROGRAM, ...args, '--kubeconfig', cluster.kubeconfig])).stdout;

test('workloads that are named are restarted one after another, and the others are told', async () => {
  const since = Date.now();
  await askForDualStack(cluster, {
    nodes: { guard: 'Taint' },
    workloads: { restart: 'Selected' },
    verification: { mode: 'None' },
  });
  const held = await untilStatus(
    cluster,
    'only the workload whose budget allows no disruption is left',
    (status) => conditionOf(status, 'Ready')?.reason === 'WorkloadsPending',
    CONVERT_MS,
  );
  expect(conditionOf(held, 'Ready')?.message).toContain('PodDisruptionBudget shop/held');
  for (const app of ['web', 'db', 'log']) {
    expect({ app, addresses: (await pods(app)).map(addressesOf) }).toEqual({
      app,
      addresses: app === 'web' ? [2, 2, 2] : app === 'db' ? [2, 2] : [2],
    });
  }
  await cluster.kubectl(['-n', 'shop', 'delete', 'pdb', 'held']);
  const done = await untilStatus(cluster, 'Ready', isReady, 60_000);
  expect((await pods('held')).map(addressesOf)).toEqual([2]);
  expect(done.workloads?.exceptions.filter(({ namespace }) => namespace === 'shop')).toMatchObject([
    { kind: 'DaemonSet', name: 'by-hand', message: expect.stringContaining('OnDelete') },
    { kind: 'Deployment', name: 'left', message: expect.stringContaining('rollout restart deployment/left') },
  ]);
  const restarts = (await cluster.auditedWrites(since)).filter(
    ({ user, verb, namespace }) => user.endsWith(':dualstack-operator') && verb === 'patch' && namespace === 'shop',
  );
  expect(restarts.map(({ name }) => name)).toEqual(['log', 'web', 'db', 'held']);
  expect(await command('workloads', '--only', 'single')).toMatch(/shop +Deployment +left +1 +1 /u);
}, 300_000);

test('a node whose IPv6 is late is tainted and told, and takes no pods until it has proven both families', async () => {
  const late = cluster.node(LATE);
  const addresses = late.hostAddresses();
  late.setHostAddresses(addresses.filter(({ address }) => !address.includes(':')));
  await late.powerOn();
  await eventually('the node has joined', async () => (await list('node')).length === 3, 30_000);
  agents.push(await startAgents(cluster, {}, [late]));

  const lost = await untilStatus(
    cluster,
    'the node is guarded, and the cause is told',
    (status) =>
      status.nodes?.exceptions.some((each) => each.cause === 'CNILostPrimary' && each.guarded === true) === true,
    60_000,
  );
  expect(lost.nodes?.exceptions).toMatchObject([{ name: LATE, message: expect.stringContaining(TAINT) }]);
  expect(await command('nodes', '-o', 'wide')).toMatch(/worker-2 .*CNILostPrimary \(guarded\)/u);
  await cluster.kubectl(['taint', 'node', LATE, 'somebody=else:PreferNoSchedule']);
  await cluster.kubectl(['-n', 'shop', 'scale', 'deployment', 'web', '--replicas=6']);
  await cluster.kubectl(['-n', 'shop', 'rollout', 'status', 'deployment', 'web', '--timeout=60s']);
  const where = (await pods('web')).map((pod) => at(pod, 'spec', 'nodeName'));
  expect(where).toEqual(Array.from({ length: 6 }, () => 'worker-1'));

  late.setHostAddresses(addresses);
  await untilStatus(cluster, 'the node is whole', (status) => isReady(status) && noExceptions(status), 120_000);
  const [node] = (await list('node')).filter(({ metadata }) => metadata.name === LATE);
  expect(node?.metadata.annotations).toHaveProperty(['projectcalico.org/IPv6Address']);
  const taints = asArray(at(node, 'spec', 'taints')).map((taint) => at(taint, 'key'));
  expect(taints).toEqual(['somebody']);
  const events = await list('events.events.k8s.io', '-A');
  const reasons = events.map((event) => at(event, 'reason'));
  expect(reasons).toEqual(expect.arrayContaining(['NodeGuarded', 'CNILostPrimary', 'NodeFreed']));
  expect((await statusNow(cluster))?.corrections ?? []).toEqual([]);
}, 300_000);

const noExceptions = ({ nodes }: { readonly nodes?: { readonly exceptions: readonly unknown[] } }): boolean =>
  nodes?.exceptions.length === 0;
