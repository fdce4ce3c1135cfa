import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { editManifest, parseManifest } from '../../../src/agent/manifest.ts';
import type { FlagChanges } from '../../../src/agent/manifest.ts';
import { apiServerManifest } from '../../support/agent-host.ts';

const COMPONENT = 'kube-apiserver';
const RANGE = 'service-cluster-ip-range';

function edited(text: string, changes: FlagChanges): string {
  const result = editManifest(text, COMPONENT, changes);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function flagsOf(text: string): Readonly<Record<string, string>> {
  const result = parseManifest(text, COMPONENT);
  if (!result.ok || result.value === null) throw new Error('no manifest');
  return result.value.flags;
}

const blockPod = (item: string): string =>
  `kind: Pod\nspec:\n  containers:\n  - name: a\n    command:\n    - kube-apiserver\n    ${item}`;

const flowPod = (list: string): string => `{kind: Pod, spec: {containers: [{name: a, command: [${list}]}]}}\n`;

/** How an argument may be written; `%` stands for the flag's words. */
const styles = ['plain', 'double', 'single'] as const;
const quoted = (word: string, style: (typeof styles)[number]): string =>
  style === 'plain' ? word : style === 'double' ? `"${word}"` : `'${word}'`;

interface Odd {
  readonly before: string;
  readonly after: (value: string) => string;
  readonly lastStyle: (typeof styles)[number];
}

/** Manifests with odd but legal layout, and what each must become when the range changes. */
const oddManifest = fc
  .record({
    style: fc.constantFrom(...styles),
    lastStyle: fc.constantFrom(...styles),
    indent: fc.constantFrom(0, 2, 4),
    dashGap: fc.constantFrom(' ', '  '),
    eol: fc.constantFrom('\n', '\r\n'),
    twoItems: fc.boolean(),
    key: fc.constantFrom('command', 'args'),
    comment: fc.constantFrom('', '   # keep me: --service-cluster-ip-range=1.2.3.0/24'),
    sidecar: fc.boolean(),
    closed: fc.boolean(),
    tail: fc.constantFrom('', '    # a comment after the list', '    image: "x: y"'),
    range: fc.constantFrom('10.96.0.0/16', 'fd00::/112', '10.96.0.0/16,fd00::/112'),
  })
  .map((o): Odd => {
    const item = (word: string, style = o.style): string =>
      `${' '.repeat(4 + o.indent)}-${o.dashGap}${quoted(word, style)}`;
    const render = (range: string): string => {
      const flag = o.twoItems ? [item(`--${RANGE}`), item(range)] : [item(`--${RANGE}=${range}`)];
      flag[flag.length - 1] += o.comment;
      const lines = [
        '# written by hand',
        'apiVersion: v1',
        'kind: Pod',
        'metadata: {name: kube-apiserver}',
        'spec:',
        '  containers:',
        ...(o.sidecar ? ['  - name: proxy', '    command: [sleep, "--service-cluster-ip-range=9.9.9.0/24"]'] : []),
        '  - name: kube-apiserver',
        ...(o.key === 'args'
          ? ['    command: ["/bin/kube-apiserver"]', '    args:']
          : ['    command:', item('kube-apiserver')]),
        item('--allow-privileged=true'),
        ...flag,
        item('--zzz=last', o.lastStyle),
        ...(o.tail === '' ? [] : [o.tail]),
      ];
      return lines.join(o.eol) + (o.closed ? o.eol : '');
    };
    return { before: render(o.range), after: render, lastStyle: o.lastStyle };
  });

test('changing a value changes that text and not one byte more', () => {
  fc.assert(
    fc.property(oddManifest, fc.constantFrom('10.96.0.0/16,fd00:10:96::/112', '192.168.0.0/24'), (odd, value) => {
      expect(edited(odd.before, { [RANGE]: value })).toBe(odd.after(value));
      expect(flagsOf(odd.after(value))[RANGE]).toBe(value);
    }),
    { numRuns: 500 },
  );
});

test('adding a flag and removing it gives back the same bytes; others keep their values', () => {
  fc.assert(
    fc.property(oddManifest, (odd) => {
      const more = edited(odd.before, { 'service-node-port-range': '1-2' });
      expect(more).not.toBe(odd.before);
      expect(flagsOf(more)).toEqual({ ...flagsOf(odd.before), 'service-node-port-range': '1-2' });
      expect(more).toContain(quoted('--service-node-port-range=1-2', odd.lastStyle));
      expect(edited(more, { 'service-node-port-range': null })).toBe(odd.before);
    }),
    { numRuns: 500 },
  );
});

test('a removed flag takes its whole line along', () => {
  expect(edited(apiServerManifest(), { [RANGE]: null })).toBe(
    apiServerManifest().replace('    - --service-cluster-ip-range=10.96.0.0/16\n', ''),
  );
  expect(edited(apiServerManifest(), { 'no-such-flag': null })).toBe(apiServerManifest());
});

test.each([
  ['block text', `- >-\n      --${RANGE}=10.96.0.0/16\n`, `- >-\n      --${RANGE}=1.0.0.0/8\n`],
  ['literal text', `- |-\n      --${RANGE}=10.96.0.0/16\n`, `- |-\n      --${RANGE}=1.0.0.0/8\n`],
  ['an anchor', `- &x --${RANGE}=10.96.0.0/16\n`, `- &x --${RANGE}=1.0.0.0/8\n`],
  ['an empty value', `- --${RANGE}=\n`, `- --${RANGE}=1.0.0.0/8\n`],
])('edits %s in place', (_, before, after) => {
  expect(edited(blockPod(before), { [RANGE]: '1.0.0.0/8' })).toBe(blockPod(after));
});

test('flow lists are edited, grown and shrunk', () => {
  const before = flowPod(`kube-apiserver, "--${RANGE}=10.96.0.0/16"`);
  const after = edited(before, { [RANGE]: '10.96.0.0/16,fd00::/112' });
  expect(after).toBe(flowPod(`kube-apiserver, "--${RANGE}=10.96.0.0/16,fd00::/112"`));
  expect(edited(edited(before, { x: '1,2' }), { x: null })).toBe(before);
  expect(edited(before, { [RANGE]: null })).toBe(flowPod('kube-apiserver'));
});

test('of a repeated flag the last is changed, and all are removed', () => {
  const text = apiServerManifest().replace('    image:', `    - --${RANGE}=10.0.0.0/24\n    image:`);
  expect(flagsOf(text)[RANGE]).toBe('10.0.0.0/24');
  expect(edited(text, { [RANGE]: '10.1.0.0/24' })).toBe(text.replace('10.0.0.0/24', '10.1.0.0/24'));
  expect(edited(text, { [RANGE]: null })).not.toContain(RANGE);
});

test.each([
  ['escapes', `    - "--${RANGE}=10.96.0.0\\/16"`],
  ['an alias', '    - *x'],
])('what cannot be changed safely is refused in words: %s', (_, item) => {
  const text = `x: &x --${RANGE}=10.96.0.0/16\nkind: Pod\nspec:\n  containers:\n  - name: a\n    command:\n    - kube-apiserver\n${item}\n`;
  const result = editManifest(text, COMPONENT, { [RANGE]: '1.0.0.0/8' });
  expect(result).toMatchObject({ ok: false, error: expect.stringMatching(/by hand|write it out/) });
});

test.each([
  ['text', 'hello'],
  ['nothing', ''],
  ['another kind', 'kind: ConfigMap\n'],
  ['no containers', 'kind: Pod\nspec: {}\n'],
  ['a list', '- 1\n- 2\n'],
])('a file with %s is no manifest of ours', (_, text) => {
  expect(parseManifest(text, COMPONENT)).toEqual({ ok: true, value: null });
});

test('any text is either understood or refused, never a crash', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(apiServerManifest().length), (noise, at) => {
      const text = apiServerManifest().slice(0, at) + noise + apiServerManifest().slice(at + noise.length);
      const result = editManifest(text, COMPONENT, { [RANGE]: '10.1.0.0/16' });
      if (!result.ok) return;
      expect(flagsOf(result.value)[RANGE]).toBe('10.1.0.0/16');
    }),
    { numRuns: 300 },
  );
});

test('health is asked where the strictest probe says, named ports and missing hosts included', () => {
  const parsed = parseManifest(apiServerManifest(), COMPONENT);
  if (!parsed.ok || parsed.value === null) throw new Error('no manifest');
  expect(parsed.value.probes).toEqual([
    { scheme: 'https', host: '192.0.2.1', port: 6443, path: '/readyz' },
    { scheme: 'https', host: '192.0.2.1', port: 6443, path: '/livez' },
  ]);
  const bare = parseManifest(
    'kind: Pod\nspec:\n  containers:\n  - command: [kube-apiserver]\n    livenessProbe: {httpGet: {port: 8080}}\n    startupProbe: {tcpSocket: {port: 1}}\n',
    COMPONENT,
  );
  expect(bare).toMatchObject({ ok: true, value: { probes: [{ scheme: 'http', host: '', port: 8080, path: '/' }] } });
});
