import { expect, test } from '@jest/globals';
import { array, assert, boolean, constantFrom, property, record } from 'fast-check';
import type { NodeFacts } from '../../../src/model/facts.ts';
import type { NodeProof, NodeProofs } from '../../../src/model/node-proof.ts';
import { at, type JsonObject } from '../../../src/model/object.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Step } from '../../../src/model/step.ts';
import { decide } from '../../../src/plan/next.ts';
import { guard } from '../../../src/plan/guard-steps.ts';
import { DUAL_ENV } from '../../support/calico-facts.ts';
import { clusterFacts, nodeFacts, wantedDual, wantedSingle } from '../../support/facts.ts';
import { asked, clusterScene, NO_MEMORY, planScene } from '../../support/plan-scene.ts';

const GUARDING = wantedDual({ nodes: { guard: 'Taint' } });
const OURS: JsonObject = { key: 'dualstack.dev/family-missing', value: 'IPv6', effect: 'NoSchedule' };
const OTHER: JsonObject = { key: 'gpu', value: 'true', effect: 'NoExecute', timeAdded: '2026-11-01T00:00:00Z' };

const worker = (n: number, dual: boolean, taints: readonly JsonObject[] = []): NodeFacts =>
  nodeFacts(n, { dual }, { taints });

const is = (kind: NodeProof['is']): NodeProof => ({ is: kind, evidence: 'Seen so.', remedy: 'Mend it.' });
const proofs = (inForce: boolean, nodes: Readonly<Record<string, NodeProof>>) =>
  known<NodeProofs>({ inForce, nodes: new Map(Object.entries(nodes)) });
/** What the CNI shows of worker-1 and worker-2. */
const shown = (first: NodeProof['is'], second: NodeProof['is'], inForce = true) =>
  proofs(inForce, { 'worker-1': is(first), 'worker-2': is(second) });

const run = (nodes: readonly NodeFacts[], given: Parameters<typeof guard>[2], wanted = GUARDING) =>
  guard(wanted, clusterFacts({ nodes, dual: true }), given);

const taintsOf = (step: Step | undefined): unknown => at(step, 'write', 'body', 'spec', 'taints');

test('a node whose IPv6 is late is tainted, and keeps what taints it has', () => {
  const { steps, findings } = run([worker(1, true), worker(2, false, [OTHER])], shown('Proven', 'Pending'));
  expect(findings).toEqual([]);
  expect(steps).toHaveLength(1);
  expect(steps[0]).toMatchObject({
    id: 'guard/worker-2',
    state: { is: 'Pending' },
    remedy: true,
    write: { is: 'MergePatch', resourceVersion: '100' },
    diff: [{ before: null, after: 'dualstack.dev/family-missing=IPv6:NoSchedule' }],
  });
  expect(taintsOf(steps[0])).toEqual([OTHER, OURS]);
});

test.each<[string, readonly NodeFacts[], Parameters<typeof guard>[2]]>([
  [
    'at the start: the CNI does not look for IPv6 yet',
    [worker(1, true), worker(2, false)],
    shown('Proven', 'Pending', false),
  ],
  ['where nodes only wait for their turn', [worker(1, true), worker(2, true)], shown('Proven', 'Pending')],
  [
    'on Windows',
    [worker(1, true), { ...worker(2, false), labels: { 'kubernetes.io/os': 'windows' } }],
    shown('Proven', 'Pending'),
  ],
  ['where the CNI has no part', [worker(1, true), worker(2, false)], proofs(true, { 'worker-1': is('Proven') })],
  ['while the CNI cannot be read', [worker(1, true), worker(2, false)], unknown('503')],
])('no taint %s', (_, nodes, given) => {
  expect(run(nodes, given)).toEqual({ steps: [], findings: [] });
});

test('a node with both addresses that lost its IPv4 in the CNI is tainted for that', () => {
  const { steps } = run([worker(1, true), worker(2, true)], shown('Proven', 'LostPrimary'));
  expect(taintsOf(steps[0])).toEqual([{ ...OURS, value: 'IPv4' }]);
  expect(steps[0]?.why).toBe('Seen so.');
});

test.each<[string, boolean, NodeProof['is'], 'kept' | 'freed']>([
  ['no IPv6 yet', false, 'Pending', 'kept'],
  ['IPv6 there, no proof of the CNI yet', true, 'Pending', 'kept'],
  ['IPv6 there, and still lost in the CNI', true, 'LostPrimary', 'kept'],
  ['IPv6 there and proven', true, 'Proven', 'freed'],
])('%s: %s %s → %s', (_, dual, proof, then) => {
  const { steps } = run([worker(1, true), worker(2, dual, [OURS, OTHER])], shown('Proven', proof));
  expect(steps).toHaveLength(1);
  expect(steps[0]?.state.is).toBe(then === 'kept' ? 'Satisfied' : 'Pending');
  if (then === 'freed') expect(taintsOf(steps[0])).toEqual([OTHER]);
});

test('what cannot be read leaves a taint where it is', () => {
  const { steps } = run([worker(1, true), worker(2, true, [OURS])], unknown('503'));
  expect(steps.map(({ state }) => state.is)).toEqual(['Satisfied']);
});

test.each([
  ['the way is back', wantedSingle({ nodes: { guard: 'Taint' } })],
  ['it is no longer asked for', wantedDual()],
])('taints of ours go when %s', (_, wanted) => {
  const { steps } = run([worker(1, true), worker(2, false, [OTHER, OURS])], shown('Proven', 'LostPrimary'), wanted);
  expect(taintsOf(steps[0])).toEqual([OTHER]);
});

