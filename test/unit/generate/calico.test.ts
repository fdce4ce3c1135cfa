import { expect, test } from '@jest/globals';
import { calico } from '../../../src/generate/calico/index.ts';
import { canal } from '../../../src/generate/canal/index.ts';
import type { FlagValues, Generated, Generator, NewCluster } from '../../../src/generate/contract.ts';
import { tigera } from '../../../src/generate/tigera/index.ts';
import { asArray, asString, at } from '../../../src/model/object.ts';
import { manifestObjects } from '../../support/real-manifests.ts';
import { testWith } from '../../support/with-manifests.ts';
import {
  byKind,
  CASES,
  clusterFor,
  documentsOf,
  DUAL,
  DUAL_IPV6_FIRST,
  fileNamed,
  filesOf,
  IPV4_ONLY,
  IPV6_ONLY,
} from './support.ts';

/** Environment of the one container in a patch for a DaemonSet. */
function envOf(generated: Generated): Record<string, string | undefined> {
  const containers = asArray(at(byKind(generated)['DaemonSet'], 'spec', 'template', 'spec', 'containers'));
  expect(containers.map((container) => at(container, 'name'))).toEqual(['calico-node']);
  const entries = asArray(at(containers[0], 'env')).map(
    (each) => [String(at(each, 'name')), at(each, 'value')] as const,
  );
  // A name twice is a mistake that nobody tells; a value that is no text is refused by the API server.
  expect(new Set(entries.map(([name]) => name)).size).toBe(entries.length);
  for (const [, value] of entries) expect(typeof value).toBe('string');
  return Object.fromEntries(entries) as Record<string, string>;
}

/** The CNI configuration as the nodes get it, after `install-cni` has put in the MTU. */
function conflistOf(generated: Generated): unknown {
  const text = asString(at(byKind(generated)['ConfigMap'], 'data', 'cni_network_config')) ?? '';
  expect(text).toContain('"mtu": __CNI_MTU__');
  return JSON.parse(text.replace('__CNI_MTU__', '0'));
}

const withPool = (pool: object, families = DUAL): NewCluster =>
  clusterFor(calico, families, { options: { calico: { pool } } });

test.each(CASES)('%s: calico-node and its CNI configuration have these families', (_, families) => {
  const [ipv4, ipv6] = [families.includes('IPv4'), families.includes('IPv6')];
  for (const backend of ['vxlan', 'bird']) {
    const generated = filesOf(calico, clusterFor(calico, families), { backend: [backend] });
    const env = envOf(generated);
    expect(env['IP']).toBe(ipv4 ? 'autodetect' : 'none');
    expect(env['CALICO_ROUTER_ID']).toBe(ipv4 ? undefined : 'hash');
    expect(env['IP6']).toBe(ipv6 ? 'autodetect' : undefined);
    expect(env['FELIX_IPV6SUPPORT']).toBe(ipv6 ? 'true' : undefined);
    expect(env['CALICO_IPV4POOL_CIDR']).toBe(ipv4 ? '10.244.0.0/16' : undefined);
    expect(env['CALICO_IPV6POOL_CIDR']).toBe(ipv6 ? 'fd00:10:244::/56' : undefined);
    // Its own tunnels are the manifest's business, but none are made where nothing uses them.
    expect([env['CALICO_IPV4POOL_IPIP'], env['CALICO_IPV4POOL_VXLAN']]).toEqual(
      ipv4 ? [undefined, undefined] : ['Never', 'Never'],
    );
    // A pool of private addresses without NAT has no way out.
    expect(env['CALICO_IPV6POOL_NAT_OUTGOING']).toBe(ipv6 ? 'true' : undefined);
    // No IPv6 between nodes: backend vxlan with Never.
    expect(env['CALICO_IPV6POOL_VXLAN']).toBe(ipv6 ? (backend === 'vxlan' ? 'Always' : 'Never') : undefined);
    expect(at(conflistOf(generated), 'plugins', 0, 'ipam')).toEqual({
      type: 'calico-ipam',
      assign_ipv4: String(ipv4),
      assign_ipv6: String(ipv6),
    });
    expect(at(byKind(generated)['ConfigMap'], 'data', 'calico_backend')).toBe(backend);
  }
});

test.each([
  ['bird', IPV6_ONLY, ['/bin/calico-node', '-felix-ready', '-bird6-ready']],
  ['vxlan', IPV6_ONLY, undefined],
  ['bird', DUAL, undefined],
] as const)('%s with %j: readiness probe %j', (backend, families, command) => {
  const generated = filesOf(calico, clusterFor(calico, families), { backend: [backend] });
  const container = at(byKind(generated)['DaemonSet'], 'spec', 'template', 'spec', 'containers', 0);
  expect(at(container, 'readinessProbe', 'exec', 'command')).toEqual(command);
});

