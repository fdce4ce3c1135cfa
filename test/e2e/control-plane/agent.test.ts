import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createAgent } from '../../../src/agent/run.ts';
import type { AgentStatus } from '../../../src/agent/status.ts';
import type { WatchOptions } from '../../../src/agent/watch.ts';
import type { Cluster } from '../../../src/kube/connect.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/log.ts';
import { startCluster, type TestCluster, type TestNode } from '../../cluster/index.ts';
import { connectTo } from '../../support/connect.ts';

/** Short enough for a test, long enough for a real API server to start (1–2 s) and to be started again (crash back-off). */
const WATCH = { undoAfterMs: 12_000, settleMs: 2_000, youngForMs: 15_000 };

let cluster: TestCluster;
let access: Cluster;
let running: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  cluster = await startCluster({ controlPlanes: 1, workers: 1 });
  await cluster.kubectl(['apply', '-f', 'crds/dualstack.dev_dualstacknodes.yaml']);
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd/dualstacknodes.dualstack.dev']);
  access = await connectTo(cluster.kubeconfig);
});
afterEach(async () => {
  await Promise.all(running.map((agent) => agent.stop()));
  running = [];
});
afterAll(async () => {
  await access?.close();
  await cluster?.stop();
});

function startAgent(node: TestNode, watch: Partial<WatchOptions> = WATCH): void {
  const stop = new AbortController();
  const agent = createAgent(
    { nodeName: node.name, hostRoot: node.hostRoot, watch },
    { client: access.client, clock: systemClock, random: Math.random, log: silentLogger, mapAddress: node.mapAddress },
  );
  const ended = agent.run(stop.signal);
  running.push({
    stop: async () => {
      stop.abort();
      await ended;
    },
  });
}

async function want(node: TestNode, spec: object): Promise<void> {
  const object = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode', metadata: { name: node.name }, spec };
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(object));
}

/** The status and its generation, or undefined while the API server is away. */
async function seen(
  node: TestNode,
): Promise<{ readonly generation: number; readonly status: AgentStatus } | undefined> {
  try {
    const { stdout } = await cluster.kubectl(['get', 'dualstacknode', node.name, '-o', 'json']);
    const object = JSON.parse(stdout) as { metadata: { generation: number }; status: AgentStatus };
    return { generation: object.metadata.generation, status: object.status };
  } catch {
    return undefined;
  }
}

/** The first value that is not undefined. */
async function awaited<T>(what: string, read: () => Promise<T | undefined>, deadlineMs = 60_000): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const conditionOf = (status: AgentStatus, type: string) => status.conditions?.find((entry) => entry.type === type);

/** The status once it speaks of the present spec and its condition says so. */
const whenCondition = (node: TestNode, type: string, wanted: string, deadlineMs?: number): Promise<AgentStatus> =>
  awaited(
    `${type}=${wanted} on ${node.name}`,
    async () => {
      const now = await seen(node);
      if (now === undefined || now.status.observedGeneration !== now.generation) return undefined;
      return conditionOf(now.status, type)?.status === wanted ? now.status : undefined;
    },
    deadlineMs,
  );

const manifestOf = (node: TestNode, component: string): Promise<string> => readFile(node.manifest(component), 'utf8');

