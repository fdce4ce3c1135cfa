import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { note, yamlText } from '../../../src/generate/yaml.ts';
import { documentsOf } from './support.ts';

test('comments stand above what they are about, and what is not there is left out', () => {
  const text = yamlText([
    {
      about: 'A file.\nIn two lines.',
      value: {
        kind: 'Example',
        left: undefined,
        list: note([note({ name: 'a' }, 'The first.'), 'b'], 'A list.'),
        deep: { field: note(1, 'A number.') },
      },
    },
    { about: 'Another.', value: { kind: 'Second' } },
  ]);
  expect(text).toBe(`# A file.
# In two lines.

kind: Example
# A list.
list:
  # The first.
  - name: a
  - b
deep:
  # A number.
  field: 1
---
# Another.

kind: Second
`);
});

test('long comments are wrapped and stay comments', () => {
  const words = Array.from({ length: 60 }, (_, index) => `word${index}`).join(' ');
  const text = yamlText([{ about: words, value: { a: note('x', words) } }]);
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(102);
  expect(documentsOf(text)).toEqual([{ a: 'x' }]);
});

test('a command in a comment is not broken', () => {
  const command = `  run ${'--with-a-flag '.repeat(12)}`.trimEnd();
  expect(yamlText([{ about: `Then:\n${command}`, value: { a: 1 } }])).toContain(`# Then:\n# ${command}\n`);
});

test.each(['fd00::', '10:20:30', '2001:db8::1', '[2001:db8::1]:6443', '24h0m0s', 'true', '64', 'no', ''])(
  '%j is text for every reader of YAML',
  (value) => {
    expect(documentsOf(yamlText([{ about: 'x', value: { value } }]))).toEqual([{ value }]);
  },
);

test('addresses are quoted, since readers of YAML 1.1 take some for numbers in base 60', () => {
  expect(yamlText([{ about: 'x', value: { value: '10:20:30' } }])).toContain('value: "10:20:30"');
});

test('whatever is written is read back', () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ minLength: 1 }), fc.oneof(leaf, fc.array(leaf, { maxLength: 4 }))),
      (value) => {
        expect(documentsOf(yamlText([{ about: 'x', value: { kind: 'K', ...value } }]))).toEqual([
          { kind: 'K', ...value },
        ]);
      },
    ),
  );
});
