import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { ServiceFacts } from '../../../src/model/facts.ts';
import { known } from '../../../src/model/reader.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { answerToPatch } from '../../../src/services/api-server.ts';
import { backWay, firstStateOf, firstStateText, undoChange, undoing } from '../../../src/services/back.ts';
import { toBothFamilies } from '../../../src/services/rules.ts';
import { serviceFacts } from '../../support/facts.ts';
import { factsOf, storedBy } from '../../support/service-shapes.ts';

const annotated = (text: string) =>
  serviceFacts({ namespace: 'shop', name: 'web', annotations: { 'dualstack.dev/first-state': text } });

test('a first state is read as it was written', () => {
  const first = { policy: 'PreferDualStack', families: ['IPv6'] } as const;
  expect(firstStateOf(annotated(firstStateText(first)))).toEqual(first);
});

test.each([
  'none',
  '',
  '{}',
  '[]',
  '{"ipFamilyPolicy":"SingleStack","ipFamilies":[]}',
  '{"ipFamilyPolicy":"Both","ipFamilies":["IPv4"]}',
  '{"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4","IPv8"]}',
])('what this program has not written is no first state: %s', (text) => {
  expect(firstStateOf(annotated(text))).toBe(null);
});

/** Those that a migration changes. */
const single = storedBy(['IPv4']).filter(({ type, families }) => type !== 'ExternalName' && families.length === 1);

test('there and back again: the server takes each step, and in the end each field is as it was', () => {
  fc.assert(
    fc.property(fc.constantFrom(...single), (before) => {
      const { policy, families } = before;
      if (policy === null) throw new Error('every Service that is stored has a policy');
      const there = answerToPatch(before, toBothFamilies(factsOf(before)), FAMILIES);
      if (there.is === 'Refused') throw new Error(there.why);
      expect(there.shape.families).toHaveLength(2);

      const undone = answerToPatch(there.shape, undoChange({ policy, families }, there.shape, FAMILIES), FAMILIES);
      if (undone.is === 'Refused') throw new Error(undone.why);
      expect(undone.shape.families).toEqual(families);
      // What asked for both all along can say so again only when the server has one family.
      const restored = answerToPatch(undone.shape, undoChange({ policy, families }, undone.shape, ['IPv4']), ['IPv4']);
      expect(restored).toEqual({ is: 'Stored', shape: before });
    }),
  );
});

test('a server that has one family already takes the second one away first, and then gives the policy back', () => {
  const first = { policy: 'PreferDualStack', families: ['IPv4'] } as const;
  const both = { type: 'ClusterIP', selector: true, headless: false, policy: 'PreferDualStack' } as const;
  const dual = { ...both, families: FAMILIES, addresses: FAMILIES };
  const released = answerToPatch(dual, undoChange(first, dual, ['IPv4']), ['IPv4']);
  expect(released).toMatchObject({ is: 'Stored', shape: { policy: 'SingleStack', families: ['IPv4'] } });
  if (released.is === 'Refused') return;
  expect(answerToPatch(released.shape, undoChange(first, released.shape, ['IPv4']), ['IPv4'])).toEqual({
    is: 'Stored',
    shape: { ...dual, families: ['IPv4'], addresses: ['IPv4'] },
  });
});

test('one whose own family is not served at the moment is left alone', () => {
  const text = firstStateText({ policy: 'SingleStack', families: ['IPv6'] });
  const service = { ...annotated(text), families: ['IPv6', 'IPv4'] as const };
  expect(undoing(service, known(['IPv4']))).toBe(null);
  expect(undoing(service, known(['IPv4', 'IPv6']))).toMatchObject({ is: 'Migrate' });
});

test('one that has lost its selector since, and is headless, keeps to SingleStack: the server would give it both', () => {
  const first = { policy: 'PreferDualStack', families: ['IPv4'] } as const;
  const single = { families: ['IPv4'], headless: true, selector: false } as const;
  expect(undoChange(first, single, ['IPv4'])).toEqual({ policy: 'SingleStack', families: ['IPv4'] });
  expect(undoChange(first, { ...single, selector: true }, ['IPv4'])).toEqual(first);
});

