import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster, type TestNode } from '../../cluster/index.ts';

const RESTART_MS = 3000;
let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ controlPlanes: 3, timing: { apiServerRestart: RESTART_MS } });
});
afterAll(async () => await cluster.stop());

async function until(check: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`waited 60 s for ${what}`);
    await sleep(50);
  }
}

const text = async (...args: string[]): Promise<string> => (await cluster.kubectl(args)).stdout;

async function leader(component: string): Promise<string> {
  return (
    (await text('-n', 'kube-system', 'get', 'lease', component, '-o', 'jsonpath={.spec.holderIdentity}')).split(
      '_',
    )[0] ?? ''
  );
}

async function edit(node: TestNode, component: string, change: (before: string) => string): Promise<void> {
  const file = node.manifest(component);
  const hidden = join(file, '..', `.${component}.new`);
  await writeFile(hidden, change(await readFile(file, 'utf8')));
  await rename(hidden, file);
}

const listNodes = async (): Promise<boolean> =>
  await text('get', 'nodes').then(
    () => true,
    () => false,
  );

/** Node IPAM, which runs in the leader alone, cannot cut /64 out of /40. */
const tooBig = (manifest: string): string => manifest.replace('10.244.0.0/16', '10.244.0.0/16,fd00:10:244::/40');

const allReady = (): boolean => cluster.controlPlanes.every((node) => node.isReady());

test('three members share one etcd, and leaders are told apart by host name', async () => {
  const pods = await text('-n', 'kube-system', 'get', 'pods', '-l', 'component=etcd', '-o', 'name');
  expect(pods.trim().split('\n')).toHaveLength(3);
  expect(['cp-1', 'cp-2', 'cp-3']).toContain(await leader('kube-controller-manager'));
  expect(await text('-n', 'kube-system', 'get', 'cm', 'kubeadm-config', '-o', 'yaml')).toContain(
    'controlPlaneEndpoint: 192.0.2.254:6443',
  );
});

test('one API server’s restart takes as long as asked, is seen from outside, and loses no client for good', async () => {
  const [first, second] = cluster.controlPlanes;
  const since = Date.now();
  await edit(second!, 'kube-apiserver', (manifest) =>
    manifest.replace('10.96.0.0/16', '10.96.0.0/16,fd00:10:96::/112'),
  );
  let failures = 0;
  const restarted = (): boolean => cluster.history.of('kube-apiserver', 'cp-2').length === 2 && second!.isReady();
  await until(async () => {
    if (!(await listNodes()) && !(await listNodes())) failures++;
    return restarted();
  }, 'the second API server');
  const [before, after] = cluster.history.of('kube-apiserver', 'cp-2');
  expect(after!.startedAt - before!.exitedAt!).toBeGreaterThanOrEqual(RESTART_MS);
  expect(failures).toBe(0);
  expect(cluster.balancer.mostDownAtOnce(since)).toBe(1);
  const outage = cluster.balancer.backends.find(({ node }) => node === 'cp-2')!.changes.filter(({ at }) => at >= since);
  expect(outage.map(({ up }) => up)).toEqual([false, true]);
  expect(cluster.history.of('kube-apiserver', first!.name)).toHaveLength(1);
});

test('a flag that only the leader checks is refused by the leader alone', async () => {
  await until(allReady, 'a ready control plane');
  const name = await leader('kube-controller-manager');
  const standby = cluster.controlPlanes.find((node) => node.name !== name)!;
  const runs = (node: TestNode): number => cluster.history.of('kube-controller-manager', node.name).length;
  const before = runs(standby);
  await edit(standby, 'kube-controller-manager', tooBig);
  await until(() => runs(standby) > before && standby.isReady(), 'the standby to run with it');
  expect(cluster.history.running('kube-controller-manager', standby.name)!.args.join(' ')).toContain('/40');
  const failed = (): boolean =>
    cluster.history
      .of('kube-controller-manager')
      .some(({ args, exit }) => args.join(' ').includes('/40') && exit !== undefined && exit.code === 1);
  expect(failed()).toBe(false);
  const others = cluster.controlPlanes.filter((node) => node !== standby);
  await Promise.all(others.map((node) => edit(node, 'kube-controller-manager', tooBig)));
  await until(failed, 'the next leader to fail');
});

test('arguments can be changed unseen, and a killed component comes back', async () => {
  const node = cluster.node('cp-3');
  node.launchOverride('kube-scheduler', (args) => [...args, '--v=3']);
  node.kill('kube-scheduler');
  await until(() => cluster.history.of('kube-scheduler', 'cp-3').length === 2, 'the next scheduler');
  const { pid, args } = cluster.history.of('kube-scheduler', 'cp-3')[1]!;
  await until(
    async () => (await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes('--leader-elect'),
    'the real process',
  );
  expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).toContain('--v=3');
  expect(args).not.toContain('--v=3');
  expect(await readFile(join(node.hostRoot, 'proc', String(pid), 'cmdline'), 'utf8')).not.toContain('--v=3');
});

test('a manifest that is taken away ends its process and mirror Pod', async () => {
  const node = cluster.node('cp-3');
  await rm(node.manifest('kube-scheduler'));
  await until(() => cluster.history.running('kube-scheduler', 'cp-3') === undefined, 'the end of the process');
  await until(
    async () => !(await text('-n', 'kube-system', 'get', 'pods')).includes('kube-scheduler-cp-3'),
    'the end of its Pod',
  );
});

test('a host that lost its power serves again once it has it back', async () => {
  const node = cluster.node('cp-3');
  await node.powerOff();
  expect(cluster.history.running('kube-apiserver', 'cp-3')).toBeUndefined();
  expect(node.kubelet.running).toBe(false);
  await until(() => cluster.balancer.backends.some(({ up }) => !up), 'the balancer to notice');
  await node.powerOn();
  await until(() => node.isReady() && cluster.balancer.backends.every(({ up }) => up), 'all components');
});
