import { expect, test } from '@jest/globals';
import { orderOfK0s, orderOfNodes } from '../../../src/distributions/k0s/order.ts';
import {
  changesTo,
  clusterTarget,
  fileTarget,
  nested,
  primaryOf,
  type Target,
} from '../../../src/distributions/k0s/target.ts';
import type { K0sSettings } from '../../../src/model/k0s.ts';
import { readK0sSettings } from '../../../src/model/k0s.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import type { Family } from '../../../src/net/family.ts';
import {
  type Deep,
  merge,
  nodeFacts,
  POD_RANGES,
  PODS,
  SERVICE_RANGES,
  SERVICES,
  wantedDual,
  wantedSingle,
} from '../../support/facts.ts';
import { ARGS, DUAL_SETTINGS, k0sCluster, OLD_K0S_VERSION, SINGLE_SETTINGS } from '../../support/k0s.ts';

const IPV6_FIRST = `${PODS.IPv6},${PODS.IPv4}`;
/** The masks that k0s takes by itself. */
const wantedDefault = (change: Deep<Wanted> = {}): Wanted =>
  merge<Wanted>(wantedDual({ nodeMask: { IPv4: 24, IPv6: 117 } }), change);

test.each<[string, Family, Family]>([
  ['v1.30.4+k0s', 'IPv4', 'IPv6'],
  ['v1.35.4+k0s', 'IPv4', 'IPv6'],
  ['v1.36.0+k0s', 'IPv4', 'IPv6'],
  ['v1.36.0+k0s', 'IPv6', 'IPv6'],
  ['v1.36.1+k0s', 'IPv4', 'IPv4'],
  ['v1.36.1+k0s', 'IPv6', 'IPv6'],
  ['v1.37.0+k0s', 'IPv4', 'IPv4'],
])('k0s %s with %s as primary begins --cluster-cidr with %s', (version, primary, first) => {
  const order = orderOfK0s(version, primary);
  expect(order[0]).toBe(first);
  expect(new Set(order).size).toBe(2);
});

test.each<[string, readonly (readonly string[])[], Family | null]>([
  ['no Node has one', [[], []], 'IPv4'],
  ['one family', [['10.244.1.0/24'], ['10.244.2.0/24']], 'IPv4'],
  ['one family, the other one', [['fd00::1000/117']], 'IPv6'],
  ['both, IPv6 first, as k0s made them before 1.36.1', [['fd00::1000/117', '10.244.1.0/24']], 'IPv6'],
  ['one and both that agree', [['10.244.1.0/24'], ['10.244.2.0/24', 'fd00::1000/117']], 'IPv4'],
  ['a Node without any says nothing', [[], ['fd00::1000/117', '10.244.1.0/24']], 'IPv6'],
  ['they disagree', [['10.244.1.0/24'], ['fd00::1000/117', '10.244.2.0/24']], null],
])('the order that Nodes need: %s', (_name, podCIDRs, first) => {
  const order = orderOfNodes(
    podCIDRs.map((each, index) => nodeFacts(index + 1, {}, { podCIDRs: each })),
    'IPv4',
  );
  expect(order.known ? order.value[0] : null).toBe(first);
});

interface Case {
  readonly wanted?: Wanted;
  readonly version?: string;
  readonly podCIDRs?: readonly string[];
  readonly live?: K0sSettings;
  readonly dynamic?: boolean;
}

const look = ({ version, podCIDRs }: Case) =>
  k0sCluster({
    ...(version === undefined ? {} : { version }),
    ...(podCIDRs === undefined ? {} : { node: (node) => ({ ...node, podCIDRs }) }),
  }).facts;
const file = (scene: Case): Target =>
  fileTarget(scene.wanted ?? wantedDefault(), look(scene), scene.live ?? SINGLE_SETTINGS, scene.dynamic ?? false);
const cluster = (scene: Case): Target =>
  clusterTarget(scene.wanted ?? wantedDefault(), look(scene), scene.live ?? SINGLE_SETTINGS);

