import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../../cluster/index.ts';

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ workers: 1, calico: { manifest: 'vxlan' } });
});
afterAll(async () => await cluster.stop());

async function until(check: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`waited 30 s for ${what}`);
    await sleep(100);
  }
}

const text = async (...args: string[]): Promise<string> => (await cluster.kubectl(args)).stdout;

async function annotationOf(node: string, name: string): Promise<string | undefined> {
  const { metadata } = JSON.parse(await text('get', 'node', node, '-o', 'json'));
  return metadata.annotations[`projectcalico.org/${name}`];
}

async function withoutIPv4(): Promise<string[]> {
  const found = await Promise.all(
    cluster.nodes.map(async ({ name }) => ({ name, address: await annotationOf(name, 'IPv4Address') })),
  );
  return found.filter(({ address }) => address === undefined).map(({ name }) => name);
}

const eventsOf = async (pod: string): Promise<string> =>
  await text('get', 'events', `--field-selector=involvedObject.name=${pod}`);

const calicoNode = async (...args: string[]): Promise<string> =>
  await text('-n', 'kube-system', 'set', 'env', 'daemonset/calico-node', '-c', 'calico-node', ...args);

const podIPs = async (pod: string): Promise<string[]> => {
  const { status } = JSON.parse(await text('get', 'pod', pod, '-o', 'json'));
  return (status.podIPs ?? []).map(({ ip }: { ip: string }) => ip);
};

async function startPod(name: string): Promise<void> {
  await text('run', name, '--image=example.org/none', '--restart=Never');
}

async function setAssignIPv6(value: string): Promise<void> {
  const config = JSON.parse(await text('-n', 'kube-system', 'get', 'configmap', 'calico-config', '-o', 'json'));
  const before: string = config.data.cni_network_config;
  const withoutSetting = before.replace(/,\s*"assign_ipv6": \S+/, '');
  const after = withoutSetting.replace('"type": "calico-ipam"', `"type": "calico-ipam", "assign_ipv6": ${value}`);
  const patch = JSON.stringify({ data: { cni_network_config: after } });
  await text('-n', 'kube-system', 'patch', 'configmap', 'calico-config', '--type=merge', '-p', patch);
}

const rollOut = async (): Promise<void> => {
  await text('-n', 'kube-system', 'rollout', 'restart', 'daemonset/calico-node');
  await text('-n', 'kube-system', 'rollout', 'status', 'daemonset/calico-node', '--timeout=30s');
};

test('an installed Calico has its IPv4 pool, address and tunnel on each Node', async () => {
  expect(await text('get', 'ippools.crd.projectcalico.org', '-o', 'jsonpath={.items[*].spec.cidr}')).toBe(
    '10.244.0.0/16',
  );
  expect(await annotationOf('worker-1', 'IPv4Address')).toBe('192.0.2.11/24');
  await until(async () => (await annotationOf('worker-1', 'IPv4VXLANTunnelAddr')) !== undefined, 'the tunnel address');
  expect(await annotationOf('worker-1', 'IPv6Address')).toBeUndefined();
});

test('autodetection without an IPv6 InternalIP takes a node’s IPv4 down, and stops the roll-out there', async () => {
  await calicoNode('IP6=autodetect', 'IP6_AUTODETECTION_METHOD=kubernetes-internal-ip');
  await until(async () => (await withoutIPv4()).length === 1, 'one node without IPv4Address');
  const pods = await text('-n', 'kube-system', 'get', 'pods', '-l', 'k8s-app=calico-node');
  expect(pods).toContain('CrashLoopBackOff');
  expect(await text('get', 'nodes', '--no-headers')).not.toContain('NotReady');
  await calicoNode('IP6-', 'IP6_AUTODETECTION_METHOD-');
  await until(async () => (await withoutIPv4()).length === 0, 'IPv4Address on both nodes');
  await text('-n', 'kube-system', 'rollout', 'status', 'daemonset/calico-node', '--timeout=30s');
});

test('assign_ipv6 takes effect with the next calico-node, and needs a pool', async () => {
  await setAssignIPv6('"true"');
  await startPod('before');
  await until(async () => (await podIPs('before')).length === 1, 'one address by the old configuration');
  await rollOut();
  await startPod('without-pool');
  await until(async () => (await eventsOf('without-pool')).includes('cannot find a qualified ippool'), 'the refusal');
  expect(await podIPs('without-pool')).toEqual([]);
  const pool = {
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'IPPool',
    metadata: { name: 'six' },
    spec: { cidr: 'fd00:10:244::/56', blockSize: 122, vxlanMode: 'Always' },
  };
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(pool));
  await until(async () => (await podIPs('without-pool')).length === 2, 'both addresses once there is a pool');
  await until(async () => (await annotationOf('worker-1', 'IPv6VXLANTunnelAddr')) !== undefined, 'the IPv6 tunnel');
  expect(await annotationOf('worker-1', 'IPv6Address')).toBeUndefined();
});

test('autodetection on the interface writes the proof, but on a node that is played wrong', async () => {
  cluster.faults.withoutProof.add('cp-1');
  await calicoNode('IP6=autodetect');
  await until(
    async () => (await annotationOf('worker-1', 'IPv6Address')) === '2001:db8::11/64',
    'the proof on worker-1',
  );
  await text('-n', 'kube-system', 'rollout', 'status', 'daemonset/calico-node', '--timeout=30s');
  expect(await annotationOf('cp-1', 'IPv6Address')).toBeUndefined();
});

test('a boolean assign_ipv6 fails every new Pod', async () => {
  await setAssignIPv6('true');
  await rollOut();
  await startPod('boolean');
  await until(async () => (await eventsOf('boolean')).includes('cannot unmarshal bool'), 'the refusal');
});
