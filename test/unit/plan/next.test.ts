import { expect, test } from '@jest/globals';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { Memory } from '../../../src/model/memory.ts';
import type { Phase } from '../../../src/model/phase.ts';
import type { Plan } from '../../../src/model/plan.ts';
import type { Request } from '../../../src/model/request.ts';
import type { Step } from '../../../src/model/step.ts';
import { decide, type Decision } from '../../../src/plan/next.ts';
import { agentFacts, AT, before, clusterFacts, hostReport, nodeFacts } from '../../support/facts.ts';
import { asked, NO_MEMORY, somePlan, someStep } from '../../support/plan-scene.ts';

const GENERATION = 3;
const done = (id: string): Step => someStep(id, { is: 'Satisfied', evidence: 'seen' });
const pending = (id: string, change: Partial<Step> = {}): Step => someStep(id, { is: 'Pending' }, change);
const working = (id: string, change: Partial<Step> = {}): Step =>
  someStep(id, { is: 'InProgress', why: 'not yet' }, change);
const edit = (node: string, state: Step['state'] = { is: 'Pending' }, change: Partial<Step> = {}): Step =>
  someStep(`api-server/${node}`, state, {
    kind: 'EditHost',
    phase: 'APIServer',
    node,
    settings: {},
    again: false,
    ...change,
  });
const blocker = (...blocks: Phase[]): Finding => ({
  reason: 'CIDROverlap',
  object: null,
  message: 'Two networks overlap.',
  remedy: 'Choose others.',
  blocks,
});

interface Case {
  readonly steps: readonly Step[];
  readonly plan?: Partial<Plan>;
  readonly memory?: Partial<Memory>;
  readonly request?: Record<string, unknown>;
  readonly facts?: Partial<ClusterFacts>;
}

function next({ steps, plan = {}, memory = {}, request = {}, facts = {} }: Case): Decision {
  const wants: Request = asked(request);
  return decide(somePlan(steps, plan), clusterFacts({}, facts), wants, { ...NO_MEMORY, ...memory }, GENERATION);
}

const short = (decision: Decision): string => ('step' in decision ? `${decision.is} ${decision.step.id}` : decision.is);
const begun = (id: string, seconds: number): Partial<Memory> => ({
  current: { id, startedAt: AT - seconds * 1000 },
});

const handoff = pending('cloud', { kind: 'Handoff', command: 'do it', watches: 'that' });
const gate = pending('file', { kind: 'Handoff', command: 'do it', watches: 'that', holdsUp: true });
const waitFor = pending('lease', { kind: 'WaitFor', what: 'the Lease is held' });
const deferred = someStep('away', { is: 'Deferred', why: 'node is away' });
const failed = someStep('bad', { is: 'Failed', why: 'it was undone', remedy: 'mend it' });
const unread = someStep('dark', { is: 'Unknown', why: 'the server answered 503' });

test.each<[string, Case, string]>([
  ['nothing is left', { steps: [done('a'), done('b')] }, 'Done'],
  ['an empty plan is a finished one', { steps: [] }, 'Done'],
  ['the first that is not yet true', { steps: [done('a'), pending('b'), pending('c')] }, 'Act b'],
  ['what has begun is waited for', { steps: [working('a'), pending('b')] }, 'Wait a'],
  ['what has begun and is overdue', { steps: [working('a')], memory: begun('a', 301) }, 'Failed a'],
  ['another step began that long ago', { steps: [working('a')], memory: begun('b', 301) }, 'Wait a'],
  ['on time to the second', { steps: [working('a')], memory: begun('a', 300) }, 'Wait a'],
  ['a failed step stops what follows', { steps: [failed, pending('b')] }, 'Failed bad'],
  ['what cannot be read is waited for', { steps: [unread, pending('b')] }, 'Wait dark'],
  ['a node that is away holds up nothing', { steps: [deferred, pending('b')] }, 'Act b'],
  ['and is told when all else is done', { steps: [deferred, done('b')] }, 'NodesPending'],
  ["the user's part holds up nothing", { steps: [handoff, pending('b')] }, 'Act b'],
  ['and is told when all else is done', { steps: [handoff, deferred, done('b')] }, 'WaitingForUser cloud'],
  ["the user's part that the rest stands on", { steps: [gate, pending('b')] }, 'WaitingForUser file'],
  [
    'and when it is done',
    { steps: [{ ...gate, state: { is: 'Satisfied', evidence: 'seen' } }, pending('b')] },
    'Act b',
  ],
  ['nobody is asked while paused', { steps: [gate], request: { paused: true } }, 'Paused file'],
  ['nor for what is only a plan', { steps: [gate], request: { mode: 'Plan' } }, 'PlanOnly file'],
  ['a wait', { steps: [waitFor] }, 'Wait lease'],
  ['a wait that is overdue', { steps: [waitFor], memory: begun('lease', 999) }, 'Failed lease'],
  ['paused', { steps: [pending('a')], request: { paused: true } }, 'Paused a'],
  ['only planned', { steps: [pending('a')], request: { mode: 'Plan' } }, 'PlanOnly a'],
  ['not approved', { steps: [pending('a')], request: { approvedPlanHash: 'def' } }, 'AwaitingApproval a'],
  ['approved', { steps: [pending('a')], request: { approvedPlanHash: 'abc' } }, 'Act a'],
  ['paused with nothing to do', { steps: [done('a')], request: { paused: true } }, 'Done'],
])('%s', (_name, given, expected) => {
  expect(short(next(given))).toBe(expected);
});