const remadeText = (change: Partial<ServiceFacts>): string => {
  const service = serviceFacts({ namespace: 'shop', name: 'web', families: ['IPv6'], ...change });
  const verdict = backWay(service, { wanted: ['IPv4'], served: known(FAMILIES) });
  return verdict.is === 'Blocked' ? verdict.remedy : verdict.is;
};

test('a Service whose first family leaves is saved before it is made anew, without what was chosen for the old one', () => {
  const text = remadeText({});
  expect(text).toMatch(
    /get service web -o yaml > web\.yaml.*spec\.clusterIP, spec\.clusterIPs, spec\.ipFamilies, spec\.ipFamilyPolicy, metadata\.uid, metadata\.resourceVersion and status.*kubectl replace --force -f web\.yaml/u,
  );
  expect(text).not.toContain('external address');
  expect(remadeText({ type: 'LoadBalancer' })).toContain('Its external address may change too');
  const headless = remadeText({ headless: true, clusterIPs: ['None'] });
  expect(headless).toContain('leave clusterIP: None');
  expect(headless).not.toContain('spec.clusterIP');
});

const FIRST = { 'dualstack.dev/first-state': firstStateText({ policy: 'SingleStack', families: ['IPv4'] }) };
const METALLB = { 'metallb.io/loadBalancerIPs': '192.0.2.1, 2001:db8::1' };

const dual = (change: Partial<ServiceFacts>): ServiceFacts =>
  serviceFacts({ namespace: 'shop', name: 'web', policy: 'PreferDualStack', families: FAMILIES, ...change });

const back = (change: Partial<ServiceFacts>) => backWay(dual(change), { wanted: ['IPv4'], served: known(FAMILIES) });

test('who has made it RequireDualStack since is asked, unless it said so before', () => {
  expect(back({ annotations: FIRST })).toMatchObject({ is: 'Migrate' });
  expect(back({ annotations: FIRST, policy: 'RequireDualStack' })).toMatchObject({
    is: 'Blocked',
    reason: 'AskedByHand',
    why: expect.stringContaining('RequireDualStack since'),
    // A mark that stays would look like the work of another hand later.
    remedy: expect.stringContaining('"dualstack.dev/first-state":null'),
  });
  const required = firstStateText({ policy: 'RequireDualStack', families: ['IPv4'] });
  const annotations = { 'dualstack.dev/first-state': required };
  expect(back({ annotations, policy: 'RequireDualStack' })).toMatchObject({ is: 'Migrate' });
});

test.each<[string, Partial<ServiceFacts>, string]>([
  ['given by this program', { annotations: { ...FIRST, ...METALLB } }, 'LoadBalancerTakes'],
  ['asked for by hand', { annotations: METALLB }, 'AskedByHand'],
])(
  'two addresses of MetalLB, the family %s: the annotation changes by the same write, or none would be left',
  (_what, change, reason) => {
    const verdict = back({ type: 'LoadBalancer', ...change });
    expect(verdict).toMatchObject({ is: 'Blocked', reason });
    const command = verdict.is === 'Blocked' ? verdict.remedy : '';
    expect(JSON.parse(/-p '(.*)'/u.exec(command)?.[1] ?? '')).toMatchObject({
      metadata: { annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.1' } },
      spec: { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'] },
    });
  },
);

test('of MetalLB with one address, or with none that is fixed, the family is taken as from any other', () => {
  const one = { ...FIRST, 'metallb.io/loadBalancerIPs': '192.0.2.1' };
  expect(back({ type: 'LoadBalancer', annotations: one })).toMatchObject({ is: 'Migrate' });
  expect(back({ type: 'LoadBalancer', annotations: FIRST })).toMatchObject({ is: 'Migrate' });
  expect(back({ annotations: { ...FIRST, ...METALLB } })).toMatchObject({ is: 'Migrate' });
});
