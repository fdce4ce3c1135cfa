import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { urlHost } from '../../support/url-host.ts';
import { IMAGES } from '../cluster/images.ts';
import { type RealCluster, startRealCluster } from '../cluster/index.ts';
import { clustersFolder, sweep } from '../cluster/registry.ts';
import { whereItRuns } from './support/where-it-runs.ts';

const START_MS = 600_000;
const CHANGE_MS = 90_000;

/** A web server on every node, in the pod network. */
const SERVERS = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: servers, namespace: default}
spec:
  selector: {matchLabels: {app: servers}}
  template:
    metadata: {labels: {app: servers}}
    spec:
      terminationGracePeriodSeconds: 0
      tolerations: [{operator: Exists}]
      containers: [{name: server, image: '${IMAGES.podtool}', args: [serve, '8080']}]
---
apiVersion: v1
kind: Service
metadata: {name: servers, namespace: default}
spec: {selector: {app: servers}, ports: [{port: 80, targetPort: 8080}]}
`;

whereItRuns('a cluster of real kubelets', () => {
  let cluster: RealCluster;
  let stopped = false;

  beforeAll(async () => {
    cluster = await startRealCluster({
      controlPlanes: 1,
      workers: 1,
      nodes: { 'worker-1': { hostFamilies: 'IPv4' } },
      ownEtcdDisk: true,
    });
    await cluster.kubectl(['apply', '-f', '-'], SERVERS);
    await cluster.kubectl(['rollout', 'status', 'daemonset/servers', '--timeout=90s']);
  }, START_MS);
  afterAll(async () => {
    if (!stopped) await cluster?.stop();
  }, START_MS);

  test('carries packets between pods of two nodes, to a Service and to DNS', () => carriesPackets(cluster, 'A'));

  test(
    'runs the operator and its agents as pods, which report the hosts, also IPv6 that comes late',
    async () => {
      await cluster.installOperator();
      const host = (name: string): Promise<string> => dualStackNode(cluster, name);
      await eventually(
        'both hosts are reported',
        async () => (await host('cp-1')).includes(cluster.node('cp-1').IPv6),
        CHANGE_MS,
      );
      const worker = cluster.node('worker-1');
      await eventually('the worker is reported', async () => (await host('worker-1')).includes(worker.IPv4), CHANGE_MS);
      expect(await host('worker-1')).not.toContain(worker.IPv6);
      await worker.addAddress();
      await eventually(
        'its late IPv6 address is reported',
        async () => (await host('worker-1')).includes(worker.IPv6),
        CHANGE_MS,
      );
      await worker.removeAddress();
      await eventually(
        'that it is lost is reported',
        async () => !(await host('worker-1')).includes(worker.IPv6),
        CHANGE_MS,
      );
    },
    START_MS,
  );

  test(
    'has a kubelet that systemd restarts',
    async () => {
      const worker = cluster.node('worker-1');
      const kubelet = (): Promise<string> =>
        worker.run(['systemctl', 'show', '--property=MainPID', '--value', 'kubelet']);
      const before = await kubelet();
      await worker.run(['systemctl', 'restart', 'kubelet']);
      expect(await kubelet()).not.toBe(before);
      await worker.run(['kill', '-KILL', (await kubelet()).trim()]);
      await eventually(
        'systemd starts a killed kubelet again',
        async () => (await worker.exec(['systemctl', 'is-active', 'kubelet'])).code === 0,
        CHANGE_MS,
      );
    },
    START_MS,
  );

  test(
    'reboots a node, which comes back with its pods and another boot id',
    async () => {
      const worker = cluster.node('worker-1');
      const bootId = (): Promise<string> => worker.run(['cat', '/proc/sys/kernel/random/boot_id']);
      const before = await bootId();
      await worker.reboot();
      expect(await bootId()).not.toBe(before);
      expect(Number((await worker.run(['cat', '/proc/uptime'])).split(' ')[0])).toBeLessThan(60);
      await eventually(
        'the API has heard of the new boot',
        async () =>
          (await cluster.kubectl(['get', 'node', worker.name, '-o', 'yaml'])).stdout.includes((await bootId()).trim()),
        CHANGE_MS,
      );
      await cluster.ready();
      await eventually(
        'its server answers again',
        async () => {
          const pods = await serverPods(cluster);
          const from = pods.find(({ node }) => node === 'cp-1');
          const to = pods.find(({ node }) => node === worker.name);
          const got = await cluster.tryKubectl([
            'exec',
            from?.name ?? '',
            '--',
            '/podtool',
            'get',
            `http://${to?.address}:8080/`,
          ]);
          return got.code === 0;
        },
        CHANGE_MS,
      );
    },
    START_MS,
  );

  test(
    'cuts a node off, and reaches it again',
    async () => {
      const worker = cluster.node('worker-1');
      const ping = async (): Promise<boolean> =>
        (await worker.exec(['bash', '-c', `echo > /dev/tcp/${cluster.node('cp-1').IPv4}/6443`], { timeout: 1000 }))
          .code === 0;
      await eventually('it is reached', ping, CHANGE_MS);
      await worker.partition();
      expect(await ping()).toBe(false);
      await worker.heal();
      await eventually('it is reached again', ping, CHANGE_MS);
    },
    START_MS,
  );

  test(
    'slows down the disk of etcd',
    async () => {
      const control = cluster.node('cp-1');
      const write = async (name: string): Promise<number> => {
        const started = performance.now();
        await cluster.kubectl(['create', 'configmap', name]);
        return performance.now() - started;
      };
      await control.slowDisk({ stallMs: 3000, goMs: 50 });
      const slow = Math.max(await write('slow-1'), await write('slow-2'));
      await control.normalDisk();
      expect(slow).toBeGreaterThan(1000);
      await eventually('writes are quick again', async () => (await write(`quick-${Date.now()}`)) < 1000, CHANGE_MS);
    },
    START_MS,
  );

  test(
    'leaves nothing behind',
    async () => {
      const folders = cluster.nodes.flatMap((node) => node.machine.cgroups);
      expect(folders.every((folder) => existsSync(folder))).toBe(true);
      stopped = true;
      await cluster.stop();
      expect(remainsOf(cluster.id)).toEqual({ processes: [], mounts: [], cgroups: [], folder: [] });
    },
    START_MS,
  );

  test(
    'is cleared away by the next start after its owner was killed',
    async () => {
      const owner = startOwner();
      const gone = once(owner, 'exit');
      try {
        const id = await idWhenBooted(owner);
        expect(remainsOf(id).cgroups).not.toEqual([]);
        owner.kill('SIGKILL');
        await gone;
        await eventually('its processes die with it', () => remainsOf(id).processes.length === 0, CHANGE_MS);
        await sweep();
        expect(remainsOf(id)).toEqual({ processes: [], mounts: [], cgroups: [], folder: [] });
      } finally {
        owner.kill('SIGKILL');
      }
    },
    START_MS,
  );
});

