import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { assigns, readNetworkConfig, withAssign } from '../../../src/cni/calico/network-config.ts';
import { at } from '../../../src/model/object.ts';
import type { Family } from '../../../src/net/family.ts';
import { NETWORK_CONFIG } from '../../support/calico-facts.ts';
import { manifestObjects } from '../../support/real-manifests.ts';
import { testWith } from '../../support/with-manifests.ts';

const edited = (text: string, value: 'true' | 'false' = 'true', family: Family = 'IPv6'): string => {
  const result = withAssign(text, family, value === 'true');
  if (!result.ok) throw new Error(result.error);
  return result.value;
};
const isOn = (text: string, family: Family = 'IPv6'): boolean => {
  const read = readNetworkConfig(text);
  if (!read.ok) throw new Error(read.error);
  return assigns(read.value, family);
};
/** As install-cni does before it writes the file. */
const installed = (text: string): unknown => JSON.parse(text.replaceAll('__CNI_MTU__', '1430'));

const config = (ipam: string): string => `{"plugins": [{"type": "calico", "mtu": __CNI_MTU__, "ipam": ${ipam}}]}`;

test.each([
  ['one member on one line', '{"type": "calico-ipam"}', '{"type": "calico-ipam", "assign_ipv6": "true"}'],
  ['spaces inside braces', '{ "type": "calico-ipam" }', '{ "type": "calico-ipam", "assign_ipv6": "true" }'],
  ['no spaces', '{"a":"b","type":"calico-ipam"}', '{"a":"b","type":"calico-ipam","assign_ipv6": "true"}'],
  [
    'layout of its neighbours',
    '{\n  "type": "calico-ipam"\n}',
    '{\n  "type": "calico-ipam",\n  "assign_ipv6": "true"\n}',
  ],
  [
    'carriage returns',
    '{\r\n\t"type": "calico-ipam"\r\n}',
    '{\r\n\t"type": "calico-ipam",\r\n\t"assign_ipv6": "true"\r\n}',
  ],
  ['empty section', '{}', '{"assign_ipv6": "true"}'],
  [
    'another value',
    '{"assign_ipv6" : "false","type": "calico-ipam"}',
    '{"assign_ipv6" : "true","type": "calico-ipam"}',
  ],
  ['boolean', '{"assign_ipv6":true,"type":"x"}', '{"assign_ipv6":"true","type":"x"}'],
  ['assign_ipv4 is left alone', '{"assign_ipv4": "false"}', '{"assign_ipv4": "false", "assign_ipv6": "true"}'],
  ['a bracket inside a string', '{"type": "}\\"{"}', '{"type": "}\\"{", "assign_ipv6": "true"}'],
  ['a comment-like comma', '{"a": "x,y", "b": [1, 2]}', '{"a": "x,y", "b": [1, 2], "assign_ipv6": "true"}'],
])('assign_ipv6 is set as a string and nothing else is touched: %s', (_name, before, after) => {
  expect(edited(config(before))).toBe(config(after));
  expect(edited(config(after))).toBe(config(after));
});

test.each([
  ['{"type": "calico-ipam"}', 'true', '{"type": "calico-ipam"}'],
  ['{"type": "calico-ipam"}', 'false', '{"type": "calico-ipam", "assign_ipv4": "false"}'],
  ['{"assign_ipv4": "false", "assign_ipv6": "true"}', 'true', '{"assign_ipv4": "true", "assign_ipv6": "true"}'],
  ['{"assign_ipv4": "yes"}', 'true', '{"assign_ipv4": "yes"}'],
  ['{"assign_ipv4": false}', 'false', '{"assign_ipv4": "false"}'],
] as const)('IPv4 is on unless it is told off, so %s for %s becomes %s', (before, value, after) => {
  expect(edited(config(before), value, 'IPv4')).toBe(config(after));
  expect(isOn(config(after), 'IPv4')).toBe(value === 'true');
});

test('a configuration of a single plug-in, and one where Calico is not the first', () => {
  expect(edited('{"type": "calico", "ipam": {"type": "calico-ipam"}}')).toBe(
    '{"type": "calico", "ipam": {"type": "calico-ipam", "assign_ipv6": "true"}}',
  );
  const second = '{"plugins": [{"type": "loopback", "ipam": {}}, {"type": "calico", "ipam": {}}]}';
  expect(edited(second)).toBe(
    '{"plugins": [{"type": "loopback", "ipam": {}}, {"type": "calico", "ipam": {"assign_ipv6": "true"}}]}',
  );
});

