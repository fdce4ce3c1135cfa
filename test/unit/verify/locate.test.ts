import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { locate } from '../../../src/verify/locate.ts';

const NODES = ['a', 'b', 'c', 'd', 'e'];
const attempts = (fails: (source: string, target: string) => boolean, nodes = NODES) =>
  nodes.flatMap((source) =>
    nodes.filter((target) => target !== source).map((target) => ({ source, target, ok: !fails(source, target) })),
  );
const places = (all: ReturnType<typeof attempts>) => locate(all).map(({ place }) => place);

test('a node explains both of its directions before two nodes explain one each', () => {
  expect(places(attempts((source, target) => source === 'b' || target === 'b'))).toEqual([{ is: 'Node', node: 'b' }]);
});

test('a node that fails in one direction beside one that fails in both', () => {
  expect(places(attempts((source, target) => [source, target].includes('b') || source === 'd'))).toEqual([
    { is: 'Node', node: 'b' },
    { is: 'FromNode', node: 'd' },
  ]);
});

test('one attempt alone accuses no node', () => {
  expect(places([{ source: 'a', target: 'b', ok: false }])).toEqual([{ is: 'Pair', source: 'a', target: 'b' }]);
});

test('any set of broken nodes up to a minority is found, and nothing else', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom(...NODES), { maxLength: 2 }), (broken) => {
      const found = places(attempts((source, target) => broken.includes(source) || broken.includes(target)));
      expect(found.map((place) => (place.is === 'Node' ? place.node : place.is)).sort()).toEqual([...broken].sort());
    }),
  );
});

test('every failure is explained exactly once', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }), (fails) => {
      let next = 0;
      const all = attempts(() => fails[next++] ?? false);
      const explained = locate(all).flatMap(({ explains }) => explains);
      expect(new Set(explained).size).toBe(explained.length);
      expect(explained.length).toBe(all.filter(({ ok }) => !ok).length);
    }),
  );
});
