import { expect, test } from '@jest/globals';
import { cilium } from '../../../src/cni/cilium/index.ts';
import { imageVersion } from '../../../src/model/image.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { basics, PODS, wantedDual, wantedSingle } from '../../support/facts.ts';
import {
  CILIUM_CONFIG,
  CILIUM_DUAL,
  ciliumCluster,
  ciliumFacts,
  type CiliumParts,
} from '../../support/cilium-facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';

const reasons = (parts: CiliumParts = {}, wanted = wantedDual()) => {
  const cluster = ciliumCluster();
  return cilium
    .check(wanted, cluster, ciliumFacts(cluster, parts))
    .map(({ reason, blocks }) => [reason, blocks.length > 0]);
};

const data = (change: Readonly<Record<string, string>>): CiliumParts => ({
  config: { data: { ...CILIUM_CONFIG, ...change } },
});
const image = (text: string): CiliumParts => ({ agent: { image: text } });
const multiPool = (ipv6: readonly string[]): CiliumParts => ({
  ...data({ ipam: 'multi-pool' }),
  pool: known({ ipv6 }),
});

test.each<[string, CiliumParts, readonly unknown[]]>([
  ['nothing for a stock installation', {}, []],
  ['nothing once it is converted', { config: { data: CILIUM_DUAL } }, []],
  ['a cloud hands the addresses out', data({ ipam: 'eni' }), [['CNIConfigUnsupported', true]]],
  ['no mode', { config: { data: {} } }, [['CNIConfigUnsupported', true]]],
  ['behind another plug-in', data({ 'cni-chaining-mode': 'aws-cni' }), [['CNIConfigUnsupported', true]]],
  ['portmap is chained behind it, not before', data({ 'cni-chaining-mode': 'portmap' }), []],
  ['another IPv6 pool', data({ 'cluster-pool-ipv6-cidr': 'fd09::/56' }), [['PoolConflict', true]]],
  ['one pool more', data({ 'cluster-pool-ipv6-cidr': `fd09::/56 ${PODS.IPv6}` }), []],
  ['the same pool in another spelling', data({ 'cluster-pool-ipv6-cidr': 'fd00:0010:0244::/56' }), []],
  ['private addresses without NAT', data({ 'enable-ipv6-masquerade': 'false' }), [['EgressNAT', false]]],
  ['no operator, and pools', { operator: null }, [['CNIConfigUnsupported', true]]],
  ['no operator, and none needed', { ...data({ ipam: 'kubernetes' }), operator: null }, []],
  ['1.7 is too old', image('docker.io/cilium/cilium:v1.7.16'), [['UnsupportedVersion', true]]],
  [
    'multi-pool came later',
    { ...multiPool([PODS.IPv6]), ...image('x/cilium:v1.13.9') },
    [['UnsupportedVersion', true]],
  ],
  ['no version', image('registry.example:5000/cilium'), [['UnknownVersion', false]]],
  ['pools of one family', multiPool([]), [['Unmanaged', true]]],
  ['pools of both families', multiPool([PODS.IPv6]), []],
  ['pools that cannot be read', { ...multiPool([]), pool: unknown('forbidden') }, [['ComponentUnreadable', true]]],
])('%s', (_name, parts, expected) => expect(reasons(parts)).toEqual(expected));

test('the command for a pool is whole', () => {
  const cluster = ciliumCluster();
  const [finding] = cilium.check(wantedDual(), cluster, ciliumFacts(cluster, multiPool([])));
  expect(JSON.parse(/-p '(.*?)'/u.exec(finding!.remedy)![1]!)).toEqual({
    spec: { ipv6: { cidrs: [PODS.IPv6], maskSize: 64 } },
  });
});

test('adding IPv4, or leaving IPv6 alone, is refused, and nothing is planned', () => {
  const cluster = ciliumCluster();
  const others = [
    wantedDual({ families: ['IPv6', 'IPv4'] }),
    wantedSingle({ families: ['IPv6'], pods: { IPv6: PODS.IPv6 } }),
  ];
  for (const wanted of others) {
    expect(reasons({ config: { data: CILIUM_DUAL } }, wanted)).toEqual([['OptionNotCarriedOut', true]]);
    expect(cilium.steps(wanted, cluster, ciliumFacts(cluster))).toEqual([]);
  }
});