test.each([
  ['', 'a value was expected'],
  ['{"plugins": [{"type": "calico", "ipam": {"type": "calico-ipam"}]}', 'was expected'],
  ['{"plugins": [{"type": "flannel"}]}', 'no plug-in of type "calico"'],
  ['{"plugins": [{"type": "calico"}]}', 'no section "ipam"'],
  ['{"plugins": [{"type": "calico", "ipam": "x"}]}', 'no section "ipam"'],
  ['{"plugins": [{"type": "calico", "ipam": {}}]} trailing', 'the end was expected'],
  ['{"a": "\\x"}', 'is not a JSON string'],
  ['{"a": "unclosed}', 'closing quote'],
])('what cannot be read is refused with the place: %j', (text, message) => {
  const read = readNetworkConfig(text);
  expect(read).toMatchObject({ ok: false, error: expect.stringContaining(message) });
  expect(withAssign(text, 'IPv6', true).ok).toBe(false);
});

test.each([
  ['{"type": "calico-ipam"}', { is: 'Absent' }],
  ['{"assign_ipv6": "true"}', { is: 'String', value: 'true' }],
  ['{"assign_ipv6": true}', { is: 'WrongType', text: 'true' }],
  ['{"assign_ipv6": __X__}', { is: 'WrongType', text: '__X__' }],
  ['{"assign_ipv6": {"a": 1}}', { is: 'WrongType', text: '{"a": 1}' }],
])('the type of assign_ipv6 is told: %s', (ipam, assignIPv6) => {
  expect(readNetworkConfig(config(ipam))).toMatchObject({ ok: true, value: { assignIPv6 } });
});

describe('any JSON around the section', () => {
  const indents = fc.constantFrom<string | number | undefined>(undefined, 1, 2, 4, '\t');
  const ipams = fc
    .dictionary(fc.string(), fc.jsonValue())
    .map((extra) => ({ ...extra, type: 'calico-ipam', assign_ipv6: undefined }));

  test('the edit parses, sets just that member, and leaves every other byte', () => {
    fc.assert(
      fc.property(ipams, fc.dictionary(fc.string(), fc.jsonValue()), indents, (ipam, extra, indent) => {
        const whole = { ...extra, plugins: [{ ...extra, type: 'calico', ipam }, { type: 'portmap' }] };
        const before = JSON.stringify(whole, null, indent);
        const after = edited(before);
        expect(JSON.parse(after)).toEqual(
          JSON.parse(
            JSON.stringify({
              ...whole,
              plugins: [{ ...extra, type: 'calico', ipam: { ...ipam, assign_ipv6: 'true' } }, { type: 'portmap' }],
            }),
          ),
        );
        expect(edited(after)).toBe(after);
        const added = /,\s*"assign_ipv6": "true"/u;
        expect(after.length).toBeGreaterThan(before.length);
        expect(
          [...after.matchAll(new RegExp(added, 'gu'))].map(
            ({ index, 0: text }) => after.slice(0, index) + after.slice(index + text.length),
          ),
        ).toContain(before);
      }),
    );
  });

  test('on and off and on again is the same as on', () => {
    fc.assert(
      fc.property(ipams, indents, (ipam, indent) => {
        const before = JSON.stringify({ type: 'calico', ipam }, null, indent);
        const on = edited(before);
        expect(isOn(on)).toBe(true);
        expect(isOn(edited(on, 'false'))).toBe(false);
        expect(edited(edited(on, 'false'))).toBe(on);
      }),
    );
  });
});

const MANIFESTS = ['calico.yaml', 'calico-vxlan.yaml', 'calico-typha.yaml'];
for (const file of MANIFESTS) {
  const released = `calico-v3.31.7/${file}`;
  testWith(released)(`real manifest ${file}: one line is added`, () => {
    const map = manifestObjects(released).find(
      (object) => object.kind === 'ConfigMap' && object.metadata.name === 'calico-config',
    );
    const text = at(map, 'data', 'cni_network_config') as string;
    const after = edited(text);
    const added = after.split('\n').filter((line) => !text.split('\n').includes(line));
    expect(added.map((line) => line.trim())).toEqual(['"type": "calico-ipam",', '"assign_ipv6": "true"']);
    expect(at(installed(after), 'plugins', 0, 'ipam')).toEqual({ type: 'calico-ipam', assign_ipv6: 'true' });
    expect(isOn(text)).toBe(false);
  });
}

test('the stock template of these tests is not JSON, as the real one is not', () => {
  expect(() => JSON.parse(NETWORK_CONFIG) as unknown).toThrow();
});
