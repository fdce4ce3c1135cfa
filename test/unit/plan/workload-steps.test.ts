import { expect, test } from '@jest/globals';
import { afterDecision } from '../../../src/reconcile/memory.ts';
import { makePlan } from '../../../src/plan/plan.ts';
import type { PodOwner, RestartFacts } from '../../../src/model/pod-owner.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { whyNotRestarted, workloadSteps } from '../../../src/plan/workload-steps.ts';
import { AT, before, clusterFacts, PODS, wantedDual, wantedSingle } from '../../support/facts.ts';
import { podOwner } from '../../support/pod-owners.ts';
import { asked, clusterScene, NO_MEMORY, planScene } from '../../support/plan-scene.ts';

const MARK = `${PODS.IPv4},${PODS.IPv6}`;
const ALL = wantedDual({ workloadRestart: 'All' });
const SELECTED = wantedDual({ workloadRestart: 'Selected' });

const steps = (owners: readonly PodOwner[], wanted = ALL, current: string | null = null) =>
  workloadSteps(wanted, clusterFacts({}, { workloads: known(owners) }), {
    ...NO_MEMORY,
    current: current === null ? null : { id: current, startedAt: AT },
  });
const states = (...given: Parameters<typeof steps>) => steps(...given).map(({ target, state }) => [target, state.is]);
const one = (restart: Partial<RestartFacts>, change: Partial<PodOwner> = {}) => podOwner('web', change, restart);

test('a workload with pods of one family is restarted, with a mark that names what for', () => {
  const [step] = steps([one({})]);
  expect(step).toMatchObject({
    kind: 'RolloutWorkload',
    id: 'workloads/deployment/shop/web',
    phase: 'Workloads',
    target: 'Deployment shop/web',
    state: { is: 'Pending' },
    ref: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' },
    next: { is: 'Restart', mark: 'dualstack.dev/restarted', value: MARK, resourceVersion: '7' },
  });
});

test.each<[string, Partial<RestartFacts>, Partial<PodOwner>, string]>([
  ['all pods have both', {}, { without: { IPv4: 0, IPv6: 0 } }, 'Satisfied'],
  ['somebody rolls it out just now', { rolledOut: false }, {}, 'Deferred'],
  ['a pod is ill before', { notReady: { pod: 'web-1', since: before(9000) } }, {}, 'Deferred'],
  ['its budget allows no disruption', { budget: 'web-pdb' }, {}, 'Deferred'],
  ['restarted, pods on their way', { mark: MARK, rolledOut: false }, {}, 'InProgress'],
  ['restarted for other networks', { mark: '10.0.0.0/8' }, {}, 'Pending'],
  ['restarted and rolled out', { mark: MARK }, { without: { IPv4: 0, IPv6: 0 } }, 'Satisfied'],
  ['restarted, and its pods ask for one family', { mark: MARK }, {}, 'Satisfied'],
  [
    'restarted, and a new pod does not become ready',
    { mark: MARK, rolledOut: false, notReady: { pod: 'web-2', since: before(601) } },
    {},
    'Failed',
  ],
  [
    'restarted, and a new pod takes its time',
    { mark: MARK, rolledOut: false, notReady: { pod: 'web-2', since: before(599) } },
    {},
    'InProgress',
  ],
  [
    'ill long after its restart, in its everyday life',
    { mark: MARK, rolledOut: false, notReady: { pod: 'web-2', since: before(9000) } },
    { without: { IPv4: 0, IPv6: 0 } },
    'Satisfied',
  ],
])('%s', (_, restart, change, state) => {
  expect(states([one(restart, change)])).toEqual([['Deployment shop/web', state]]);
});

test('a restart that fails names the pod, and how to put the old template back for good', () => {
  const [step] = steps([one({ mark: MARK, rolledOut: false, notReady: { pod: 'web-2', since: before(700) } })]);
  expect(step?.state).toMatchObject({
    is: 'Failed',
    why: expect.stringContaining('Pod web-2'),
    remedy: expect.stringContaining(
      'kubectl -n shop label deployment/web dualstack.dev/restart=false --overwrite && kubectl -n shop rollout undo deployment/web',
    ),
  });
});

