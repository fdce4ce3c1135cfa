import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { HOPS } from '../../../src/model/connectivity.ts';
import type { ProbePlan } from '../../../src/model/step.ts';
import { failingHops, shownHops } from '../../../src/verify/hops.ts';
import { type Breakage, checksOf, planOf, probed } from '../../support/packets.ts';

const told = (breakages: readonly Breakage[], plan: ProbePlan = planOf(4)) =>
  failingHops(probed(checksOf(plan), breakages), plan);

/** What a broken node does to packets of pods: nothing gets in or out, and Services lead there too. */
const cutOff = (node: string): Breakage => ({ node, between: true, family: 'IPv6' });

test.each<[string, readonly Breakage[], readonly [string, readonly string[]][]]>([
  ['nothing', [], []],
  ['a node without routes', [cutOff('node-2')], [['Node', ['node-2']]]],
  [
    'a node that sends nothing',
    [{ path: 'PodToPod', source: 'node-2', between: true, family: 'IPv6' }],
    [['FromNode', ['node-2']]],
  ],
  [
    'a node that lets nothing in',
    [{ path: 'PodToPod', target: 'node-2', between: true, family: 'IPv6' }],
    [['ToNode', ['node-2']]],
  ],
  [
    'two nodes without routes',
    [cutOff('node-2'), cutOff('node-4')],
    [
      ['Node', ['node-2']],
      ['Node', ['node-4']],
    ],
  ],
  ['everything between nodes', [{ between: true, family: 'IPv6' }], [['BetweenNodes', []]]],
  ['everything', [{ family: 'IPv6' }], [['WithinNode', []]]],
  ['pods on one node', [{ node: 'node-3', family: 'IPv6', path: 'PodToPod' }], [['WithinNode', ['node-3']]]],
  [
    'one way between two nodes',
    [{ path: 'PodToPod', source: 'node-1', target: 'node-3', family: 'IPv6' }],
    [['Pair', ['node-1', 'node-3']]],
  ],
  [
    'large packets of one node',
    [{ node: 'node-1', between: true, family: 'IPv6', failure: 'LargeLost' }],
    [['LargePackets', ['node-1', 'node-2', 'node-3', 'node-4']]],
  ],
  ['the host of one node', [{ path: 'HostToPod', source: 'node-1', family: 'IPv6' }], [['HostToPod', ['node-1']]]],
  [
    'kube-proxy on one node',
    [
      { path: 'PodToService', source: 'node-1', family: 'IPv6' },
      { path: 'HostToService', source: 'node-1', family: 'IPv6' },
      { path: 'NodePort', target: 'node-1', family: 'IPv6' },
      { path: 'DNS', source: 'node-1', family: 'IPv6' },
    ],
    [['Service', ['node-1']]],
  ],
  ['Services everywhere', [{ path: 'PodToService', family: 'IPv6' }], [['Service', []]]],
  [
    'Services from one host',
    [{ path: 'HostToService', source: 'node-2', family: 'IPv6' }],
    [['HostToService', ['node-2']]],
  ],
  ['the node port of one node', [{ path: 'NodePort', target: 'node-2', family: 'IPv6' }], [['NodePort', ['node-2']]]],
  ['node ports everywhere', [{ path: 'NodePort', family: 'IPv6' }], [['NodePort', []]]],
  ['DNS', [{ path: 'DNS', family: 'IPv6' }], [['DNSServer', []]]],
  ['DNS on one node', [{ path: 'DNS', family: 'IPv6', source: 'node-2' }], [['DNSServer', ['node-2']]]],
  ['records', [{ path: 'DNS', family: 'IPv6', failure: 'NoRecord' }], [['DNSRecord', []]]],
])('%s', (_case, breakages, expected) => {
  const hops = told(breakages);
  expect(hops.map(({ hop, nodes }) => [hop, nodes])).toEqual(expected);
  expect(hops.every(({ family }) => family === 'IPv6')).toBe(true);
});

test('DNS pods of one family are told as what they are, not as a server that does not answer', () => {
  const dns = [
    { address: '10.96.0.10', hasEndpoint: true },
    { address: 'fd00:10:96::a', hasEndpoint: false },
  ];
  const [hop, ...more] = told([{ path: 'DNS', family: 'IPv6', failure: 'Refused' }], planOf(3, { dns }));
  expect(more).toEqual([]);
  expect(hop).toMatchObject({ hop: 'DNSWithoutEndpoint', message: expect.stringContaining('fd00:10:96::a') });
  expect(hop?.remedy).toContain('rollout restart deployment coredns');
});

