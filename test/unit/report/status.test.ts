import { expect, test } from '@jest/globals';
import { clusterStatusSchema } from '../../../src/api/cluster-status.ts';
import { CLUSTER_CONDITIONS } from '../../../src/api/conditions.ts';
import { CONDITION_REASONS } from '../../../src/api/reasons.ts';
import type { FindingReason } from '../../../src/model/finding-reasons.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { Step } from '../../../src/model/step.ts';
import type { Connectivity } from '../../../src/model/connectivity.ts';
import type { Decision } from '../../../src/plan/next.ts';
import { vocabulary } from '../../../src/registry.ts';
import { memoryOf } from '../../../src/report/memory.ts';
import type { Looked, Said } from '../../../src/report/status.ts';
import { AT, before, nodeFacts, servicePackets } from '../../support/facts.ts';
import { clusterScene, someStep } from '../../support/plan-scene.ts';
import { blocking, conditionOf, DONE, GENERATION, judged, LATER, looked, NOW, OPEN, statusOf } from './scene.ts';

const act: Decision = { is: 'Act', step: OPEN, correction: false };
const wait: Decision = { is: 'Wait', step: OPEN, why: 'not yet' };
const blocked = (reason: FindingReason): Decision => ({ is: 'Blocked', step: OPEN, findings: [blocking(reason)] });
const failed: Decision = { is: 'Failed', step: OPEN, why: 'It was undone.', remedy: 'Mend it.' };
const user: Decision = {
  is: 'WaitingForUser',
  step: someStep(
    'cloud',
    { is: 'Pending' },
    {
      kind: 'Handoff',
      command: 'cloud do it',
      watches: 'x',
    },
  ),
};
const refused = (kind: 'Transient' | 'Blocked'): Partial<Looked> => ({
  refused: { kind, message: 'The server said no.' },
});
const rolledBack = {
  generation: GENERATION,
  state: 'Done',
  reason: 'cp-1 did not come back.',
  step: 'api-server/cp-1',
  at: NOW,
} as const;