test('one at a time: the next waits until the last pods of the one before are ready', () => {
  const settling = podOwner(
    'a',
    { without: { IPv4: 0, IPv6: 0 } },
    {
      mark: MARK,
      rolledOut: false,
      youngestPod: before(5),
    },
  );
  const next = podOwner('b', {}, {});
  expect(states([settling, next])).toEqual([
    ['Deployment shop/a', 'Satisfied'],
    ['Deployment shop/b', 'InProgress'],
  ]);
  expect(states([settling, next], ALL, 'workloads/deployment/shop/a')).toEqual([
    ['Deployment shop/a', 'InProgress'],
    ['Deployment shop/b', 'InProgress'],
  ]);
  const old = podOwner(
    'a',
    { without: { IPv4: 0, IPv6: 0 } },
    {
      mark: MARK,
      rolledOut: false,
      youngestPod: before(9000),
    },
  );
  expect(states([old, next])).toContainEqual(['Deployment shop/b', 'Pending']);
});

test('what is under way comes before what comes first by name', () => {
  const begun = podOwner('z', {}, { mark: MARK, rolledOut: false });
  expect(states([podOwner('a', {}, {}), begun])[0]).toEqual(['Deployment shop/z', 'InProgress']);
});

test.each([
  ['All', null, true],
  ['All', 'true', true],
  ['All', 'false', false],
  ['Selected', null, false],
  ['Selected', 'true', true],
  ['Selected', 'false', false],
] as const)('%s, label %s: asked for %s', (restart, label, expected) => {
  expect(steps([one({ label })], restart === 'All' ? ALL : SELECTED)).toHaveLength(expected ? 1 : 0);
});

test.each<[string, PodOwner, RegExp]>([
  ['kept by an operator', one({ keeper: 'Database db' }), /^Database db keeps it/u],
  ['paused', one({ obstacle: 'Paused' }), /rollout resume deployment\/web/u],
  ['OnDelete', one({ obstacle: 'OnDelete' }), /OnDelete: delete its pods/u],
  ['partition', one({ obstacle: 'Partition' }), /partition/u],
  ['ours', one({}, { namespace: 'dualstack-system' }), /part of this program/u],
  ['cluster DNS', podOwner('coredns', { namespace: 'kube-system' }), /step of its own/u],
  ['a Job', podOwner('job', { kind: 'Job', restart: null }), /Pods of a Job/u],
])('left alone with a reason: %s', (_, owner, words) => {
  expect(steps([owner])).toEqual([]);
  expect(whyNotRestarted(owner)).toMatch(words);
});

test('a Deployment that is paused in the middle of its restart is still waited for', () => {
  expect(states([one({ mark: MARK, rolledOut: false, obstacle: 'Paused' })])).toEqual([
    ['Deployment shop/web', 'InProgress'],
  ]);
});

test('what cannot be listed is waited for, and only where it is needed', () => {
  const facts = clusterFacts({}, { workloads: unknown('403') });
  expect(workloadSteps(ALL, facts, NO_MEMORY)).toMatchObject([
    { kind: 'WaitFor', state: { is: 'Unknown', why: '403' } },
  ]);
  expect(workloadSteps(wantedDual(), facts, NO_MEMORY)).toEqual([]);
});

test('on the way back the marks are taken away, and nothing is restarted', () => {
  const back = steps([one({ mark: MARK }), podOwner('b', {}, {})], wantedSingle({ workloadRestart: 'All' }));
  expect(back).toMatchObject([
    {
      kind: 'ApplyObject',
      target: 'Deployment shop/web',
      write: { body: { metadata: { annotations: { 'dualstack.dev/restarted': null } } } },
    },
  ]);
});

test('a workload that fails does not undo the conversion, and its presence does not change the hash of a plan', () => {
  const request = asked({ workloads: { restart: 'All' }, rollout: { onFailure: 'RollBack' } });
  const facts = clusterScene({ dual: true, proven: true });
  const failed = one({ mark: MARK, rolledOut: false, notReady: { pod: 'web-2', since: before(700) } });
  const withFailed = { ...facts, workloads: known([failed]) };
  const { plan, plugins } = planScene(withFailed, request);
  const step = plan.steps.find(({ phase }) => phase === 'Workloads');
  if (step === undefined) throw new Error('a step of the workload is there');
  const decision = { is: 'Failed', step, why: 'w', remedy: 'r' } as const;
  const situation = { request, goal: 'Spec', generation: 1, now: AT, plan } as const;
  expect(afterDecision(NO_MEMORY, decision, situation).rollBack).toBeNull();
  const elsewhere = { ...decision, step: { ...step, phase: 'Proxy' } } as const;
  expect(afterDecision(NO_MEMORY, elsewhere, situation).rollBack).toMatchObject({ state: 'Running' });
  expect(makePlan(request, facts, plugins, NO_MEMORY).hash).toBe(plan.hash);
});
