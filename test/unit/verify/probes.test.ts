import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/model/object.ts';
import { hasAllSlices, judgeProbe, probeName, serviceProbes } from '../../../src/verify/probes.ts';

const probes = serviceProbes(['IPv4', 'IPv6'], 'dualstack-system', 'abc');
const slice = (addressType: string): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: addressType },
  addressType,
});
const answered = (probe: KubeObject, ipFamilies: string[], clusterIPs: string[]): KubeObject => ({
  ...probe,
  spec: { ...(probe['spec'] as object), ipFamilies, clusterIPs },
});

test('each policy is asked for once, also with the second family first', () => {
  expect(probes.map(probeName)).toEqual([
    'without policy',
    'SingleStack IPv4',
    'PreferDualStack',
    'SingleStack IPv6',
    'RequireDualStack',
    'RequireDualStack IPv6,IPv4',
  ]);
});

test('on a single-stack cluster nothing asks for a second family', () => {
  expect(serviceProbes(['IPv6'], 'dualstack-system', 'abc').map((probe) => probe.families)).toEqual([
    ['IPv6'],
    ['IPv6'],
    ['IPv6'],
  ]);
});

describe('a dual-stack Service', () => {
  const dual = probes.find((probe) => probeName(probe) === 'RequireDualStack')!;

  test('passes with an address and a slice of each family', () => {
    const service = answered(dual.object, ['IPv4', 'IPv6'], ['10.96.0.9', 'fd00::9']);
    expect(judgeProbe(dual, service, [slice('IPv6'), slice('IPv4')]).ok).toBe(true);
  });

  test.each([
    ['with one address', ['IPv4'], ['10.96.0.9'], ['IPv4']],
    ['in the wrong order', ['IPv6', 'IPv4'], ['fd00::9', '10.96.0.9'], ['IPv4', 'IPv6']],
    [
      'when an address is of another family than it says',
      ['IPv4', 'IPv6'],
      ['10.96.0.9', '10.96.0.10'],
      ['IPv4', 'IPv6'],
    ],
    ['without a slice of the second family', ['IPv4', 'IPv6'], ['10.96.0.9', 'fd00::9'], ['IPv4']],
  ])('fails %s', (_case, families, addresses, slices) => {
    const check = judgeProbe(dual, answered(dual.object, families, addresses), slices.map(slice));
    expect(check.ok).toBe(false);
    expect(check.detail).toContain('wanted IPv4,IPv6');
  });

  test('is waited for until the slices of both families are there', () => {
    expect(hasAllSlices(dual, [slice('IPv4')])).toBe(false);
    expect(hasAllSlices(dual, [slice('IPv4'), slice('IPv6')])).toBe(true);
  });
});
