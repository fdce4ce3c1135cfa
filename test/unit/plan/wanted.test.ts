import { expect, test } from '@jest/globals';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import { isBlocker } from '../../../src/model/finding.ts';
import { PHASES } from '../../../src/model/phase.ts';
import { known } from '../../../src/model/reader.ts';
import { settle } from '../../../src/plan/wanted.ts';
import { registry } from '../../../src/registry.ts';
import { PODS, SERVICES } from '../../support/facts.ts';
import { asked, askedBack, clusterScene } from '../../support/plan-scene.ts';

const settled = (facts: ClusterFacts, request = asked(), goal: 'Spec' | 'FirstState' = 'Spec') =>
  settle(request, facts, registry.bind(facts), goal);

test('what the spec leaves out comes from the live cluster, then from the defaults', () => {
  const { wanted, findings, live } = settled(clusterScene());
  expect(wanted).toMatchObject({
    direction: 'Forward',
    families: ['IPv4', 'IPv6'],
    pods: PODS,
    services: SERVICES,
    nodeMask: { IPv4: 24, IPv6: 64 },
    restore: {},
  });
  expect(findings).toEqual([]);
  expect(live).toEqual(['IPv4']);
});

const withPods = (cidr: string, change: Record<string, unknown> = {}) =>
  asked({ clusterNetwork: { pods: { cidrBlocks: [cidr] }, services: { cidrBlocks: [SERVICES.IPv6] }, ...change } });

test.each<[string, ReturnType<typeof asked>, number]>([
  ['the usual mask where it fits', withPods('fd00:10:244::/48'), 64],
  ['no more than 16 bits longer', withPods('fd00::/40'), 56],
  ['never shorter than the network', withPods('fd00:1:2:3:4::/80'), 80],
  ['as asked', withPods('fd00:10:244::/56', { nodeCIDRMaskSizeIPv6: 72 }), 72],
])('IPv6 node mask: %s', (_name, request, mask) => {
  expect(settled(clusterScene(), request).wanted.nodeMask.IPv6).toBe(mask);
});

test.each<[string, ReturnType<typeof asked>, string, string]>([
  [
    'another primary family',
    asked({ ipFamilies: ['IPv6', 'IPv4'], clusterNetwork: {} }),
    'PrimaryFamilyMismatch',
    'spec.ipFamilies[0] is IPv6',
  ],
  ['only the other family', asked({ ipFamilies: ['IPv6'], clusterNetwork: {} }), 'PrimaryFamilyMismatch', 'IPv4'],
  [
    'another primary network',
    asked({
      clusterNetwork: { pods: { cidrBlocks: ['10.1.0.0/16', PODS.IPv6] }, services: { cidrBlocks: [SERVICES.IPv6] } },
    }),
    'ExistingCIDRImmutable',
    'spec.clusterNetwork.pods.cidrBlocks has 10.1.0.0/16, but the live IPv4 network for pods is 10.244.0.0/16',
  ],
  [
    'no second network',
    asked({ clusterNetwork: { pods: { cidrBlocks: [PODS.IPv6] } } }),
    'SecondaryCIDRMissing',
    'IPv6 network for services',
  ],
])('refused: %s', (_name, request, reason, words) => {
  const { findings } = settled(clusterScene(), request);
  expect(findings).toContainEqual(
    expect.objectContaining({ reason, message: expect.stringContaining(words), blocks: PHASES }),
  );
  expect(findings.every(isBlocker)).toBe(true);
});

test('a network that the cluster has already is named', () => {
  const request = asked({
    clusterNetwork: { pods: { cidrBlocks: ['10.1.0.0/16', PODS.IPv6] }, services: { cidrBlocks: [SERVICES.IPv6] } },
  });
  expect(settled(clusterScene(), request).findings.map(({ liveNetwork }) => liveNetwork)).toEqual(['pods']);
});

test('the primary network written out in another spelling is the same network', () => {
  const request = asked({
    clusterNetwork: {
      pods: { cidrBlocks: [PODS.IPv4, PODS.IPv6] },
      services: { cidrBlocks: [SERVICES.IPv4, SERVICES.IPv6] },
    },
  });
  expect(settled(clusterScene(), request).findings).toEqual([]);
});

test('one family is the way back, and keeps what is of it', () => {
  const { wanted } = settled(clusterScene({ dual: true }), askedBack());
  expect(wanted).toMatchObject({ direction: 'Back', families: ['IPv4'] });
  expect(wanted.pods).toEqual({ IPv4: PODS.IPv4 });
  expect(wanted.services).toEqual({ IPv4: SERVICES.IPv4 });
  expect(wanted.nodeMask).toEqual({ IPv4: 24 });
});

const recorded = (families: readonly string[]) => known({ families: { families: [...families] }, IPPools: [] });

const recordedDual = (families: readonly string[]) => clusterScene({ dual: true }, { records: recorded(families) });

test('the way back leads to what was recorded, if that was of these families', () => {
  expect(settled(recordedDual(['IPv4']), askedBack()).wanted.restore).toHaveProperty('IPPools');
  expect(settled(recordedDual(['IPv4', 'IPv6']), askedBack()).wanted.restore).toEqual({});
  expect(settled(recordedDual(['IPv4']), asked()).wanted.restore).toEqual({});
});

test('to the first state, whatever the spec asks', () => {
  const facts = clusterScene({ dual: true }, { records: recorded(['IPv4']) });
  const { wanted, findings } = settled(
    facts,
    asked({ ipFamilies: ['IPv6', 'IPv4'], clusterNetwork: {} }),
    'FirstState',
  );
  expect(wanted).toMatchObject({ direction: 'Back', families: ['IPv4'], pods: { IPv4: PODS.IPv4 } });
  expect(wanted.restore).toHaveProperty('families');
  expect(findings).toEqual([]);
});