const NETWORK = {
  'spec.network.podCIDR': PODS.IPv4,
  'spec.network.dualStack.enabled': 'true',
  'spec.network.dualStack.IPv6podCIDR': PODS.IPv6,
  'spec.network.dualStack.IPv6serviceCIDR': SERVICES.IPv6,
};
const FILE = { ...NETWORK, 'spec.network.serviceCIDR': SERVICES.IPv4 };
const NO_LEGACY_MASK = { [`${ARGS}.node-cidr-mask-size`]: null };

test.each<[string, Case, Target]>([
  ['the order of k0s fits', {}, { ...FILE, ...NO_LEGACY_MASK }],
  [
    'an old k0s would begin with IPv6, and the Nodes do not',
    { version: OLD_K0S_VERSION },
    { ...FILE, ...NO_LEGACY_MASK, [`${ARGS}.cluster-cidr`]: POD_RANGES.dual },
  ],
  [
    'a new k0s would begin with IPv4, and the Nodes were made IPv6 first',
    { podCIDRs: ['fd00:10:244::/64', '10.244.1.0/24'] },
    { ...FILE, ...NO_LEGACY_MASK, [`${ARGS}.cluster-cidr`]: IPV6_FIRST },
  ],
  [
    'an argument that is there is put right although k0s would be',
    { live: { ...SINGLE_SETTINGS, [`${ARGS}.cluster-cidr`]: PODS.IPv4 } },
    { ...FILE, ...NO_LEGACY_MASK, [`${ARGS}.cluster-cidr`]: POD_RANGES.dual },
  ],
  [
    'a mask that is not the default',
    { wanted: wantedDual() },
    { ...FILE, ...NO_LEGACY_MASK, [`${ARGS}.node-cidr-mask-size-ipv6`]: '64' },
  ],
  [
    'a mask that is set already is set right, also to the default',
    { live: { ...SINGLE_SETTINGS, [`${ARGS}.node-cidr-mask-size-ipv4`]: '25' } },
    { ...FILE, ...NO_LEGACY_MASK, [`${ARGS}.node-cidr-mask-size-ipv4`]: '24' },
  ],
  [
    'arguments with the Service networks beat the settings',
    {
      live: {
        ...SINGLE_SETTINGS,
        'spec.api.extraArgs.service-cluster-ip-range': SERVICES.IPv4,
        [`${ARGS}.service-cluster-ip-range`]: SERVICES.IPv4,
      },
    },
    {
      ...FILE,
      ...NO_LEGACY_MASK,
      'spec.api.extraArgs.service-cluster-ip-range': SERVICE_RANGES.dual,
      [`${ARGS}.service-cluster-ip-range`]: SERVICE_RANGES.dual,
    },
  ],
  [
    'IPv6 stays primary: it moves below dualStack, and k0s is told which is first',
    {
      wanted: wantedDefault({ families: ['IPv6', 'IPv4'] }),
      podCIDRs: ['fd00:10:244::/64'],
      live: { 'spec.network.podCIDR': PODS.IPv6, 'spec.network.serviceCIDR': SERVICES.IPv6 },
    },
    { ...FILE, ...NO_LEGACY_MASK, 'spec.network.primaryAddressFamily': 'IPv6' },
  ],
  [
    'the address of the API tells k0s already that IPv6 is first',
    {
      wanted: wantedDefault({ families: ['IPv6', 'IPv4'] }),
      podCIDRs: ['fd00:10:244::/64'],
      live: { 'spec.api.address': '2001:db8::11', 'spec.network.podCIDR': PODS.IPv6 },
    },
    { ...FILE, ...NO_LEGACY_MASK },
  ],
  [
    'with dynamic configuration only what k0s reads from the file then',
    { dynamic: true, version: OLD_K0S_VERSION },
    FILE,
  ],
  [
    'back to one family',
    { wanted: wantedSingle(), live: DUAL_SETTINGS },
    {
      'spec.network.podCIDR': PODS.IPv4,
      'spec.network.serviceCIDR': SERVICES.IPv4,
      'spec.network.dualStack.enabled': 'false',
      [`${ARGS}.cluster-cidr`]: null,
      [`${ARGS}.node-cidr-mask-size-ipv4`]: null,
      [`${ARGS}.node-cidr-mask-size-ipv6`]: null,
    },
  ],
])('a file shall say: %s', (_name, scene, expected) => expect(file(scene)).toEqual(expected));

