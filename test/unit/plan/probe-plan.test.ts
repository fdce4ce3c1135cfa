import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { ProbePlan } from '../../../src/model/step.ts';
import { ALL_PAIRS_UP_TO, choosePairs, MOST_NODES, probePlan } from '../../../src/plan/probe-plan.ts';
import { clusterFacts, coreDNSFacts, nodeFacts, podFacts, serviceFacts } from '../../support/facts.ts';
import { known } from '../../../src/model/reader.ts';

const IMAGE = { image: 'dualstack-operator:dev', pullPolicy: null, pullSecrets: [] };
const node = (index: number, change: Partial<NodeFacts> = {}): NodeFacts => ({
  ...nodeFacts(1, { name: `node-${index}` }),
  createdAt: '2026-11-01T00:00:00Z',
  ...change,
});
const cluster = (nodes: readonly NodeFacts[], change: Partial<ClusterFacts> = {}): ClusterFacts => ({
  ...clusterFacts(),
  nodes,
  ...change,
});
const planFor = (facts: ClusterFacts, suspects: readonly string[] = []): ProbePlan =>
  probePlan(facts, ['IPv4', 'IPv6'], IMAGE, suspects);
const many = (count: number, change: (index: number) => Partial<NodeFacts> = () => ({})): readonly NodeFacts[] =>
  Array.from({ length: count }, (_, index) => node(index, change(index)));
const countOf = (names: readonly string[]): readonly number[] => [
  ...names.reduce((counts, name) => counts.set(name, (counts.get(name) ?? 0) + 1), new Map<string, number>()).values(),
];

describe('pairs', () => {
  test.each([0, 1, 2, 3, ALL_PAIRS_UP_TO])('of %i nodes are all there are', (count) => {
    const names = Array.from({ length: count }, (_, index) => `n${index}`);
    const pairs = choosePairs(names);
    expect(new Set(pairs.map((pair) => pair.join())).size).toBe(count * Math.max(0, count - 1));
    expect(pairs.every(([source, target]) => source !== target)).toBe(true);
  });

  test('of many nodes grow with their number, and each node is as often a source as a target', () => {
    fc.assert(
      fc.property(fc.integer({ min: ALL_PAIRS_UP_TO + 1, max: 200 }), (count) => {
        const pairs = choosePairs(Array.from({ length: count }, (_, index) => `n${index}`));
        expect(pairs.length).toBeLessThanOrEqual(5 * count);
        expect(new Set(pairs.map((pair) => pair.join())).size).toBe(pairs.length);
        for (const ends of [pairs.map(([source]) => source), pairs.map(([, target]) => target)]) {
          expect(countOf(ends)).toHaveLength(count);
          expect(new Set(countOf(ends)).size).toBe(1);
        }
        expect(countOf(pairs.map(([source]) => source))[0]).toBeGreaterThanOrEqual(3);
      }),
    );
  });
});

const namesOf = (all: readonly NodeFacts[]) => planFor(cluster(all)).nodes.map(({ name }) => name);

describe('nodes', () => {
  test('that are not Ready are left out and named; Windows and virtual ones do not count', () => {
    const plan = planFor(
      cluster([
        node(1),
        node(2, { ready: false }),
        node(3, { labels: { 'kubernetes.io/os': 'windows' } }),
        node(4, { labels: { type: 'virtual-kubelet' } }),
      ]),
    );
    expect(plan.nodes.map(({ name }) => name)).toEqual(['node-1']);
    expect(plan).toMatchObject({ ready: 1, leftOut: ['node-2'], newest: '2026-11-01T00:00:00Z' });
  });

  test('of a large cluster are a sample over zones and roles that holds suspects first', () => {
    const zones = ['a', 'b', 'c', 'd'];
    const nodes = many(5000, (index) => ({
      controlPlane: index < 3,
      labels: { 'topology.kubernetes.io/zone': zones[index % zones.length] ?? '' },
    }));
    const plan = planFor(cluster(nodes), ['node-4711', 'gone', 'node-42']);
    const names = plan.nodes.map(({ name }) => name);
    expect(names).toHaveLength(MOST_NODES);
    expect(names.slice(0, 2)).toEqual(['node-4711', 'node-42']);
    expect(names).toEqual(expect.arrayContaining(['node-0', 'node-1', 'node-2']));
    const zonesOf = countOf(plan.nodes.map(({ name }) => zones[Number(name.slice(5)) % zones.length] ?? ''));
    expect(Math.min(...zonesOf)).toBeGreaterThan(5);
    expect(plan.pairs.length).toBeLessThanOrEqual(5 * MOST_NODES);
  });

  test('are chosen without chance, whatever the order in which they are listed', () => {
    const nodes = many(200);
    expect(namesOf(nodes.toReversed())).toEqual(namesOf(nodes));
  });

  test('under suspicion leave room for others to compare with', () => {
    const nodes = many(200);
    const suspects = nodes.map(({ name }) => name);
    expect(
      planFor(cluster(nodes), suspects).nodes.filter(({ name }) => suspects.slice(0, 20).includes(name)),
    ).toHaveLength(20);
    expect(planFor(cluster(nodes), suspects).nodes).toHaveLength(MOST_NODES);
  });
});

const dns = (clusterIPs: readonly string[], podIPs: readonly string[]) =>
  planFor(
    cluster([node(1)], {
      services: known([serviceFacts({ namespace: 'kube-system', name: 'kube-dns', clusterIPs })]),
      coreDNS: known(coreDNSFacts({ pods: [podFacts({ name: 'coredns-1', podIPs })] })),
    }),
  ).dns;

describe('cluster DNS', () => {
  test('is asked over the families that its Service has', () => {
    expect(dns(['10.96.0.10'], ['10.244.0.2'])).toEqual([{ address: '10.96.0.10', hasEndpoint: true }]);
  });

  test('whose pods lack a family has nobody to answer there', () => {
    expect(dns(['10.96.0.10', 'fd00::a'], ['10.244.0.2'])[1]).toEqual({ address: 'fd00::a', hasEndpoint: false });
    expect(dns(['10.96.0.10', 'fd00::a'], ['10.244.0.2', 'fd00:1::2'])[1]?.hasEndpoint).toBe(true);
  });
});
