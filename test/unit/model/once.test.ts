import { expect, test } from '@jest/globals';
import { oncePer } from '../../../src/model/once.ts';

test('the result is made once for each pair of objects, also where it is nothing', () => {
  const calls: string[] = [];
  const made = oncePer((a: { readonly name: string }, b: { readonly name: string }) => {
    calls.push(a.name + b.name);
    return a.name === 'x' ? null : { both: a.name + b.name };
  });
  const [a, b, x] = [{ name: 'a' }, { name: 'b' }, { name: 'x' }];
  expect(made(a, b)).toBe(made(a, b));
  expect(made(b, a)).toEqual({ both: 'ba' });
  expect([made(x, b), made(x, b)]).toEqual([null, null]);
  expect(made({ name: 'a' }, b)).not.toBe(made(a, b));
  expect(calls).toEqual(['ab', 'ba', 'xb', 'ab']);
});
