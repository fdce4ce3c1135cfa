import { expect, test } from '@jest/globals';
import type { Memory } from '../../../src/model/memory.ts';
import type { Decision } from '../../../src/plan/next.ts';
import type { Goal } from '../../../src/plan/wanted.ts';
import { afterAct, afterDecision } from '../../../src/reconcile/memory.ts';
import { AT, before } from '../../support/facts.ts';
import { asked, NO_MEMORY, somePlan, someStep } from '../../support/plan-scene.ts';

const GENERATION = 3;
const DONE = someStep('done', { is: 'Satisfied', evidence: 'seen' });
const OPEN = someStep('open', { is: 'Pending' });
const act: Decision = { is: 'Act', step: OPEN, correction: false };
const remedy = someStep('guard', { is: 'Pending' });
const failed: Decision = { is: 'Failed', step: OPEN, why: 'It was undone.', remedy: 'Mend it.' };

interface Case {
  readonly memory?: Partial<Memory>;
  readonly decision: Decision;
  readonly goal?: Goal;
  readonly onFailure?: 'Halt' | 'RollBack';
  readonly direction?: 'Forward' | 'Back';
}

const after = ({ memory, decision, goal = 'Spec', onFailure = 'RollBack', direction = 'Forward' }: Case): Memory =>
  afterDecision({ ...NO_MEMORY, ...memory }, decision, {
    request: asked({ rollout: { onFailure } }),
    goal,
    generation: GENERATION,
    now: AT,
    plan: somePlan([DONE, OPEN], { direction }),
  });

const begun = (id: string) => ({ current: { id, startedAt: AT - 60_000 } });

test.each<[string, Case, Memory['current']]>([
  ['an act begins its time', { decision: act, memory: begun('open') }, { id: 'open', startedAt: AT }],
  ['the first wait begins it', { decision: { is: 'Wait', step: OPEN, why: 'x' } }, { id: 'open', startedAt: AT }],
  [
    'a further wait does not',
    { decision: { is: 'Wait', step: OPEN, why: 'x' }, memory: begun('open') },
    begun('open').current,
  ],
  [
    'a remedy that comes in between leaves it',
    { decision: { ...act, step: { ...remedy, remedy: true } as typeof remedy }, memory: begun('open') },
    begun('open').current,
  ],
  ['what failed keeps its time', { decision: failed, memory: begun('open') }, begun('open').current],
  ['what is done is forgotten', { decision: { is: 'Done' }, memory: begun('done') }, null],
  ['what is gone is forgotten', { decision: { is: 'Done' }, memory: begun('gone') }, null],
])('the step in work: %s', (_name, given, expected) => {
  expect(after(given).current).toEqual(expected);
});

const running = { generation: GENERATION, state: 'Running', reason: 'r', step: 's', at: before(60) } as const;

test.each<[string, Case, string | null]>([
  ['a conversion that fails', { decision: failed }, 'Running'],
  ['unless it shall halt', { decision: failed, onFailure: 'Halt' }, null],
  ['a way back that fails', { decision: failed, direction: 'Back' }, null],
  ['a converted cluster is mended, not undone', { decision: failed, memory: { appliedGeneration: GENERATION } }, null],
  ['converted by another spec, and this one fails', { decision: failed, memory: { appliedGeneration: 2 } }, 'Running'],
  ['something that merely blocks', { decision: { is: 'Blocked', step: OPEN, findings: [] } }, null],
  ['it goes on', { decision: act, goal: 'FirstState', memory: { rollBack: running } }, 'Running'],
  [
    'until the first state is there',
    { decision: { is: 'Done' }, goal: 'FirstState', memory: { rollBack: running } },
    'Done',
  ],
])('roll-back: %s', (_name, given, state) => {
  expect(after(given).rollBack?.state ?? null).toBe(state);
});

test('a roll-back says which step failed and why', () => {
  expect(after({ decision: failed }).rollBack).toMatchObject({
    generation: GENERATION,
    step: 'open',
    reason: 'It was undone.',
  });
});

test('corrections are counted by step, the last first', () => {
  const corrections = [
    { id: 'a', count: 1, lastAt: before(9) },
    { id: 'open', count: 2, lastAt: before(60) },
  ];
  const decision: Decision = { is: 'Act', step: OPEN, correction: true };
  expect(after({ decision, memory: { corrections } }).corrections).toEqual([
    { id: 'open', count: 3, lastAt: new Date(AT).toISOString() },
    corrections[0],
  ]);
  expect(after({ decision: act, memory: { corrections } }).corrections).toEqual(corrections);
});

test('a proof is kept; what else was done shows in the cluster', () => {
  const proof = { fingerprint: 'f', at: before(0), checks: [] };
  expect(afterAct(NO_MEMORY, { is: 'Proven', proof }).proof).toBe(proof);
  expect(afterAct(NO_MEMORY, { is: 'Changed', what: 'x' })).toBe(NO_MEMORY);
});
