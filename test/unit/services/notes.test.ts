import { expect, test } from '@jest/globals';
import type { ServiceFacts } from '../../../src/model/facts.ts';
import type { Site } from '../../../src/providers/load-balancers.ts';
import type { OneFamilyPolicy } from '../../../src/model/traffic-rules.ts';
import { notesOn, rulesByService } from '../../../src/services/notes.ts';
import { serviceFacts } from '../../support/facts.ts';

const BARE: Site = { cloud: null, minor: 36 };
const notes = (change: Partial<ServiceFacts>, site = BARE): string =>
  notesOn(serviceFacts({ namespace: 'shop', name: 'web', ...change }), site).join(' ');

test('of a plain Service there is nothing to tell', () => {
  expect(notes({})).toBe('');
});

test.each<[string, Partial<ServiceFacts>, RegExp]>([
  ['a node port', { type: 'NodePort' }, /open on the IPv6 addresses/u],
  ['the ranges of a load balancer', { type: 'LoadBalancer', sourceRanges: ['192.0.2.0/24'] }, /names no IPv6 range/u],
  ['an IPv6 Service', { type: 'LoadBalancer', families: ['IPv6'], sourceRanges: ['::/0'] }, /names no IPv4 range/u],
  ['headless without selector', { headless: true, selector: false }, /EndpointSlices that others keep/u],
  [
    'Helm',
    { owner: { text: 'label managed-by: Helm', watches: false } },
    /managed-by: Helm: set ipFamilyPolicy: Prefer/u,
  ],
  ['server-side apply', { appliedBy: ['ci'] }, /applied by ci: set/u],
])('%s is told', (_, change, words) => {
  expect(notes(change)).toMatch(words);
});

test.each<[string, Partial<ServiceFacts>, RegExp]>([
  [
    'local traffic from outside',
    { type: 'NodePort', externalTrafficPolicy: 'Local' },
    /^.*externalTrafficPolicy: Local: over IPv6/u,
  ],
  ['local traffic within', { internalTrafficPolicy: 'Local' }, /^internalTrafficPolicy: Local: over IPv6 only nodes/u],
  ['affinity', { sessionAffinity: 'ClientIP' }, /counts as two/u],
  ['addresses from outside', { externalIPs: ['192.0.2.7'] }, /externalIPs names no IPv6/u],
])('%s: what is different over the second family', (_, change, words) => {
  expect(notes(change)).toMatch(words);
});

test.each<[string, Partial<ServiceFacts>]>([
  ['external addresses of both families', { externalIPs: ['192.0.2.7', '2001:db8::7'] }],
  ['a policy for traffic that there is none of', { externalTrafficPolicy: 'Local' }],
  ['no affinity', { sessionAffinity: 'None' }],
])('%s: nothing is told', (_, change) => {
  expect(notes(change)).toBe('');
});

const policy = (
  name: string,
  guards: OneFamilyPolicy['guards'],
  change: Partial<OneFamilyPolicy> = {},
): OneFamilyPolicy => ({
  ref: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace: 'shop', name },
  family: 'IPv4',
  omission: 'Denied',
  guards,
  ...change,
});

test('a policy is told of the Services all of whose pods it guards', () => {
  const elsewhere = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace: 'bank', name: 'bank' };
  const policies = [
    policy('all', {}),
    policy('web', { app: 'web' }),
    policy('db', { app: 'db' }),
    policy('narrower', { app: 'web', tier: 'front' }),
    policy('outward', null),
    policy('six', {}, { family: 'IPv6' }),
    policy('bank', {}, { ref: elsewhere }),
  ];
  const service = serviceFacts({ namespace: 'shop', name: 'web', selects: { app: 'web', track: 'stable' } });
  const rules = rulesByService({ policies, fronts: {}, unread: [] });
  const told = notesOn(service, BARE, rules(service));
  expect(told.map((note) => note.split(' lets in no IPv6')[0])).toEqual([
    'NetworkPolicy shop/all',
    'NetworkPolicy shop/web',
  ]);
  const byHand = serviceFacts({ namespace: 'shop', name: 'web', selector: false, selects: {} });
  expect(notesOn(byHand, BARE, rules(byHand))).toEqual([]);
});

test('what is in front of it is told', () => {
  const service = serviceFacts({ namespace: 'shop', name: 'web' });
  const fronts = { 'shop/web': ['Ingress shop/edge', 'HTTPRoute shop/web'], 'shop/other': ['Ingress shop/x'] };
  const rules = rulesByService({ policies: [], fronts, unread: [] });
  expect(notesOn(service, BARE, rules(service))).toEqual([
    expect.stringMatching(/^Ingress shop\/edge, HTTPRoute shop\/web sends to it: for IPv6 clients/u),
  ]);
});

test.each<[string, Partial<ServiceFacts>]>([
  ['ranges of both families', { type: 'LoadBalancer', sourceRanges: ['192.0.2.0/24', '2001:db8::/32'] }],
  ['no ranges', { type: 'LoadBalancer' }],
  ['ranges that nobody reads', { sourceRanges: ['192.0.2.0/24'] }],
])('%s: nothing is told of ranges', (_, change) => {
  expect(notes(change)).not.toContain('loadBalancerSourceRanges');
});

test('one that puts its own values back is told as what stands in the way, not as a note', () => {
  expect(notes({ owner: { text: 'label argocd', watches: true } })).toBe('');
});

test('where the load balancer stays as it is, that is told', () => {
  expect(notes({ type: 'LoadBalancer' }, { cloud: 'openstack', minor: 36 })).toContain('From outside nothing changes');
});