test.each<[string, Said, string, string, RegExp]>([
  ['converted', looked({ decision: { is: 'Done' } }), 'Current', 'Converged', /runs with IPv4 and IPv6/u],
  [
    'at work',
    looked({ decision: act }),
    'InProgress',
    'Converting',
    /^1 of 2 steps done; now CNIConfig: ConfigMap open\.$/u,
  ],
  ['waiting', looked({ decision: wait }), 'InProgress', 'Converting', /ConfigMap open: not yet/u],
  [
    'on its way back',
    looked({ decision: act, plan: { direction: 'Back' } }),
    'InProgress',
    'ConvertingBack',
    /1 of 2/u,
  ],
  ['rolling back', looked({ decision: act, looked: { goal: 'FirstState' } }), 'InProgress', 'RollingBack', /1 of 2/u],
  [
    'reverting',
    looked({ decision: act, looked: { goal: 'FirstState', deleting: true } }),
    'InProgress',
    'Reverting',
    /1 of 2/u,
  ],
  [
    'refused for now',
    looked({ decision: act, looked: refused('Transient') }),
    'InProgress',
    'TransientError',
    /said no/u,
  ],
  ['refused', looked({ decision: act, looked: refused('Blocked') }), 'InProgress', 'Blocked', /said no/u],
  [
    'blocked by the cluster',
    looked({ decision: blocked('NodesNotReady') }),
    'InProgress',
    'Blocked',
    /NodesNotReady is so\. Change it\./u,
  ],
  [
    'blocked by the spec',
    looked({ decision: blocked('CIDROverlap') }),
    'Failed',
    'Blocked',
    /CIDROverlap is so\. Change it\./u,
  ],
  ['contested', looked({ decision: blocked('FieldContested') }), 'Failed', 'Blocked', /FieldContested/u],
  ['failed', looked({ decision: failed }), 'Failed', 'StepFailed', /^It was undone\. Mend it\.$/u],
  [
    'rolled back',
    looked({ decision: { is: 'Done' }, memory: { rollBack: rolledBack } }),
    'Failed',
    'RolledBack',
    /because cp-1 did not come back\. Mend the cause.* Not as before/u,
  ],
  ['paused', looked({ decision: { is: 'Paused', step: OPEN } }), 'InProgress', 'Paused', /spec\.paused is true/u],
  ['planned', looked({ decision: { is: 'PlanOnly', step: OPEN } }), 'InProgress', 'PlanOnly', /Plan abc has 2 steps/u],
  [
    'not approved',
    looked({ decision: { is: 'AwaitingApproval', step: OPEN } }),
    'InProgress',
    'AwaitingApproval',
    /spec\.approvedPlanHash: abc/u,
  ],
  ["the user's turn", looked({ decision: user }), 'InProgress', 'WaitingForUser', /Run: cloud do it/u],
  [
    'nodes away',
    looked({ decision: { is: 'NodesPending', steps: [OPEN] } }),
    'InProgress',
    'NodesPending',
    /ConfigMap open/u,
  ],
  [
    'a bad spec',
    { is: 'Invalid', problems: [{ path: 'spec.cni', message: '"X" is not taken' }] },
    'Failed',
    'Invalid',
    /^spec\.cni: "X" is not taken$/u,
  ],
  [
    'not the one that governs',
    { is: 'AnotherGoverns', name: 'first' },
    'Failed',
    'AnotherGoverns',
    /DualStackCluster first is older/u,
  ],
  ['nothing could be read', { is: 'Unreadable', message: '503' }, 'InProgress', 'ObservationFailed', /503/u],
  ['a mistake of ours', { is: 'Mishap', message: 'x.', times: 4 }, 'InProgress', 'InternalError', /tries again.*x\./u],
  ['five in a row', { is: 'Mishap', message: 'x.', times: 5 }, 'Failed', 'InternalError', /5 times in a row.*x\./u],
])('%s: as tools judge it, and in words', (_name, said, verdict, reason, words) => {
  const status = statusOf(said);
  expect(judged(status)).toBe(verdict);
  expect(conditionOf(status, 'Ready')).toMatchObject({ reason, message: expect.stringMatching(words) });
  expect(status.observedGeneration).toBe(GENERATION);
  for (const condition of status.conditions ?? []) {
    expect(condition.observedGeneration).toBe(GENERATION);
    expect(Object.keys(CONDITION_REASONS)).toContain(condition.reason);
  }
  expect(clusterStatusSchema(vocabulary).safeParse(status)).toMatchObject({ success: true });
});

test('paused or only planned, nothing is being reconciled', () => {
  for (const is of ['Paused', 'PlanOnly', 'AwaitingApproval'] as const) {
    const status = statusOf(looked({ decision: { is, step: OPEN } }));
    expect(conditionOf(status, 'Reconciling')).toMatchObject({ status: 'False', reason: is });
    expect(conditionOf(status, 'Stalled')?.status).toBe('False');
  }
});

test('every condition is told after a look', () => {
  expect(statusOf(looked({ decision: act })).conditions?.map(({ type }) => type)).toEqual([...CLUSTER_CONDITIONS]);
});

test('saying the same an hour later changes nothing; a time moves only with its status', () => {
  const first = statusOf(looked({ decision: act }));
  expect(statusOf(looked({ decision: act }), first, LATER)).toEqual(first);
  const after = statusOf(looked({ decision: { is: 'Done' } }), first, LATER);
  expect(conditionOf(after, 'Ready')?.lastTransitionTime).toBe(LATER);
  expect(conditionOf(after, 'Stalled')?.lastTransitionTime).toBe(NOW);
});

const dualAfter = (hours: number) => clusterScene({ dual: true }, { at: AT + hours * 3_600_000 });

test('idle for days, and read back from the server, the status stays as it is', () => {
  const plan = { steps: [DONE] };
  const first = statusOf(looked({ decision: { is: 'Done' }, plan, facts: dualAfter(0) }));
  const stored = JSON.parse(JSON.stringify(first)) as typeof first;
  expect(stored).toEqual(first);
  expect(
    statusOf(looked({ decision: { is: 'Done' }, plan, facts: dualAfter(72) }), stored, '2026-11-05T12:00:00Z'),
  ).toEqual(first);
});

