import { expect, test } from '@jest/globals';
import { err, ok, unreachable } from '../../src/result.ts';

test('a result tells success from failure', () => {
  expect(ok(1)).toEqual({ ok: true, value: 1 });
  expect(err('no')).toEqual({ ok: false, error: 'no' });
});

test('an unhandled case names itself', () => {
  expect(() => unreachable('Left' as never)).toThrow('unhandled case: "Left"');
});