test.each<[string, Phase, Finding[], Plan['direction'], string]>([
  ['its own phase', 'Proxy', [blocker('Proxy')], 'Forward', 'Blocked a'],
  ['all that follow it', 'DNS', [blocker('Proxy')], 'Forward', 'Blocked a'],
  ['nothing before it', 'NodeIPs', [blocker('Proxy')], 'Forward', 'Act a'],
  ['no phase: a warning', 'Proxy', [blocker()], 'Forward', 'Act a'],
  ['the order back counts on the way back', 'DNS', [blocker('Proxy')], 'Back', 'Act a'],
  ['the order back counts on the way back', 'APIServer', [blocker('Proxy')], 'Back', 'Blocked a'],
])('a blocker stops %s', (_name, phase, findings, direction, expected) => {
  expect(short(next({ steps: [pending('a', { phase })], plan: { findings, direction } }))).toBe(expected);
});

test('what is done or under way is not blocked; what takes too long for a reason that is told is blocked, not failed', () => {
  const plan = { findings: [blocker('CNIConfig')] };
  expect(short(next({ steps: [done('a')], plan }))).toBe('Done');
  expect(short(next({ steps: [working('a')], plan }))).toBe('Wait a');
  expect(next({ steps: [working('a')], plan, memory: begun('a', 301) })).toMatchObject({
    is: 'Blocked',
    findings: plan.findings,
  });
});

test('a failure names what was waited for and for how long', () => {
  expect(next({ steps: [working('a')], memory: begun('a', 400) })).toMatchObject({
    is: 'Failed',
    why: 'ConfigMap a was not as wanted after 300 s: not yet',
  });
});

const applied = { appliedGeneration: GENERATION };
const corrected = (count: number, secondsAgo: number): Partial<Memory> => ({
  ...applied,
  corrections: [{ id: 'a', count, lastAt: before(secondsAgo) }],
});

test.each<[string, Partial<Step>, Partial<Memory>, boolean]>([
  ['converted by this very spec', {}, applied, true],
  ['never converted', {}, {}, false],
  ['converted by an earlier spec', {}, { appliedGeneration: GENERATION - 1 }, false],
  ['a new node', { phase: 'NodeIPs' }, applied, false],
  ['a new proof', { phase: 'Verify' }, applied, false],
])('a change is a correction or not: %s', (_name, change, memory, correction) => {
  expect(next({ steps: [pending('a', change)], memory })).toMatchObject({ is: 'Act', correction });
});

test('what somebody changed on a host is a correction, whatever the phase; new pods and a Lease passed on are none', () => {
  const again = edit('cp-1', { is: 'Pending' }, { again: true, phase: 'NodeIPs' });
  expect(next({ steps: [again] })).toMatchObject({ is: 'Act', correction: true });
  for (const kind of ['RolloutWorkload', 'TransferLease'] as const) {
    const step = pending('a', { kind, phase: 'Proxy' });
    expect(next({ steps: [step], memory: applied })).toMatchObject({ is: 'Act', correction: false });
  }
});

test.each([
  ['in time', 60, 'Act a'],
  ['too long', 86_400, 'Failed a'],
])('a Lease is asked for again, but not for ever: %s', (_name, secondsAgo, expected) => {
  const steps = [pending('a', { kind: 'TransferLease' })];
  expect(short(next({ steps, memory: { current: { id: 'a', startedAt: AT - secondsAgo * 1000 } } }))).toBe(expected);
});

test.each<[string, number, number, string]>([
  ['twice within the hour', 2, 10, 'Act a'],
  ['three times within the hour', 3, 10, 'Blocked a'],
  ['three times, the last more than an hour ago', 3, 3601, 'Act a'],
])('a field that is fought over is reported: %s', (_name, count, secondsAgo, expected) => {
  const decision = next({ steps: [pending('a')], memory: corrected(count, secondsAgo) });
  expect(short(decision)).toBe(expected);
  if (decision.is === 'Blocked') {
    expect(decision.findings).toMatchObject([
      { reason: 'FieldContested', message: expect.stringContaining('3 times') },
    ]);
  }
});