test('a node that stays without the family is delayed once its time is over, and nothing moves after that', () => {
  const nodes = [nodeFacts(1, { ipv6: false }, { createdAt: before(60) })];
  const told = (seconds: number) =>
    statusOf(looked({ decision: wait, facts: clusterScene({ nodes }, { at: AT + seconds * 1000 }) }));
  expect([0, 239, 241, 9000, 90_000].map((seconds) => told(seconds).nodes?.delayed)).toEqual([0, 0, 1, 1, 1]);
  expect(told(90_000)).toEqual(told(9000));
});

test('what was not looked at keeps what was said of it', () => {
  const first = statusOf(looked({ decision: { is: 'Done' } }));
  const after = statusOf({ is: 'Invalid', problems: [{ path: 'spec', message: 'is wrong' }] }, first, LATER);
  expect(conditionOf(after, 'NetworkPluginDualStack')).toEqual(conditionOf(first, 'NetworkPluginDualStack'));
  expect(after.plan).toEqual(first.plan);
  expect(new Set(after.conditions?.map(({ type }) => type)).size).toBe(CLUSTER_CONDITIONS.length);
});

const step = (id: string, phase: Step['phase'], satisfied: boolean): Step =>
  someStep(id, satisfied ? { is: 'Satisfied', evidence: 'seen' } : { is: 'Pending' }, { phase });

test.each<[string, readonly Step[], string, string]>([
  ['all', [step('a', 'APIServer', true), step('b', 'ControllerManager', true)], 'True', 'DualStack'],
  ['some', [step('a', 'APIServer', true), step('b', 'ControllerManager', false)], 'False', 'Mixed'],
  ['none', [step('a', 'APIServer', false)], 'False', 'SingleStack'],
  ['not ours', [step('a', 'Proxy', true)], 'Unknown', 'NotManaged'],
])('the control plane: %s', (_name, steps, status, reason) => {
  const condition = conditionOf(statusOf(looked({ decision: act, plan: { steps } })), 'ControlPlaneDualStack');
  expect(condition).toMatchObject({ status, reason });
});

test('blockers and warnings are told apart', () => {
  const warning: Finding = { ...blocking('NodeCapacityLow'), blocks: [] };
  const status = statusOf(looked({ decision: act, plan: { findings: [warning, blocking('NodesNotReady')] } }));
  expect(status.plan?.warnings.map(({ reason }) => reason)).toEqual(['NodeCapacityLow']);
  expect(status.plan?.blockers).toEqual([
    {
      reason: 'NodesNotReady',
      object: 'Node worker-1',
      message: 'NodesNotReady is so.',
      remedy: 'Change it.',
      blocks: ['NodeIPs'],
    },
  ]);
  expect(conditionOf(status, 'PreflightPassed')).toMatchObject({ status: 'False', reason: 'Blocked' });
});

test('steps that do the same on many nodes are one entry with counts, and texts fit the schema', () => {
  const many = Array.from({ length: 300 }, (_, n) =>
    someStep(`node-ips/w-${n}`, n < 100 ? { is: 'Satisfied', evidence: 'seen' } : { is: 'Pending' }, {
      group: 'node-ips',
      target: `kubelet on w-${n}`,
      diff: [{ path: 'x'.repeat(5000), before: null, after: 'y'.repeat(9000) }],
    }),
  );
  const status = statusOf(looked({ decision: act, plan: { steps: many } }));
  expect(status.plan).toMatchObject({ total: 300, done: 100 });
  expect(status.plan?.steps).toHaveLength(1);
  expect(status.plan?.steps[0]).toMatchObject({
    id: 'node-ips',
    total: 300,
    done: 100,
    state: 'Pending',
    target: 'kubelet on w-100',
  });
  expect(clusterStatusSchema(vocabulary).safeParse(status)).toMatchObject({ success: true });
  expect(JSON.stringify(status).length).toBeLessThan(50_000);
});