test.each([
  ['vxlan', 'calico-vxlan.yaml'],
  ['bird', 'calico.yaml'],
])('backend %s is laid over %s', (backend, manifest) => {
  const generated = filesOf(calico, clusterFor(calico, DUAL), { backend: [backend] });
  const [kustomization] = documentsOf(fileNamed(generated, 'kustomization.yaml'));
  expect(at(kustomization, 'resources')).toEqual([manifest]);
  const patches = asArray(at(kustomization, 'patches')).map((patch) => asString(at(patch, 'path')) ?? '');
  for (const path of patches) expect(fileNamed(generated, path)).toContain('calico');
  expect(patches).toHaveLength(generated.files.length - 1);
});

test('options of the pool are those of the second family', () => {
  const pool = { blockSize: 124, encapsulation: 'VXLANCrossSubnet', natOutgoing: false, nodeSelector: "pool == 'a'" };
  expect(envOf(filesOf(calico, withPool(pool)))).toMatchObject({
    CALICO_IPV4POOL_BLOCK_SIZE: '26',
    CALICO_IPV4POOL_NODE_SELECTOR: 'all()',
    CALICO_IPV6POOL_BLOCK_SIZE: '124',
    CALICO_IPV6POOL_VXLAN: 'CrossSubnet',
    CALICO_IPV6POOL_NAT_OUTGOING: 'false',
    CALICO_IPV6POOL_NODE_SELECTOR: "pool == 'a'",
  });
  const mirrored = withPool({ blockSize: 28, encapsulation: 'IPIP' }, DUAL_IPV6_FIRST);
  expect(envOf(filesOf(calico, mirrored, { backend: ['bird'] }))).toMatchObject({
    CALICO_IPV4POOL_BLOCK_SIZE: '28',
    CALICO_IPV4POOL_IPIP: 'Always',
    CALICO_IPV4POOL_VXLAN: 'Never',
    CALICO_IPV6POOL_BLOCK_SIZE: '122',
  });
});

test('pods with global addresses leave with them', () => {
  const cluster = clusterFor(calico, IPV6_ONLY, { pods: { IPv6: '2001:db8:1::/56' } });
  expect(envOf(filesOf(calico, cluster))['CALICO_IPV6POOL_NAT_OUTGOING']).toBe('false');
});

test.each([
  [{ blockSize: 26 }, 'blockSize: 26 does not fit fd00:10:244::/56: write a value from 116 to 128'],
  [{ encapsulation: 'IPIP' }, 'IPIP carries no IPv6'],
  [{ encapsulation: 'None' }, 'leaves pods of different nodes apart'],
])('%j is refused with what to do', (pool, message) => {
  expect(JSON.stringify(calico.generate(withPool(pool), {}))).toContain(message);
});

test('with BGP no encapsulation is as good as any', () => {
  const cluster = withPool({ encapsulation: 'None' });
  expect(envOf(filesOf(calico, cluster, { backend: ['bird'] }))['CALICO_IPV6POOL_VXLAN']).toBe('Never');
});

const releasedAs = (file: string): string => `calico-v3.31.7/${file}`;
const given = testWith(...['calico-vxlan.yaml', 'calico.yaml', 'canal.yaml'].map(releasedAs));

/** What is patched has to be there, by the same name: a strategic merge adds what it does not find. */
given.each<[string, Generator, FlagValues]>([
  ['calico-vxlan.yaml', calico, { backend: ['vxlan'] }],
  ['calico.yaml', calico, { backend: ['bird'] }],
  ['canal.yaml', canal, {}],
])('patches meet what is in the released %s', (manifest, generator, values) => {
  const released = manifestObjects(releasedAs(manifest));
  const generated = filesOf(generator, clusterFor(generator, DUAL), values);
  for (const kind of ['ConfigMap', 'DaemonSet']) {
    const patch = byKind(generated)[kind];
    const target = released.find(
      (object) => object.kind === kind && object.metadata.name === at(patch, 'metadata', 'name'),
    );
    expect(target?.metadata.namespace).toBe(at(patch, 'metadata', 'namespace'));
    expect(Object.keys(at(target, 'data') ?? {})).toEqual(expect.arrayContaining(Object.keys(at(patch, 'data') ?? {})));
    const containers = asArray(at(target, 'spec', 'template', 'spec', 'containers')).map((each) => at(each, 'name'));
    for (const each of asArray(at(patch, 'spec', 'template', 'spec', 'containers')))
      expect(containers).toContain(at(each, 'name'));
  }
  const config = released.find(({ kind }) => kind === 'ConfigMap');
  const text = asString(at(config, 'data', 'cni_network_config')) ?? '';
  const theirs = JSON.parse(text.replace('__CNI_MTU__', '0')) as { plugins: object[] };
  const ours = conflistOf(generated) as { plugins: object[] };
  // The same in all but where addresses come from.
  expect({ ...ours, plugins: ours.plugins.map((plugin) => ({ ...plugin, ipam: null })) }).toEqual({
    ...theirs,
    plugins: theirs.plugins.map((plugin) => ({ ...plugin, ipam: null })),
  });
});

