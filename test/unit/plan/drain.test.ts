import { expect, test } from '@jest/globals';
import type { BoundPlugins } from '../../../src/model/bound.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { LoadPod, NodeLoad } from '../../../src/model/node-load.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { ReplaceNode, Step } from '../../../src/model/step.ts';
import type { DrainRules, Wanted } from '../../../src/model/wanted.ts';
import { nodesToDrain, uncordonSteps } from '../../../src/plan/drain.ts';
import { decide } from '../../../src/plan/next.ts';
import { checkPodCIDRs, podCIDRSteps } from '../../../src/plan/pod-cidrs.ts';
import { AT, before, clusterFacts, nodeFacts, wantedDual, wantedSingle } from '../../support/facts.ts';
import { asked, askedBack, clusterScene, NO_MEMORY, planScene } from '../../support/plan-scene.ts';

const RULES: DrainRules = { standalonePods: 'Refuse', emptyDir: 'Refuse', timeout: 600 };
const drain = (rules: Partial<DrainRules> = {}): Wanted =>
  wantedDual({ nodes: { podCIDRs: 'Drain', drain: { ...RULES, ...rules } } });
const FLANNEL = { cni: { name: 'Flannel', usesNodeIPAM: true }, distribution: { name: 'Kubeadm' } } as BoundPlugins;

const MARK = { 'dualstack.dev/cordoned': before(60) };
const OURS: Partial<NodeFacts> = { unschedulable: true, annotations: MARK };
const THEIRS: Partial<NodeFacts> = { unschedulable: true };
const DONE: Partial<NodeFacts> = { podCIDRs: ['10.244.2.0/24', 'fd00:10:244::/64'] };

const loadPod = (name: string, change: Partial<LoadPod> = {}): LoadPod => ({
  namespace: 'shop',
  name,
  uid: `uid-${name}`,
  standalone: false,
  emptyDir: null,
  terminating: false,
  heldBy: null,
  ...change,
});
const load = (pods: readonly LoadPod[] = [], attachments: readonly string[] = []) =>
  known<NodeLoad>({ pods, attachments });

/** `cp-1` … and workers `worker-N` after them, as in a cluster whose Nodes have one podCIDR. */
function cluster(
  change: Readonly<Record<string, Partial<NodeFacts>>> = {},
  loads: ClusterFacts['loads'] = {},
  controlPlanes = 1,
): ClusterFacts {
  const nodes = [
    ...Array.from({ length: controlPlanes }, (_, n) => nodeFacts(n + 1, { controlPlane: true })),
    nodeFacts(controlPlanes + 1),
    nodeFacts(controlPlanes + 2),
  ].map((node) => ({ ...node, ...change[node.name] }));
  return clusterFacts({ nodes }, { loads });
}

const stepsOf = (facts: ClusterFacts, wanted: Wanted = drain()): readonly Step[] =>
  podCIDRSteps(wanted, facts, FLANNEL);
function stepOf(name: string, facts: ClusterFacts, wanted: Wanted = drain()): Step & ReplaceNode {
  const step = stepsOf(facts, wanted).find((each) => each.kind === 'ReplaceNode' && each.node === name);
  if (step?.kind !== 'ReplaceNode') throw new Error(`no step of ${name}`);
  return step;
}

const HELD = 'PodDisruptionBudget shop/web allows no more disruptions now';
const cordoned = { 'worker-2': OURS };