test('a spec counts as applied when all is done, with every default written out, and not before', () => {
  const during = statusOf(looked({ decision: act }));
  expect(during).not.toHaveProperty('applied');
  const done = statusOf(looked({ decision: { is: 'Done' } }), during);
  expect(done).toMatchObject({
    appliedGeneration: GENERATION,
    applied: { distribution: 'Kubeadm', cni: 'Calico', paused: false, rollout: { onFailure: 'Halt' } },
  });
  expect(done.applied?.clusterNetwork?.pods?.cidrBlocks).toEqual(['10.244.0.0/16', 'fd00:10:244::/56']);
  expect(statusOf(looked({ decision: act }), done)).toMatchObject({ appliedGeneration: GENERATION });
  expect(statusOf(looked({ decision: { is: 'Done' }, looked: { goal: 'FirstState' } }))).not.toHaveProperty('applied');
});

const CONNECTIVITY: Connectivity = {
  fingerprint: 'f',
  at: NOW,
  failedInRow: 1,
  nodes: { ready: 3, probed: 3, newest: '', leftOut: ['worker-9'] },
  pairs: { tested: 6, total: 6 },
  checks: { total: 90, failed: 4 },
  families: [
    { family: 'IPv4', total: 45, failed: 0, latency: { median: 400, p99: 900 } },
    { family: 'IPv6', total: 45, failed: 4, latency: null },
  ],
  hops: [
    { hop: 'PodNotStarted', family: null, nodes: ['worker-2'], checks: 0, message: 'm', remedy: 'r' },
    { hop: 'Node', family: 'IPv6', nodes: ['worker-1'], checks: 4, message: 'm', remedy: 'r' },
  ],
};

test('what the next pass needs comes back out of the status', () => {
  const memory = {
    current: { id: OPEN.id, startedAt: AT },
    proof: { fingerprint: 'f', at: NOW, checks: [{ name: 'n', ok: true, detail: 'd' }] },
    connectivity: CONNECTIVITY,
    servicePackets: servicePackets({
      at: NOW,
      from: ['worker-1'],
      asked: 2,
      answered: 1,
      silent: [{ namespace: 'shop', name: 'web', family: 'IPv6' }],
      failedInRow: 1,
    }),
    rollBack: { ...rolledBack, state: 'Running' as const, reason: 'r'.repeat(900) },
    corrections: [{ id: 'a', count: 2, lastAt: before(60) }],
    goneSince: {},
  };
  const status = statusOf(looked({ decision: act, memory }));
  expect(clusterStatusSchema(vocabulary).safeParse(status)).toMatchObject({ success: true });
  expect(memoryOf(status, GENERATION)).toEqual({ ...memory, appliedGeneration: null });
  expect(memoryOf(status, GENERATION + 1)).toEqual({
    ...memory,
    current: null,
    rollBack: null,
    corrections: [],
    appliedGeneration: null,
  });
});

const begunLong = (id: string) => ({ current: { id, startedAt: AT } });

const currentOf = (decision: Decision, id = OPEN.id) =>
  statusOf(looked({ decision, memory: begunLong(id) })).plan?.current;

test('the step in work is told until it is seen to be done', () => {
  expect(currentOf(act)).toMatchObject({ id: 'open', state: 'Intended', startedAt: new Date(AT).toISOString() });
  expect(currentOf(failed)).toMatchObject({ id: 'open', state: 'Failed', message: 'It was undone.' });
  expect(currentOf(act, DONE.id)).toBeUndefined();
  expect(currentOf(act, 'gone')).toBeUndefined();
});

test('nodes are counted by families; exceptions are the worst first, with cause, and at most 50', () => {
  const nodes = [
    nodeFacts(1, { controlPlane: true, dual: true }),
    nodeFacts(2, {}, { internalIPs: ['2001:db8::2'] }),
    nodeFacts(3, {}, { internalIPs: [] }),
    ...Array.from({ length: 60 }, (_, n) =>
      nodeFacts(n + 4, { ipv6: false }, { createdAt: before(n < 10 ? 60 : 86_400) }),
    ),
  ];
  const { nodes: told } = statusOf(looked({ decision: act, facts: clusterScene({ nodes }) }));
  expect(told).toMatchObject({ total: 63, dualStack: 1, ipv4Only: 60, ipv6Only: 1, none: 1, delayed: 52 });
  expect(told?.exceptions).toHaveLength(50);
  expect(told?.exceptions[0]).toMatchObject({ name: 'worker-3', families: [] });
  expect(told?.exceptions).toContainEqual(expect.objectContaining({ name: 'worker-2', families: ['IPv6'] }));
});
