import { expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import type { Decision } from '../../../src/plan/next.ts';
import { transitions } from '../../../src/report/transitions.ts';
import { AT, before } from '../../support/facts.ts';
import { someStep } from '../../support/plan-scene.ts';
import { blocking, DONE, looked, NOTHING_YET, OPEN, statusOf } from './scene.ts';

const act: Decision = { is: 'Act', step: OPEN, correction: false };
const current = (id: string) => ({ current: { id, startedAt: AT } });
const reasons = (from: ClusterStatus, to: ClusterStatus): readonly string[] =>
  transitions(from, to).map(({ type, reason }) => `${type} ${reason}`);

const idle = statusOf(looked({ decision: act }));
const begun = statusOf(looked({ decision: act, memory: current('open') }));
const allDone = statusOf(
  looked({
    decision: { is: 'Done' },
    plan: { steps: [DONE, someStep('open', { is: 'Satisfied', evidence: 'seen' })] },
  }),
);
const blocked = statusOf(looked({ decision: { is: 'Blocked', step: OPEN, findings: [blocking('NodesNotReady')] } }));
const failed = statusOf(
  looked({ decision: { is: 'Failed', step: OPEN, why: 'undone', remedy: 'mend' }, memory: current('open') }),
);

test.each<[string, ClusterStatus, ClusterStatus, readonly string[]]>([
  ['the first word', NOTHING_YET, idle, ['Normal Converting']],
  ['nothing new', begun, begun, []],
  ['a step begins', idle, begun, ['Normal StepBegun']],
  ['the last step is done', begun, allDone, ['Normal Converged', 'Normal StepDone']],
  ['something is in the way', idle, blocked, ['Warning Blocked']],
  ['and is no more', blocked, idle, ['Normal Converting']],
  ['a step fails', begun, failed, ['Warning StepFailed']],
  ['a failed step that goes on is not told as done', failed, idle, ['Normal Converting']],
  ['the server does not answer', idle, statusOf({ is: 'Unreadable', message: '503' }, idle), []],
])('%s', (_name, from, to, told) => {
  expect(reasons(from, to)).toEqual(told);
});

test('a change from outside that is put right is told each time, and what was told before is not told again', () => {
  const with1 = statusOf(
    looked({ decision: act, memory: { corrections: [{ id: 'a', count: 1, lastAt: before(60) }] } }),
  );
  const with2 = statusOf(
    looked({ decision: act, memory: { corrections: [{ id: 'a', count: 2, lastAt: before(5) }] } }),
  );
  expect(reasons(idle, with1)).toEqual(['Warning Corrected']);
  expect(transitions(with1, with2)).toMatchObject([{ reason: 'Corrected', note: expect.stringContaining('2 times') }]);
  expect(reasons(with2, with2)).toEqual([]);
});

test('a note fits an Event', () => {
  const message = 'x'.repeat(3000);
  const status = statusOf(looked({ decision: { is: 'Failed', step: OPEN, why: message, remedy: '' } }));
  for (const { note } of transitions(NOTHING_YET, status)) expect(note.length).toBeLessThanOrEqual(1024);
});

const withNode = (exception: object): ClusterStatus => ({
  ...idle,
  nodes: {
    total: 1,
    dualStack: 0,
    ipv4Only: 1,
    ipv6Only: 0,
    none: 0,
    delayed: 0,
    exceptions: [{ name: 'worker-9', families: ['IPv4'], cause: 'NoAddress', message: 'why', ...exception }],
  },
});

test.each<[string, ClusterStatus, ClusterStatus, readonly string[]]>([
  ['a node lacks a family', idle, withNode({}), []],
  ['pods are kept off it', withNode({}), withNode({ guarded: true }), ['Warning NodeGuarded']],
  ['that stays so', withNode({ guarded: true }), withNode({ guarded: true }), []],
  ['the CNI lost its IPv4', withNode({}), withNode({ cause: 'CNILostPrimary' }), ['Warning CNILostPrimary']],
  [
    'and pods are kept off it',
    idle,
    withNode({ cause: 'CNILostPrimary', guarded: true }),
    ['Warning NodeGuarded', 'Warning CNILostPrimary'],
  ],
  ['it is whole again', withNode({ cause: 'CNILostPrimary', guarded: true }), idle, ['Normal NodeFreed']],
])('%s', (_name, from, to, told) => {
  expect(reasons(from, to)).toEqual(told);
});
