import { expect, test } from '@jest/globals';
import type { Connectivity, Hop } from '../../../src/model/connectivity.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import { known } from '../../../src/model/reader.ts';
import type { Step } from '../../../src/model/step.ts';
import { connectivityText } from '../../../src/plan/packets-step.ts';
import { AT, before, SERVICES } from '../../support/facts.ts';
import { asked, clusterScene, NO_MEMORY, planScene } from '../../support/plan-scene.ts';

const IMAGE = { image: 'dualstack-operator:dev', pullPolicy: null, pullSecrets: [] };
const scene = (change: Partial<ClusterFacts> = {}): ClusterFacts =>
  clusterScene({ dual: true }, { probeImage: IMAGE, ...change });

const stepFor = (facts: ClusterFacts, connectivity: Connectivity | null = null, request = asked()): Step | undefined =>
  planScene(facts, request, { ...NO_MEMORY, connectivity }).plan.steps.find(({ id }) => id === 'verify/packets');

const packets = (facts: ClusterFacts, connectivity: Connectivity | null = null) => {
  const step = stepFor(facts, connectivity);
  if (step?.kind !== 'VerifyPackets') throw new Error('no such step');
  return step;
};

const HOP: Hop = {
  hop: 'Node',
  family: 'IPv6',
  nodes: ['worker-1'],
  checks: 6,
  message: 'IPv6 of worker-1 fails.',
  remedy: 'See its routes.',
};
const proof = (change: Partial<Connectivity> = {}): Connectivity => ({
  fingerprint: packets(scene()).fingerprint,
  at: before(3600),
  failedInRow: 0,
  nodes: { ready: 3, probed: 3, newest: before(0), leftOut: [] },
  pairs: { tested: 6, total: 6 },
  checks: { total: 90, failed: 0 },
  families: [],
  hops: [],
  ...change,
});
const failed = (failedInRow: number, seconds: number): Connectivity =>
  proof({ failedInRow, at: before(seconds), checks: { total: 90, failed: 6 }, hops: [HOP] });

test('is the last thing to be done, after the proof through the API', () => {
  expect(
    planScene(scene())
      .plan.steps.slice(-2)
      .map(({ id }) => id),
  ).toEqual(['verify/api', 'verify/packets']);
  expect(packets(scene()).state.is).toBe('Pending');
});

test.each([
  ['no image is known', clusterScene({ dual: true }), asked()],
  ['proofs are switched off', scene(), asked({ verification: { mode: 'None' } })],
])('is not there where %s', (_case, facts, request) => {
  expect(stepFor(facts, null, request)).toBeUndefined();
});

test.each<[string, Connectivity, Step['state']['is']]>([
  ['passed, however long ago', proof({ at: before(86_400 * 30) }), 'Satisfied'],
  ['passed, of another configuration', proof({ fingerprint: 'other' }), 'Pending'],
  ['failed once, just now', failed(1, 10), 'InProgress'],
  ['failed once, a minute ago', failed(1, 61), 'Pending'],
  ['failed twice, a minute ago', failed(2, 61), 'Failed'],
  ['failed twice, two minutes ago', failed(2, 121), 'Pending'],
  ['failed often, half an hour ago', failed(50, 1800), 'Failed'],
  ['failed often, an hour ago', failed(50, 3601), 'Pending'],
  ['failed, of another configuration', { ...failed(2, 10), fingerprint: 'other' }, 'Pending'],
])('a proof that %s', (_case, last, state) => {
  expect(packets(scene(), last).state.is).toBe(state);
});

test('a failure names the hop, its remedy, and when it is tried again', () => {
  expect(packets(scene(), failed(3, 10)).state).toEqual({
    is: 'Failed',
    why: '6 of 90 checks with packets failed: IPv6 of worker-1 fails.',
    remedy: 'See its routes. It is tried again by itself, 4 min after the last time.',
  });
});

test('failures in a row are counted for one configuration', () => {
  expect(packets(scene(), failed(3, 1)).failedBefore).toBe(3);
  expect(packets(scene(), { ...failed(3, 1), fingerprint: 'other' }).failedBefore).toBe(0);
});

test('a new node asks for a new proof, but not more often than every five minutes', () => {
  const known1 = proof({ at: before(299), nodes: { ready: 2, probed: 2, newest: before(86_400 * 365), leftOut: [] } });
  expect(packets(scene(), known1).state).toMatchObject({
    is: 'Satisfied',
    evidence: expect.stringContaining('newer nodes'),
  });
  expect(packets(scene(), { ...known1, at: before(300) }).state.is).toBe('Pending');
});

test('a node that comes back asks for a new proof; one that goes away does not', () => {
  const [first, ...others] = scene().nodes;
  const last = proof({ nodes: { ready: 2, probed: 2, newest: before(0), leftOut: [first!.name] } });
  expect(packets(scene(), last).state.is).toBe('Pending');
  expect(packets(scene({ nodes: [{ ...first!, ready: false }, ...others] }), last).state.is).toBe('Satisfied');
});

test('another control-plane node with the settings of the others is no new configuration; another Service network is', () => {
  const { fingerprint } = packets(scene());
  const nodes = scene().nodes.flatMap((node) => [node, { ...node, name: `${node.name}-b` }]);
  expect(packets(scene({ nodes })).fingerprint).toBe(fingerprint);
  expect(packets(scene({ serviceCIDR: known([SERVICES.IPv4]) })).fingerprint).not.toBe(fingerprint);
});

test('a way back to the first state waits for no proof to be better than that state is', () => {
  const facts = scene();
  const back = (connectivity: Connectivity | null) =>
    planScene(facts, asked(), { ...NO_MEMORY, connectivity }, 'FirstState').plan.steps.find(
      ({ id }) => id === 'verify/packets',
    );
  const step = back(null);
  expect(step?.state.is).toBe('Pending');
  const { fingerprint = '' } = step?.kind === 'VerifyPackets' ? step : {};
  expect(back({ ...failed(1, 1), fingerprint })?.state).toEqual({
    is: 'Satisfied',
    evidence: '6 of 90 checks with packets failed: IPv6 of worker-1 fails.',
  });
});

test('the approval of a plan does not hang on how it is proven', () => {
  expect(planScene(scene()).plan.hash).toBe(planScene(clusterScene({ dual: true })).plan.hash);
});

test('a sample is told as one, and nodes that were left out are named', () => {
  const text = connectivityText(
    proof({
      nodes: { ready: 500, probed: 40, newest: '', leftOut: ['worker-9'] },
      pairs: { tested: 200, total: 249_500 },
      families: [{ family: 'IPv6', total: 45, failed: 0, latency: { median: 430, p99: 1960 } }],
      at: new Date(AT).toISOString(),
    }),
  );
  expect(text).toBe(
    '90 of 90 checks with packets passed at 2026-11-02T12:00:00.000Z over 200 of 249500 pairs of nodes (a sample: 40 of 500 nodes took part) (median IPv6 0.4 ms, p99 2.0 ms). Not Ready and left out: worker-9.',
  );
});

test.each(['NotRun', 'NoReport'] as const)('a proof that came to nothing (%s) undoes nothing', (hop) => {
  const last = { ...failed(3, 61), hops: [{ ...HOP, hop }] };
  expect(packets(scene(), last).state).toMatchObject({ is: 'Unknown', why: expect.stringContaining(HOP.remedy) });
});
