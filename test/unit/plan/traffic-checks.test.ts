import { expect, test } from '@jest/globals';
import type { Omission, OneFamilyPolicy, TrafficRules } from '../../../src/model/traffic-rules.ts';
import { checkTrafficRules } from '../../../src/plan/traffic-checks.ts';
import { clusterFacts, wantedDual, wantedSingle } from '../../support/facts.ts';

const policy = (name: string, omission: Omission): OneFamilyPolicy => ({
  ref: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace: 'shop', name },
  family: 'IPv4',
  omission,
  guards: null,
});

const factsWith = (change: Partial<TrafficRules>) =>
  clusterFacts({}, { trafficRules: { policies: [], fronts: {}, unread: [], ...change } });

test('nothing to tell, or nobody has looked', () => {
  expect(checkTrafficRules(wantedDual(), factsWith({}))).toEqual([]);
  expect(checkTrafficRules(wantedDual(), clusterFacts())).toEqual([]);
});

test('each kind of omission is a warning of its own, what lets through too much first', () => {
  const policies = [policy('a', 'Denied'), policy('b', 'NotChecked'), policy('c', 'NotCovered'), policy('d', 'Denied')];
  const findings = checkTrafficRules(wantedDual(), factsWith({ policies }));
  expect(findings.map(({ reason, blocks, object }) => [reason, blocks, object?.name])).toEqual([
    ['PolicyNamesOneFamily', [], 'c'],
    ['PolicyNamesOneFamily', [], 'a'],
    ['PolicyNamesOneFamily', [], 'b'],
  ]);
  expect(findings[0]?.message).toMatch(/keep IPv4 networks out and name none of IPv6.*NetworkPolicy shop\/c\.$/u);
  expect(findings[1]?.message).toMatch(/NetworkPolicy shop\/a, NetworkPolicy shop\/d\.$/u);
  expect(checkTrafficRules(wantedSingle(), factsWith({ policies }))).toEqual([]);
});

test('many are named in part', () => {
  const policies = Array.from({ length: 8 }, (_, n) => policy(`p${n}`, 'Denied'));
  const [finding] = checkTrafficRules(wantedDual(), factsWith({ policies }));
  expect(finding?.message).toMatch(/NetworkPolicy shop\/p4 and 3 more\.$/u);
});

test('what could not be read is told once', () => {
  const unread = [
    { kind: 'Ingress (networking.k8s.io/v1)', why: 'could not list: 403' },
    { kind: 'Policy (kyverno.io/v1)', why: 'could not list: 403' },
  ];
  expect(checkTrafficRules(wantedDual(), factsWith({ unread }))).toMatchObject([
    {
      reason: 'PolicyUnreadable',
      message: expect.stringContaining('Ingress (networking.k8s.io/v1), Policy (kyverno.io/v1)'),
      blocks: [],
    },
  ]);
});
