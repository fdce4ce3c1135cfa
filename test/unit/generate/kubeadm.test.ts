import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { FlagValues } from '../../../src/generate/contract.ts';
import { kubeadm } from '../../../src/generate/kubeadm/index.ts';
import { at } from '../../../src/model/object.ts';
import { addressOf, parseAddress } from '../../../src/net/address.ts';
import { contains, parseCidr } from '../../../src/net/cidr.ts';
import type { Family } from '../../../src/net/family.ts';
import { byKind, CASES, clusterFor, documentsOf, DUAL, fileNamed, filesOf, IPV6_ONLY, nodeFlag } from './support.ts';

const three = (families: readonly Family[], version = '1.33.2'): FlagValues => ({
  'kubernetes-version': [version],
  'control-plane': [nodeFlag('cp-1', 11, families), nodeFlag('cp-2', 12, families)],
  worker: [nodeFlag('worker-1', 21, families)],
  'control-plane-endpoint': ['api.example.org:6443'],
});

const one = (families: readonly Family[], version = '1.33.2'): FlagValues => ({
  'kubernetes-version': [version],
  'control-plane': [nodeFlag('cp-1', 11, families)],
});

/** Flags of a component in either form. */
const argsOf = (value: unknown): Record<string, string> =>
  Array.isArray(value)
    ? Object.fromEntries(value.map((arg): [string, string] => [String(at(arg, 'name')), String(at(arg, 'value'))]))
    : { ...(value as Record<string, string>) };

test.each(CASES)('%s: addresses, networks and endpoints follow the order of the families', (_, families) => {
  const generated = filesOf(kubeadm, clusterFor(kubeadm, families), three(families));
  expect(generated.files.map(({ name }) => name)).toEqual(['init-cp-1.yaml', 'join-cp-2.yaml', 'join-worker-1.yaml']);
  const { InitConfiguration, ClusterConfiguration, KubeProxyConfiguration, KubeletConfiguration } = byKind(generated);
  const own = { IPv4: '192.0.2.11', IPv6: '2001:db8::11' };
  const pods = families.map((family) => kubeadm.defaults({})[family].pods).join(',');
  expect(at(InitConfiguration, 'localAPIEndpoint')).toEqual({ advertiseAddress: own[families[0]!], bindPort: 6443 });
  expect(argsOf(at(InitConfiguration, 'nodeRegistration', 'kubeletExtraArgs'))).toEqual({
    'node-ip': families.map((family) => own[family]).join(','),
  });
  expect(at(ClusterConfiguration, 'networking')).toEqual({
    podSubnet: pods,
    serviceSubnet: families.map((family) => kubeadm.defaults({})[family].services).join(','),
    dnsDomain: 'cluster.local',
  });
  expect(at(ClusterConfiguration, 'controlPlaneEndpoint')).toBe('api.example.org:6443');
  expect(at(ClusterConfiguration, 'apiServer', 'certSANs')).toEqual(
    expect.arrayContaining(['api.example.org', ...families.map((family) => own[family])]),
  );
  expect(at(ClusterConfiguration, 'controllerManager')).toBeUndefined();
  expect(KubeProxyConfiguration).toMatchObject({
    clusterCIDR: pods,
    bindAddress: families[0] === 'IPv6' ? '::' : '0.0.0.0',
  });
  expect(at(KubeletConfiguration, 'clusterDNS')).toEqual([families[0] === 'IPv6' ? 'fd00:10:96::a' : '10.96.0.10']);
});

