import { existsSync } from 'node:fs';
import { readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClient } from 'dbus-native';
import { startCluster, type TestCluster } from '../cluster/index.ts';

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ controlPlanes: 1, workers: 1 });
});
afterAll(async () => await cluster.stop());

async function until<T>(read: () => Promise<T | undefined> | T | undefined, what: string): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const value = await read();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited 60 s for ${what}`);
    await sleep(100);
  }
}

const text = async (...args: string[]): Promise<string> => (await cluster.kubectl(args)).stdout;

async function editManifest(component: string, change: (before: string) => string): Promise<void> {
  const [cp] = cluster.controlPlanes;
  const file = cp!.manifest(component);
  const dotFile = join(file, '..', `.${component}.new`);
  await writeFile(dotFile, change(await readFile(file, 'utf8')));
  await rename(dotFile, file);
}

async function restartKubelet(socket: string): Promise<unknown> {
  const bus = createClient({ socket, authMethods: ['EXTERNAL'] });
  try {
    return await bus.invoke({
      destination: 'org.freedesktop.systemd1',
      path: '/org/freedesktop/systemd1',
      interface: 'org.freedesktop.systemd1.Manager',
      member: 'RestartUnit',
      signature: 'ss',
      body: ['kubelet.service', 'replace'],
    });
  } finally {
    bus.connection.end();
  }
}

const serviceCIDRs = async (): Promise<string | undefined> =>
  await text('get', 'servicecidr', 'kubernetes', '-o', 'jsonpath={.spec.cidrs}').catch(() => undefined);

const internalIPs = async (node: string): Promise<string> =>
  await text('get', 'node', node, '-o', 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}');

test('kubeadm has left its objects and a host that looks like its own', async () => {
  const [cp] = cluster.controlPlanes;
  expect(await text('get', 'cm', '-n', 'kube-system', 'kubeadm-config', '-o', 'yaml')).toContain(
    'serviceSubnet: 10.96.0.0/16',
  );
  expect(await text('get', 'cm', '-n', 'kube-system', 'kube-proxy', '-o', 'yaml')).toContain(
    'clusterCIDR: 10.244.0.0/16',
  );
  expect(await text('get', 'service', '-n', 'kube-system', 'kube-dns', '-o', 'jsonpath={.spec.clusterIP}')).toBe(
    '10.96.0.10',
  );
  expect((await readdir(join(cp!.hostRoot, 'etc/kubernetes/manifests'))).sort()).toEqual([
    'etcd.yaml',
    'kube-apiserver.yaml',
    'kube-controller-manager.yaml',
    'kube-scheduler.yaml',
  ]);
  const running = cluster.history.running('kube-apiserver', 'cp-1')!;
  const shown = await readFile(join(cp!.hostRoot, 'proc', String(running.pid), 'cmdline'), 'utf8');
  expect(shown.split('\0')).toContain('--advertise-address=192.0.2.1');
  const real = await readFile(`/proc/${running.pid}/cmdline`, 'utf8');
  expect(real).toContain(`--bind-address=${cp!.loopback}`);
});

test('Nodes report one address until the kubelet restarts with a pair', async () => {
  const worker = cluster.node('worker-1');
  expect(await internalIPs('worker-1')).toBe('192.0.2.11');
  const file = join(worker.hostRoot, 'var/lib/kubelet/kubeadm-flags.env');
  await writeFile(file, `KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.11,2001:db8::11"\n`);
  expect(await restartKubelet(worker.dbusSocket)).toMatch(/^\/org\/freedesktop\/systemd1\/job\/\d+$/);
  await until(
    async () => (await internalIPs('worker-1')) === '192.0.2.11 2001:db8::11' || undefined,
    'two InternalIPs',
  );
  await writeFile(file, `KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.11,192.0.2.12"\n`);
  await restartKubelet(worker.dbusSocket);
  expect(worker.kubelet.running).toBe(false);
  expect(worker.kubelet.starts.at(-1)!.failure).toContain('dual-stack pair');
});

test('an edited manifest restarts the real API server, and the ServiceCIDR follows', async () => {
  const before = cluster.history.running('kube-apiserver', 'cp-1')!;
  await editManifest('kube-apiserver', (manifest) =>
    manifest.replace(
      '--service-cluster-ip-range=10.96.0.0/16',
      '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112',
    ),
  );
  const after = await until(
    () => cluster.history.of('kube-apiserver').find((record) => record.startedAt > before.startedAt),
    'a new process',
  );
  expect(after.args).toContain('--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112');
  await until(
    async () => ((await serviceCIDRs()) === '["10.96.0.0/16","fd00:10:96::/112"]' ? true : undefined),
    'both ranges in ServiceCIDR kubernetes',
  );
});

test('a flag that a component refuses makes it crash-loop, seen in the mirror Pod, until it is mended', async () => {
  const good = await readFile(cluster.node('cp-1').manifest('kube-controller-manager'), 'utf8');
  await editManifest('kube-controller-manager', (manifest) =>
    manifest.replace('--cluster-cidr=10.244.0.0/16', '--cluster-cidr=10.244.0.0/33'),
  );
  const waiting = [
    'get',
    'pod',
    '-n',
    'kube-system',
    'kube-controller-manager-cp-1',
    '-o',
    'jsonpath={.status.containerStatuses[0].restartCount}',
  ];
  await until(async () => (Number(await text(...waiting).catch(() => '0')) >= 2 ? true : undefined), 'two restarts');
  await editManifest('kube-controller-manager', () => good);
  await until(() => cluster.node('cp-1').isReady() || undefined, 'a ready control plane');
});

test('writes are found in the audit log, by user', async () => {
  const since = Date.now();
  await cluster.kubectl(['create', 'configmap', 'audited', '-n', 'default']);
  const write = await until(
    async () => (await cluster.auditedWrites(since)).find(({ name }) => name === 'audited'),
    'the audited write',
  );
  expect(write).toMatchObject({ user: 'kubernetes-admin', verb: 'create', resource: 'configmaps', code: 201 });
});

test('nothing is left after stop', async () => {
  const pids = cluster.history.records.filter((record) => record.exitedAt === undefined).map(({ pid }) => pid);
  expect(pids.length).toBeGreaterThanOrEqual(4);
  await cluster.stop();
  expect(existsSync(cluster.dir)).toBe(false);
  expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
});
