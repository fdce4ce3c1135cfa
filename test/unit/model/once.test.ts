import { expect, test } from '@jest/globals';
import { oncePer, oncePerText } from '../../../src/model/once.ts';

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

test('the result is made anew for another text, and for another object', () => {
  const calls: string[] = [];
  const made = oncePerText(({ name }: { readonly name: string }, rules: readonly string[]) => {
    calls.push(name);
    return rules.length === 0 ? null : `${name} by ${rules.join()}`;
  });
  const [a, b] = [{ name: 'a' }, { name: 'b' }];
  expect([made(a, ['x'], 'x'), made(a, ['not read'], 'x'), made(b, ['x'], 'x')]).toEqual([
    'a by x',
    'a by x',
    'b by x',
  ]);
  expect([made(a, [], ''), made(a, ['not read'], ''), made(a, ['x'], 'x')]).toEqual([null, null, 'a by x']);
  expect(calls).toEqual(['a', 'b', 'a', 'a']);
});
