import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import type { TestCluster, TestNode } from '../test/cluster/index.ts';

const PODS = '10.244.0.0/16,fd00:10:244::/56';
const SERVICES = '10.96.0.0/16,fd00:10:96::/112';
const LOOK_MS = 200;

/** What a person does to convert a cluster, in the order in which it is safe. */
export const HAND_STEPS = {
  nodeIPs: async (cluster) => {
    for (const node of [...cluster.workers, ...cluster.controlPlanes]) await giveNodePair(cluster, node);
  },
  apiServers: async (cluster) => {
    for (const node of cluster.controlPlanes) await restartApiServer(cluster, node);
  },
  managers: async (cluster) => {
    for (const node of cluster.controlPlanes) await restartManager(cluster, node);
  },
  kubeadmConfig: (cluster) =>
    editConfigMap(cluster, 'kubeadm-config', 'ClusterConfiguration', (text) =>
      text.replace('10.244.0.0/16', PODS).replace('10.96.0.0/16', SERVICES),
    ),
  proxyConfig: (cluster) =>
    editConfigMap(cluster, 'kube-proxy', 'config.conf', (text) => text.replace('10.244.0.0/16', PODS)),
  proxyPods: (cluster) => rollOut(cluster, 'daemonset/kube-proxy'),
  pool: async (cluster) => {
    await cluster.kubectl(['apply', '-f', '-'], POOL);
  },
  cniConfig: (cluster) =>
    editConfigMap(cluster, 'calico-config', 'cni_network_config', (text) =>
      text.replace('"type": "calico-ipam"', '"type": "calico-ipam", "assign_ipv6": "true"'),
    ),
  calicoNode: async (cluster) => {
    await cluster.kubectl([...SYSTEM, 'set', 'env', 'daemonset/calico-node', '-c', 'calico-node', ...ENV]);
    await cluster.kubectl([...SYSTEM, 'rollout', 'status', 'daemonset/calico-node', '--timeout=600s']);
  },
  dnsPods: (cluster) => rollOut(cluster, 'deployment/coredns'),
  dnsService: async (cluster) => {
    const both = '{"spec":{"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4","IPv6"]}}';
    await cluster.kubectl([...SYSTEM, 'patch', 'service', 'kube-dns', '-p', both]);
  },
} as const satisfies Record<string, (cluster: TestCluster) => Promise<void>>;

/**
 * The same edits as the operator's, done by a careful script: one after another, each waited for on the component itself, and nothing
 * else: no records, no proofs, no hand-over of the Lease. What this takes, nobody can avoid.
 */
export async function convertByHand(cluster: TestCluster): Promise<void> {
  for (const step of Object.values(HAND_STEPS)) await step(cluster);
}

const SYSTEM = ['-n', 'kube-system'];
const ENV = ['IP6=autodetect', 'IP6_AUTODETECTION_METHOD=kubernetes-internal-ip', 'FELIX_IPV6SUPPORT=true'];

const POOL = `apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata: {name: default-ipv6-ippool}
spec: {cidr: "fd00:10:244::/56", blockSize: 122, vxlanMode: Always, ipipMode: Never, nodeSelector: all()}
`;

export async function giveNodePair(cluster: TestCluster, node: TestNode): Promise<void> {
  const file = join(node.hostRoot, 'var/lib/kubelet/kubeadm-flags.env');
  const { IPv4, IPv6 } = node.addresses;
  await edit(file, (text) => text.replace(/"\s*$/u, ` --node-ip=${IPv4},${IPv6}"\n`));
  node.kubelet.restart();
  await until(`two addresses of ${node.name}`, async () => {
    const { stdout } = await cluster.kubectl(['get', 'node', node.name, '-o', 'jsonpath={.status.addresses}']);
    return stdout.includes(IPv6);
  });
}

export async function restartApiServer(cluster: TestCluster, node: TestNode): Promise<void> {
  const before = cluster.history.of('kube-apiserver', node.name).length;
  await edit(node.manifest('kube-apiserver'), (text) =>
    text.replace('--service-cluster-ip-range=10.96.0.0/16', `--service-cluster-ip-range=${SERVICES}`),
  );
  const backend = cluster.balancer.backends.find((each) => each.node === node.name);
  await until(
    `the API server of ${node.name}`,
    async () => cluster.history.of('kube-apiserver', node.name).length > before && backend?.up === true,
  );
}

export async function restartManager(cluster: TestCluster, node: TestNode): Promise<void> {
  const before = cluster.history.of('kube-controller-manager', node.name).length;
  await edit(node.manifest('kube-controller-manager'), (text) =>
    text
      .replace('--cluster-cidr=10.244.0.0/16', `--cluster-cidr=${PODS}`)
      .replace('--service-cluster-ip-range=10.96.0.0/16', `--service-cluster-ip-range=${SERVICES}`),
  );
  await until(
    `the controller manager of ${node.name}`,
    async () => cluster.history.of('kube-controller-manager', node.name).length > before,
  );
  const restarted = Date.now();
  await until('a held Lease', async () => {
    const { stdout } = await cluster.kubectl([
      '-n',
      'kube-system',
      'get',
      'lease',
      'kube-controller-manager',
      '-o',
      'yaml',
    ]);
    const lease = parse(stdout) as { spec: { renewTime: string } };
    return Date.parse(lease.spec.renewTime) > restarted;
  });
}

async function editConfigMap(
  cluster: TestCluster,
  name: string,
  key: string,
  change: (text: string) => string,
): Promise<void> {
  const { stdout } = await cluster.kubectl(['-n', 'kube-system', 'get', 'configmap', name, '-o', 'json']);
  const { data } = JSON.parse(stdout) as { data: Record<string, string> };
  const patch = JSON.stringify({ data: { [key]: change(data[key] ?? '') } });
  await cluster.kubectl(['-n', 'kube-system', 'patch', 'configmap', name, '--type=merge', '-p', patch]);
}

async function rollOut(cluster: TestCluster, workload: string): Promise<void> {
  await cluster.kubectl(['-n', 'kube-system', 'rollout', 'restart', workload]);
  await cluster.kubectl(['-n', 'kube-system', 'rollout', 'status', workload, '--timeout=600s']);
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  const draft = join(dirname(file), '.draft');
  await writeFile(draft, change(await readFile(file, 'utf8')));
  await rename(draft, file);
}

const DEADLINE_MS = 600_000;

/** An API that is away for a moment is asked again. */
async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await check().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`waited ${DEADLINE_MS / 1000} s for ${what}`);
    await sleep(LOOK_MS);
  }
}
