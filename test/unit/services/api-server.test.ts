import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Family } from '../../../src/net/family.ts';
import {
  answerToCreate,
  answerToPatch,
  type Change,
  type Policy,
  type Shape,
} from '../../../src/services/api-server.ts';
import { ALL_CHANGES, SERVED, storedBy } from '../../support/service-shapes.ts';

const V4: readonly Family[] = ['IPv4'];
const V6: readonly Family[] = ['IPv6'];
const V46: readonly Family[] = ['IPv4', 'IPv6'];
const V64: readonly Family[] = ['IPv6', 'IPv4'];

const plain = (policy: Policy | null, families: readonly Family[], change: Partial<Shape> = {}): Shape => ({
  type: 'ClusterIP',
  selector: true,
  headless: false,
  policy,
  families,
  addresses: families,
  ...change,
});
const headless = { headless: true, addresses: [] } as const;
const byHand = { ...headless, selector: false } as const;

/** From https://kubernetes.io/docs/concepts/services-networking/dual-stack/ and the source that `api-server.ts` names. */
test.each<[string, Shape, readonly Family[], readonly Family[] | string]>([
  ['nothing said: the default family alone', plain(null, []), V46, V4],
  ['the other family alone', plain(null, V6), V46, V6],
  ['Prefer with one family served', plain('PreferDualStack', []), V4, V4],
  ['Prefer with both', plain('PreferDualStack', []), V46, V46],
  ['Prefer, the other family first', plain('PreferDualStack', V6), V46, V64],
  ['the default is IPv6', plain('PreferDualStack', []), V64, V64],
  ['Require with one family served', plain('RequireDualStack', []), V4, 'spec.ipFamilyPolicy'],
  ['two families and no policy', plain(null, V46), V46, 'spec.ipFamilyPolicy'],
  ['a family that is not served', plain('PreferDualStack', V6), V4, 'spec.ipFamilies[0]'],
  ['two families, one of them served', plain('PreferDualStack', V46), V4, 'spec.ipFamilies[1]'],
  ['headless with a selector', plain(null, [], headless), V46, V4],
  ['headless without: both, though one is served', plain(null, [], byHand), V4, V46],
  ['headless without, as SingleStack', plain('SingleStack', [], byHand), V46, V4],
  ['headless LoadBalancer', plain(null, [], { ...headless, type: 'LoadBalancer' }), V46, 'spec.clusterIPs[0]'],
  ['ExternalName with a policy', plain('SingleStack', [], { type: 'ExternalName' }), V46, 'spec.ipFamilyPolicy'],
  ['ExternalName', plain(null, [], { type: 'ExternalName' }), V46, []],
])('a new Service: %s', (_, asked, served, expected) => {
  const answer = answerToCreate(asked, served);
  expect(answer.is === 'Stored' ? answer.shape.families : answer.field).toEqual(expected);
});

test.each<[string, Shape, Change, readonly Family[], readonly Family[] | string]>([
  ['the trap: Prefer stays as it is', plain('PreferDualStack', V4), { policy: 'PreferDualStack' }, V46, V4],
  ['Prefer and both families', plain('PreferDualStack', V4), { families: V46 }, V46, V46],
  ['to Require', plain('PreferDualStack', V4), { policy: 'RequireDualStack' }, V46, V46],
  ['SingleStack to Prefer', plain('SingleStack', V4), { policy: 'PreferDualStack' }, V46, V46],
  ['SingleStack to Prefer, one family served', plain('SingleStack', V4), { policy: 'PreferDualStack' }, V4, V4],
  ['both families and no policy', plain('SingleStack', V4), { families: V46 }, V46, 'spec.ipFamilyPolicy'],
  ['the first family changes', plain('SingleStack', V4), { families: V6 }, V46, 'spec.clusterIPs[0]'],
  ['the order changes', plain('PreferDualStack', V46), { families: V64 }, V46, 'spec.clusterIPs[0]'],
  ['back by the policy alone', plain('PreferDualStack', V46), { policy: 'SingleStack' }, V46, V4],
  ['back by families alone', plain('PreferDualStack', V46), { families: V4 }, V46, 'spec.ipFamilyPolicy'],
  ['back by both', plain('RequireDualStack', V46), { policy: 'SingleStack', families: V4 }, V46, V4],
  ['headless may change its order', plain('PreferDualStack', V46, headless), { families: V64 }, V46, V64],
  ['headless falls into the trap as well', plain('PreferDualStack', V4, headless), {}, V46, V4],
  ['what is left of two families: Prefer', plain('PreferDualStack', V46), {}, V4, V46],
  ['what is left of two families: Require', plain('RequireDualStack', V46), {}, V4, 'spec.ipFamilyPolicy'],
  ['a family twice', plain('PreferDualStack', V4), { families: ['IPv4', 'IPv4'] }, V46, 'spec.ipFamilies[1]'],
])('a change: %s', (_, before, change, served, expected) => {
  const answer = answerToPatch(before, change, served);
  expect(answer.is === 'Stored' ? answer.shape.families : answer.field).toEqual(expected);
});

const situation = fc.constantFrom(...SERVED).chain((made) =>
  fc.record({
    before: fc.constantFrom(...storedBy(made)),
    change: fc.constantFrom(...ALL_CHANGES),
    served: fc.constantFrom(...SERVED),
  }),
);

test('whatever is asked of whatever Service: cluster IPs and families agree, and the first address stays', () => {
  fc.assert(
    fc.property(situation, ({ before, change, served }) => {
      const answer = answerToPatch(before, change, served);
      if (answer.is === 'Refused') return;
      const { families, addresses, headless: isHeadless, type } = answer.shape;
      expect(new Set(families).size).toBe(families.length);
      if (type === 'ExternalName' || isHeadless) expect(addresses).toEqual([]);
      else {
        expect(addresses).toEqual(families);
        expect(addresses[0]).toBe(before.addresses[0]);
      }
    }),
    { numRuns: 2000 },
  );
});

test('SingleStack has one family, and RequireDualStack two', () => {
  fc.assert(
    fc.property(situation, ({ before, change, served }) => {
      const answer = answerToPatch(before, change, served);
      if (answer.is === 'Refused' || answer.shape.type === 'ExternalName') return;
      const { policy, families } = answer.shape;
      if (policy === 'SingleStack') expect(families).toHaveLength(1);
      if (policy === 'RequireDualStack') expect(families).toHaveLength(2);
    }),
    { numRuns: 2000 },
  );
});
