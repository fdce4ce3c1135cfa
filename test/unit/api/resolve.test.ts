import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { appliedSpec } from '../../../src/api/applied.ts';
import { durationOf, secondsOf } from '../../../src/api/duration.ts';
import { withoutNulls } from '../../../src/api/nulls.ts';
import { resolve } from '../../../src/api/resolve.ts';
import { problemText } from '../../../src/api/rule.ts';
import type { Request } from '../../../src/model/request.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { vocabulary } from '../../../src/registry.ts';
import { DUAL } from '../../api/crd-corpus.ts';

function resolved(spec: unknown): Request {
  const request = resolve(spec, vocabulary);
  if (!request.ok) throw new Error(request.error.map(problemText).join('\n'));
  return request.value;
}

const problems = (spec: unknown): readonly string[] => {
  const request = resolve(spec, vocabulary);
  return request.ok ? [] : request.error.map(problemText);
};

test('what is left out gets its default', () => {
  expect(resolved({ ipFamilies: ['IPv4', 'IPv6'] })).toEqual({
    families: ['IPv4', 'IPv6'],
    mode: 'Apply',
    paused: false,
    approvedPlanHash: '',
    distribution: 'Auto',
    cni: 'Auto',
    pods: {},
    services: {},
    nodeMask: {},
    nodes: {
      nodeIP: 'Manage',
      gracePeriod: 300,
      remediation: 'Auto',
      podCIDRs: 'Keep',
      guard: 'None',
      maxUnavailable: 1,
    },
    serviceMigration: 'Selected',
    workloadRestart: 'None',
    onFailure: 'Halt',
    tolerateUnavailable: 0,
    verification: 'Probes',
    deletionPolicy: 'Orphan',
    options: {},
  });
});

test.each<[string, object, object]>([
  ['left out', {}, { standalonePods: 'Refuse', emptyDir: 'Refuse', timeout: 1800 }],
  [
    'written',
    { drain: { standalonePods: 'Evict', emptyDir: 'Evict', timeout: '1h30m' } },
    { standalonePods: 'Evict', emptyDir: 'Evict', timeout: 5400 },
  ],
])('how Nodes are drained, %s, counts only where they are', (_name, nodes, drain) => {
  expect(resolved({ ipFamilies: ['IPv4', 'IPv6'], nodes: { ...nodes, podCIDRs: 'Drain' } }).nodes.drain).toEqual(drain);
  const kept = resolved({ ipFamilies: ['IPv4', 'IPv6'], nodes: { ...nodes, podCIDRs: 'Replace' } });
  expect(kept.nodes).not.toHaveProperty('drain');
});

