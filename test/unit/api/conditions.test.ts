import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  type Condition,
  CONDITION_STATUSES,
  conditionOf,
  kstatus,
  setCondition,
  setConditions,
} from '../../../src/api/conditions.ts';

const THEN = '2026-01-01T00:00:00Z';
const NOW = '2026-01-02T00:00:00Z';
const ready: Condition<'Ready' | 'Stalled'> = {
  type: 'Ready',
  status: 'False',
  observedGeneration: 1,
  lastTransitionTime: THEN,
  reason: 'Converting',
  message: 'at work',
};

test('the time moves with the status alone', () => {
  const same = setCondition([ready], { ...ready, reason: 'Blocked', message: 'a node is down' }, NOW);
  expect(same).toEqual([{ ...ready, reason: 'Blocked', message: 'a node is down' }]);
  const other = setCondition([ready], { ...ready, status: 'True' }, NOW);
  expect(other).toEqual([{ ...ready, status: 'True', lastTransitionTime: NOW }]);
});

test('a new condition is added and the others stay', () => {
  const stalled = { type: 'Stalled', status: 'False', reason: 'Converting', message: '' } as const;
  expect(setCondition([ready], stalled, NOW)).toEqual([ready, { ...stalled, lastTransitionTime: NOW }]);
});

test('saying the same again changes nothing', () => {
  const update = fc.record({
    type: fc.constantFrom<'Ready' | 'Stalled'>('Ready', 'Stalled'),
    status: fc.constantFrom(...CONDITION_STATUSES),
    reason: fc.constantFrom('Converting', 'Blocked'),
    message: fc.string(),
    observedGeneration: fc.nat(),
  });
  const updates = fc.uniqueArray(update, { selector: ({ type }) => type });
  fc.assert(
    fc.property(updates, (said) => {
      const once = setConditions([ready], said, NOW);
      expect(setConditions(once, said, '2026-01-03T00:00:00Z')).toEqual(once);
      expect(once.map(({ type }) => type)).toEqual(said.map(({ type }) => type));
    }),
  );
});

test('a condition is found by its type', () => {
  expect(conditionOf([ready], 'Ready')).toBe(ready);
  expect(conditionOf([ready], 'Stalled')).toBeNull();
});

test.each([
  ['Terminating', { deleting: true, generation: 1, observedGeneration: 1, Ready: 'True' }],
  ['InProgress', { generation: 2, observedGeneration: 1, Ready: 'True' }],
  ['InProgress', { generation: 1, observedGeneration: -1 }],
  ['InProgress', { generation: 1, observedGeneration: 1, Reconciling: 'True', Stalled: 'True' }],
  ['Failed', { generation: 1, observedGeneration: 1, Reconciling: 'False', Stalled: 'True', Ready: 'True' }],
  ['InProgress', { generation: 1, observedGeneration: 1, Ready: 'False' }],
  ['InProgress', { generation: 1, observedGeneration: 1, Ready: 'Unknown' }],
  ['Current', { generation: 1, observedGeneration: 1, Ready: 'True' }],
  ['Current', { generation: 1, observedGeneration: 1 }],
] as const)('kstatus says %s of %j', (verdict, given) => {
  const conditions = (['Ready', 'Reconciling', 'Stalled'] as const).flatMap((type) =>
    type in given
      ? [
          {
            type,
            status: (given as unknown as Record<string, Condition['status']>)[type]!,
            lastTransitionTime: THEN,
            reason: 'X',
            message: '',
          },
        ]
      : [],
  );
  const { generation, observedGeneration } = given;
  expect(kstatus({ deleting: 'deleting' in given, generation, observedGeneration, conditions })).toBe(verdict);
});
