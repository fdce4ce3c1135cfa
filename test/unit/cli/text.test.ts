import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  ageText,
  breakWord,
  indentedAdvice,
  paint,
  secondsText,
  spanText,
  table,
  visibleLength,
  wrap,
} from '../../../src/cli/text.ts';
import { NOW, screen } from './support.ts';

test('wrapping keeps each word and its order', () => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,20}$/u), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(words, fc.integer({ min: 20, max: 100 }), (list, width) => {
      const lines = wrap(list.join(' '), width);
      expect(lines.join(' ')).toBe(list.join(' '));
      expect(lines.every((line) => visibleLength(line) <= width)).toBe(true);
    }),
  );
});

test('a line that is cut loses nothing', () => {
  expect(breakWord('abcdefghij', 6, '  ')).toEqual(['abcdef', '  ghij']);
  expect(breakWord('', 6, '')).toEqual(['']);
});

test.each([
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [7199, '119m'],
  [7200, '2h'],
  [172_799, '47h'],
  [172_800, '2d'],
  [-5, '0s'],
])('an age of %i seconds is %s', (seconds, text) => {
  expect(ageText(new Date(NOW - seconds * 1000).toISOString(), NOW)).toBe(text);
});

test('an age that is not known says so', () => {
  expect(ageText('', NOW)).toBe('<unknown>');
});

test.each([
  [59.4, '59 s'],
  [60, '1 min'],
  [125, '2 min 5 s'],
  [3600, '1 h'],
  [3780, '1 h 3 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(secondsText(seconds)).toBe(text);
});

test('a span is told once where both ends are the same', () => {
  expect(spanText([10, 40])).toBe('10–40 s');
  expect(spanText([10, 10])).toBe('10 s');
  expect(spanText([30, 90])).toBe('30 s – 1 min 30 s');
});

test('a column of a table gives way only where it may', () => {
  const columns = [{ title: 'A' }, { title: 'B', gives: 'First' } as const];
  const row = [{ text: 'fixed-as-it-is' }, { text: 'one two three four five six' }];
  expect(table(columns, [row], screen({ width: 30 }))).toEqual([
    'A               B',
    'fixed-as-it-is  one two three',
    '                four five six',
  ]);
});

test('colour is a matter of the reader', () => {
  expect(paint('x', 'red', { colour: false })).toBe('x');
  expect(paint('x', 'red', { colour: true })).toBe('\u001B[31mx\u001B[39m');
});

test('a name of several words is broken where one of them begins', () => {
  expect(wrap('KubeletNodeIPSingleFamily', 21)).toEqual(['KubeletNodeIPSingle', 'Family']);
  expect(wrap('DuplicateAddressDetectionFailed (guarded)', 12)).toEqual([
    'Duplicate',
    'Address',
    'Detection',
    'Failed',
    '(guarded)',
  ]);
  expect(wrap('Abcdefghijklmnop', 10)).toEqual(['Abcdefghij', 'klmnop']);
});

test.each([
  {
    what: 'a command at the end is a line of its own',
    text: 'Make it single-stack again: kubectl -n shop patch service web -p \'{"spec":{"ipFamilyPolicy":"SingleStack"}}\'.',
    lines: [
      '  Make it single-stack again:',
      '    kubectl -n shop patch service web -p \'{"spec":{"ipFamilyPolicy":"SingleStack"}}\'',
    ],
  },
  {
    what: 'one that fits stays where it is',
    text: 'See why: kubectl get pods.',
    lines: ['  See why: kubectl get pods.'],
  },
  {
    what: 'one with more words behind it is a part of them',
    text: 'Stop it: kubectl scale deployment x --replicas=0. Start it again afterwards.',
    lines: ['  Stop it: kubectl scale deployment x', '  --replicas=0. Start it again afterwards.'],
  },
])('of advice, $what', ({ text, lines }) => {
  expect(indentedAdvice(text, '  ', 44)).toEqual(lines);
});