test.each<[string, Partial<NodeFacts>, NodeLoad | null | 'Unreadable', string, string, RegExp | null]>([
  ['it takes pods', {}, null, 'Pending', 'Cordon', null],
  ['it takes pods, and was marked', { annotations: MARK }, null, 'Pending', 'Cordon', null],
  ['nobody has looked at its pods', OURS, null, 'Unknown', 'Await', /worker-2/u],
  ['its pods cannot be read', OURS, 'Unreadable', 'Unknown', 'Await', /forbidden/u],
  ['it has pods', OURS, { pods: [loadPod('a')], attachments: [] }, 'Pending', 'Evict', null],
  ['people cordoned it', THEIRS, { pods: [loadPod('a')], attachments: [] }, 'Pending', 'Evict', null],
  [
    'some may go, others not',
    OURS,
    { pods: [loadPod('a', { heldBy: HELD }), loadPod('b'), loadPod('c', { terminating: true })], attachments: [] },
    'Pending',
    'Evict',
    null,
  ],
  [
    'a budget holds them',
    OURS,
    { pods: [loadPod('a', { heldBy: HELD }), loadPod('b', { heldBy: HELD })], attachments: [] },
    'InProgress',
    'Await',
    /^Pod shop\/a on worker-2 is not evicted, as 1 more: PodDisruptionBudget shop\/web allows no more disruptions now$/u,
  ],
  [
    'they end',
    OURS,
    { pods: [loadPod('a', { terminating: true })], attachments: [] },
    'InProgress',
    'Await',
    /^1 pod on worker-2 still to end, among them Pod shop\/a/u,
  ],
  [
    'a volume is attached',
    OURS,
    { pods: [], attachments: ['va-1'] },
    'InProgress',
    'Await',
    /^VolumeAttachment va-1 is not detached from worker-2 yet/u,
  ],
  [
    'its status has volumes',
    { ...OURS, holders: [{ is: 'Volumes', who: 'attached volumes', sign: 'volume kubernetes.io/csi/x' }] },
    { pods: [], attachments: [] },
    'InProgress',
    'Await',
    /^volume kubernetes.io\/csi\/x is not detached/u,
  ],
  ['it is empty', OURS, { pods: [], attachments: [] }, 'Pending', 'none', null],
  ['it is empty, and people cordoned it', THEIRS, { pods: [], attachments: [] }, 'Pending', 'none', null],
])('what is next where %s', (_name, node, seen, state, next, why) => {
  const found = seen === null ? undefined : seen === 'Unreadable' ? unknown('forbidden') : known(seen);
  const step = stepOf('worker-2', cluster({ 'worker-2': node }, found === undefined ? {} : { 'worker-2': found }));
  expect([step.state.is, step.drain?.is ?? 'none']).toEqual([state, next]);
  if (why !== null) expect(step.state).toMatchObject({ why: expect.stringMatching(why) });
  expect(step.timeoutSeconds).toBe(600);
});

test('only pods that may go now are evicted, and each by its uid', () => {
  const pods = [loadPod('a', { heldBy: HELD }), loadPod('b'), loadPod('c', { terminating: true })];
  expect(stepOf('worker-2', cluster(cordoned, { 'worker-2': load(pods) })).drain).toEqual({
    is: 'Evict',
    pods: [{ namespace: 'shop', name: 'b', uid: 'uid-b' }],
  });
});

test.each<[string, Partial<NodeFacts>, NodeLoad | null, string]>([
  ['before anybody looked', {}, null, 'cordon, evict its pods, replace, wait for its kubelet, uncordon'],
  [
    'with pods and volumes',
    {},
    { pods: [loadPod('a'), loadPod('b')], attachments: ['va'] },
    'cordon, evict 2 pods, wait until its volumes are detached, replace, wait for its kubelet, uncordon',
  ],
  [
    'that people cordoned',
    THEIRS,
    { pods: [loadPod('a')], attachments: [] },
    'evict 1 pod, replace, wait for its kubelet, leave it cordoned, as it was',
  ],
])('a plan says what becomes of a Node %s', (_name, node, seen, course) => {
  const step = stepOf('worker-2', cluster({ 'worker-2': node }, seen === null ? {} : { 'worker-2': known(seen) }));
  expect(step.diff).toEqual([
    { path: 'spec.podCIDRs', before: '10.244.2.0/24', after: '10.244.2.0/24,fd00:10:244::/64' },
    { path: 'drain', before: null, after: course },
  ]);
  expect(step.disrupts?.text).toMatch(seen === null ? /^the pods on it evicted/u : /^\d pods? on it evicted/u);
});

