import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { addItem, addKey, removeEntry, renameKey, setValue } from '../../../src/distributions/kubeadm/yaml-text.ts';

const valueOf = <T>(result: { ok: true; value: T } | { ok: false; error: unknown }): T => {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
};

const DUAL = '10.0.0.0/16,fd00::/56';

test.each([
  ['plain', 'a: 1\nnet:\n  pod: 10.0.0.0/16   # why\nz: 2\n', `a: 1\nnet:\n  pod: ${DUAL}   # why\nz: 2\n`],
  ['double quotes', 'net:\n    pod: "10.0.0.0/16"\n', `net:\n    pod: "${DUAL}"\n`],
  ['single quotes', "net:\n  pod: '10.0.0.0/16'\n", `net:\n  pod: '${DUAL}'\n`],
  ['inside braces', 'net: {pod: 10.0.0.0/16, x: y}\n', `net: {pod: "${DUAL}", x: y}\n`],
  ['JSON', '{"net":{"pod":"10.0.0.0/16"}}', `{"net":{"pod":"${DUAL}"}}`],
  ['no value', 'net:\n  pod:\n  svc: x\n', `net:\n  pod: ${DUAL}\n  svc: x\n`],
  ['CRLF', 'net:\r\n  pod: 10.0.0.0/16\r\n', `net:\r\n  pod: ${DUAL}\r\n`],
  ['no last line break', 'net:\n  pod: 10.0.0.0/16', `net:\n  pod: ${DUAL}`],
])('a value changes in place: %s', (_, before, after) => {
  const result = valueOf(setValue(before, ['net', 'pod'], DUAL));
  expect(result).toBe(after);
  expect(parse(result).net.pod).toBe(DUAL);
});

test.each([
  ['an alias', 'a: &x 10.0.0.0/16\nnet:\n  pod: *x\n'],
  ['a block text', 'net:\n  pod: |\n    10.0.0.0/16\n'],
  ['a missing key', 'net: {}\n'],
  ['no YAML', 'net: [\n'],
])('what cannot be edited in place is told: %s', (_, text) => {
  expect(setValue(text, ['net', 'pod'], DUAL).ok).toBe(false);
});

const ARGS = [{ name: 'm', value: '60' }];

test.each([
  ['in place of braces', 'a: 1\ncm: {}\nz: 2\n', 'a: 1\ncm:\n  args:\n  - name: m\n    value: "60"\nz: 2\n'],
  ['below a key without value', 'cm:\nz: 2\n', 'cm:\n  args:\n  - name: m\n    value: "60"\nz: 2\n'],
  ['before what is there', 'cm:\n    vols: []\n', 'cm:\n    args:\n    - name: m\n      value: "60"\n    vols: []\n'],
  ['inside braces', 'cm: {vols: []}\n', 'cm: {"args": [{"name":"m","value":"60"}], vols: []}\n'],
  ['with CRLF', 'cm: {}\r\nz: 2\r\n', 'cm:\r\n  args:\r\n  - name: m\r\n    value: "60"\r\nz: 2\r\n'],
])('a key is added: %s', (_, before, after) => {
  const result = valueOf(addKey(before, ['cm'], 'args', ARGS));
  expect(result).toBe(after);
  expect(parse(result).cm.args).toEqual(ARGS);
});

test('a key is added at the top', () => {
  expect(valueOf(addKey('a: 1\n', [], 'cm', { args: { m: '60' } }))).toBe('cm:\n  args:\n    m: "60"\na: 1\n');
});

test.each([
  ['block', 'l:\n- name: v\n  value: "2"\n', 'l:\n- name: m\n  value: "60"\n- name: v\n  value: "2"\n'],
  ['indented', 'l:\n  - name: v\n    value: "2"\n', 'l:\n  - name: m\n    value: "60"\n  - name: v\n    value: "2"\n'],
  ['brackets', 'l: [{name: v}]\n', 'l: [{"name":"m","value":"60"}, {name: v}]\n'],
  ['empty', 'l: []\n', 'l:\n- name: m\n  value: "60"\n'],
])('an item is added: %s', (_, before, after) => {
  expect(valueOf(addItem(before, ['l'], { name: 'm', value: '60' }))).toBe(after);
});

test('a key is renamed and keeps its quotes', () => {
  expect(valueOf(renameKey('m:\n  "a": 1\n  b: 2\n', ['m'], 'a', 'c'))).toBe('m:\n  "c": 1\n  b: 2\n');
});

test.each([
  ['first', ['m', 'a'], 'm:\n  a: 1\n  b: 2\nz: 3\n', 'm:\n  b: 2\nz: 3\n'],
  ['last', ['m', 'b'], 'm:\n  a: 1\n  b: 2\nz: 3\n', 'm:\n  a: 1\nz: 3\n'],
  ['only', ['m', 'a'], 'm:\n  a: 1\nz: 3\n', 'm: {}\nz: 3\n'],
  ['item in the middle', ['l', 1], 'l:\n- n: 1\n- n: 2\n  v: 2\n- n: 3\n', 'l:\n- n: 1\n- n: 3\n'],
  ['under a note', ['m', 'a'], 'm:\n  a: 1 # goes\n  # b\n\n  b: 2\n', 'm:\n  # b\n\n  b: 2\n'],
  ['last item', ['l', 1], 'l:\n- n: 1\n- n: 2\n  v: 2\n', 'l:\n- n: 1\n'],
  ['only item', ['l', 0], 'l:\n- n: 1\nz: 3\n', 'l: []\nz: 3\n'],
] as const)('an entry is removed with its lines: %s', (_, path, before, after) => {
  expect(valueOf(removeEntry(before, path))).toBe(after);
});

test('changing a value there and back gives the same bytes, whatever stands around it', () => {
  const blank = fc.constantFrom('', ' ', '   ');
  const comment = fc.constantFrom('', ' # a: b', ' # "x"');
  const quote = fc.constantFrom('', '"', "'");
  const eol = fc.constantFrom('\n', '\r\n');
  fc.assert(
    fc.property(blank, comment, quote, eol, fc.integer({ min: 1, max: 8 }), (space, note, q, end, indent) => {
      const pad = ' '.repeat(indent);
      const text = [
        `# top`,
        `net:${note}`,
        `${pad}pod:${space || ' '}${q}10.0.0.0/16${q}${note}`,
        `${pad}s: x`,
        '',
      ].join(end);
      const there = valueOf(setValue(text, ['net', 'pod'], DUAL));
      expect(there).toBe(text.replace('10.0.0.0/16', DUAL));
      expect(valueOf(setValue(there, ['net', 'pod'], '10.0.0.0/16'))).toBe(text);
    }),
  );
});