whereItRuns('a cluster of real kubelets on IPv6', () => {
  let cluster: RealCluster;

  beforeAll(async () => {
    cluster = await startRealCluster({ families: 'IPv6', cni: 'flannel' });
    await cluster.kubectl(['apply', '-f', '-'], SERVERS);
    await cluster.kubectl(['rollout', 'status', 'daemonset/servers', '--timeout=90s']);
  }, START_MS);
  afterAll(async () => {
    await cluster?.stop();
  }, START_MS);

  test('carries packets between pods of two nodes, to a Service and to DNS', () => carriesPackets(cluster, 'AAAA'));
});

/** Between all pods, from each to the Service, and its name from DNS. */
async function carriesPackets(cluster: RealCluster, record: 'A' | 'AAAA'): Promise<void> {
  const pods = await serverPods(cluster);
  expect(pods.map(({ node }) => node).toSorted()).toEqual(['cp-1', 'worker-1']);
  const dns = await clusterIP(cluster, 'kube-system', 'kube-dns');
  const service = await clusterIP(cluster, 'default', 'servers');
  const urls = [...pods.map(({ address }) => `http://${urlHost(address)}:8080/`), `http://${urlHost(service)}/`];
  for (const from of pods) {
    const inPod = (...args: readonly string[]) => cluster.kubectl(['exec', from.name, '--', '/podtool', ...args]);
    // kube-proxy learns of the Service's endpoints only after the roll-out has been told as done.
    await eventually(
      `${from.name} reaches the Service`,
      async () =>
        (await cluster.tryKubectl(['exec', from.name, '--', '/podtool', 'get', `http://${urlHost(service)}/`])).code ===
        0,
      30_000,
    );
    const got = await inPod('get', ...urls);
    expect(got.stdout.trim().split('\n')).toHaveLength(urls.length);
    expect(got.stdout).not.toContain('failed');
    expect((await inPod('dns', 'servers.default.svc.cluster.local', record, dns)).stdout).toContain(service);
  }
}

