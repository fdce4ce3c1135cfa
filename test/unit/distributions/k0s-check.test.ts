import { expect, test } from '@jest/globals';
import type { K0sFacts } from '../../../src/distributions/k0s/facts.ts';
import { k0s } from '../../../src/distributions/k0s/index.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { before, PODS, SERVICES, wantedDual, wantedSingle } from '../../support/facts.ts';
import { DUAL_SETTINGS, k0sCluster, type K0sOptions, OLD_K0S_VERSION, SINGLE_SETTINGS } from '../../support/k0s.ts';

interface Case extends K0sOptions {
  readonly wanted?: Wanted;
  readonly own?: Partial<K0sFacts>;
  readonly facts?: Partial<ClusterFacts>;
}

function check({ wanted, own, facts, ...options }: Case): readonly Finding[] {
  const scene = k0sCluster(options, own);
  return k0s.check(wanted ?? wantedDual(), { ...scene.facts, ...facts }, scene.own);
}

const cluster = (settings: Readonly<Record<string, string>>): Partial<K0sFacts> => ({
  clusterConfig: known({
    settings: { ...SINGLE_SETTINGS, ...settings },
    hasNetwork: true,
    resourceVersion: '9',
    changedAt: before(9_000),
  }),
});
const nobodyLeads: Partial<K0sFacts> = {
  lease: known({ holder: 'c1_1', acquiredAt: before(9_000), renewedAt: before(300) }),
};

test.each<[string, Case]>([
  ['one family', {}],
  ['three controllers', { controllers: 3 }],
  ['controllers without a Node', { controllers: 0, hidden: 3 }],
  ['dynamic configuration', { dynamic: true }],
  ['converted', { dual: true }],
  ['converted, with dynamic configuration', { dual: true, dynamic: true }],
  [
    'Calico in mode bird',
    { report: { settings: { 'spec.network.provider': 'calico', 'spec.network.calico.mode': 'bird' } } },
  ],
  ['on the way back', { dual: true, wanted: wantedSingle() }],
])('nothing to say: %s', (_name, scene) => expect(check(scene)).toEqual([]));

