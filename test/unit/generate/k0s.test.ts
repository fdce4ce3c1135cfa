import { expect, test } from '@jest/globals';
import type { FlagValues } from '../../../src/generate/contract.ts';
import { k0s } from '../../../src/generate/k0s/index.ts';
import { at } from '../../../src/model/object.ts';
import { parseCidr } from '../../../src/net/cidr.ts';
import type { Family } from '../../../src/net/family.ts';
import {
  CASES,
  clusterFor,
  documentsOf,
  DUAL,
  DUAL_IPV6_FIRST,
  fileNamed,
  filesOf,
  IPV4_ONLY,
  IPV6_ONLY,
  nodeFlag,
} from './support.ts';

const configOf = (families: readonly Family[], values: FlagValues = {}, file = 'k0s.yaml'): unknown =>
  documentsOf(fileNamed(filesOf(k0s, clusterFor(k0s, families), values), file))[0];

const IPV4 = { podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/16' };
const BOTH = {
  ...IPV4,
  dualStack: { enabled: true, IPv6podCIDR: 'fd00:10:244::/108', IPv6serviceCIDR: 'fd00:10:96::/112' },
};

test.each([
  [DUAL, { provider: 'kuberouter', ...BOTH }],
  [DUAL_IPV6_FIRST, { provider: 'kuberouter', primaryAddressFamily: 'IPv6', ...BOTH }],
  [IPV6_ONLY, { provider: 'kuberouter', podCIDR: 'fd00:10:244::/108', serviceCIDR: 'fd00:10:96::/112' }],
  [IPV4_ONLY, { provider: 'kuberouter', ...IPV4 }],
])('%j is spec.network %j', (families, network) => {
  expect(at(configOf(families), 'spec', 'network')).toEqual(network);
});

test.each([
  ['calico', DUAL, { mode: 'bird' }],
  ['calico', IPV4_ONLY, undefined],
  ['custom', DUAL, undefined],
] as const)('%s with %j: calico %j', (cni, families, calico) => {
  const config = configOf(families, { cni: [cni] });
  expect(at(config, 'spec', 'network', 'provider')).toBe(cni);
  expect(at(config, 'spec', 'network', 'calico')).toEqual(calico);
});

test.each(CASES)('%s: the default pod networks can be cut into those of nodes', (_, families) => {
  for (const family of families) {
    const pods = parseCidr(k0s.defaults({})[family].pods);
    const mask = family === 'IPv4' ? 24 : 117;
    expect(pods.ok && mask - pods.value.prefix).toBeLessThanOrEqual(16);
  }
  expect(filesOf(k0s, clusterFor(k0s, families)).files).toHaveLength(1);
});

test('each controller has a file with its own address and all names', () => {
  const values = { controller: [nodeFlag('c-1', 11, DUAL), nodeFlag('c-2', 12, DUAL)] };
  expect(at(configOf(DUAL_IPV6_FIRST, values, 'k0s-c-2.yaml'), 'spec', 'api')).toEqual({
    address: '2001:db8::12',
    sans: ['2001:db8::11', '192.0.2.11', '2001:db8::12', '192.0.2.12'],
  });
});

test('masks go to the controller manager', () => {
  const cluster = clusterFor(k0s, DUAL, {
    pods: { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' },
    nodeMask: { IPv6: 64 },
  });
  const [config] = documentsOf(fileNamed(filesOf(k0s, cluster), 'k0s.yaml'));
  expect(at(config, 'spec', 'controllerManager', 'extraArgs')).toEqual({ 'node-cidr-mask-size-ipv6': '64' });
});

test("networks that do not go with k0s's own mask are refused with the masks that do", () => {
  const cluster = clusterFor(k0s, DUAL, { pods: { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' } });
  expect(k0s.generate(cluster, {})).toEqual({
    ok: false,
    error: { is: 'Asked', problems: [expect.stringMatching(/\/117.*nodeCIDRMaskSizeIPv6 to a value from 56 to 72/u)] },
  });
});

test.each<[string, readonly Family[], FlagValues, boolean]>([
  ['v1.33.4+k0s.0', IPV6_ONLY, {}, false],
  ['v1.34.1+k0s.0', IPV6_ONLY, {}, true],
  ['v1.33.4+k0s.0', DUAL_IPV6_FIRST, {}, false],
  ['v1.33.4+k0s.0', DUAL_IPV6_FIRST, { controller: [nodeFlag('c-1', 11, DUAL)] }, true],
  ['v1.33.4+k0s.0', DUAL, {}, true],
])('%s with %j and %j: possible %s', (version, families, values, possible) => {
  const result = k0s.generate(clusterFor(k0s, families), { 'kubernetes-version': [version], ...values });
  expect(result.ok).toBe(possible);
  if (!result.ok) expect(result.error.is).toBe('Impossible');
});

test('a release that does not know primaryAddressFamily is not told it: it goes by the address of the controller', () => {
  const values = { 'kubernetes-version': ['v1.33.4+k0s.0'], controller: [nodeFlag('c-1', 11, DUAL)] };
  const config = configOf(DUAL_IPV6_FIRST, values, 'k0s-c-1.yaml');
  expect(at(config, 'spec', 'network', 'primaryAddressFamily')).toBeUndefined();
  expect(at(config, 'spec', 'api', 'address')).toBe('2001:db8::11');
});

test('IPv6 alone needs a feature gate, which the file and a note say', () => {
  const { files, notes } = filesOf(k0s, clusterFor(k0s, IPV6_ONLY));
  expect(files[0]?.text).toContain('--feature-gates=IPv6SingleStack=true');
  expect(notes.join('\n')).toContain('IPv6SingleStack');
});

const headOf = (families: readonly Family[], values: FlagValues, file = 'k0s.yaml'): string =>
  fileNamed(filesOf(k0s, clusterFor(k0s, families), values), file).split('\n\n')[0] ?? '';

test('each file says its commands whole: the first controller begins the cluster, the others are let in by its token', () => {
  const values = { controller: [nodeFlag('c-1', 11, DUAL), nodeFlag('c-2', 12, DUAL)] };
  const install = '#   k0s install controller -c /etc/k0s/k0s.yaml';
  const [head, other] = ['k0s-c-1.yaml', 'k0s-c-2.yaml'].map((file) => headOf(DUAL, values, file).split('\n'));
  expect(head).toContain(`${install} && k0s start`);
  expect(head?.join('\n')).not.toContain('token');
  expect(other).toEqual(
    expect.arrayContaining([
      '#   k0s token create --role=controller',
      `${install} --token-file /etc/k0s/join-token && k0s start`,
    ]),
  );
  expect(other?.join('\n')).toContain('on c-1:');
  const alone = headOf(IPV6_ONLY, {}).split('\n');
  expect(alone).toContain(`${install} --feature-gates=IPv6SingleStack=true && k0s start`);
});

test.each([
  [DUAL, '#   --kubelet-extra-args=--node-ip=IPV4,IPV6'],
  [DUAL_IPV6_FIRST, '#   --kubelet-extra-args=--node-ip=IPV6,IPV4'],
  [IPV6_ONLY, null],
])('%j: workers are told %s', (families, line) => {
  const head = headOf(families, {});
  if (line === null) expect(head).not.toContain('node-ip');
  else expect(head.split('\n')).toContain(line);
});

test.each([
  ['v1.36.0+k0s.0', true],
  ['v1.36.1+k0s.0', false],
  [undefined, true],
])('%s: that pod CIDRs have IPv6 first is told: %s', (version, told) => {
  const values = version === undefined ? {} : { 'kubernetes-version': [version] };
  expect(fileNamed(filesOf(k0s, clusterFor(k0s, DUAL), values), 'k0s.yaml').includes('issues/7927')).toBe(told);
});