test('what is written counts', () => {
  const request = resolved({
    ...DUAL,
    mode: 'Plan',
    paused: true,
    approvedPlanHash: 'abc',
    distribution: 'Kubeadm',
    cni: 'Calico',
    nodes: {
      nodeIP: 'Leave',
      gracePeriod: '1h30m',
      remediation: 'None',
      podCIDRs: 'Replace',
      guard: 'Taint',
      maxUnavailable: 3,
    },
    services: { migration: 'All' },
    workloads: { restart: 'Selected' },
    rollout: { onFailure: 'RollBack', tolerateUnavailable: 2 },
    verification: { mode: 'None' },
    deletionPolicy: 'Revert',
  });
  expect(request).toEqual({
    families: ['IPv4', 'IPv6'],
    mode: 'Plan',
    paused: true,
    approvedPlanHash: 'abc',
    distribution: 'Kubeadm',
    cni: 'Calico',
    pods: { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' },
    services: { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' },
    nodeMask: { IPv4: 24, IPv6: 64 },
    nodes: {
      nodeIP: 'Leave',
      gracePeriod: 5400,
      remediation: 'None',
      podCIDRs: 'Replace',
      guard: 'Taint',
      maxUnavailable: 3,
    },
    serviceMigration: 'All',
    workloadRestart: 'Selected',
    onFailure: 'RollBack',
    tolerateUnavailable: 2,
    verification: 'None',
    deletionPolicy: 'Revert',
    options: { calico: DUAL.calico },
  });
});

test('a mask of a family that is not asked for is not wanted', () => {
  const spec = { ipFamilies: ['IPv4'], clusterNetwork: { nodeCIDRMaskSizeIPv4: 24, nodeCIDRMaskSizeIPv6: 64 } };
  expect(resolved(spec).nodeMask).toEqual({ IPv4: 24 });
});

test.each([
  [{}, 'spec.ipFamilies: nothing is written here: '],
  [{ ipFamilies: ['IPv4'], mode: 'Dry' }, 'spec.mode: "Dry" is not taken: '],
  [{ ipFamilies: ['IPv4'], cni: 'Weave' }, 'spec.cni: "Weave" is not taken: '],
  [{ ipFamilies: ['IPv4'], famillies: [] }, 'spec: famillies is not a field here: remove it, or mend its spelling'],
  [
    { ipFamilies: ['IPv4'], clusterNetwork: { pods: { cidrBlocks: ['10.0.0.1/8'] } } },
    'spec.clusterNetwork.pods.cidrBlocks[0]: "10.0.0.1/8" is not canonical: write 10.0.0.0/8',
  ],
  [
    { ipFamilies: ['IPv4'], clusterNetwork: { services: { cidrBlocks: ['fd00::/112'] } } },
    'spec.clusterNetwork.services.cidrBlocks: "fd00::/112" is IPv6, which is not in ipFamilies: remove it, or add IPv6 to ipFamilies',
  ],
  [
    { ipFamilies: ['IPv6'], clusterNetwork: { pods: { cidrBlocks: ['fd00::/47'] }, nodeCIDRMaskSizeIPv6: 64 } },
    'spec.clusterNetwork.nodeCIDRMaskSizeIPv6: 64 does not fit the pod network fd00::/47: write a value from 47 to 63',
  ],
])('%j is told as it is', (spec, text) => {
  expect(problems(spec).join('\n')).toContain(text);
});

test('every mistake is told at once', () => {
  const spec = {
    ipFamilies: ['IPv4', 'IPv4'],
    nodes: { gracePeriod: '25h' },
    clusterNetwork: { services: { cidrBlocks: ['10.0.0.0/8'] } },
  };
  expect(problems(spec).map((text) => text.split(':')[0])).toEqual([
    'spec.ipFamilies',
    'spec.clusterNetwork.services.cidrBlocks',
    'spec.nodes.gracePeriod',
  ]);
});

test('the applied spec means the same as the one that was asked for, with nothing left out', () => {
  const request = resolved(DUAL);
  const wanted: Wanted = {
    direction: 'Forward',
    families: request.families,
    pods: request.pods,
    services: request.services,
    nodeMask: request.nodeMask,
    nodes: request.nodes,
    serviceMigration: request.serviceMigration,
    workloadRestart: request.workloadRestart,
    tolerateUnavailable: request.tolerateUnavailable,
    verification: request.verification,
    options: request.options,
    restore: {},
  };
  const applied = appliedSpec(request, wanted, { distribution: 'Kubeadm', cni: 'Calico' });
  expect(resolved(applied)).toEqual({ ...request, distribution: 'Kubeadm', cni: 'Calico' });
  expect(Object.keys(applied).sort()).toEqual(Object.keys(DUAL).sort());
});

test('a duration is read back as it was written', () => {
  fc.assert(fc.property(fc.nat({ max: 86_400 }), (seconds) => secondsOf(durationOf(seconds)) === seconds));
  expect([0, 90, 300, 7200, 5400].map(durationOf)).toEqual(['0s', '90s', '5m', '2h', '90m']);
});

test('empty values in YAML count as left out, but not in lists', () => {
  expect(withoutNulls({ a: null, b: { c: null, d: [null, { e: null }] }, f: 0 })).toEqual({
    b: { d: [null, {}] },
    f: 0,
  });
});