test('without Drain nothing of it is in a step', () => {
  const step = stepOf('worker-2', cluster(), wantedDual({ nodes: { podCIDRs: 'Replace' } }));
  expect([step.state.is, step.drain, step.diff.length]).toEqual(['Pending', undefined, 1]);
});

const order = (change: Readonly<Record<string, Partial<NodeFacts>>>): string[] =>
  stepsOf(cluster(change)).map((step) => (step.kind === 'ReplaceNode' ? step.node : ''));

test('a drain that has begun comes before others, also before a worker; after a Node whose kubelet is awaited', () => {
  expect(order({})).toEqual(['worker-2', 'worker-3', 'cp-1']);
  expect(order({ 'worker-3': OURS })).toEqual(['worker-3', 'worker-2', 'cp-1']);
  expect(order({ 'cp-1': OURS })).toEqual(['cp-1', 'worker-2', 'worker-3']);
  expect(order({ 'worker-3': THEIRS })).toEqual(['worker-2', 'worker-3', 'cp-1']);
  const awaited = { ...DONE, ...OURS, createdAt: before(5), renewedAt: known(before(9)) };
  expect(order({ 'worker-2': awaited, 'worker-3': OURS })).toEqual(['worker-2', 'worker-3', 'cp-1']);
});

const away = { ready: false };
test.each<[string, number, readonly string[], boolean]>([
  ['one', 1, [], true],
  ['two', 2, [], true],
  ['two, the other is away', 2, ['cp-2'], false],
  ['three', 3, [], true],
  ['three, one is away', 3, ['cp-3'], false],
  ['five, one is away', 5, ['cp-3'], true],
  ['five, two are away', 5, ['cp-3', 'cp-4'], false],
])('a control-plane node is drained while there is a quorum without it: of %s', (_name, count, gone, may) => {
  const facts = cluster(Object.fromEntries(gone.map((name) => [name, away])), {}, count);
  const tolerant = drain();
  const of = (wanted: Wanted, change: Readonly<Record<string, Partial<NodeFacts>>> = {}) =>
    stepOf('cp-1', { ...facts, nodes: facts.nodes.map((node) => ({ ...node, ...change[node.name] })) }, wanted);
  expect(of(tolerant).drain?.is).toBe(may ? 'Cordon' : 'Await');
  if (may) return;
  expect(of(tolerant).state).toMatchObject({ is: 'InProgress', why: expect.stringContaining(gone[0] ?? '') });
  expect(of({ ...tolerant, tolerateUnavailable: 2 }).state.is).toBe('Deferred');
  // What has begun is not passed over.
  expect(of({ ...tolerant, tolerateUnavailable: 2 }, { 'cp-1': OURS }).state.is).toBe('InProgress');
  const worker = stepOf(`worker-${count + 1}`, facts);
  expect(worker.drain?.is).toBe('Cordon');
});

const findingsOf = (facts: ClusterFacts, wanted: Wanted = drain()) =>
  checkPodCIDRs(wanted, facts, FLANNEL, stepsOf(facts, wanted));

test.each<[string, Partial<LoadPod>, Partial<DrainRules>, readonly RegExp[]]>([
  ['that a controller keeps', {}, {}, []],
  [
    'that nobody keeps',
    { standalone: true },
    {},
    [/^2 pods on Nodes that are to be drained would not come back.*: shop\/a \(on worker-2\), shop\/a \(on cp-1\)\.$/u],
  ],
  ['that nobody keeps, which is allowed', { standalone: true }, { standalonePods: 'Evict' }, []],
  [
    'with an emptyDir volume',
    { emptyDir: 'cache' },
    {},
    [/would lose what is in their emptyDir volumes: shop\/a \(on worker-2, volume cache\)/u],
  ],
  ['with an emptyDir volume, which is allowed', { emptyDir: 'cache' }, { emptyDir: 'Evict' }, []],
  ['with both', { standalone: true, emptyDir: 'cache' }, {}, [/would not come back/u, /would lose/u]],
  [
    'with both, one is allowed',
    { standalone: true, emptyDir: 'cache' },
    { emptyDir: 'Evict' },
    [/would not come back/u],
  ],
  ['on its way out', { standalone: true, emptyDir: 'cache', terminating: true }, {}, []],
])('pods %s: told before any Node is cordoned', (_name, change, rules, messages) => {
  const facts = cluster({}, { 'worker-2': load([loadPod('a', change)]), 'cp-1': load([loadPod('a', change)]) });
  const findings = findingsOf(facts, drain(rules));
  expect(findings.map(({ message }) => message)).toEqual(messages.map((each) => expect.stringMatching(each)));
  for (const finding of findings) {
    expect(finding).toMatchObject({
      reason: 'PodsNotDrainable',
      object: { kind: 'Pod', namespace: 'shop', name: 'a' },
      remedy: expect.stringMatching(/spec\.nodes\.drain\.\w+: Evict/u),
      blocks: ['PodCIDRs'],
    });
  }
});

