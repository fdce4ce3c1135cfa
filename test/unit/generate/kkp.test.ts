import { expect, test } from '@jest/globals';
import type { FlagValues, NewCluster } from '../../../src/generate/contract.ts';
import { kkp } from '../../../src/generate/kkp/index.ts';
import { DUAL_STACK, PROVIDERS, SYSTEMS } from '../../../src/generate/kkp/providers.ts';
import { asArray, at } from '../../../src/model/object.ts';
import { parseCidr } from '../../../src/net/cidr.ts';
import type { Family } from '../../../src/net/family.ts';
import { byKind, clusterFor, DUAL, DUAL_IPV6_FIRST, filesOf, IPV4_ONLY, IPV6_ONLY } from './support.ts';

const flags = (change: FlagValues = {}): FlagValues => ({
  'kubernetes-version': ['1.33.2'],
  provider: ['hetzner'],
  datacenter: ['hetzner-fsn1'],
  ...change,
});

/** What KKP's webhook asks of `spec.clusterNetwork` (pkg/validation/cluster.go), said once more. */
function webhookProblems(network: unknown): readonly string[] {
  const pods = asArray(at(network, 'pods', 'cidrBlocks')).map((text) => parseCidr(String(text)));
  const services = asArray(at(network, 'services', 'cidrBlocks')).map((text) => parseCidr(String(text)));
  const count = at(network, 'ipFamily') === 'IPv4+IPv6' ? 2 : 1;
  const inOrder = (blocks: typeof pods) =>
    blocks.every((block, index) => block.ok && block.value.family === (index === 0 ? 'IPv4' : 'IPv6'));
  return [
    ...(pods.length === services.length && pods.length === count ? [] : ['counts']),
    ...(inOrder(pods) && inOrder(services) ? [] : ['order']),
    ...(['IPv4', 'IPv6'] as const).flatMap((family, index) => {
      const block = pods[index];
      const mask = at(network, `nodeCidrMaskSize${family}`);
      return block?.ok && typeof mask === 'number' && block.value.prefix >= mask ? [`mask ${family}`] : [];
    }),
    ...(at(network, 'dnsDomain') === 'cluster.local' ? [] : ['dnsDomain']),
  ];
}

test.each([DUAL, IPV4_ONLY].flatMap((families) => PROVIDERS.map((provider) => [families, provider] as const)))(
  '%j on %s keeps the rules of the webhook',
  (families, provider) => {
    const values = flags({ provider: [provider] });
    const cluster = byKind(filesOf(kkp, clusterFor(kkp, families, {}, values), values))['Cluster'];
    expect(webhookProblems(at(cluster, 'spec', 'clusterNetwork'))).toEqual([]);
    expect(at(cluster, 'spec', 'cloud')).toEqual({ dc: 'hetzner-fsn1', providerName: provider, [provider]: {} });
    expect(at(cluster, 'spec', 'version')).toBe('1.33.2');
  },
);

test('the networks are those of KKP', () => {
  const cluster = byKind(filesOf(kkp, clusterFor(kkp, DUAL), flags()))['Cluster'];
  expect(at(cluster, 'spec', 'clusterNetwork')).toEqual({
    ipFamily: 'IPv4+IPv6',
    pods: { cidrBlocks: ['172.25.0.0/16', 'fd01::/48'] },
    services: { cidrBlocks: ['10.240.16.0/20', 'fd02::/108'] },
    nodeCidrMaskSizeIPv4: 24,
    nodeCidrMaskSizeIPv6: 64,
    dnsDomain: 'cluster.local',
  });
  expect(kkp.defaults(flags({ provider: ['kubevirt'] })).IPv4).toEqual({
    pods: '172.26.0.0/16',
    services: '10.241.0.0/20',
  });
});

test.each<[readonly Family[], FlagValues, string]>([
  [DUAL_IPV6_FIRST, {}, 'IPv4 first'],
  [IPV6_ONLY, {}, 'IPv4 first'],
  [DUAL, { cni: ['canal'], 'cni-version': ['v3.21'] }, 'no dual-stack with Canal 3.21.0'],
])('%j with %j is refused with its reason', (families, change, reason) => {
  expect(kkp.generate(clusterFor(kkp, families), flags(change))).toEqual({
    ok: false,
    error: { is: 'Impossible', problems: [expect.stringContaining(reason)] },
  });
});

test.each([
  [IPV4_ONLY, 'v3.21'],
  [DUAL, 'v3.22'],
])('%j with Canal %s is made', (families, version) => {
  const values = flags({ cni: ['canal'], 'cni-version': [version] });
  const cluster = byKind(filesOf(kkp, clusterFor(kkp, families), values))['Cluster'];
  expect(at(cluster, 'spec', 'cniPlugin')).toEqual({ type: 'canal', version });
});

test.each<[FlagValues, Partial<NewCluster>, string]>([
  [{ 'kubernetes-version': [] }, {}, '--kubernetes-version is missing'],
  [{ provider: [] }, {}, '--provider is missing'],
  [{ datacenter: [] }, {}, '--datacenter is missing'],
  [{ cni: ['canal'] }, {}, '--cni and --cni-version go together'],
  [{}, { nodeMask: { IPv4: 16 } }, 'nodeCIDRMaskSizeIPv4: KKP wants it longer'],
  [{}, { name: 'x'.repeat(37) }, 'at most 36 characters'],
])('%j and %j: %s', (change, cluster, message) => {
  expect(kkp.generate(clusterFor(kkp, DUAL, cluster), flags(change))).toEqual({
    ok: false,
    error: { is: 'Asked', problems: [expect.stringContaining(message)] },
  });
});

test.each([
  ['aws', 'centos7', 'does not work with centos7 on aws'],
  ['digitalocean', 'rockylinux', 'comes after the kubelet has started'],
  ['vsphere', 'flatcar', 'has not tested flatcar on vsphere'],
  ['openstack', 'ubuntu', 'ipv6Enabled: true'],
  ['kubevirt', 'ubuntu', 'does not list kubevirt'],
])('%s with %s: %s', (provider, system, note) => {
  const values = flags({ provider: [provider], 'operating-system': [system] });
  expect(filesOf(kkp, clusterFor(kkp, DUAL, {}, values), values).notes.join('\n')).toContain(note);
});

test.each([
  ['aws', '1.23.9', 'Below Kubernetes 1.24', true],
  ['aws', '1.33.2', 'Below Kubernetes 1.24', false],
  ['openstack', '1.24.9', 'Below Kubernetes 1.25', true],
  ['openstack', '1.25.0', 'Below Kubernetes 1.25', false],
])('%s with %s: %s is told: %s', (provider, version, note, told) => {
  const values = flags({ provider: [provider], 'kubernetes-version': [version] });
  expect(
    filesOf(kkp, clusterFor(kkp, DUAL, {}, values), values)
      .notes.join('\n')
      .includes(note),
  ).toBe(told);
});

test('every provider of the table says something of every system', () => {
  for (const known of Object.values(DUAL_STACK)) {
    if (known !== null) expect(Object.keys(known.systems).sort()).toEqual(SYSTEMS.toSorted());
  }
});
