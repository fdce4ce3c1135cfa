import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { editK0sConfig, k0sConfigProblem } from '../../../src/agent/k0s-config.ts';
import type { K0sChanges } from '../../../src/agent/k0s-config.ts';
import { EDITABLE_K0S_SETTINGS, k0sValueKind, readK0sSettings } from '../../../src/model/k0s.ts';
import type { EditableK0sSetting, K0sValueKind } from '../../../src/model/k0s.ts';

const edit = (text: string, changes: K0sChanges): string => {
  const result = editK0sConfig(text, changes);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

/** As people keep it: comments everywhere, an order of its own, quotes here and there. */
const FILE = `# k0s of the data centre in town
apiVersion: k0s.k0sproject.io/v1beta1
kind: ClusterConfig
metadata:
  name: k0s
spec:
  # who may ask
  api:
    address: 192.0.2.11   # cp-1
    sans: [k0s.example.com, "192.0.2.11"]
  controllerManager: {}
  network:
    # kube-router knows BGP
    provider: kuberouter
    podCIDR: "10.244.0.0/16" # not 10.10, that is the office

    # asked of the network people
    serviceCIDR: 10.96.0.0/12
    kuberouter:
      autoMTU: true
      extraArgs:
        peers: |
          one
          two

  # nothing but etcd
  storage:
    type: etcd
`;
const DUAL: K0sChanges = {
  'spec.network.dualStack.enabled': 'true',
  'spec.network.dualStack.IPv6podCIDR': 'fd00:10:244::/108',
  'spec.network.dualStack.IPv6serviceCIDR': 'fd00:10:96::/108',
  'spec.controllerManager.extraArgs.cluster-cidr': '10.244.0.0/16,fd00:10:244::/108',
  'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv6': '117',
};
const BACK: K0sChanges = Object.fromEntries(Object.keys(DUAL).map((path) => [path, null]));

test('dual-stack is written beside what is there, and not a byte else changes', () => {
  expect(edit(FILE, DUAL)).toBe(
    FILE.replace(
      '  controllerManager: {}\n',
      '  controllerManager: {extraArgs: {cluster-cidr: "10.244.0.0/16,fd00:10:244::/108", node-cidr-mask-size-ipv6: "117"}}\n',
    ).replace(
      '          two\n',
      `          two
    dualStack:
      enabled: true
      IPv6podCIDR: fd00:10:244::/108
      IPv6serviceCIDR: fd00:10:96::/108
`,
    ),
  );
});

test('what was added goes again with what it leaves empty, and every comment stays', () => {
  const back = edit(edit(FILE, DUAL), BACK);
  expect(back).toBe(FILE.replace('  controllerManager: {}\n', ''));
  const plain = FILE.replace('  controllerManager: {}\n', '');
  expect(edit(edit(plain, DUAL), BACK)).toBe(plain);
});

test.each<[string, string, K0sChanges, string]>([
  [
    'a value keeps quotes and comment',
    'spec:\n  network:\n    podCIDR: "10.0.0.0/16" # a\n',
    { 'spec.network.podCIDR': '10.1.0.0/16' },
    'spec:\n  network:\n    podCIDR: "10.1.0.0/16" # a\n',
  ],
  [
    'a switch becomes a boolean, whatever it was',
    'spec:\n  network:\n    dualStack: {enabled: "false"}\n',
    { 'spec.network.dualStack.enabled': 'true' },
    'spec:\n  network:\n    dualStack: {enabled: true}\n',
  ],
  [
    'a number becomes the text that k0s wants',
    'spec:\n  controllerManager:\n    extraArgs:\n      node-cidr-mask-size-ipv6: 117\n',
    { 'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv6': '120' },
    'spec:\n  controllerManager:\n    extraArgs:\n      node-cidr-mask-size-ipv6: "120"\n',
  ],
  [
    'below a key without value',
    'spec:\n  network:\n    dualStack:\n    podCIDR: 10.0.0.0/16\n',
    { 'spec.network.dualStack.enabled': 'true' },
    'spec:\n  network:\n    dualStack: {enabled: true}\n    podCIDR: 10.0.0.0/16\n',
  ],
  [
    'below a key with a comment alone',
    'spec:\n  network:\n    dualStack: # later\n    podCIDR: 10.0.0.0/16\n',
    { 'spec.network.dualStack.enabled': 'true' },
    'spec:\n  network:\n    dualStack: {enabled: true} # later\n    podCIDR: 10.0.0.0/16\n',
  ],
  [
    'a whole part',
    'kind: ClusterConfig\n',
    { 'spec.network.dualStack.enabled': 'true' },
    'kind: ClusterConfig\nspec:\n  network:\n    dualStack:\n      enabled: true\n',
  ],
  [
    'no last line break',
    'spec:\n  network:\n    podCIDR: 10.0.0.0/16',
    { 'spec.network.primaryAddressFamily': 'IPv4' },
    'spec:\n  network:\n    podCIDR: 10.0.0.0/16\n    primaryAddressFamily: IPv4\n',
  ],
  [
    'CRLF',
    'spec:\r\n  network:\r\n    podCIDR: 10.0.0.0/16\r\n',
    { 'spec.network.dualStack.enabled': 'true' },
    'spec:\r\n  network:\r\n    podCIDR: 10.0.0.0/16\r\n    dualStack:\r\n      enabled: true\r\n',
  ],
  [
    'JSON',
    '{"spec":{"network":{"podCIDR":"10.0.0.0/16"}}}',
    { 'spec.network.dualStack.enabled': 'true' },
    '{"spec":{"network":{"podCIDR":"10.0.0.0/16", dualStack: {enabled: true}}}}',
  ],
  [
    'out of the middle',
    'spec:\n  network:\n    podCIDR: 10.0.0.0/16\n    # asked for\n    dualStack:\n      enabled: true\n      # theirs\n    # of the office\n    serviceCIDR: 10.9.0.0/16\n',
    { 'spec.network.dualStack.enabled': null },
    'spec:\n  network:\n    podCIDR: 10.0.0.0/16\n    # asked for\n      # theirs\n    # of the office\n    serviceCIDR: 10.9.0.0/16\n',
  ],
  [
    'not with a note about it',
    'spec:\n  network:\n    podCIDR: 10.0.0.0/16\n    dualStack:\n      # from May on\n      enabled: true\n',
    { 'spec.network.dualStack.enabled': null },
    'spec:\n  network:\n    podCIDR: 10.0.0.0/16\n    dualStack:\n      # from May on\n',
  ],
  [
    'out of braces',
    'spec:\n  controllerManager: {extraArgs: {cluster-cidr: a, node-cidr-mask-size: "24"}, x: {}}\n',
    { 'spec.controllerManager.extraArgs.node-cidr-mask-size': null },
    'spec:\n  controllerManager: {extraArgs: {cluster-cidr: a}, x: {}}\n',
  ],
  [
    'the first out of braces',
    'spec:\n  controllerManager: {extraArgs: {node-cidr-mask-size: "24", cluster-cidr: a}}\n',
    { 'spec.controllerManager.extraArgs.node-cidr-mask-size': null },
    'spec:\n  controllerManager: {extraArgs: {cluster-cidr: a}}\n',
  ],
  [
    'all that there is',
    'kind: C\nspec:\n  network:\n    dualStack:\n      enabled: true\n',
    { 'spec.network.dualStack.enabled': null },
    'kind: C\nspec:\n',
  ],
  [
    'what is not there',
    FILE,
    { 'spec.network.dualStack.IPv6podCIDR': null, 'spec.network.podCIDR': '10.244.0.0/16' },
    FILE,
  ],
])('%s', (_name, before, changes, after) => {
  expect(edit(before, changes)).toBe(after);
});

test.each([
  ['aliases', 'a: &x {enabled: true}\nspec:\n  network:\n    dualStack: *x\n'],
  ['merged keys', 'a: &x {enabled: true}\nspec:\n  network:\n    dualStack:\n      <<: *x\n'],
  ['several documents', 'spec: {}\n---\nspec: {}\n'],
  ['a list', '- spec\n'],
  ['nothing but a comment', '# k0s\n'],
  ['no YAML', 'spec: [\n'],
])('what cannot be edited is left alone: %s', (_name, text) => {
  expect(k0sConfigProblem(text)).toEqual(expect.any(String));
  expect(editK0sConfig(text, DUAL).ok).toBe(false);
});

test.each([
  ['a list in the place of a part', 'spec:\n  network: [a]\n'],
  ['a text in the place of a part', 'spec:\n  network: none\n'],
  ['a value over several lines', 'spec:\n  network:\n    dualStack:\n      enabled: |\n        false\n'],
  ['a key in two lines', 'spec:\n  ? network\n  : podCIDR: 10.0.0.0/16\n'],
])('what only shows in the attempt changes nothing: %s', (_name, text) => {
  expect(editK0sConfig(text, { 'spec.network.dualStack.enabled': 'true' }).ok).toBe(false);
});

const VALUES: Readonly<Record<K0sValueKind, readonly string[]>> = {
  Switch: ['true', 'false'],
  Family: ['IPv4', 'IPv6'],
  CIDR: ['10.0.0.0/16', 'fd00::/108', '::/0'],
  CIDRs: ['10.0.0.0/16', '10.0.0.0/16,fd00::/108'],
  Mask: ['24', '117'],
};
const setting = fc
  .constantFrom(...EDITABLE_K0S_SETTINGS)
  .chain((path) => fc.tuple(fc.constant(path), fc.constantFrom<string | null>(...VALUES[k0sValueKind(path)], null)));
const settings = fc.array(setting, { maxLength: 6 }).map((pairs) => Object.fromEntries(pairs));
const wordy = (tree: object, flow: boolean): string =>
  `# top\n${stringify(tree, flow ? { collectionStyle: 'flow' } : {}).replace(/^( *)(\w[\w-]*:)$/gmu, '$1# of $2\n$1$2 # tail')}# bottom\n`;

const nested = (flat: K0sChanges): object => {
  const tree: Record<string, unknown> = { kind: 'ClusterConfig', spec: { storage: { type: 'etcd' } } };
  for (const [path, value] of Object.entries(flat)) {
    if (value === null) continue;
    const keys = path.split('.');
    let here = tree;
    for (const key of keys.slice(0, -1)) here = (here[key] ??= {}) as Record<string, unknown>;
    here[keys.at(-1)!] = k0sValueKind(path as EditableK0sSetting) === 'Switch' ? value === 'true' : value;
  }
  return tree;
};

const comments = (lines: string): readonly string[] => [...lines.matchAll(/^ *# of .*$/gmu)].map(([line]) => line);

test('whatever was there: it says what was asked, all else stays, and putting the first values in says what it said', () => {
  fc.assert(
    fc.property(settings, settings, fc.boolean(), fc.boolean(), (first, asked, flow, crlf) => {
      const text = crlf ? wordy(nested(first), flow).replaceAll('\n', '\r\n') : wordy(nested(first), flow);
      const after = edit(text, asked);
      const said = readK0sSettings(parse(after));
      for (const [path, value] of Object.entries({ ...first, ...asked })) expect(said[path] ?? null).toBe(value);
      expect(parse(after).spec.storage).toEqual({ type: 'etcd' });
      expect(comments(after)).toEqual(comments(text));
      const undone = Object.fromEntries(Object.keys(asked).map((path) => [path, first[path] ?? null]));
      expect(readK0sSettings(parse(edit(after, undone)))).toEqual(readK0sSettings(parse(text)));
    }),
    { numRuns: 500 },
  );
});