test('pods on a Node that is done are nobody’s matter', () => {
  const pods = load([loadPod('a', { standalone: true })]);
  expect(findingsOf(cluster({ 'worker-2': DONE }, { 'worker-2': pods }))).toEqual([]);
});

test.each<[NodeFacts['holders'][number]['is'], boolean]>([
  ['Machine', true],
  ['Cloud', true],
  ['Finalizer', true],
  ['Volumes', false],
])('a drain and what holds a Node: %s stands in the way %s', (is, stands) => {
  const holders = [{ is, who: 'somebody', sign: 'a sign' }];
  const facts = cluster({ 'worker-2': { holders } });
  expect(findingsOf(facts)).toHaveLength(stands ? 1 : 0);
  // The same in the middle of it.
  expect(findingsOf(cluster({ 'worker-2': { ...OURS, holders } }))).toHaveLength(stands ? 1 : 0);
  expect(findingsOf(facts, wantedDual({ nodes: { podCIDRs: 'Replace' } }))).toHaveLength(1);
});

test.each<[string, Wanted, Partial<NodeFacts>, boolean]>([
  ['it waits for its turn', drain(), {}, false],
  ['its drain is under way', drain(), OURS, false],
  ['it has been replaced', drain(), { ...OURS, ...DONE }, true],
  [
    'it has been replaced, its kubelet is awaited',
    drain(),
    { ...OURS, ...DONE, createdAt: before(5), renewedAt: known(before(9)) },
    false,
  ],
  [
    'it has been replaced, its kubelet is back',
    drain(),
    { ...OURS, ...DONE, createdAt: before(5), renewedAt: known(before(2)) },
    true,
  ],
  ['it is away', drain(), { ...OURS, ready: false }, false],
  ['people cordoned it, and it has been replaced', drain(), { ...THEIRS, ...DONE }, false],
  ['nobody asks for it any more', wantedDual(), OURS, true],
  ['it is to be replaced as it is', wantedDual({ nodes: { podCIDRs: 'Replace' } }), OURS, true],
  [
    'the way back begins before it was replaced',
    wantedSingle({ nodes: { podCIDRs: 'Drain', drain: RULES } }),
    OURS,
    true,
  ],
  [
    'the way back begins after it was replaced',
    wantedSingle({ nodes: { podCIDRs: 'Drain', drain: RULES } }),
    { ...OURS, ...DONE },
    false,
  ],
])('whether a Node is uncordoned: %s', (_name, wanted, node, isFreed) => {
  const facts = cluster({ 'worker-2': node });
  const steps = uncordonSteps(wanted, facts, podCIDRSteps(wanted, facts, FLANNEL));
  expect(steps.map(({ id }) => id)).toEqual(isFreed ? ['uncordon/worker-2'] : []);
  for (const step of steps) {
    expect(step).toMatchObject({
      remedy: true,
      write: {
        is: 'MergePatch',
        resourceVersion: '100',
        body: { metadata: { annotations: { 'dualstack.dev/cordoned': null } }, spec: { unschedulable: null } },
      },
    });
  }
});