test.each([
  ['1.20.15', 'v1beta2'],
  ['1.21.0', 'v1beta2'],
  ['1.22.0', 'v1beta3'],
  ['1.30.9', 'v1beta3'],
  ['1.31.0', 'v1beta4'],
  ['v1.36.3', 'v1beta4'],
])('%s takes %s, in its own form', (version, api) => {
  const cluster = clusterFor(kubeadm, DUAL, { nodeMask: { IPv6: 60, IPv4: 25 } });
  const { InitConfiguration, ClusterConfiguration, JoinConfiguration } = byKind(
    filesOf(kubeadm, cluster, three(DUAL, version)),
  );
  const args = [
    at(InitConfiguration, 'nodeRegistration', 'kubeletExtraArgs'),
    at(JoinConfiguration, 'nodeRegistration', 'kubeletExtraArgs'),
    at(ClusterConfiguration, 'controllerManager', 'extraArgs'),
  ];
  for (const document of [InitConfiguration, ClusterConfiguration, JoinConfiguration])
    expect(at(document, 'apiVersion')).toBe(`kubeadm.k8s.io/${api}`);
  expect(args.map((each) => Array.isArray(each))).toEqual(args.map(() => api === 'v1beta4'));
  expect(argsOf(args[2])).toEqual({ 'node-cidr-mask-size-ipv4': '25', 'node-cidr-mask-size-ipv6': '60' });
  expect(at(ClusterConfiguration, 'kubernetesVersion')).toBe(`v${version.replace('v', '')}`);
});

test.each([
  ['1.20.15', DUAL, true],
  ['1.20.15', IPV6_ONLY, undefined],
  ['1.21.0', DUAL, undefined],
  ['1.36.3', DUAL, undefined],
] as const)('%s with %j: gate %s', (version, families, gate) => {
  const { ClusterConfiguration, KubeletConfiguration, KubeProxyConfiguration } = byKind(
    filesOf(kubeadm, clusterFor(kubeadm, families), one(families, version)),
  );
  for (const document of [ClusterConfiguration, KubeletConfiguration, KubeProxyConfiguration])
    expect(at(document, 'featureGates', 'IPv6DualStack')).toBe(gate);
});

test('a node that joins finds the API at the first node where there is no other endpoint', () => {
  const values = { ...one(IPV6_ONLY), worker: [nodeFlag('worker-1', 21, IPV6_ONLY)], 'bind-port': ['7443'] };
  const generated = filesOf(kubeadm, clusterFor(kubeadm, IPV6_ONLY), values);
  const { JoinConfiguration, InitConfiguration, ClusterConfiguration } = byKind(generated);
  expect(at(JoinConfiguration, 'discovery', 'bootstrapToken', 'apiServerEndpoint')).toBe('[2001:db8::11]:7443');
  expect(at(JoinConfiguration, 'controlPlane')).toBeUndefined();
  expect(at(InitConfiguration, 'localAPIEndpoint', 'bindPort')).toBe(7443);
  expect(at(ClusterConfiguration, 'controlPlaneEndpoint')).toBeUndefined();
});

test('a further control-plane node advertises its own address at the port of all', () => {
  const generated = filesOf(kubeadm, clusterFor(kubeadm, DUAL), { ...three(DUAL), 'bind-port': ['7443'] });
  const [join] = documentsOf(fileNamed(generated, 'join-cp-2.yaml'));
  expect(at(join, 'controlPlane', 'localAPIEndpoint')).toEqual({ advertiseAddress: '192.0.2.12', bindPort: 7443 });
  expect(at(join, 'discovery', 'bootstrapToken', 'apiServerEndpoint')).toBe('api.example.org:6443');
});

test.each([
  ['[2001:DB8::10]:443', '[2001:db8::10]:443'],
  ['[2001:db8::10]', '[2001:db8::10]:6443'],
  ['192.0.2.10', '192.0.2.10:6443'],
  ['api.example.org', 'api.example.org:6443'],
])('endpoint %s is written as %s', (given, written) => {
  const values = { ...three(DUAL), 'control-plane-endpoint': [given] };
  const { ClusterConfiguration } = byKind(filesOf(kubeadm, clusterFor(kubeadm, DUAL), values));
  expect(at(ClusterConfiguration, 'controlPlaneEndpoint')).toBe(written);
});

