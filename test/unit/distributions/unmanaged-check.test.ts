import { expect, test } from '@jest/globals';
import type { UnmanagedFacts } from '../../../src/distributions/unmanaged/facts.ts';
import { unmanaged } from '../../../src/distributions/unmanaged/index.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { POD_RANGES, serviceFacts, wantedDual, wantedSingle, workloadFacts } from '../../support/facts.ts';
import { asked, planScene } from '../../support/plan-scene.ts';
import { unmanagedCluster, type UnmanagedOptions } from '../../support/unmanaged.ts';

interface Case extends UnmanagedOptions {
  readonly wanted?: Wanted;
  readonly own?: Partial<UnmanagedFacts>;
  readonly facts?: Partial<ClusterFacts>;
}

/** Without the one that says that all of it is the user's. */
function check({ wanted, own, facts, ...options }: Case): readonly Finding[] {
  const scene = unmanagedCluster(options, own);
  const [first, ...rest] = unmanaged.check(wanted ?? wantedDual(), { ...scene.facts, ...facts }, scene.own);
  expect(first).toMatchObject({ reason: 'Unmanaged', blocks: [] });
  return rest;
}

test.each<[string, Case]>([
  ['components in Pods', {}],
  ['several API servers', { servers: 3 }],
  ['components that nobody sees', { pods: false }],
  ['converted', { dual: true }],
  ['on the way back', { dual: true, wanted: wantedSingle() }],
  ['before ServiceCIDR objects', { pods: false, own: { serviceCIDR: known(null) } }],
])('nothing else to say: %s', (_name, scene) => expect(check(scene)).toEqual([]));

const workload = workloadFacts('kube-proxy', []);
type NodePatch = (node: ClusterFacts['nodes'][number]) => ClusterFacts['nodes'][number];
const holding =
  (...podCIDRs: readonly string[]): NodePatch =>
  (node) =>
    node.name === 'worker-1' ? { ...node, podCIDRs } : node;

test.each<[string, Case, string, RegExp, 'blocks' | 'warns']>([
  [
    'Pods cannot be read',
    { own: { apiServerPods: unknown('forbidden') } },
    'ComponentUnreadable',
    /Pods of kube-apiserver .*forbidden/u,
    'blocks',
  ],
  ['Leases cannot be read', { own: { apiServers: unknown('forbidden') } }, 'ComponentUnreadable', /Leases/u, 'blocks'],
  [
    'ServiceCIDR cannot be read',
    { own: { serviceCIDR: unknown('forbidden') } },
    'ComponentUnreadable',
    /ServiceCIDR/u,
    'blocks',
  ],
  [
    'nothing shows an API server',
    { pods: false, own: { serviceCIDR: known(null), apiServers: known([]) } },
    'ComponentUnreadable',
    /Nothing in the API shows an API server/u,
    'blocks',
  ],
  [
    'no kube-proxy',
    { own: { proxy: known(null) } },
    'KubeProxyMissing',
    /no DaemonSet kube-system\/kube-proxy/u,
    'warns',
  ],
  [
    'kube-proxy with a file from elsewhere',
    { own: { proxy: known({ workload, networks: { is: 'Unseen', why: 'its file is elsewhere' } }) } },
    'KubeProxyMissing',
    /its file is elsewhere/u,
    'warns',
  ],
  [
    'a pod CIDR outside',
    { node: holding('10.99.1.0/24') },
    'PodCIDROutsideNetwork',
    /Node worker-1 holds pod CIDR 10\.99\.1\.0\/24/u,
    'blocks',
  ],
  [
    'podCIDRs in another order',
    { node: holding('fd00:10:244:1::/64', '10.244.1.0/24') },
    'InconsistentControlPlane',
    /Node worker-1 begin with IPv6/u,
    'blocks',
  ],
  [
    'a Service outside',
    { facts: { services: known([serviceFacts({ namespace: 'shop', name: 'web', clusterIPs: ['10.97.0.5'] })]) } },
    'ServiceCIDRMismatch',
    /Service shop\/web has address 10\.97\.0\.5/u,
    'blocks',
  ],
  [
    'back, while a Node holds two pod CIDRs',
    { dual: true, wanted: wantedSingle(), node: holding('10.244.1.0/24', 'fd00:10:244:1::/64') },
    'NodesWithTwoPodCIDRs',
    /worker-1/u,
    'blocks',
  ],
  [
    'back, with a controller manager that nobody sees',
    { pods: false, dual: true, wanted: wantedSingle() },
    'ComponentUnreadable',
    /whether it is back to one family cannot be told/u,
    'warns',
  ],
])('%s', (_name, scene, reason, message, effect) => {
  const [finding, ...others] = check(scene);
  expect(others).toEqual([]);
  expect(finding).toMatchObject({ reason, message: expect.stringMatching(message) });
  expect((finding?.blocks.length ?? 0) > 0).toBe(effect === 'blocks');
});

const proxyRemedy = (version: string) => check({ version, own: { proxy: known(null) } })[0]?.remedy;

test('what kube-proxy is to be told, wherever it runs', () => {
  expect(proxyRemedy('v1.36.3')).toContain(`--cluster-cidr=${POD_RANGES.dual},`);
  expect(proxyRemedy('v1.20.15')).toContain(`--cluster-cidr=${POD_RANGES.dual} --feature-gates=IPv6DualStack=true`);
});

test('networks that nothing shows are asked for, by the fields to be written', () => {
  const scene = unmanagedCluster({ pods: false }, { serviceCIDR: known(null), proxy: known(null) });
  const facts = { ...scene.facts, cni: { name: 'Unmanaged', detectedBy: 'a test', own: null } };
  const blocking = (request = asked()) =>
    planScene(facts, request).plan.findings.flatMap(({ reason, remedy }) =>
      reason === 'PrimaryCIDRUnknown' ? [remedy] : [],
    );
  expect(blocking()).toEqual([
    'Add the IPv4 network to spec.clusterNetwork.pods.cidrBlocks.',
    'Add the IPv4 network to spec.clusterNetwork.services.cidrBlocks.',
  ]);
  const clusterNetwork = {
    pods: { cidrBlocks: POD_RANGES.dual.split(',') },
    services: { cidrBlocks: ['10.96.0.0/16', 'fd00:10:96::/112'] },
  };
  expect(blocking(asked({ clusterNetwork }))).toEqual([]);
});

const withTwo = (each: NodeFacts): NodeFacts => ({ ...each, podCIDRs: ['10.244.1.0/24', 'fd00:10:244::/64'] });

test('who makes a Node anew by hand on the way back is told to keep its labels, and its first pod CIDR alone', () => {
  const found = check({ dual: true, wanted: wantedSingle(), node: withTwo }).find(
    ({ reason }) => reason === 'NodesWithTwoPodCIDRs',
  );
  expect(found?.remedy).toMatch(
    /^Set spec\.nodes\.podCIDRs: Replace .*\.json; .*--cascade=orphan; .*all but the first of spec\.podCIDRs/u,
  );
});

test('a Node whose podCIDRs are in another order is made anew from what is stored', () => {
  const other = ['fd00:10:244::/64', '10.244.2.0/24'];
  const node = (each: NodeFacts): NodeFacts => (each.name === 'worker-1' ? { ...each, podCIDRs: other } : each);
  const found = check({ node }).find(({ reason }) => reason === 'InconsistentControlPlane');
  expect(found?.remedy).toMatch(/\.json; .*--cascade=orphan; .*spec\.podCIDR, spec\.podCIDRs and status/u);
});