test.each<[string, NodeFacts]>([
  ['lacks the family too', worker(1, false)],
  ['is cordoned', { ...worker(1, true), unschedulable: true }],
  ['takes no pods', worker(1, true, [OTHER])],
  ['is not ready', { ...worker(1, true), ready: false }],
])('nothing is tainted where the only other node %s, and that is told', (_, first) => {
  const { steps, findings } = run([first, worker(2, false)], shown('Proven', 'LostPrimary'));
  expect(steps).toEqual([]);
  expect(findings).toEqual([expect.objectContaining({ reason: 'NodeNotGuarded', blocks: [] })]);
});

test('without proofs of a CNI a node is tainted only where nodes with both families are the rule', () => {
  expect(run([worker(1, true), worker(2, true), worker(3, false)], null).steps.map(({ id }) => id)).toEqual([
    'guard/worker-3',
  ]);
  expect(run([worker(1, true), worker(2, false), worker(3, false)], null).steps).toEqual([]);
});

test('whatever the nodes: taints of others survive, ours is there once at most, and a node that takes pods is left', () => {
  const kind = constantFrom<NodeProof['is']>('Proven', 'Pending', 'LostPrimary');
  const one = record({ dual: boolean(), ours: boolean(), other: boolean(), ready: boolean(), kind });
  assert(
    property(array(one, { minLength: 1, maxLength: 6 }), boolean(), (given, inForce) => {
      const nodes = given.map(({ dual, ours, other, ready }, index) => ({
        ...worker(index + 1, dual, [...(other ? [OTHER] : []), ...(ours ? [OURS] : [])]),
        ready,
      }));
      const all = Object.fromEntries(given.map((each, index) => [`worker-${index + 1}`, is(each.kind)]));
      const { steps } = run(nodes, proofs(inForce, all));
      for (const step of steps) {
        const node = nodes.find(({ name }) => step.id === `guard/${name}`);
        const after = taintsOf(step) as readonly JsonObject[];
        const isOurs = ({ key }: JsonObject) => key === OURS['key'];
        expect(after.filter((taint) => !isOurs(taint))).toEqual(node?.taints.filter((taint) => !isOurs(taint)));
        expect(after.filter(isOurs).length).toBeLessThanOrEqual(1);
      }
      const added = steps.filter((step) => step.diff.some(({ before }) => before === null));
      const free = nodes.filter((node) => node.ready && node.taints.length === 0);
      if (added.length > 0) expect(free.some(({ name }) => added.every(({ id }) => id !== `guard/${name}`))).toBe(true);
    }),
  );
});

test('blockers of the rest do not hold a guard back; the user does', () => {
  const converted = clusterScene({ dual: true, proven: true, workers: 2 }, {}, { agent: { env: DUAL_ENV } });
  const late = { ...nodeFacts(9, { ipv6: false, name: 'worker-9' }), taints: [OTHER] };
  const facts = {
    ...converted,
    nodes: [...converted.nodes, late],
    records: known({ families: { families: ['IPv4'] } }),
  };
  const first = (change: Record<string, unknown>) => {
    const request = asked({ nodes: { guard: 'Taint' }, ...change });
    const { plan } = planScene(facts, request);
    const [record, ...steps] = plan.steps;
    const blocker = { reason: 'NodesNotReady', object: null, message: 'm', remedy: 'r', blocks: ['NodeIPs'] } as const;
    const done = { ...record, state: { is: 'Satisfied', evidence: 'seen' } } as Step;
    return decide({ ...plan, steps: [done, ...steps], findings: [blocker] }, facts, request, NO_MEMORY, 1);
  };
  expect(first({})).toMatchObject({ is: 'Act', step: { id: 'guard/worker-9' } });
  expect(first({ paused: true })).toMatchObject({ is: 'Paused' });
  expect(first({ mode: 'Plan' })).toMatchObject({ is: 'PlanOnly' });
  expect(first({ approvedPlanHash: 'abc' })).toMatchObject({ is: 'AwaitingApproval' });
});

test('an approval does not lapse because a node is guarded', () => {
  const request = asked({ nodes: { guard: 'Taint' } });
  const facts = clusterScene({ dual: true, proven: true });
  const guarded = {
    ...facts,
    nodes: facts.nodes.map((node, index) => (index === 2 ? { ...node, taints: [OURS] } : node)),
  };
  expect(planScene(guarded, request).plan.steps.some(({ id }) => id.startsWith('guard/'))).toBe(true);
  expect(planScene(guarded, request).plan.hash).toBe(planScene(facts, request).plan.hash);
});

test('where most nodes lack a family none is tainted: an outage is no fault of single nodes', () => {
  const nodes = [worker(1, true), worker(2, true), worker(3, false), worker(4, false), worker(5, false)];
  const proofs = nodes.map(({ name }, index): [string, NodeProof] => [
    name,
    { is: index < 2 ? 'Proven' : 'LostPrimary', evidence: 'seen', remedy: '' },
  ]);
  const { steps, findings } = run(nodes, known({ inForce: true, nodes: new Map(proofs) }));
  expect(steps).toEqual([]);
  expect(findings).toEqual([expect.objectContaining({ message: expect.stringContaining('most nodes lack a family') })]);
});