test('without a token there is a placeholder in joins alone, and a note; no known token ever gets into a new cluster', () => {
  const generated = filesOf(kubeadm, clusterFor(kubeadm, DUAL), three(DUAL));
  const { InitConfiguration, JoinConfiguration } = byKind(generated);
  expect(at(InitConfiguration, 'bootstrapTokens')).toBeUndefined();
  expect(at(JoinConfiguration, 'discovery', 'bootstrapToken', 'caCertHashes')).toEqual([`sha256:${'0'.repeat(64)}`]);
  expect(generated.notes.join('\n')).toContain('placeholder');
  expect(generated.files.filter(({ secret }) => secret === true)).toEqual([]);
});

test('token, hash and key are written where they belong, and mark the files as secret', () => {
  const trust = {
    token: ['a1b2c3.d4e5f6a7b8c9d0e1'],
    'discovery-token-ca-cert-hash': [`sha256:${'ab'.repeat(32)}`],
    'certificate-key': ['cd'.repeat(32)],
  };
  const generated = filesOf(kubeadm, clusterFor(kubeadm, DUAL), { ...three(DUAL), ...trust });
  const { InitConfiguration } = byKind(generated);
  const [join] = documentsOf(fileNamed(generated, 'join-cp-2.yaml'));
  expect(at(InitConfiguration, 'bootstrapTokens', 0, 'token')).toBe(trust.token[0]);
  expect(at(InitConfiguration, 'certificateKey')).toBe(trust['certificate-key'][0]);
  expect(at(join, 'controlPlane', 'certificateKey')).toBe(trust['certificate-key'][0]);
  expect(at(join, 'discovery', 'bootstrapToken')).toMatchObject({
    token: trust.token[0],
    caCertHashes: trust['discovery-token-ca-cert-hash'],
  });
  expect(generated.files.map(({ secret }) => secret)).toEqual([true, true, true]);
  expect(generated.notes.join('\n')).not.toContain('placeholder');
});

test.each<[string, FlagValues, string]>([
  ['no version', { 'kubernetes-version': [] }, '--kubernetes-version is missing'],
  ['no release', { 'kubernetes-version': ['newest'] }, '"newest" is no release'],
  ['a release without dual-stack', { 'kubernetes-version': ['1.19.7'] }, 'choose 1.20.0 or newer'],
  ['no control plane', { 'control-plane': [] }, '--control-plane is missing'],
  ['two without an endpoint', { 'control-plane-endpoint': [] }, '--control-plane-endpoint is missing'],
  ['an endpoint that is none', { 'control-plane-endpoint': ['https://x'] }, 'is no endpoint'],
  ['an endpoint of a mistyped address', { 'control-plane-endpoint': ['192.0.2.300:6443'] }, 'neither an IP address'],
  ['a port out of range', { 'bind-port': ['70000'] }, '"70000" is no port'],
  ['a node without a name', { worker: ['=192.0.2.21,2001:db8::21'] }, 'has no valid node name'],
  ['a node in capitals', { worker: ['Worker=192.0.2.21,2001:db8::21'] }, 'has no valid node name'],
  ['a node without addresses', { worker: ['worker-1'] }, 'an IPv4 and an IPv6 address is missing'],
  ['a node without IPv6', { worker: ['worker-1=192.0.2.21'] }, 'an IPv6 address is missing'],
  ['two addresses of a family', { worker: ['w=192.0.2.21,192.0.2.22,2001:db8::21'] }, 'two addresses are IPv4'],
  ['a link-local address', { worker: ['w=192.0.2.21,fe80::1'] }, 'other hosts cannot reach fe80::1'],
  ['no address', { worker: ['w=192.0.2.21,2001:db8::g'] }, '"2001:db8::g" is not an IP address'],
  ['a name twice', { worker: ['cp-1=192.0.2.21,2001:db8::21'] }, 'two nodes are named cp-1'],
  ['an address twice', { worker: ['w=192.0.2.11,2001:db8::21'] }, 'cp-1 and w have the same address 192.0.2.11'],
  ['a node among pods', { worker: ['w=10.244.0.9,2001:db8::21'] }, '10.244.0.9 of w lies in 10.244.0.0/16'],
  ['a token that is none', { token: ['secret'] }, '--token: the value must be'],
])('%s is told', (_, change, message) => {
  const result = kubeadm.generate(clusterFor(kubeadm, DUAL), { ...three(DUAL), ...change });
  expect(result).toEqual({ ok: false, error: { is: 'Asked', problems: [expect.stringContaining(message)] } });
});

