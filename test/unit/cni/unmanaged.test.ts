import { expect, test } from '@jest/globals';
import { unmanaged } from '../../../src/cni/unmanaged/index.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { basics, clusterFacts, PODS, wantedDual, wantedSingle } from '../../support/facts.ts';

test('an unknown network plug-in is left alone, and that is said', () => {
  expect(unmanaged.detect(basics({ nodes: [] }))).not.toBeNull();
  expect(unmanaged.steps(wantedDual(), clusterFacts(), null)).toEqual([]);
  expect(unmanaged.check(wantedDual(), clusterFacts(), null)).toMatchObject([
    { reason: 'Unmanaged', blocks: [], remedy: expect.stringContaining(`IPv4 and IPv6 (${PODS.IPv4}, ${PODS.IPv6})`) },
  ]);
});

const remedyOf = (wanted: Wanted): string => unmanaged.check(wanted, clusterFacts(), null)[0]?.remedy ?? '';

test('that private IPv6 addresses are answered by nobody outside is said, as nobody sees whether they are translated', () => {
  expect(remedyOf(wantedDual())).toContain(`out of the cluster from ${PODS.IPv6}`);
  expect(remedyOf(wantedDual({ pods: { IPv6: '2001:db8:1::/56' } }))).not.toContain('out of the cluster');
  expect(remedyOf(wantedSingle())).not.toContain('out of the cluster');
});

test('IPv6 first, and the way back: the networks that are to be left', () => {
  expect(remedyOf(wantedDual({ families: ['IPv6', 'IPv4'] }))).toContain(`IPv6 and IPv4 (${PODS.IPv6}, ${PODS.IPv4})`);
  expect(remedyOf(wantedSingle())).toContain(`IPv4 alone (${PODS.IPv4})`);
});