test('no node is touched while another is not back from its own edit', () => {
  const underWay = edit('cp-1', { is: 'InProgress', why: 'it restarts' });
  const joined = edit('worker-9', { is: 'Pending' }, { id: 'node-ips/worker-9', phase: 'NodeIPs' });
  expect(short(next({ steps: [joined, underWay], memory: begun('api-server/cp-1', 10) }))).toBe('Wait api-server/cp-1');
  expect(short(next({ steps: [joined, underWay], memory: begun('api-server/cp-1', 301) }))).toBe(
    'Failed api-server/cp-1',
  );
  // The same node, or a change of an object, disturbs nobody.
  expect(short(next({ steps: [pending('a'), underWay], memory: begun('api-server/cp-1', 10) }))).toBe('Act a');
});

test('a Node is replaced as soon as no other node is busy, and that is no correction', () => {
  const replace = pending('pod-cidrs/worker-2', { kind: 'ReplaceNode', phase: 'PodCIDRs', node: 'worker-2' });
  expect(next({ steps: [replace], memory: applied })).toMatchObject({ is: 'Act', correction: false });
  expect(short(next({ steps: [replace], facts: withBusyAgent(true) }))).toBe('Wait pod-cidrs/worker-2');
});

const withBusyAgent = (ready: boolean) => {
  const agent = agentFacts(hostReport(1, { name: 'cp-1', controlPlane: true }), {
    generation: 2,
    observedGeneration: 1,
  });
  return { nodes: [{ ...nodeFacts(1, { controlPlane: true }), ready, agent }, nodeFacts(2)] };
};

test('an agent that is still at work is waited for, also when no step remembers it; one on a node that is down is not', () => {
  const steps = [edit('worker-2')];
  expect(next({ steps, facts: withBusyAgent(true) })).toMatchObject({
    is: 'Wait',
    why: expect.stringContaining('cp-1'),
  });
  expect(short(next({ steps, facts: withBusyAgent(false) }))).toBe('Act api-server/worker-2');
  expect(short(next({ steps: [edit('cp-1')], facts: withBusyAgent(true) }))).toBe('Act api-server/cp-1');
});

test.each<[string, string | undefined, string]>([
  ['that this spec asked for stays failed', '3-abcd', 'Failed api-server/cp-1'],
  ['that an older spec asked for is tried again', '2-abcd', 'Act api-server/cp-1'],
  ['of which nobody knows who asked stays failed', undefined, 'Failed api-server/cp-1'],
])('an edit %s', (_name, again, expected) => {
  const refused = edit('cp-1', { is: 'Failed', why: 'it was undone', remedy: 'mend it' });
  const spec = again === undefined ? {} : { again };
  const agent = agentFacts(hostReport(1, { name: 'cp-1', controlPlane: true }), { spec });
  const node = { ...nodeFacts(1, { controlPlane: true }), agent };
  expect(short(next({ steps: [refused], facts: { nodes: [node] } }))).toBe(expected);
});

const remedy = (node: string, state: Step['state']): Step =>
  edit(node, state, { id: `remedy/${node}`, phase: 'NodeIPs', remedy: true });
const applying = (n: number) =>
  nodeFacts(
    n,
    {},
    { agent: agentFacts(hostReport(n, { name: `worker-${n}` }), { generation: 2, observedGeneration: 1 }) },
  );

test.each<[string, Case, string]>([
  [
    'a remedy comes first, whatever blocks the rest',
    { steps: [remedy('worker-1', { is: 'Pending' }), pending('b')], plan: { findings: [blocker('NodeIPs')] } },
    'Act remedy/worker-1',
  ],
  [
    'while it is under way the rest goes on',
    { steps: [remedy('worker-1', { is: 'InProgress', why: '' }), pending('b')] },
    'Act b',
  ],
  ['nothing else is left', { steps: [remedy('worker-1', { is: 'InProgress', why: '' }), done('b')] }, 'Done'],
  [
    'it waits for an edit of the conversion on another node, which goes on',
    {
      steps: [
        remedy('worker-1', { is: 'Pending' }),
        edit('worker-2', { is: 'InProgress', why: '' }, { id: 'node-ips/worker-2' }),
      ],
      memory: begun('node-ips/worker-2', 5),
    },
    'Wait node-ips/worker-2',
  ],
  [
    'it waits for another agent',
    { steps: [remedy('worker-1', { is: 'Pending' }), done('b')], facts: { nodes: [nodeFacts(1), applying(2)] } },
    'Done',
  ],
  [
    'but not for that of another remedy',
    {
      steps: [remedy('worker-1', { is: 'Pending' }), remedy('worker-2', { is: 'InProgress', why: '' })],
      facts: { nodes: [nodeFacts(1), applying(2)] },
    },
    'Act remedy/worker-1',
  ],
  ['paused', { steps: [remedy('worker-1', { is: 'Pending' })], request: { paused: true } }, 'Paused remedy/worker-1'],
])('remedies: %s', (_, given, expected) => {
  expect(short(next(given))).toBe(expected);
});
