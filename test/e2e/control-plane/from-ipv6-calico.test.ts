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

const DEADLINE_MS = 400_000;

let installed: Installed;
let cluster: TestCluster;
let status: ClusterStatus;
let first: string;

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
  first = await environment();
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

const environment = (): Promise<string> =>
  shown('daemonset', 'calico-node', '-n', 'kube-system', '-o', 'jsonpath={.spec.template.spec.containers[0].env}');

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

test(
  'back to IPv6 alone: calico-node is told what it was told at first, and no stored IPv4 address is left on a Node',
  async () => {
    const resource = '/apis/dualstack.dev/v1alpha1/dualstackclusters/cluster';
    await cluster.api.mergePatch(resource, { spec: { ipFamilies: ['IPv6'], clusterNetwork: null } });
    const generation = (await cluster.api.get(resource))?.metadata.generation;
    await untilStatus(
      cluster,
      'it is back',
      (seen) => isReady(seen) && seen.observedGeneration === generation,
      DEADLINE_MS,
    );
    expect(await environment()).toEqual(first);
    const nodes = await shown('nodes', '-o', 'jsonpath={.items[*].metadata.annotations}');
    expect(nodes).toContain('projectcalico.org/IPv6Address');
    expect(nodes).not.toContain('projectcalico.org/IPv4');
    const pool = await shown('ippools.crd.projectcalico.org', 'default-ipv4-ippool', '-o', 'jsonpath={.spec.disabled}');
    expect(pool).toBe('true');
  },
  DEADLINE_MS + 30_000,
);