test.each<[string, Case, Target]>([
  ['the network and no mask without a family', {}, { ...NETWORK, ...NO_LEGACY_MASK }],
  [
    'and the order, where k0s has the wrong one',
    { version: OLD_K0S_VERSION },
    { ...NETWORK, ...NO_LEGACY_MASK, [`${ARGS}.cluster-cidr`]: POD_RANGES.dual },
  ],
])('ClusterConfig shall say: %s', (_name, scene, expected) => expect(cluster(scene)).toEqual(expected));

test('what is the default need not be written', () => {
  const target: Target = {
    'spec.network.podCIDR': '10.244.0.0/16',
    'spec.network.serviceCIDR': '10.96.0.0/12',
    'spec.network.dualStack.enabled': 'false',
  };
  expect(changesTo(target, {})).toEqual([]);
});

test('a network in another spelling is the same one', () => {
  const target: Target = { 'spec.network.dualStack.IPv6podCIDR': 'fd00:10:244::/56' };
  expect(changesTo(target, { 'spec.network.dualStack.IPv6podCIDR': 'FD00:10:244:0::/56' })).toEqual([]);
});

test('a patch is nested, with switches as switches, texts as texts, and null for what goes', () => {
  const changes = changesTo(
    {
      'spec.network.dualStack.enabled': 'true',
      [`${ARGS}.node-cidr-mask-size-ipv6`]: '64',
      [`${ARGS}.node-cidr-mask-size`]: null,
    },
    { [`${ARGS}.node-cidr-mask-size`]: '24' },
  );
  expect(nested(changes)).toEqual({
    spec: {
      network: { dualStack: { enabled: true } },
      controllerManager: { extraArgs: { 'node-cidr-mask-size-ipv6': '64', 'node-cidr-mask-size': null } },
    },
  });
});

test('settings are read from a parsed file, whatever their type, and nothing else is', () => {
  const root = {
    spec: {
      api: { address: '192.0.2.11', sans: ['a'] },
      network: { provider: 'calico', calico: { mode: 'bird' }, dualStack: { enabled: true }, podCIDR: null },
      controllerManager: { extraArgs: { 'node-cidr-mask-size': 25, v: '2' } },
    },
  };
  expect(readK0sSettings(root)).toEqual({
    'spec.api.address': '192.0.2.11',
    'spec.controllerManager.extraArgs.node-cidr-mask-size': '25',
    'spec.network.calico.mode': 'bird',
    'spec.network.dualStack.enabled': 'true',
    'spec.network.provider': 'calico',
  });
  for (const nothing of [null, undefined, 'text', [], {}]) expect(readK0sSettings(nothing)).toEqual({});
});

test.each<[K0sSettings, Family]>([
  [{}, 'IPv4'],
  [{ 'spec.api.address': '2001:db8::1' }, 'IPv6'],
  [{ 'spec.api.externalAddress': 'api.example.com', 'spec.api.address': '2001:db8::1' }, 'IPv4'],
  [{ 'spec.api.externalAddress': '2001:db8::1', 'spec.api.address': '192.0.2.1' }, 'IPv6'],
  [{ 'spec.network.primaryAddressFamily': 'IPv4', 'spec.api.address': '2001:db8::1' }, 'IPv4'],
])('primary with %j is %s', (settings, family) => expect(primaryOf(settings)).toBe(family));
