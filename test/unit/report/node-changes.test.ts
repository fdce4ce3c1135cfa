import { expect, test } from '@jest/globals';
import type { ClusterStatus, NodeException } from '../../../src/api/cluster-status.ts';
import { nodeChanges, toldOf } from '../../../src/report/node-changes.ts';

type Change = Partial<NodeException>;
const node = (name: string, change: Change = {}): NodeException => ({
  name,
  families: ['IPv4'],
  cause: 'NoAddress',
  message: `No interface of ${name} has an IPv6 address.`,
  remedy: 'give it one',
  since: '2026-11-02T11:00:00Z',
  ...change,
});

/** Of a cluster that was converted, unless told otherwise. */
const status = (exceptions: readonly NodeException[], change: Partial<ClusterStatus> = {}): ClusterStatus => ({
  observedGeneration: 3,
  appliedGeneration: 3,
  nodes: { total: 9, dualStack: 9, ipv4Only: 0, ipv6Only: 0, none: 0, delayed: 0, exceptions: [...exceptions] },
  ...change,
});

const RESTART = { remedy: 'RestartKubelet', times: 1, at: '2026-11-02T11:59:00Z' } as const;
const begun = node('a', { tried: RESTART });
const inVain = node('a', { tried: { ...RESTART, inVain: true } });
const many = Array.from({ length: 50 }, (_, n) => node(`n${n}`));

test.each<[string, ClusterStatus, ClusterStatus, readonly string[]]>([
  ['a family goes', status([]), status([node('a')]), ['NodeFamilyMissing']],
  ['it stays away', status([node('a')]), status([node('a')]), []],
  ['for a new reason', status([node('a')]), status([node('a', { cause: 'LateAddress' })]), []],
  ['for longer than the grace period', status([node('a')]), status([node('a', { delayed: true })]), ['NodeDelayed']],
  ['which is told once', status([node('a', { delayed: true })]), status([node('a', { delayed: true })]), []],
  ['it comes back', status([node('a', { delayed: true })]), status([]), ['NodeFamilyPresent']],
  [
    'back, and something else is wrong',
    status([node('a')]),
    status([node('a', { cause: 'CNIPending' })]),
    ['NodeFamilyPresent'],
  ],
  [
    'it had both before, and something else was wrong',
    status([node('a', { cause: 'PodCIDRMissing' })]),
    status([node('a')]),
    ['NodeFamilyMissing'],
  ],
  ['what is told elsewhere: the CNI lost one', status([]), status([node('a', { cause: 'CNILostPrimary' })]), []],
  ['what is no missing address', status([]), status([node('a', { cause: 'HostPodsSingleFamily' })]), []],
  ['the first look', { observedGeneration: 3, appliedGeneration: 3 }, status([node('a'), begun]), []],
  ['nodes that wait for their turn in a conversion', status([], { appliedGeneration: 2 }), status([node('a')]), []],
  [
    'a changed spec asks for more',
    status([], { observedGeneration: 2, appliedGeneration: 2 }),
    status([node('a')]),
    [],
  ],
  ['too many to name', status(many), status([...many.slice(1), node('x')]), []],
  ['a remedy begins', status([node('a')]), status([begun]), ['NodeRemedyBegun']],
  ['also in a conversion', status([node('a')], { appliedGeneration: 2 }), status([begun]), ['NodeRemedyBegun']],
  [
    'once more',
    status([begun]),
    status([node('a', { tried: { ...RESTART, times: 2, at: '2026-11-02T13:00:00Z' } })]),
    ['NodeRemedyBegun'],
  ],
  ['it is under way', status([begun]), status([begun]), []],
  ['it helped', status([begun]), status([]), ['NodeRemedied']],
  [
    'a renumbered node is given its new address',
    status([node('a', { cause: 'AddressGone', tried: { remedy: 'SetNodeIP', times: 1 } })]),
    status([]),
    ['NodeRemedied'],
  ],
  ['it did not help', status([begun]), status([inVain]), ['NodeRemedyGivenUp']],
  ['that is told once', status([inVain]), status([inVain]), []],
  ['people mended it', status([inVain]), status([]), ['NodeFamilyPresent']],
  [
    'several at once',
    status([node('a'), begun]),
    status([node('b')]),
    ['NodeFamilyMissing', 'NodeFamilyPresent', 'NodeRemedied'],
  ],
])('%s', (_, before, after, expected) => {
  expect(nodeChanges(before, after, () => true).map(({ is }) => is)).toEqual(expected);
});

test('a node that was deleted is forgotten', () => {
  expect(nodeChanges(status([begun, node('b')]), status([]), (name) => name !== 'a')).toMatchObject([
    { is: 'NodeFamilyPresent', node: { name: 'b' } },
  ]);
});

test('each is told with the node and what to do, and fits an Event', () => {
  const [missing] = nodeChanges(status([]), status([node('a')]), () => true).map(toldOf);
  expect(missing).toEqual({
    type: 'Warning',
    reason: 'NodeFamilyMissing',
    action: 'Observe',
    note: 'Node a: No interface of a has an IPv6 address. What to do: give it one.',
  });
  const long = node('a', { message: 'x'.repeat(1024), tried: { ...RESTART, inVain: true } });
  const [givenUp] = nodeChanges(status([begun]), status([long]), () => true).map(toldOf);
  expect(givenUp).toMatchObject({ type: 'Warning', reason: 'NodeRemedyGivenUp' });
  expect(givenUp?.note.length).toBeLessThanOrEqual(1024);
});
