import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  askForDualStack,
  conditionOf,
  type Installed,
  isReady,
  startInstalled,
  untilStatus,
} from '../support/conversion.ts';
import { hostsReported, PROGRAM } from '../support/install.ts';

const SAMPLE = fileURLToPath(new URL('../../config/samples/dualstackcluster.yaml', import.meta.url));
const DEADLINE_MS = 240_000;

let installed: Installed;

beforeAll(async () => {
  installed = await startInstalled({ controlPlanes: 1, workers: 1 });
  await hostsReported(installed.cluster);
}, 180_000);

afterAll(() => installed?.stop(), 60_000);

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** The command as a person runs it, with no terminal. */
function dualstack(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const full = [PROGRAM, '--kubeconfig', installed.cluster.kubeconfig, ...args];
    execFile(process.execPath, full, (error, out, complaint) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, error: complaint });
    });
  });
}

const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length));

test('check says that nothing is in the way, within 80 columns', async () => {
  const checked = await dualstack('check', '-f', SAMPLE);
  expect(checked).toMatchObject({ code: 0, error: '' });
  expect(checked.out).toContain('Kubeadm');
  expect(checked.out).toContain('Calico');
  expect(widest(checked.out)).toBeLessThanOrEqual(80);
});

test('check names what is in the way, and exits with 3', async () => {
  const checked = await dualstack('check', '--pod-network-cidr', '2001:db8::/56', '--service-cidr', 'fd00:10:96::/112');
  expect(checked.code).toBe(3);
  expect(checked.out).toContain('CIDROverlap');
  expect(checked.out).toMatch(/2001:db8::\d+/u);
});

test('a resource that breaks a rule is told with its field, and exits with 2', async () => {
  const checked = await dualstack(
    'check',
    '--pod-network-cidr',
    'fd00:10:244::1/56',
    '--service-cidr',
    'fd00:10:96::/112',
  );
  expect(checked.code).toBe(2);
  expect(checked.error).toContain('spec.clusterNetwork.pods.cidrBlocks[0]');
});

test('plan tells the steps, the same for people and for machines', async () => {
  const [text, json] = await Promise.all([
    dualstack('plan', '-f', SAMPLE),
    dualstack('plan', '-f', SAMPLE, '-o', 'json'),
  ]);
  expect(text.code).toBe(0);
  expect(widest(text.out)).toBeLessThanOrEqual(80);
  const plan = JSON.parse(json.out) as { hash: string; steps: { id: string }[] };
  expect(text.out).toContain(plan.hash);
  expect(plan.steps.map(({ id }) => id)).toEqual([
    'record/cluster',
    'node-ips/worker-1',
    'node-ips/cp-1',
    'api-server/cp-1',
    'service-cidr',
    'controller-manager/cp-1',
    'controller-manager/lease',
    'kubeadm-config',
    'kube-proxy/config',
    'kube-proxy/rollout',
    'calico/pool-ipv6',
    'calico/cni-config',
    'calico/env',
    'calico/rollout',
    'calico/strategy',
    'dns/pods',
    'dns/service',
    'verify/api',
  ]);
});

test(
  'the cluster becomes dual-stack because one resource was applied',
  async () => {
    const { cluster } = installed;
    await askForDualStack(cluster);
    const watched = dualstack('status', '--watch', '--name', 'cluster');
    const status = await untilStatus(cluster, 'the cluster is Ready', isReady, DEADLINE_MS);

    expect(conditionOf(status, 'Stalled')?.status).toBe('False');
    expect(conditionOf(status, 'Reconciling')?.status).toBe('False');
    expect(status.nodes).toMatchObject({ total: 2, dualStack: 2, exceptions: [] });
    const [node] = cluster.controlPlanes;
    const manifest = await readFile(node!.manifest('kube-apiserver'), 'utf8');
    expect(manifest).toContain('--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112');
    const { stdout: dns } = await cluster.kubectl([
      '-n',
      'kube-system',
      'get',
      'service',
      'kube-dns',
      '-o',
      'jsonpath={.spec.clusterIPs}',
    ]);
    expect(JSON.parse(dns)).toEqual([expect.stringMatching(/^10\.96\./u), expect.stringMatching(/^fd00:10:96:/u)]);
    expect(await watched).toMatchObject({ code: 0 });
  },
  DEADLINE_MS,
);

test('status and nodes tell it, and exit with 0', async () => {
  const [status, nodes, wide] = await Promise.all([
    dualstack('status'),
    dualstack('nodes'),
    dualstack('nodes', '-o', 'json'),
  ]);
  expect(status).toMatchObject({ code: 0, error: '' });
  expect(status.out).toContain('Converged');
  expect(nodes.out).toMatch(/cp-1.*IPv4,IPv6/u);
  expect(JSON.parse(wide.out)).toBeTruthy();
  expect(widest(status.out)).toBeLessThanOrEqual(80);
});
