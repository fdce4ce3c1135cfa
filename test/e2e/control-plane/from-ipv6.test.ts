import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import type { TestCluster } from '../../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  flagOf,
  type Installed,
  isReady,
  startInstalled,
  untilStatus,
} from '../../support/conversion.ts';

const DEADLINE_MS = 240_000;
const SERVICES = 'fd00:10:96::/112,10.96.0.0/16';
const PODS = 'fd00:10:244::/56,10.244.0.0/16';

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
    calico: 'none',
    keep: process.env['KEEP'] === '1',
  });
  cluster = installed.cluster;
  await askForDualStack(cluster, {
    ipFamilies: ['IPv6', 'IPv4'],
    nodes: { podCIDRs: 'Replace' },
    clusterNetwork: { pods: { cidrBlocks: ['10.244.0.0/16'] }, services: { cidrBlocks: ['10.96.0.0/16'] } },
  });
  status = await untilStatus(cluster, 'the cluster is Ready', isReady, DEADLINE_MS);
}, DEADLINE_MS + 120_000);

afterAll(async () => {
  await installed?.stop();
}, 60_000);

test('an IPv6 cluster gains IPv4 as its second family', async () => {
  const [node] = cluster.controlPlanes;
  const last = (component: 'kube-apiserver' | 'kube-controller-manager') =>
    cluster.history.of(component, node?.name ?? '').at(-1)!;
  expect(flagOf(last('kube-apiserver'), 'service-cluster-ip-range')).toBe(SERVICES);
  expect(flagOf(last('kube-controller-manager'), 'cluster-cidr')).toBe(PODS);
  expect(flagOf(last('kube-controller-manager'), 'node-cidr-mask-size-ipv4')).toBe('24');
  expect(flagOf(last('kube-controller-manager'), 'node-cidr-mask-size-ipv6')).toBe('64');
  expect(status.detected?.primaryFamily).toBe('IPv6');
  expect(conditionOf(status, 'ControlPlaneDualStack')?.status).toBe('True');
});

test('every Node reports IPv6 first, then IPv4', async () => {
  const { stdout } = await cluster.kubectl([
    'get',
    'nodes',
    '-o',
    'jsonpath={range .items[*]}{.status.addresses[?(@.type=="InternalIP")].address}{"\\n"}{end}',
  ]);
  const families = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map((address) => (address.includes(':') ? 'IPv6' : 'IPv4')));
  expect(families).toEqual(cluster.nodes.map(() => ['IPv6', 'IPv4']));
});