test('no message repeats a secret', () => {
  const values = { ...three(DUAL), token: ['hunter2'], 'certificate-key': ['hunter2'] };
  expect(JSON.stringify(kubeadm.generate(clusterFor(kubeadm, DUAL), values))).not.toContain('hunter2');
});

test('an address of a family that the cluster shall not have is told', () => {
  const result = kubeadm.generate(clusterFor(kubeadm, IPV6_ONLY), one(DUAL));
  expect(JSON.stringify(result)).toContain('192.0.2.11 is IPv4, which the cluster shall not have');
});

test.each([
  ['IPv4', '10.0.0.0/8', 26, 'from 8 to 24'],
  ['IPv6', 'fd00:10:244::/40', undefined, 'from 40 to 56'],
  ['IPv6', 'fd00:10:244::/72', undefined, 'from 72 to 88'],
] as const)('%s pods %s with node mask %s do not go', (family, pods, mask, remedy) => {
  const defaults = clusterFor(kubeadm, DUAL);
  const cluster = {
    ...defaults,
    pods: { ...defaults.pods, [family]: pods },
    nodeMask: mask === undefined ? {} : { [family]: mask },
  };
  const result = kubeadm.generate(cluster, {
    'kubernetes-version': ['1.33.2'],
    'control-plane': ['cp-1=192.0.2.11,2001:db8::11'],
  });
  expect(result).toMatchObject({ ok: false, error: { problems: [expect.stringContaining(remedy)] } });
});

test.each([
  ['10.96.0.0/29', 'choose /28'],
  ['10.96.0.0/28', null],
])('Services in %s: %s', (services, message) => {
  const defaults = clusterFor(kubeadm, DUAL);
  const result = kubeadm.generate({ ...defaults, services: { ...defaults.services, IPv4: services } }, one(DUAL));
  expect(result.ok).toBe(message === null);
  if (message !== null) expect(JSON.stringify(result)).toContain(message);
});

const masked = (text: string): string => {
  const cidr = parseCidr(text);
  if (!cidr.ok) throw new Error(cidr.error.message);
  return cidr.value.text;
};

/** Networks and hosts that the rules let pass: pods in one half of a private network, Services and hosts in others. */
const worlds = fc
  .record({
    families: fc.constantFrom(...CASES.map(([, families]) => families)),
    site: fc.integer({ min: 0, max: 0xffff }),
    podPrefix: fc.record({ IPv4: fc.integer({ min: 8, max: 24 }), IPv6: fc.integer({ min: 48, max: 64 }) }),
    servicePrefix: fc.record({ IPv4: fc.integer({ min: 12, max: 28 }), IPv6: fc.integer({ min: 108, max: 124 }) }),
    hosts: fc.uniqueArray(fc.integer({ min: 1, max: 0xfffe }), { minLength: 1, maxLength: 6 }),
    version: fc.integer({ min: 20, max: 40 }).map((minor) => `1.${minor}.0`),
  })
  .map(({ families, site, podPrefix, servicePrefix, hosts, version }) => {
    const pods = {
      IPv4: masked(`10.0.0.0/${podPrefix.IPv4}`),
      IPv6: masked(`fd00:${site.toString(16)}::/${podPrefix.IPv6}`),
    };
    const services = {
      IPv4: masked(`172.16.0.0/${servicePrefix.IPv4}`),
      IPv6: masked(`fd01:${site.toString(16)}::/${servicePrefix.IPv6}`),
    };
    const of = (values: Record<Family, string>) =>
      Object.fromEntries(families.map((family) => [family, values[family]]));
    const nodes = hosts.map((host, index) => ({
      name: `n-${index}`,
      addresses: families
        .map((family) => addressOf(family, (family === 'IPv4' ? 0xc0a80000n : 0x20010db8n << 96n) + BigInt(host)).text)
        .toReversed(),
    }));
    return { families, pods: of(pods), services: of(services), nodes, version };
  });