async function clusterIP(cluster: RealCluster, namespace: string, name: string): Promise<string> {
  const path = 'jsonpath={.spec.clusterIP}';
  return (await cluster.kubectl(['get', 'service', name, '--namespace', namespace, '-o', path])).stdout;
}

interface ServerPod {
  readonly name: string;
  readonly node: string;
  readonly address: string;
}

async function serverPods(cluster: RealCluster): Promise<readonly ServerPod[]> {
  const path = '{range .items[*]}{.metadata.name} {.spec.nodeName} {.status.podIP}{"\\n"}{end}';
  const { stdout } = await cluster.kubectl(['get', 'pods', '-l', 'app=servers', '-o', `jsonpath=${path}`]);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([name = '', node = '', address = '']) => ({ name, node, address }));
}

/** What the agent of a node reports, as text; empty before it has. */
async function dualStackNode(cluster: RealCluster, name: string): Promise<string> {
  return (await cluster.tryKubectl(['get', 'dualstacknode', name, '-o', 'jsonpath={.status}'])).stdout;
}

/** Another process that starts a small cluster. */
function startOwner(): ChildProcess {
  const up = join(import.meta.dirname, '../cluster/up.ts');
  return spawn(process.execPath, [up, '--workers', '0', '--cni', 'none'], { stdio: ['ignore', 'ignore', 'pipe'] });
}

async function idWhenBooted(owner: ChildProcess): Promise<string> {
  const before = new Set(clusters());
  const { stderr } = owner;
  if (stderr === null) throw new Error('its messages are not piped');
  for await (const line of createInterface({ input: stderr })) if (line.includes('booted')) break;
  stderr.resume();
  const mine = clusters().filter((id) => !before.has(id) && ownerOf(id) === owner.pid);
  if (mine[0] === undefined) throw new Error('it has no folder');
  return mine[0];
}

const clusters = (): readonly string[] => (existsSync(clustersFolder()) ? readdirSync(clustersFolder()) : []);

function ownerOf(id: string): number | undefined {
  try {
    return (JSON.parse(readFileSync(join(clustersFolder(), id, 'owner.json'), 'utf8')) as { owner: { pid: number } })
      .owner.pid;
  } catch {
    return undefined;
  }
}

/** All on this machine that bears the cluster's name. */
function remainsOf(id: string): Readonly<Record<'processes' | 'mounts' | 'cgroups' | 'folder', readonly string[]>> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const belongs = (pid: string): boolean =>
    text(`/proc/${pid}/cgroup`).includes(`dualstack-${id}-`) ||
    text(`/proc/${pid}/cmdline`).includes(`/clusters/${id}/`);
  return {
    processes: pids.filter(belongs),
    mounts: pids.filter((pid) => text(`/proc/${pid}/mountinfo`).includes(`/clusters/${id}/`)),
    cgroups: cgroupFolders('/sys/fs/cgroup').filter((folder) => folder.includes(`dualstack-${id}-`)),
    folder: existsSync(join(clustersFolder(), id)) ? [id] : [],
  };
}

function cgroupFolders(folder: string): readonly string[] {
  const below = (): readonly string[] => {
    try {
      return readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(folder, entry.name));
    } catch {
      return []; // It has gone meanwhile.
    }
  };
  return below().flatMap((path) => [path, ...cgroupFolders(path)]);
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}
