import { expect, test } from '@jest/globals';
import { at, type KubeObject, type ObjectRef } from '../../../src/model/object.ts';
import { inventoryPass } from '../../../src/reconcile/inventory-pass.ts';
import { pass } from '../../../src/reconcile/pass.ts';
import { before, hostAddress, hostIPv4, hostIPv6, hostReport, running } from '../../support/facts.ts';
import { kubeadmObjects, resource, type Scene, scene } from './scene.ts';

const NODE: ObjectRef = { apiVersion: 'v1', kind: 'Node', name: 'worker-2' };
const AGENT: ObjectRef = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode', name: 'worker-2' };
const [V4, V6] = [hostIPv4(2), hostIPv6(2)];

const node = (addresses: readonly string[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'worker-2', uid: 'uid-worker-2', creationTimestamp: before(86_400) },
  spec: { podCIDRs: ['10.244.2.0/24'] },
  status: {
    addresses: addresses.map((address) => ({ type: 'InternalIP', address })),
    conditions: [{ type: 'Ready', status: 'True' }],
    nodeInfo: { kubeletVersion: 'v1.36.3' },
  },
});

/** What its agent writes: a kubelet that a script started with these addresses at that moment, and an IPv6 that came 1000 s before noon. */
const agentStatus = (nodeIP: string | null, startedAt: string, generation: number): object => ({
  ...hostReport(
    2,
    { name: 'worker-2' },
    {
      addresses: [hostAddress({ address: V4 }), hostAddress({ address: V6, since: before(1000) })],
      kubelet: {
        running: nodeIP === null ? null : running({ 'node-ip': nodeIP }, startedAt),
        nodeIPFrom: 'KUBELET_NODE_IP',
      },
    },
  ),
  observedGeneration: generation,
  conditions: [],
});

const late = (spec: object = {}): Scene =>
  scene([
    resource({ ...(resource()['spec'] as object), ...spec }),
    ...kubeadmObjects(),
    node([V4]),
    {
      ...AGENT,
      metadata: { name: 'worker-2', generation: 1, resourceVersion: '1' },
      spec: {},
      status: agentStatus(V4, before(9000), 1),
    },
  ]);

const tokenOf = ({ kube }: Scene): unknown => at(kube.get(AGENT), 'spec', 'restart', 'kubelet');

async function passes(run: Scene, times = 6): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    await pass('cluster', run.deps);
    await run.clock.advance(1000);
  }
}

/** The agent restarts the kubelet, and the script gives it this; null: it does not run. */
function restarted(run: Scene, nodeIP: string | null): void {
  const object = run.kube.get(AGENT);
  if (object === undefined) throw new Error('no DualStackNode');
  const startedAt = new Date(run.clock.now()).toISOString();
  run.kube.put({ ...object, status: agentStatus(nodeIP, startedAt, object.metadata.generation ?? 0) });
}

test('a late address is found, its kubelet restarted once, and the node told as mended', async () => {
  const run = late();
  await passes(run);
  const token = tokenOf(run);
  expect(token).toMatch(/^1\.\d{10}\.\d{10}\.2001:db8::12$/u);
  expect(run.status().nodes?.exceptions.find(({ name }) => name === 'worker-2')).toMatchObject({
    tried: { remedy: 'RestartKubelet', times: 1 },
    byOperator: true,
  });
  expect(run.events.filter((reason) => reason.startsWith('NodeRemed'))).toEqual(['NodeRemedyBegun']);

  restarted(run, `${V4},${V6}`);
  await passes(run, 2);
  run.kube.put({ ...node([V4, V6]) });
  await passes(run, 3);
  expect(tokenOf(run)).toBe(token);
  expect(run.status().nodes?.exceptions.some(({ name }) => name === 'worker-2')).toBe(false);
  expect(run.events.filter((reason) => reason.startsWith('NodeRemed'))).toEqual(['NodeRemedyBegun', 'NodeRemedied']);
});

test('while the kubelet is down, what was begun is neither over nor begun anew', async () => {
  const run = late();
  await passes(run);
  const told = () => run.status().nodes?.exceptions.find(({ name }) => name === 'worker-2');
  const begun = told()?.tried;
  expect(begun).toMatchObject({ remedy: 'RestartKubelet', times: 1 });
  restarted(run, null);
  await passes(run, 2);
  expect(told()).toMatchObject({ cause: 'KubeletNotRunning', tried: begun });
  restarted(run, V4);
  await passes(run, 2);
  expect(told()?.tried).toEqual(begun);
  expect(run.events.filter((reason) => reason.startsWith('NodeRemed'))).toEqual(['NodeRemedyBegun']);
});

test('where it does not help it is not done again, by another operator either, and that is said aloud', async () => {
  const run = late();
  await passes(run);
  const token = tokenOf(run);
  restarted(run, V4);
  await run.clock.advance(400_000);
  await passes(run);
  const objects = kubeadmObjects().map(({ apiVersion, kind, metadata: { name, namespace } }) => ({
    apiVersion,
    kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
  }));
  const cluster = { apiVersion: AGENT.apiVersion, kind: 'DualStackCluster', name: 'cluster' };
  const next = scene([...objects, cluster, NODE, AGENT].flatMap((ref) => run.kube.get(ref) ?? []));
  await next.clock.advance(2 * 86_400_000);
  await passes(next);
  expect(tokenOf(next)).toBe(token);
  expect(run.events.filter((reason) => reason.startsWith('NodeRemed'))).toEqual([
    'NodeRemedyBegun',
    'NodeRemedyGivenUp',
  ]);
  expect(next.events.filter((reason) => reason.startsWith('NodeRemed'))).toEqual([]);
  expect(next.status().nodes?.exceptions.find(({ name }) => name === 'worker-2')).toMatchObject({
    message: expect.stringContaining('it is left to you'),
  });
});

test('a node that is deleted in the middle takes all of it along', async () => {
  const run = late();
  await passes(run);
  await run.kube.client.delete(NODE);
  await inventoryPass(run.deps);
  await passes(run, 3);
  expect(run.kube.get(AGENT)).toBeUndefined();
  expect(run.status().nodes?.exceptions.some(({ name }) => name === 'worker-2')).toBe(false);
  expect(run.events.filter((reason) => reason.startsWith('NodeRemed'))).toEqual(['NodeRemedyBegun']);
});

test.each([
  ['paused', { paused: true }],
  ['mode: Plan', { mode: 'Plan' }],
  ['remediation: None', { nodes: { remediation: 'None' } }],
  ['a grace period that is not over', { nodes: { gracePeriod: '20m' } }],
])('nothing is restarted with %s', async (_, spec) => {
  const run = late(spec);
  await passes(run);
  expect(tokenOf(run)).toBeUndefined();
});

test('a node that is whole before the next look is told all the same, and counted', async () => {
  const counted: unknown[] = [];
  const run = late();
  const nodeMetrics = { shown: () => undefined, changed: (changes: readonly unknown[]) => counted.push(...changes) };
  for (let n = 0; tokenOf(run) === undefined && n < 10; n += 1) {
    await pass('cluster', { ...run.deps, nodeMetrics });
    await run.clock.advance(1000);
  }
  restarted(run, `${V4},${V6}`);
  run.kube.put({ ...node([V4, V6]) });
  await pass('cluster', { ...run.deps, nodeMetrics });
  expect(run.events.filter((reason) => reason.startsWith('NodeRemed'))).toEqual(['NodeRemedyBegun', 'NodeRemedied']);
  expect(counted).toMatchObject([{ is: 'NodeRemedyBegun' }, { is: 'NodeRemedied' }]);
});