test('whatever the networks and nodes: each file says one address of each family, primary first, and none in a cluster network', () => {
  fc.assert(
    fc.property(worlds, ({ families, pods, services, nodes, version }) => {
      const [head, ...workers] = nodes.map(({ name, addresses }) => `${name}=${addresses.join(',')}`);
      const cluster = clusterFor(kubeadm, families, { pods, services });
      const generated = filesOf(kubeadm, cluster, {
        'kubernetes-version': [version],
        'control-plane': [head!],
        worker: workers,
      });
      expect(generated.files).toHaveLength(nodes.length);
      for (const file of generated.files) {
        const [document] = documentsOf(file.text);
        const args = argsOf(at(document, 'nodeRegistration', 'kubeletExtraArgs'));
        const told = (args['node-ip'] ?? '').split(',').map(parseAddress);
        expect(told.map((address) => address.ok && address.value.family)).toEqual(families);
        for (const network of [...Object.values(pods), ...Object.values(services)]) {
          const cidr = parseCidr(network);
          for (const address of told) expect(cidr.ok && address.ok && contains(cidr.value, address.value)).toBe(false);
        }
      }
      const { ClusterConfiguration, InitConfiguration, KubeletConfiguration } = byKind({
        ...generated,
        files: generated.files.slice(0, 1),
      });
      const primary = parseAddress(String(at(InitConfiguration, 'localAPIEndpoint', 'advertiseAddress')));
      const [first] = String(at(ClusterConfiguration, 'networking', 'serviceSubnet'))
        .split(',')
        .map(parseCidr);
      expect(primary.ok && first?.ok && primary.value.family === first.value.family).toBe(true);
      const dns = parseAddress(String(at(KubeletConfiguration, 'clusterDNS', 0)));
      expect(dns.ok && first?.ok && contains(first.value, dns.value)).toBe(true);
    }),
  );
});

/** A release of each form that the real kubeadm is asked about, in test/api/kubeadm-files.test.ts; no kubeadm that can be asked knows v1beta2. */
const ASKED = { v1beta3: 30, v1beta4: 36 } as const;
const RELEASES = [...Array(21).keys()].map((index) => 20 + index);
const GATE = /^(?:#.*before 1\.21.*\n)?featureGates:\n {2}IPv6DualStack: true\n/gmu;

test.each(CASES)(
  '%s: what kubeadm says of one release goes for all of the same form, and of v1beta3 for v1beta2',
  (_, families) => {
    const cluster = clusterFor(kubeadm, families, { nodeMask: { [families[0]!]: families[0] === 'IPv4' ? 25 : 66 } });
    const textOf = (minor: number): string =>
      filesOf(kubeadm, cluster, three(families, `1.${minor}.1`))
        .files.map(({ text }) => text)
        .join('')
        .replace(`kubernetesVersion: v1.${minor}.1\n`, 'kubernetesVersion: asked for\n');
    for (const minor of RELEASES) {
      const asked = minor < 31 ? ASKED.v1beta3 : ASKED.v1beta4;
      const sameForm =
        minor < 22 ? textOf(minor).replaceAll('kubeadm.k8s.io/v1beta2', 'kubeadm.k8s.io/v1beta3') : textOf(minor);
      expect([minor, sameForm.replaceAll(GATE, '')]).toEqual([minor, textOf(asked)]);
    }
  },
);
