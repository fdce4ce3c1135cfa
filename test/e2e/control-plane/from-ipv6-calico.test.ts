import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import type { TestCluster } from '../../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  type Installed,
  isReady,
  startInstalled,
  untilStatus,
} from '../../support/conversion.ts';
import { eventually } from '../../support/eventually.ts';

const DEADLINE_MS = 240_000;

let installed: Installed;
let cluster: TestCluster;
let status: ClusterStatus;

beforeAll(async () => {
  installed = await startInstalled({
    workers: 1,
    podSubnet: 'fd00:10:244::/56',
    serviceSubnet: 'fd00:10:96::/112',
    nodeIP: 'single',
    forwarding: 'none',
    calico: { manifest: 'bird', family: 'IPv6' },
    keep: process.env['KEEP'] === '1',
  });
  cluster = installed.cluster;
  await askForDualStack(cluster, {
    ipFamilies: ['IPv6', 'IPv4'],
    clusterNetwork: { pods: { cidrBlocks: ['10.244.0.0/16'] }, services: { cidrBlocks: ['10.96.0.0/16'] } },
  });
  status = await untilStatus(cluster, 'the cluster is Ready', isReady, DEADLINE_MS);
}, DEADLINE_MS + 120_000);

afterAll(async () => {
  await installed?.stop();
}, 60_000);

const shown = async (...args: string[]): Promise<string> => (await cluster.kubectl(['get', ...args])).stdout.trim();

test('an IPv6 cluster with Calico for IPv6 alone is converted, and no Node lost its IPv6 address on the way', async () => {
  expect(status.detected?.primaryFamily).toBe('IPv6');
  expect(conditionOf(status, 'Ready')?.status).toBe('True');
  for (const family of ['IPv4', 'IPv6']) {
    const path = `{range .items[*]}{.metadata.annotations.projectcalico\\.org/${family}Address}{"\\n"}{end}`;
    const addresses = (await shown('nodes', '-o', `jsonpath=${path}`)).split('\n');
    expect(addresses).toEqual(cluster.nodes.map(() => expect.stringMatching(family === 'IPv4' ? /\/24$/u : /\/64$/u)));
  }
});

test('the pods of cluster DNS have an address of each family, of the pools of Calico', async () => {
  await eventually(
    'CoreDNS has both',
    async () => {
      const ips = await shown(
        'pods',
        '-n',
        'kube-system',
        '-l',
        'k8s-app=kube-dns',
        '-o',
        'jsonpath={.items[*].status.podIPs[*].ip}',
      );
      return ips.includes('10.244.') && ips.includes('fd00:10:244:');
    },
    30_000,
  );
});

test('that nothing translates for pods with private IPv6 addresses is told, and holds nothing up', () => {
  expect(status.plan?.blockers ?? []).toEqual([]);
  expect(status.plan?.warnings).toContainEqual(
    expect.objectContaining({
      reason: 'EgressNAT',
      remedy: expect.stringContaining('kubectl patch ippools.crd.projectcalico.org default-ipv6-ippool'),
    }),
  );
});
