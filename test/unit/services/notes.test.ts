import { expect, test } from '@jest/globals';
import type { ServiceFacts } from '../../../src/model/facts.ts';
import type { Site } from '../../../src/providers/load-balancers.ts';
import { notesOn } from '../../../src/services/notes.ts';
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
