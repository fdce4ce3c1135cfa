import { expect, test } from '@jest/globals';
import type { NodeFacts } from '../../../src/model/facts.ts';
import type { HostReport } from '../../../src/model/host.ts';
import { type Cause, whyMissing, whyUnproven } from '../../../src/report/causes.ts';
import { before, type Deep, hostAddress, hostIPv4, hostIPv6, nodeFacts, running } from '../../support/facts.ts';

const V4 = hostAddress({ address: hostIPv4(1) });
const V6 = hostAddress({ address: hostIPv6(1) });
const node = (report: Deep<HostReport>, change: Deep<NodeFacts> = {}): NodeFacts => nodeFacts(1, {}, change, report);
const addresses = (...more: readonly ReturnType<typeof hostAddress>[]): Deep<HostReport> => ({
  addresses: [V4, ...more],
});
const kubelet = (args: Record<string, string>, startedAt = before(3600)): Deep<HostReport> => ({
  ...addresses(V6),
  kubelet: { running: running(args, startedAt) },
});
const linkLocal = hostAddress({ address: 'fe80::1', scope: 'LinkLocal' });
const inCloud = nodeFacts(
  1,
  {},
  {},
  { kubelet: { running: { startedAt: before(3600), args: { 'cloud-provider': 'external' } } } },
);

test.each<[Cause, NodeFacts, RegExp, boolean]>([
  ['NoAddress', node(addresses()), /host of worker-1 has no IPv6 address/u, false],
  ['LinkLocalOnly', node(addresses(linkLocal)), /only a link-local IPv6 address/u, false],
  ['FamilyDisabled', node({ ...addresses(), network: { ipv6Disabled: true } }), /disable_ipv6=1/u, false],
  [
    'DuplicateAddressDetectionFailed',
    node(addresses({ ...V6, flags: ['dadfailed'] })),
    /Another host has the address 2001:db8::11/u,
    false,
  ],
  ['NoAddress', node(addresses({ ...V6, flags: ['tentative'] })), /no IPv6 address/u, false],
  ['KubeletNodeIPSingleFamily', node(kubelet({ 'node-ip': hostIPv4(1) })), /--node-ip=192\.0\.2\.11/u, true],
  ['KubeletNodeIPSingleFamily', node(kubelet({ 'node-ip': '' })), /runs without --node-ip/u, true],
  [
    'LateAddress',
    node({ ...kubelet({ 'node-ip': `${hostIPv4(1)},${hostIPv6(1)}` }, before(9000)) }),
    /came to worker-1 after its kubelet/u,
    true,
  ],
  ['CloudProviderDoesNotPublish', inCloud, /does not publish it/u, false],
  [
    'CNILostPrimary',
    node({}, { annotations: { 'projectcalico.org/IPv4VXLANTunnelAddr': '10.244.0.1' } }),
    /dropped the node's IPv4 address/u,
    false,
  ],
  ['Unknown', nodeFacts(1, { agent: false }), /No agent on worker-1/u, false],
])('%s', (cause, given, words, mayFix) => {
  const missing = whyMissing(given, 'IPv6');
  expect(missing).toMatchObject({ cause, sentence: expect.stringMatching(words), mayFix });
  expect(missing?.remedy.length).toBeGreaterThan(10);
});

test('a cloud may take its time with a new node', () => {
  expect(whyMissing(inCloud, 'IPv6', true)?.cause).toBe('CloudProviderPending');
});

test('a node that has the family lacks nothing, whatever its host says', () => {
  expect(whyMissing(nodeFacts(1, { dual: true }, {}, { network: { ipv6Disabled: true } }), 'IPv6')).toBeNull();
  expect(whyMissing(node(addresses()), 'IPv4')).toBeNull();
});

test('a node of Calico that has kept its IPv4 address has not lost it', () => {
  const annotations = {
    'projectcalico.org/IPv4Address': '192.0.2.11/24',
    'projectcalico.org/IPv4IPIPTunnelAddr': '10.244.0.1',
  };
  expect(whyMissing(node(addresses(), { annotations }), 'IPv6')?.cause).toBe('NoAddress');
});

test('IPv4 is looked for in the same way', () => {
  const given = nodeFacts(1, {}, { internalIPs: [hostIPv6(1)] }, { addresses: [V6] });
  expect(whyMissing(given, 'IPv4')).toMatchObject({ cause: 'NoAddress', sentence: expect.stringContaining('IPv4') });
});

const proof = (is: 'Proven' | 'Pending' | 'Failing' | 'LostPrimary') => ({
  is,
  evidence: 'Seen so.',
  remedy: 'Mend it so.',
});

test('what the CNI itself shows goes before what its annotations suggest', () => {
  const bare = node({}, { annotations: { 'projectcalico.org/IPv4VXLANTunnelAddr': '10.244.0.1' } });
  expect(whyMissing(bare, 'IPv6', false, proof('Pending'))?.cause).not.toBe('CNILostPrimary');
  expect(whyMissing(node({}), 'IPv6', false, proof('LostPrimary'))).toMatchObject({
    cause: 'CNILostPrimary',
    sentence: 'Seen so.',
    remedy: 'Mend it so.',
  });
});

test.each([
  ['Proven', true, undefined],
  ['Pending', true, 'CNIPending'],
  ['Pending', false, undefined],
  ['Failing', false, 'CNIPending'],
  ['LostPrimary', false, 'CNILostPrimary'],
] as const)('a node with both addresses, %s, guarded %s: %s', (is, guarded, cause) => {
  expect(whyUnproven(proof(is), guarded)?.cause).toBe(cause);
});