test('nodesToDrain names those that are open, the one in turn first', () => {
  expect(nodesToDrain(stepsOf(cluster({ 'worker-2': DONE, 'cp-1': OURS })))).toEqual(['cp-1', 'worker-3']);
  expect(nodesToDrain(stepsOf(cluster(), wantedDual({ nodes: { podCIDRs: 'Replace' } })))).toEqual([]);
});

/** In whole plans. */
const dualScene = (change: Partial<NodeFacts>, loads: ClusterFacts['loads'] = {}): ClusterFacts => {
  const base = clusterScene({ dual: true });
  const nodes = base.nodes.map((node, n) => ({
    ...node,
    podCIDRs: [`10.244.${n}.0/24`, `fd00:10:244:${n}::/64`],
    ...(node.name === 'worker-1' ? change : {}),
  }));
  const facts = clusterScene({ dual: true }, { nodes });
  const Pod = facts.basics.objects.Pod.filter((name) => !name.includes('calico'));
  return { ...facts, loads, basics: { ...facts.basics, objects: { ...facts.basics.objects, Pod } } };
};
const WAY_BACK = askedBack({ nodes: { podCIDRs: 'Drain', drain: { timeout: '10m' } } });

function decided(facts: ClusterFacts, current: { readonly id: string; readonly startedAt: number } | null = null) {
  const { plan } = planScene(facts, WAY_BACK);
  // As if all that comes before it were done.
  const steps = plan.steps.filter(
    (step) => step.kind === 'ReplaceNode' || (step.kind === 'ApplyObject' && step.id.startsWith('uncordon/')),
  );
  return decide({ ...plan, steps }, facts, WAY_BACK, { ...NO_MEMORY, current }, 1);
}

test('a budget is waited for, told by its name, and in the end told as failed', () => {
  const facts = dualScene(OURS, { 'worker-1': load([loadPod('a', { heldBy: HELD })]) });
  const id = 'pod-cidrs/worker-1';
  expect(decided(facts)).toMatchObject({ is: 'Wait', step: { id }, why: expect.stringContaining(HELD) });
  expect(decided(facts, { id, startedAt: AT - 599_000 })).toMatchObject({ is: 'Wait' });
  expect(decided(facts, { id, startedAt: AT - 601_000 })).toMatchObject({
    is: 'Failed',
    why: expect.stringMatching(/after 600 s: Pod shop\/a .*PodDisruptionBudget shop\/web/u),
  });
  // As soon as it may, it goes on, however long that took.
  const free = dualScene(OURS, { 'worker-1': load([loadPod('a')]) });
  expect(decided(free, { id, startedAt: AT - 9_000_000 })).toMatchObject({
    is: 'Act',
    step: { drain: { is: 'Evict' } },
  });
});

test('what a drain would take from pods keeps the first Node from being cordoned', () => {
  const facts = dualScene({}, { 'worker-2': load([loadPod('a', { standalone: true })]) });
  expect(decided(facts)).toMatchObject({ is: 'Blocked', findings: [{ reason: 'PodsNotDrainable' }] });
});

test('uncordoning is held up by nothing, and comes first', () => {
  const single = { podCIDRs: ['10.244.9.0/24'] };
  const facts = dualScene({ ...OURS, ...single }, { 'worker-2': load([loadPod('a', { standalone: true })]) });
  expect(decided(facts)).toMatchObject({ is: 'Act', step: { id: 'uncordon/worker-1' } });
});

test('the plan’s hash is the same before, in the middle of and after a drain', () => {
  const hashes = [
    dualScene({}),
    dualScene(OURS, { 'worker-1': load([loadPod('a')]) }),
    dualScene(OURS, { 'worker-1': load() }),
    dualScene({ ...OURS, podCIDRs: ['10.244.9.0/24'] }),
  ].map((facts) => planScene(facts, WAY_BACK).plan.hash);
  expect(new Set(hashes).size).toBe(1);
});

test('the option is carried out', () => {
  const { plan } = planScene(clusterScene(), asked({ nodes: { podCIDRs: 'Drain' } }));
  expect(plan.findings.filter(({ reason }) => reason === 'OptionNotCarriedOut')).toEqual([]);
});