test.each<[string, Case, string, RegExp, 'blocks' | 'warns']>([
  ['no controller', { controllers: 0 }, 'ComponentUnreadable', /No k0s controller was found/u, 'blocks'],
  [
    'controllers cannot be told',
    { own: { controllers: unknown('forbidden') } },
    'ComponentUnreadable',
    /forbidden/u,
    'blocks',
  ],
  [
    'the object cannot be read',
    { own: { clusterConfig: unknown('forbidden') } },
    'ComponentUnreadable',
    /dynamic is not known: forbidden/u,
    'blocks',
  ],
  [
    'Calico in vxlan, in the file',
    { report: { settings: { 'spec.network.provider': 'calico', 'spec.network.calico.mode': 'vxlan' } } },
    'EncapsulationUnsupported',
    /k0s\.yaml on c1 has spec\.network\.calico\.mode: vxlan/u,
    'blocks',
  ],
  [
    'Calico without a mode is vxlan, in the object',
    { dynamic: true, own: cluster({ 'spec.network.provider': 'calico' }) },
    'EncapsulationUnsupported',
    /ClusterConfig kube-system\/k0s has spec\.network\.calico\.mode: vxlan/u,
    'blocks',
  ],
  [
    'a network plug-in of your own',
    { report: { settings: { 'spec.network.provider': 'custom' } } },
    'Unmanaged',
    /provider: custom/u,
    'warns',
  ],
  [
    'a Service network that k0s refuses',
    { wanted: wantedDual({ services: { IPv6: 'fd00:10:96::/104' } }) },
    'PrefixNotAllowed',
    /wider than \/108/u,
    'blocks',
  ],
  [
    'files that disagree',
    {
      controllers: 2,
      node: (node) =>
        node.name === 'c2' && node.agent?.report?.k0s !== undefined
          ? {
              ...node,
              agent: {
                ...node.agent,
                report: {
                  ...node.agent.report,
                  k0s: {
                    ...node.agent.report.k0s,
                    settings: { ...SINGLE_SETTINGS, 'spec.network.podCIDR': '10.0.0.0/16' },
                  },
                },
              },
            }
          : node,
    },
    'InconsistentControlPlane',
    /spec\.network\.podCIDR is 10\.244\.0\.0\/16 in .+ c1, but 10\.0\.0\.0\/16 in .+ c2/u,
    'blocks',
  ],
  [
    'arguments in a file that nobody reads',
    { dynamic: true, report: { settings: { 'spec.controllerManager.extraArgs.cluster-cidr': PODS.IPv4 } } },
    'InconsistentControlPlane',
    /extraArgs\.cluster-cidr in .+ on c1 has no effect/u,
    'warns',
  ],
  [
    'Nodes whose podCIDRs begin differently',
    { node: (node) => (node.name === 'w1' ? { ...node, podCIDRs: ['fd00:10:244::/64', '10.244.2.0/24'] } : node) },
    'InconsistentControlPlane',
    /starts with neither order/u,
    'blocks',
  ],
  [
    'a podCIDR outside the network',
    { node: (node) => (node.name === 'w1' ? { ...node, podCIDRs: ['10.9.2.0/24'] } : node) },
    'PodCIDROutsideNetwork',
    /Node w1 holds pod CIDR 10\.9\.2\.0\/24/u,
    'blocks',
  ],
  [
    'two podCIDRs on the way back',
    {
      dual: true,
      wanted: wantedSingle(),
      node: (node) => ({ ...node, podCIDRs: [...node.podCIDRs, 'fd00:10:244::/64'] }),
    },
    'NodesWithTwoPodCIDRs',
    /c1, w1, w2/u,
    'blocks',
  ],
  [
    'half converted: the object alone',
    { dynamic: true, own: cluster(DUAL_SETTINGS) },
    'InconsistentControlPlane',
    /dual-stack on, but kube-apiserver --service-cluster-ip-range on c1 is still 10\.96\.0\.0\/16/u,
    'warns',
  ],
  [
    'half converted, seen through the API alone',
    {
      controllers: 0,
      hidden: 1,
      dynamic: true,
      own: { ...cluster(DUAL_SETTINGS), serviceCIDR: known([SERVICES.IPv4]) },
    },
    'InconsistentControlPlane',
    /but ServiceCIDR kubernetes is still 10\.96\.0\.0\/16/u,
    'warns',
  ],
  ['no controller manager leads', { own: nobodyLeads }, 'UnhealthyControlPlane', /renewed last at .+Z\.$/u, 'blocks'],
  [
    'no controller manager leads, and the order is why',
    { version: OLD_K0S_VERSION, controllers: 0, hidden: 1, own: nobodyLeads },
    'UnhealthyControlPlane',
    new RegExp(
      `v1\\.35\\.4\\+k0s runs it with --cluster-cidr=${PODS.IPv6},${PODS.IPv4} .+ need ${PODS.IPv4},${PODS.IPv6}`,
      'u',
    ),
    'blocks',
  ],
])('%s', (_name, scene, reason, message, severity) => {
  const found = check(scene).filter((finding) => finding.reason === reason && message.test(finding.message));
  expect(found).toHaveLength(1);
  expect(found[0]?.blocks.length === 0 ? 'warns' : 'blocks').toBe(severity);
});

test('a dead controller manager does not stand in the way of what mends it', () => {
  const phases = check({ version: OLD_K0S_VERSION, own: nobodyLeads }).flatMap(({ blocks }) => blocks);
  expect(phases).toContain('Pools');
  for (const phase of ['APIServer', 'ControllerManager', 'ClusterConfig']) expect(phases).not.toContain(phase);
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
  const node = (each: NodeFacts): NodeFacts => (each.name === 'w1' ? { ...each, podCIDRs: other } : each);
  const found = check({ node }).find(({ reason }) => reason === 'InconsistentControlPlane');
  expect(found?.remedy).toMatch(/\.json; .*--cascade=orphan; .*spec\.podCIDR, spec\.podCIDRs and status/u);
});
