import { expect, test } from '@jest/globals';
import { cilium } from '../../../src/generate/cilium/index.ts';
import { CASES, clusterFor, documentsOf, DUAL, fileNamed, filesOf, IPV6_ONLY } from './support.ts';

const valuesOf = (cluster = clusterFor(cilium, DUAL), ipam = 'kubernetes'): unknown =>
  documentsOf(fileNamed(filesOf(cilium, cluster, { ipam: [ipam] }), 'cilium-values.yaml'))[0];

test.each(CASES)('%s: just these families are on', (_, families) => {
  expect(valuesOf(clusterFor(cilium, families))).toMatchObject({
    ipv4: { enabled: families.includes('IPv4') },
    ipv6: { enabled: families.includes('IPv6') },
    ipam: { mode: 'kubernetes' },
    enableIPv4Masquerade: families.includes('IPv4'),
    enableIPv6Masquerade: families.includes('IPv6'),
  });
});

test("Cilium's own pools are cut as the Nodes' would be", () => {
  expect(valuesOf(clusterFor(cilium, DUAL, { nodeMask: { IPv6: 66 } }), 'cluster-pool')).toMatchObject({
    ipam: {
      mode: 'cluster-pool',
      operator: {
        clusterPoolIPv4PodCIDRList: ['10.244.0.0/16'],
        clusterPoolIPv4MaskSize: 24,
        clusterPoolIPv6PodCIDRList: ['fd00:10:244::/56'],
        clusterPoolIPv6MaskSize: 66,
      },
    },
  });
});

test('nodes with IPv6 alone have tunnels over it; pods with global addresses keep them', () => {
  const cluster = clusterFor(cilium, IPV6_ONLY, { pods: { IPv6: '2001:db8:1::/56' } });
  expect(valuesOf(cluster)).toMatchObject({ underlayProtocol: 'ipv6', enableIPv6Masquerade: false });
  expect(valuesOf()).not.toHaveProperty('underlayProtocol');
});

test('a pod network that cannot be cut is refused', () => {
  const cluster = clusterFor(cilium, IPV6_ONLY, { pods: { IPv6: 'fd00::/32' } });
  expect(cilium.generate(cluster, {})).toMatchObject({ ok: false, error: { is: 'Asked' } });
});