test.each(CASES)('%s: the Installation has a pool of each family and finds the addresses of each', (_, families) => {
  const generated = filesOf(tigera, clusterFor(tigera, families));
  const network = at(byKind(generated)['Installation'], 'spec', 'calicoNetwork');
  expect(asArray(at(network, 'ipPools')).map((pool) => at(pool, 'cidr'))).toEqual(
    families.map((family) => tigera.defaults({})[family].pods),
  );
  for (const [family, field] of [
    ['IPv4', 'nodeAddressAutodetectionV4'],
    ['IPv6', 'nodeAddressAutodetectionV6'],
  ] as const) {
    expect(at(network, field)).toEqual(families.includes(family) ? { kubernetes: 'NodeInternalIP' } : undefined);
  }
  expect(at(network, 'bgp')).toBe('Disabled');
  // Without it a second pool leaves TigeraStatus ippools Degraded.
  expect(byKind(generated)['APIServer']).toBeDefined();
});

test('pools without encapsulation need BGP', () => {
  const generated = filesOf(tigera, withPool({ encapsulation: 'None' }));
  const network = at(byKind(generated)['Installation'], 'spec', 'calicoNetwork');
  expect(at(network, 'bgp')).toBe('Enabled');
  expect(at(network, 'ipPools', 1)).toMatchObject({ encapsulation: 'None', natOutgoing: 'Enabled', blockSize: 122 });
});

test.each([
  ['first-found', { firstFound: true }],
  ['interface=eth.*', { interface: 'eth.*' }],
  ['skip-interface=docker.*', { skipInterface: 'docker.*' }],
  ['can-reach=2001:db8::1', { canReach: '2001:db8::1' }],
  ['cidr=2001:db8::/64,2001:db8:1::/64', { cidrs: ['2001:db8::/64', '2001:db8:1::/64'] }],
])('autodetection %s is %j for the tigera operator', (autodetectionMethod, detection) => {
  const cluster = clusterFor(tigera, DUAL, { options: { calico: { autodetectionMethod } } });
  const network = at(byKind(filesOf(tigera, cluster))['Installation'], 'spec', 'calicoNetwork');
  expect(at(network, 'nodeAddressAutodetectionV6')).toEqual(detection);
});

test.each([
  [DUAL, [[{ subnet: 'usePodCidr' }], [{ subnet: 'usePodCidrIPv6' }]]],
  [DUAL_IPV6_FIRST, [[{ subnet: 'usePodCidr' }], [{ subnet: 'usePodCidrIPv6' }]]],
  [IPV4_ONLY, undefined],
] as const)('Canal for %j takes the ranges of the Node', (families, ranges) => {
  const generated = filesOf(canal, clusterFor(canal, families));
  const ipv6 = families.some((family) => family === 'IPv6');
  expect(at(conflistOf(generated), 'plugins', 0, 'ipam', 'ranges')).toEqual(ranges);
  const netConf: unknown = JSON.parse(asString(at(byKind(generated)['ConfigMap'], 'data', 'net-conf.json')) ?? '');
  expect(netConf).toEqual({
    Network: '10.244.0.0/16',
    ...(ipv6 ? { EnableIPv6: true, IPv6Network: 'fd00:10:244::/56' } : {}),
    Backend: { Type: 'vxlan' },
  });
  if (ipv6) {
    expect(envOf(generated)).toEqual({ FELIX_IPV6SUPPORT: 'true', CALICO_IPV6POOL_CIDR: 'fd00:10:244::/56' });
  } else expect(byKind(generated)['DaemonSet']).toBeUndefined();
});

test('Canal for IPv6 alone is refused', () => {
  expect(canal.generate(clusterFor(canal, IPV6_ONLY), {})).toMatchObject({ ok: false, error: { is: 'Impossible' } });
});