test('what is missing or unreadable keeps the phases closed, and nothing is planned', () => {
  const cluster = ciliumCluster();
  const own = { ...ciliumFacts(cluster), config: known(null), nodes: unknown('forbidden') };
  expect(cilium.check(wantedDual(), cluster, own).map(({ reason }) => reason)).toEqual([
    'CNIConfigUnsupported',
    'ComponentUnreadable',
  ]);
  expect(cilium.steps(wantedDual(), cluster, own)).toEqual([]);
  expect(cilium.records(cluster, own).map(({ key }) => key)).toEqual([
    'DaemonSet/kube-system/cilium',
    'Deployment/kube-system/cilium-operator',
  ]);
});

test('one family is asked for: it has nothing to say or to do', () => {
  const wanted = wantedDual({ families: ['IPv4'] });
  expect(reasons(data({ ipam: 'eni' }), wanted)).toEqual([]);
  expect(cilium.steps(wanted, ciliumCluster(), ciliumFacts(ciliumCluster()))).toEqual([]);
});

test.each<[string, string | null]>([
  ['quay.io/cilium/cilium:v1.18.4@sha256:49d87af187eeeb9e9e3ec2bc6bd372261a0b5cb2d845659463ba7cc10bf2b39b', '1.18.4'],
  ['registry.example:5000/cilium:v1.16', '1.16.0'],
  ['registry.example:5000/cilium', null],
  ['cilium:latest', null],
])('version of %s', (text, expected) => expect(imageVersion(text)).toBe(expected));

const objects: readonly KubeObject[] = [
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'cilium-config',
      namespace: 'kube-system',
      resourceVersion: '7',
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: { 'meta.helm.sh/release-name': 'net', 'meta.helm.sh/release-namespace': 'kube-system' },
      managedFields: [{ manager: 'helm', time: '2026-11-01T10:00:00Z' }],
    },
    data: CILIUM_CONFIG,
  },
  {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'cilium', namespace: 'kube-system', uid: 'ds', generation: 1 },
    spec: {
      selector: { matchLabels: { 'k8s-app': 'cilium' } },
      template: {
        spec: {
          containers: [
            { name: 'cilium-monitor', image: 'x:v0' },
            { name: 'cilium-agent', image: 'quay.io/cilium/cilium:v1.18.4' },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNode',
    metadata: { name: 'worker-1', resourceVersion: '9' },
    spec: {
      addresses: [
        { type: 'InternalIP', ip: '2001:db8::12' },
        { type: 'CiliumInternalIP', ip: '10.244.2.7' },
      ],
      ipam: { podCIDRs: ['10.244.2.0/24'] },
    },
    status: { ipam: { 'operator-status': { error: 'allocator full' } } },
  },
];

test('it is recognised by its DaemonSet, and read', async () => {
  const seen = basics({ nodes: [] });
  const facts = { ...seen, objects: { ...seen.objects, DaemonSet: ['kube-system/cilium', 'kube-system/calico-node'] } };
  expect(cilium.detect(facts)).toBe('DaemonSet kube-system/cilium');
  expect(cilium.detect(seen)).toBeNull();

  expect(await cilium.observe(fakeReader(objects), facts)).toMatchObject({
    config: {
      value: {
        data: CILIUM_CONFIG,
        resourceVersion: '7',
        changedAt: '2026-11-01T10:00:00Z',
        owner: { watches: false },
        release: { name: 'net', namespace: 'kube-system' },
      },
    },
    agent: { value: { image: 'quay.io/cilium/cilium:v1.18.4' } },
    operator: { known: true, value: null },
    nodes: {
      value: {
        'worker-1': {
          resourceVersion: '9',
          podCIDRs: ['10.244.2.0/24'],
          // The Node's own address says nothing of what the agent runs with.
          internalIPs: ['10.244.2.7'],
          operatorError: 'allocator full',
        },
      },
    },
    pool: { known: true, value: null },
  });
});

const pool = (cidrs: readonly unknown[]): KubeObject => ({
  apiVersion: 'cilium.io/v2alpha1',
  kind: 'CiliumPodIPPool',
  metadata: { name: 'default' },
  spec: { ipv4: { cidrs: [PODS.IPv4], maskSize: 24 }, ipv6: { cidrs, maskSize: 64 } },
});

test('its pool is read where pods take their addresses from it', async () => {
  const [configMap, ...others] = objects;
  const pooled = { ...configMap!, data: { ...CILIUM_CONFIG, ipam: 'multi-pool' } };
  for (const cidr of [PODS.IPv6, { cidr: PODS.IPv6 }]) {
    const own = await cilium.observe(fakeReader([pooled, ...others, pool([cidr])]), basics({ nodes: [] }));
    expect(own.pool).toEqual(known({ ipv6: [PODS.IPv6] }));
  }
});
