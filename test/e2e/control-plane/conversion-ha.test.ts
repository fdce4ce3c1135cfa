import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import type { KubeObject, TestCluster } from '../../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  flagOf,
  type Installed,
  isReady,
  PODS,
  SERVICES,
  startInstalled,
  untilStatus,
} from '../../support/conversion.ts';
import { type SteadyClient, startSteadyClient } from '../../support/steady-client.ts';

const DEADLINE_MS = 300_000;

let installed: Installed;
let cluster: TestCluster;
let client: SteadyClient;
let asked: number;
let status: ClusterStatus;
let dialsLost: number;

beforeAll(async () => {
  installed = await startInstalled({ controlPlanes: 3, workers: 3, keep: process.env['KEEP'] === '1' });
  cluster = installed.cluster;
  client = await startSteadyClient(cluster.kubeconfig);
  asked = Date.now();
  await askForDualStack(cluster);
  status = await untilStatus(cluster, 'the cluster is Ready', isReady, DEADLINE_MS);
  dialsLost = cluster.balancer.backends.reduce((sum, backend) => sum + backend.failedDials, 0);
  await client.stop();
  console.log(
    `converted in ${((Date.now() - asked) / 1000).toFixed(1)} s; ${client.requests} lists, ${client.retried.length} retried, slowest ${client.slowestMs.toFixed(0)} ms, ${dialsLost} dials lost`,
  );
}, DEADLINE_MS + 180_000);

afterAll(async () => {
  await client?.stop();
  await installed?.stop();
}, 60_000);

test('a client that tries once more never fails', () => {
  expect(client.failed).toEqual([]);
  expect(client.requests).toBeGreaterThan(500);
  // The first dial that fails takes the API server out of the balancer: only dials of the same moment can fail with it.
  expect(dialsLost).toBeLessThan(4 * cluster.controlPlanes.length);
});

test('never two API servers are down at once', () => {
  expect(cluster.balancer.mostDownAtOnce(asked)).toBe(1);
  const gaps = cluster.controlPlanes.map((node) => {
    const lives = cluster.history.of('kube-apiserver', node.name);
    return [lives.at(0)?.exitedAt ?? Number.NaN, lives.at(1)?.startedAt ?? Number.NaN] as const;
  });
  const inOrder = gaps.toSorted(([a], [b]) => a - b);
  for (const [index, [ended]] of inOrder.entries()) {
    if (index > 0) expect(ended).toBeGreaterThan(inOrder[index - 1]![1]);
  }
});

test('each component got other arguments exactly once, and was not started anew for anything else', async () => {
  for (const { name, kubelet } of cluster.controlPlanes) {
    expect({ name, ...(await restartsOf(name)) }).toEqual({
      name,
      'kube-apiserver': { edits: 1, others: 0 },
      'kube-controller-manager': { edits: 1, others: 0 },
      'kube-scheduler': { edits: 0, others: 0 },
      etcd: { edits: 0, others: 0 },
    });
    expect(kubelet.starts).toHaveLength(2);
  }
  for (const { kubelet } of cluster.workers) expect(kubelet.starts).toHaveLength(2);
});

test('the flags are in the running processes', () => {
  for (const { name } of cluster.controlPlanes) {
    const apiServer = cluster.history.running('kube-apiserver', name);
    const manager = cluster.history.running('kube-controller-manager', name);
    expect(flagOf(apiServer!, 'service-cluster-ip-range')).toBe(SERVICES);
    expect(flagOf(manager!, 'service-cluster-ip-range')).toBe(SERVICES);
    expect(flagOf(manager!, 'cluster-cidr')).toBe(PODS);
    expect(flagOf(manager!, 'node-cidr-mask-size')).toBeUndefined();
  }
});

test('what the API holds is dual-stack', async () => {
  const serviceCIDR = await get('/apis/networking.k8s.io/v1/servicecidrs/kubernetes');
  expect(serviceCIDR['spec']).toMatchObject({ cidrs: SERVICES.split(',') });

  const dns = await get('/api/v1/namespaces/kube-system/services/kube-dns');
  expect(dns['spec']).toMatchObject({ ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'] });

  const pools = (await get('/apis/crd.projectcalico.org/v1/ippools'))['items'] as KubeObject[];
  const cidrs = pools.map((pool) => (pool['spec'] as { cidr: string }).cidr);
  expect(cidrs).toEqual(expect.arrayContaining(PODS.split(',')));

  const daemonSet = await get('/apis/apps/v1/namespaces/kube-system/daemonsets/calico-node');
  expect(daemonSet['spec']).toMatchObject({ updateStrategy: { type: 'RollingUpdate' } });

  const nodes = (await get('/api/v1/nodes'))['items'] as KubeObject[];
  expect(nodes).toHaveLength(6);
  for (const node of nodes) {
    const { addresses } = node['status'] as { addresses: { type: string; address: string }[] };
    const own = cluster.node(node.metadata.name).addresses;
    expect(node.metadata.annotations?.['projectcalico.org/IPv6Address']).toContain(own.IPv6);
    expect(addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address)).toEqual([
      own.IPv4,
      own.IPv6,
    ]);
  }
});

test('a Service that requires both families gets an address of each', async () => {
  const service = await cluster.api.create('/api/v1/namespaces/default/services', {
    metadata: { name: 'after' },
    spec: { ipFamilyPolicy: 'RequireDualStack', ports: [{ port: 80 }] },
  });
  const { clusterIPs } = service['spec'] as { clusterIPs: string[] };
  expect(clusterIPs).toEqual([expect.stringMatching(/^10\.96\./), expect.stringMatching(/^fd00:10:96::/)]);
});

test('the status says so', () => {
  const states = (status.conditions ?? []).map(({ type, status: state }) => [type, state]);
  expect(Object.fromEntries(states)).toMatchObject({
    Ready: 'True',
    Reconciling: 'False',
    Stalled: 'False',
    NodesDualStack: 'True',
    ControlPlaneDualStack: 'True',
    KubeProxyDualStack: 'True',
    NetworkPluginDualStack: 'True',
    ConnectivityVerified: 'True',
  });
  expect(status.nodes).toMatchObject({ total: 6, dualStack: 6 });
  expect(status.plan).toMatchObject({ total: status.plan?.done });
  expect(conditionOf(status, 'Ready')?.observedGeneration).toBe(1);
});

async function get(path: string): Promise<KubeObject> {
  const object = await cluster.api.get(path);
  if (object === undefined) throw new Error(`there is no ${path}`);
  return object;
}

/**
 * How often each component's process was followed by one with other arguments, and by one with the same. One that loses its Lease ends by
 * design, as when its own API server restarts, and is not counted.
 */
async function restartsOf(node: string): Promise<Record<string, { edits: number; others: number }>> {
  const components = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'];
  const counted = components.map(async (component) => {
    const lives = cluster.history.of(component, node);
    const edits = lives.filter(
      (life, index) => index > 0 && !isDeepStrictEqual(life.args, lives[index - 1]?.args),
    ).length;
    const log = await readFile(join(cluster.node(node).scratch, `${component}.log`), 'utf8');
    const lostLeases = log.match(/leader ?election lost/giu)?.length ?? 0;
    return [component, { edits, others: lives.length - 1 - edits - lostLeases }] as const;
  });
  return Object.fromEntries(await Promise.all(counted));
}