test('two nodes that do not reach each other accuse neither of them', () => {
  expect(told([cutOff('node-1')], planOf(2)).map(({ hop }) => hop)).toEqual(['BetweenNodes']);
  const oneWay: Breakage = { path: 'PodToPod', source: 'node-1', target: 'node-2', family: 'IPv4' };
  expect(told([oneWay], planOf(2)).map(({ hop }) => hop)).toEqual(['Pair']);
});

test('a node port that leads on to a node that is cut off is explained by that', () => {
  const hops = told([cutOff('node-2'), { path: 'NodePort', family: 'IPv6', target: 'node-1' }]);
  expect(hops.map(({ hop, nodes }) => [hop, nodes])).toEqual([['Node', ['node-2']]]);
});

test('each family is explained by itself', () => {
  const hops = told([cutOff('node-1'), { path: 'NodePort', family: 'IPv4', target: 'node-3' }]);
  expect(hops.map(({ hop, family }) => [hop, family])).toEqual([
    ['NodePort', 'IPv4'],
    ['Node', 'IPv6'],
  ]);
});

test('a sentence names the family, the node, what works and why it failed', () => {
  expect(told([cutOff('node-2')])[0]?.message).toBe(
    'IPv6 between pods on node-2 and pods on any other node fails in both directions; others reach each other (no answer in time).',
  );
});

test('one broken node is found among the sampled pairs of a large cluster', () => {
  expect(told([cutOff('node-17')], planOf(40)).map(({ hop, nodes }) => [hop, nodes])).toEqual([['Node', ['node-17']]]);
});

const breakage = (count: number) =>
  fc.record(
    {
      path: fc.constantFrom('PodToPod', 'HostToPod', 'PodToService', 'HostToService', 'NodePort', 'DNS'),
      family: fc.constantFrom('IPv4', 'IPv6'),
      source: fc.integer({ min: 1, max: count }).map((n) => `node-${n}`),
      target: fc.integer({ min: 1, max: count }).map((n) => `node-${n}`),
      failure: fc.constantFrom('Timeout', 'Refused', 'LargeLost', 'NoRecord', 'WrongAnswer'),
    },
    { requiredKeys: ['family'] },
  ) as fc.Arbitrary<Breakage>;

test('whatever fails is explained once, and what does not fail is not', () => {
  fc.assert(
    fc.property(
      fc
        .integer({ min: 1, max: 6 })
        .chain((count) => fc.tuple(fc.constant(count), fc.array(breakage(count), { maxLength: 5 }))),
      ([count, breakages]) => {
        const plan = planOf(count);
        const results = probed(checksOf(plan), breakages);
        const hops = failingHops(results, plan);
        const failed = results.filter(({ result }) => !result.ok).length;
        expect(hops.reduce((sum, { checks }) => sum + checks, 0)).toBe(failed);
        expect(hops.every(({ checks, message, remedy }) => checks > 0 && message !== '' && remedy !== '')).toBe(true);
      },
    ),
  );
});

test('the order in which checks are done does not change the explanation', () => {
  fc.assert(
    fc.property(fc.array(breakage(4), { maxLength: 4 }), fc.integer({ min: 1, max: 1000 }), (breakages, seed) => {
      const plan = planOf(4);
      const results = probed(checksOf(plan), breakages);
      const turned = results.map((_, index) => results[(index + seed) % results.length]!);
      const nameOf = (checks: typeof results): readonly string[] =>
        failingHops(checks, plan)
          .map(({ hop, family, nodes }) => `${hop} ${family} ${nodes.join()}`)
          .sort();
      expect(nameOf(turned)).toEqual(nameOf(results));
    }),
  );
});

test('a status holds the lowest layers first, and not more than fits', () => {
  const plan = planOf(40);
  const checks = probed(checksOf(plan), [{ path: 'HostToPod' }, { path: 'DNS', failure: 'NoRecord' }]);
  const shown = shownHops(failingHops(checks, plan));
  const order = shown.map(({ hop }) => HOPS.indexOf(hop));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(shown.every(({ nodes }) => nodes.length <= 50)).toBe(true);
});
