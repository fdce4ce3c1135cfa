import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { readNetConf, sameButFamily, withFamily, withoutFamily } from '../../../src/model/net-conf.ts';
import { PODS } from '../../support/facts.ts';
import { DUAL_NET_CONF, NET_CONF } from '../../support/flannel-facts.ts';

const added = (text: string, family: 'IPv4' | 'IPv6' = 'IPv6') => withFamily(text, family, PODS[family]);

test.each<[string, string, string]>([
  ['the manifest of today', NET_CONF, DUAL_NET_CONF],
  [
    'one line',
    '{"Network":"10.244.0.0/16","Backend":{"Type":"host-gw"}}',
    '{"Network":"10.244.0.0/16","EnableIPv6": true,"IPv6Network": "fd00:10:244::/56","Backend":{"Type":"host-gw"}}',
  ],
  [
    'one member alone',
    '{ "Network": "10.244.0.0/16" }',
    '{ "Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:10:244::/56" }',
  ],
  [
    'prepared and switched off, in other letters',
    '{"network": "10.244.0.0/16", "enableIPv6": false, "ipv6Network": "fd01::/56"}',
    '{"network": "10.244.0.0/16", "enableIPv6": true, "ipv6Network": "fd00:10:244::/56"}',
  ],
  ['done already', DUAL_NET_CONF, DUAL_NET_CONF],
])('IPv6 is added to %s, and nothing else changes', (_name, before, after) => {
  expect(added(before)).toEqual({ ok: true, value: after });
});

test('IPv4 is added to a configuration that has it switched off', () => {
  const chart =
    '{\n  "EnableIPv4": false,\n  "IPv6Network": "fd00:10:244::/56",\n  "EnableIPv6": true,\n  "Backend": {\n    "Type": "vxlan"\n  }\n}\n';
  const result = added(chart, 'IPv4');
  expect(result).toEqual({
    ok: true,
    value:
      '{\n  "EnableIPv4": true,\n  "IPv6Network": "fd00:10:244::/56",\n  "Network": "10.244.0.0/16",\n  "EnableIPv6": true,\n  "Backend": {\n    "Type": "vxlan"\n  }\n}\n',
  });
  expect(withoutFamily(chart, 'IPv4')).toEqual({ ok: true, value: chart });
});

test.each(['', '{', '[]', '"x"', '{"Network": __CIDR__}'])('%j is refused', (text) => {
  expect(added(text)).toMatchObject({ ok: false });
  expect(readNetConf(text)).toMatchObject({ ok: false });
});

test.each([
  ['{}', { backend: 'udp', enabled: { IPv4: true, IPv6: false }, networks: {} }],
  [NET_CONF, { backend: 'vxlan', enabled: { IPv4: true, IPv6: false }, networks: { IPv4: PODS.IPv4 } }],
  [DUAL_NET_CONF, { backend: 'vxlan', enabled: { IPv4: true, IPv6: true }, networks: PODS }],
  ['{"Backend": {"Type": "host-gw"}}', { backend: 'host-gw' }],
  ['{"Backend": {}}', { backend: '' }],
])('%s is read as flannel reads it', (text, expected) => {
  expect(readNetConf(text)).toMatchObject({ ok: true, value: expected });
});

test('two that differ in that family alone are told from two that differ in more', () => {
  expect(sameButFamily(NET_CONF, DUAL_NET_CONF, 'IPv6')).toBe(true);
  expect(sameButFamily(NET_CONF, DUAL_NET_CONF.replace('vxlan', 'host-gw'), 'IPv6')).toBe(false);
  expect(sameButFamily(NET_CONF, DUAL_NET_CONF, 'IPv4')).toBe(false);
  expect(sameButFamily(NET_CONF, 'x', 'IPv6')).toBe(false);
});

test('whatever else is in it, in whatever layout: it stays, and the family is on', () => {
  const others = fc
    .dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 })
    .map((value) =>
      Object.fromEntries(Object.entries(value).filter(([key]) => !/^(enableipv[46]|network|ipv6network)$/iu.test(key))),
    );
  const indents = fc.constantFrom(undefined, 2, 4, '\t');
  fc.assert(
    fc.property(others, fc.boolean(), indents, (rest, first, indent) => {
      const network = { Network: '10.244.0.0/16' };
      const text = JSON.stringify(first ? { ...network, ...rest } : { ...rest, ...network }, null, indent);
      const result = added(text);
      if (!result.ok) throw new Error(result.error);
      const parsed = JSON.parse(result.value) as Record<string, unknown>;
      expect(parsed).toEqual({ ...(JSON.parse(text) as object), EnableIPv6: true, IPv6Network: PODS.IPv6 });
      expect(sameButFamily(text, result.value, 'IPv6')).toBe(true);
      // Taking out what was added gives the first text, byte by byte.
      const lines = result.value.replace(/,\s*"EnableIPv6": true/u, '').replace(/,\s*"IPv6Network": "[^"]*"/u, '');
      expect(lines).toBe(text);
    }),
  );
});
