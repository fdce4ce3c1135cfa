import { expect, test } from '@jest/globals';
import { FINDING_REASONS } from '../../../src/api/reasons.ts';
import { kubeadm } from '../../../src/distributions/kubeadm/index.ts';
import type { MirrorPod } from '../../../src/distributions/kubeadm/facts.ts';
import type { Basics, ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { HostReport } from '../../../src/model/host.ts';
import type { Phase } from '../../../src/model/phase.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { type Deep, KCM_SINGLE, merge, nodeFacts, POD_RANGES, wantedDual, wantedSingle } from '../../support/facts.ts';
import { clusterConfigText, kubeadmCluster, kubeadmFacts, mirrorPods, proxyConfigText } from '../../support/kubeadm.ts';

type OwnChange = Parameters<typeof kubeadmCluster>[1];

interface Scene {
  readonly wanted?: Wanted;
  readonly controlPlanes?: number;
  readonly dual?: boolean;
  readonly agents?: boolean;
  readonly own?: OwnChange;
  readonly facts?: Partial<ClusterFacts>;
  /** Changes nodes, and kubeadm's facts with them. */
  readonly node?: (node: NodeFacts) => NodeFacts;
  readonly mirror?: (pod: MirrorPod) => MirrorPod | null;
}

function check(scene: Scene): readonly Finding[] {
  const base = kubeadmCluster({
    controlPlanes: scene.controlPlanes ?? 1,
    dual: scene.dual ?? false,
    agents: scene.agents ?? true,
  });
  const nodes = base.facts.nodes.map(scene.node ?? ((node) => node));
  const mirrors = nodes
    .filter((node) => node.controlPlane)
    .flatMap((node) => mirrorPods(node, scene.dual ?? false))
    .flatMap((pod) => (scene.mirror === undefined ? pod : (scene.mirror(pod) ?? [])));
  const own = kubeadmFacts(nodes, { dual: scene.dual ?? false, mirrors }, scene.own);
  return kubeadm.check(scene.wanted ?? wantedDual(), { ...base.facts, nodes, ...scene.facts }, own);
}

const report =
  (change: Deep<HostReport>, only = /.*/) =>
  (node: NodeFacts): NodeFacts =>
    only.test(node.name) ? merge<NodeFacts>(node, { agent: { report: change } }) : node;
const flags =
  (component: MirrorPod['component'], change: Readonly<Record<string, string>>, only = /.*/) =>
  (pod: MirrorPod): MirrorPod =>
    pod.component === component && only.test(pod.node) ? { ...pod, flags: { ...pod.flags, ...change } } : pod;
const text = (value: string) => known({ text: value, resourceVersion: '1', changedAt: null });

test.each<[string, Scene]>([
  ['one family', {}],
  ['three control-plane nodes', { controlPlanes: 3 }],
  ['converted', { dual: true, controlPlanes: 3 }],
  ['etcd elsewhere', { controlPlanes: 3, mirror: (pod) => (pod.component === 'etcd' ? null : pod) }],
  ['without agents', { agents: false, controlPlanes: 3 }],
  ['on the way back', { dual: true, wanted: wantedSingle() }],
  [
    'half converted: one API server of three',
    {
      controlPlanes: 3,
      agents: false,
      mirror: flags('kube-apiserver', { 'service-cluster-ip-range': '10.96.0.0/16,fd00:10:96::/112' }, /cp-1/),
    },
  ],
])('a sound cluster gives no finding: %s', (_, scene) => {
  expect(check(scene)).toEqual([]);
});

test.each<[string, Scene, string, readonly Phase[] | 'all' | 'none', RegExp]>([
  [
    'another Service network',
    { wanted: wantedDual({ services: { IPv4: '10.97.0.0/16' } }) },
    'ExistingCIDRImmutable',
    'all',
    /service-cluster-ip-range on cp-1 is 10\.96\.0\.0\/16.*10\.97/,
  ],
  [
    'another pod network',
    { wanted: wantedDual({ pods: { IPv4: '10.0.0.0/8' } }) },
    'ExistingCIDRImmutable',
    'all',
    /cluster-cidr on cp-1/,
  ],
  [
    'another second network',
    { dual: true, wanted: wantedDual({ services: { IPv6: 'fd00:1::/112' } }) },
    'ExistingCIDRImmutable',
    'all',
    /fd00:10:96/,
  ],
  [
    'IPv6 asked for first',
    { wanted: wantedDual({ families: ['IPv6', 'IPv4'] }) },
    'PrimaryFamilyMismatch',
    'all',
    /cannot change/,
  ],
  [
    'one API server has a range of its own',
    {
      controlPlanes: 3,
      agents: false,
      mirror: flags('kube-apiserver', { 'service-cluster-ip-range': '10.96.0.0/16,fd00:bad::/112' }, /cp-2/),
    },
    'InconsistentControlPlane',
    ['APIServer'],
    /kube-apiserver --service-cluster-ip-range on cp-2 is 10\.96\.0\.0\/16,fd00:bad::\/112/,
  ],
  [
    'no list of CIDRs',
    { agents: false, mirror: flags('kube-apiserver', { 'service-cluster-ip-range': '10.96.0.0/16, x' }) },
    'ComponentUnreadable',
    ['APIServer'],
    /"10\.96\.0\.0\/16, x"/,
  ],
  [
    'a mirror Pod is missing',
    { agents: false, mirror: (pod) => (pod.component === 'kube-apiserver' ? null : pod) },
    'ComponentUnreadable',
    ['APIServer'],
    /kube-apiserver-cp-1 is not there/,
  ],
  [
    'no control plane at all',
    { node: (node) => ({ ...node, controlPlane: false, agent: null }), mirror: () => null },
    'ComponentUnreadable',
    'all',
    /No kube-apiserver/,
  ],
  [
    'an API server is not ready',
    { controlPlanes: 3, mirror: (pod) => (pod.name === 'kube-apiserver-cp-2' ? { ...pod, ready: false } : pod) },
    'UnhealthyControlPlane',
    ['NodeIPs', 'APIServer', 'ControllerManager'],
    /kube-apiserver on cp-2/,
  ],
  [
    'etcd is not ready',
    { controlPlanes: 3, mirror: (pod) => (pod.name === 'etcd-cp-3' ? { ...pod, ready: false } : pod) },
    'UnhealthyControlPlane',
    ['NodeIPs', 'APIServer', 'ControllerManager'],
    /etcd on cp-3/,
  ],
  [
    'a controller manager is ill',
    { controlPlanes: 3, node: report({ staticPods: { 'kube-controller-manager': { healthy: false } } }, /cp-3/) },
    'UnhealthyControlPlane',
    ['NodeIPs', 'APIServer', 'ControllerManager'],
    /health endpoint/,
  ],
  [
    'the address told is of the other family',
    { agents: false, mirror: flags('kube-apiserver', { 'advertise-address': '2001:db8::1' }) },
    'AdvertiseAddressFamily',
    ['APIServer'],
    /2001:db8::1/,
  ],
  ['no kubeadm-config', { own: { clusterConfig: known(null) } }, 'KubeadmConfigMissing', 'all', /is not there/],
  [
    'kubeadm-config is forbidden',
    { own: { clusterConfig: unknown('forbidden') } },
    'KubeadmConfigMissing',
    'all',
    /forbidden/,
  ],
  [
    'kubeadm-config is broken',
    { own: { clusterConfig: text('a: [') } },
    'KubeadmConfigMissing',
    'all',
    /ClusterConfiguration/,
  ],
  [
    'kubeadm-config says another network',
    { own: { clusterConfig: text(clusterConfigText().replace('10.244', '10.99')) } },
    'InconsistentControlPlane',
    ['ClusterConfig'],
    /podSubnet .* 10\.99/,
  ],
  [
    'kube-proxy says another network',
    { own: { proxyConfig: text(proxyConfigText('10.99.0.0/16')) } },
    'InconsistentControlPlane',
    ['Proxy'],
    /clusterCIDR .* 10\.99/,
  ],
  [
    'kube-proxy without configuration',
    { own: { proxyConfig: known(null) } },
    'KubeProxyMissing',
    'all',
    /config\.conf/,
  ],
  ['no kube-proxy', { own: { proxy: known(null) } }, 'KubeProxyMissing', 'none', /must serve both/],
  [
    'a gate that is gone, in kube-proxy',
    { own: { proxyConfig: text(`${proxyConfigText(POD_RANGES.single)}\nfeatureGates:\n  IPv6DualStack: true\n`) } },
    'RemovedFeatureGate',
    ['Proxy'],
    /kube-proxy has it/,
  ],
  [
    'a gate that is gone, in a flag',
    { agents: false, mirror: flags('kube-controller-manager', { 'feature-gates': 'A=true,IPv6DualStack=true' }) },
    'RemovedFeatureGate',
    ['ControllerManager'],
    /on cp-1/,
  ],
  [
    'a gate that is gone, in kubeadm-config',
    {
      own: {
        clusterConfig: text(
          clusterConfigText({ args: '\n  extraArgs:\n  - name: feature-gates\n    value: IPv6DualStack=true' }),
        ),
      },
    },
    'RemovedFeatureGate',
    'none',
    /kubeadm-config/,
  ],
  [
    'a node is away',
    { node: (node) => ({ ...node, ready: node.name !== 'worker-1' }) },
    'NodesNotReady',
    'all',
    /worker-1/,
  ],
  [
    'the stop file',
    { node: report({ stopped: true }, /cp-1/) },
    'AgentStopped',
    ['NodeIPs', 'APIServer', 'ControllerManager'],
    /\/etc\/dualstack\/stop|stop file/,
  ],
  [
    'a cloud that gives one address',
    { node: report({ kubelet: { running: { args: { 'cloud-provider': 'external' } } } }, /worker/) },
    'CloudProvider',
    'none',
    /worker-1, worker-2/,
  ],
  [
    'the object holds another range',
    { facts: { serviceCIDR: known(['10.96.0.0/16', 'fd00:99::/112']) } },
    'ServiceCIDRMismatch',
    ['APIServer'],
    /fd00:99/,
  ],
  [
    'a Node has a network from elsewhere',
    { node: (node) => (node.name === 'worker-1' ? { ...node, podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'] } : node) },
    'PodCIDROutsideNetwork',
    [
      'ControllerManager',
      'ClusterConfig',
      'PodCIDRs',
      'Proxy',
      'Pools',
      'CNIConfig',
      'CNIAgents',
      'DNS',
      'Services',
      'Workloads',
      'Verify',
    ],
    /fd00:1::\/64/,
  ],
  [
    'back while a Node has two',
    {
      dual: true,
      wanted: wantedSingle(),
      node: (node) => ({ ...node, podCIDRs: ['10.244.1.0/24', 'fd00:10:244::/64'] }),
    },
    'NodesWithTwoPodCIDRs',
    ['ControllerManager', 'APIServer', 'NodeIPs', 'Verify'],
    /cp-1, worker-1, worker-2/,
  ],
  [
    'no way to pass the Lease on',
    { controlPlanes: 3, facts: { leaseTransfer: false } },
    'LeaseTransferMissing',
    'none',
    /not installed/,
  ],
])('finding: %s', (_, scene, reason, blocks, message) => {
  const found = check(scene).find((finding) => finding.reason === reason && message.test(finding.message));
  if (found === undefined) throw new Error(JSON.stringify(check(scene), null, 1));
  expect(Object.keys(FINDING_REASONS)).toContain(found.reason);
  expect(found.remedy).not.toBe('');
  if (blocks === 'all') expect(found.blocks).toEqual(expect.arrayContaining(['NodeIPs', 'APIServer', 'Verify']));
  else expect(found.blocks).toEqual(blocks === 'none' ? [] : blocks);
  if (blocks === 'all' || blocks === 'none') return;
  expect(found.blocks).not.toContain('Record');
});

const asked = (node: NodeFacts): NodeFacts =>
  node.name === 'cp-1'
    ? merge<NodeFacts>(node, {
        agent: {
          spec: { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16,fd00:10:96::/112' } } },
          report: { staticPods: { 'kube-apiserver': { running: null, healthy: false } } },
        },
      })
    : node;

test('an instance in the middle of its own edit is not an obstacle to itself', () => {
  const found = check({ controlPlanes: 3, node: asked });
  expect(found.filter((finding) => finding.reason === 'UnhealthyControlPlane')).toEqual([]);
});

const foreignPodCIDR = (one: NodeFacts): NodeFacts => ({ ...one, podCIDRs: ['192.168.0.0/24'] });

test('podCIDRs do not matter where Node IPAM does not run', () => {
  const { 'allocate-node-cidrs': _, ...args } = KCM_SINGLE;
  const mirror = (pod: MirrorPod): MirrorPod =>
    pod.component === 'kube-controller-manager' ? { ...pod, flags: args } : pod;
  expect(check({ agents: false, node: foreignPodCIDR, mirror })).toEqual([]);
});

test.each<[string, () => ReturnType<typeof kubeadm.network>, unknown]>([
  [
    'one family',
    () => kubeadm.network(kubeadmCluster().own),
    { pods: known(['10.244.0.0/16']), services: known(['10.96.0.0/16']), nodeMask: {} },
  ],
  [
    'both',
    () => kubeadm.network(kubeadmCluster({ dual: true }).own),
    {
      pods: known(['10.244.0.0/16', 'fd00:10:244::/56']),
      services: known(['10.96.0.0/16', 'fd00:10:96::/112']),
      nodeMask: { IPv4: 24, IPv6: 64 },
    },
  ],
  [
    'on the way: the longest counts',
    () => {
      const nodes = [
        nodeFacts(1, { controlPlane: true, dual: true, name: 'a' }),
        nodeFacts(2, { controlPlane: true, name: 'b' }),
      ];
      return kubeadm.network(kubeadmFacts(nodes));
    },
    {
      pods: known(['10.244.0.0/16', 'fd00:10:244::/56']),
      services: known(['10.96.0.0/16', 'fd00:10:96::/112']),
      nodeMask: { IPv4: 24, IPv6: 64 },
    },
  ],
])('network: %s', (_, network, expected) => {
  expect(network()).toEqual(expected);
});

test('network: components that disagree make it unknown, and say who', () => {
  const nodes = ['a', 'b'].map((name, index) => nodeFacts(index + 1, { controlPlane: true, name, agent: false }));
  const mirrors = nodes
    .flatMap((node) => mirrorPods(node, false))
    .map(flags('kube-apiserver', { 'service-cluster-ip-range': '10.99.0.0/16' }, /b/));
  const { services } = kubeadm.network(kubeadmFacts(nodes, { mirrors }));
  expect(services).toEqual({
    known: false,
    why: expect.stringMatching(/on b is 10\.99\.0\.0\/16, but .* on a is 10\.96/),
  });
});

test('network: the mask flag without a family is the primary one', () => {
  const node = nodeFacts(1, { controlPlane: true, agent: false });
  const mirrors = mirrorPods(node, false).map(flags('kube-controller-manager', { 'node-cidr-mask-size': '25' }));
  expect(kubeadm.network(kubeadmFacts([node], { mirrors })).nodeMask).toEqual({ IPv4: 25 });
});

test('it is recognised by its ConfigMap', () => {
  const { basics } = kubeadmCluster().facts;
  const without: Basics = { ...basics, objects: { ...basics.objects, ConfigMap: [] } };
  expect(kubeadm.detect(basics)).toBe('ConfigMap kube-system/kubeadm-config');
  expect(kubeadm.detect(without)).toBeNull();
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