test('a second service range comes into force on the real API server', async () => {
  const [node] = cluster.controlPlanes as [TestNode];
  startAgent(node);
  const before = await manifestOf(node, 'kube-apiserver');
  const range = '10.96.0.0/16,fd00:10:96::/112';
  await want(node, { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': range } } });
  await whenCondition(node, 'Applied', 'True');
  // An API server that has just answered may be too busy to answer once more; what it settles at counts.
  const status = await whenCondition(node, 'Healthy', 'True');
  expect(status.staticPods['kube-apiserver']).toMatchObject({
    args: { 'service-cluster-ip-range': range },
    running: { args: { 'service-cluster-ip-range': range } },
    healthy: true,
  });
  expect(status.recorded.staticPods?.['kube-apiserver']?.['service-cluster-ip-range']).toBe('10.96.0.0/16');
  expect(await manifestOf(node, 'kube-apiserver')).toBe(before.replace('=10.96.0.0/16', `=${range}`));
  const cidrs = await cluster.kubectl(['get', 'servicecidr', 'kubernetes', '-o', 'jsonpath={.spec.cidrs}']);
  expect(cidrs.stdout).toContain('fd00:10:96::/112');
});

test('a range that the real API server refuses is undone while the API is away, and told when it is back', async () => {
  const [node] = cluster.controlPlanes as [TestNode];
  startAgent(node);
  const before = await manifestOf(node, 'kube-apiserver');
  // Its first family is not that of the advertised address: allowed by the schema, fatal at start-up.
  const bad = 'fd00:10:96::/112,10.96.0.0/16';
  await want(node, { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': bad } } });
  const status = await whenCondition(node, 'RolledBack', 'True', 90_000);
  expect(conditionOf(status, 'RolledBack')?.message).toContain(`--service-cluster-ip-range=${bad} was undone`);
  expect(conditionOf(status, 'Applied')).toMatchObject({ status: 'False', reason: 'Refused' });
  expect(status.refused).toMatchObject([{ component: 'kube-apiserver', flag: 'service-cluster-ip-range', value: bad }]);
  expect(await manifestOf(node, 'kube-apiserver')).toBe(before);
});

test('a mask that the real controller manager only refuses as leader is undone although it was healthy as standby', async () => {
  const [node] = cluster.controlPlanes as [TestNode];
  // A lease lasts 15 s after its holder crashed, so each crash takes about that long.
  startAgent(node, { ...WATCH, youngForMs: 180_000 });
  const before = await manifestOf(node, 'kube-controller-manager');
  // 17 bits between the cluster's prefix and a node's: one more than Node IPAM takes.
  await want(node, {
    staticPods: {
      'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16,fd00:10:96::/112' },
      'kube-controller-manager': { 'cluster-cidr': '10.244.0.0/16,fd00:10:244::/47' },
    },
  });
  await whenCondition(node, 'Applied', 'True');
  expect(await manifestOf(node, 'kube-controller-manager')).not.toBe(before);
  const status = await whenCondition(node, 'RolledBack', 'True', 120_000);
  expect(conditionOf(status, 'RolledBack')?.message).toContain('kube-controller-manager exited 3 times');
  expect(await manifestOf(node, 'kube-controller-manager')).toBe(before);
}, 240_000);

test('a worker gets its pair of addresses and forwarding', async () => {
  const [node] = cluster.workers as [TestNode];
  startAgent(node);
  const nodeIPs = [node.addresses.IPv4, node.addresses.IPv6];
  await want(node, { kubelet: { nodeIPs }, sysctls: { 'net.ipv6.conf.all.forwarding': '1' } });
  await whenCondition(node, 'Applied', 'True');
  const told = await awaited('two InternalIPs', async () => {
    const path = '{.status.addresses[?(@.type=="InternalIP")].address}';
    const { stdout } = await cluster.kubectl(['get', 'node', node.name, '-o', `jsonpath=${path}`]);
    return stdout.includes(node.addresses.IPv6) ? stdout : undefined;
  });
  expect(told).toBe(nodeIPs.join(' '));
  expect(await readFile(join(node.hostRoot, 'proc/sys/net/ipv6/conf/all/forwarding'), 'utf8')).toBe('1\n');
  expect(await readFile(join(node.hostRoot, 'etc/sysctl.d/99-zz-dualstack.conf'), 'utf8')).toContain(
    'net.ipv6.conf.all.forwarding = 1',
  );
});

test('an agent with nothing to do writes nothing', async () => {
  const [node] = cluster.workers as [TestNode];
  startAgent(node);
  await whenCondition(node, 'Applied', 'True');
  const since = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  const writes = (await cluster.auditedWrites(since)).filter((write) => write.resource.startsWith('dualstack.dev/'));
  expect(writes).toEqual([]);
});
