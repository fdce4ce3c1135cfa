import { isIP } from 'node:net';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { addressBits, addressOf, parseAddress } from '../../../src/net/address.ts';
import {
  addressCount,
  type Cidr,
  contains,
  shareNetwork,
  networkOf,
  nthAddress,
  overlaps,
  parseCidr,
  subnetCount,
} from '../../../src/net/cidr.ts';
import type { Family } from '../../../src/net/family.ts';
import { parseList } from '../../../src/net/list.ts';
import { classOf, isRoutable, unusablePart } from '../../../src/net/special.ts';

const families = fc.constantFrom<Family>('IPv4', 'IPv6');
const isMapped = (value: bigint) => value >> 32n === 0xffffn;
const addresses = families.chain((family) =>
  fc
    .bigInt({ min: 0n, max: (1n << BigInt(addressBits(family))) - 1n })
    .filter((value) => family === 'IPv4' || !isMapped(value))
    .map((value) => addressOf(family, value)),
);
const cidrs = addresses.chain((address) =>
  fc.integer({ min: 0, max: addressBits(address.family) }).map((prefix) => networkOf(address, prefix)),
);

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
};

test('the text of every address is read back as the same address', () => {
  fc.assert(
    fc.property(addresses, (address) => {
      expect(parseAddress(address.text)).toEqual({ ok: true, value: address });
      expect(isIP(address.text)).toBe(address.family === 'IPv4' ? 4 : 6);
    }),
  );
});

test.each([
  ['fd00:0:0:0:0:0:0:1', 'fd00::1'],
  ['FD00::A', 'fd00::a'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
])('%s is spelt %s', (text, canonical) => {
  const address = parseAddress(text);
  expect(address.ok && address.value.text).toBe(canonical);
});

test.each([
  ['', 'Malformed'],
  ['010.0.0.1', 'Malformed'],
  ['10.0.0', 'Malformed'],
  ['10.0.0.256', 'Malformed'],
  ['1', 'Malformed'],
  [' 10.0.0.1', 'Malformed'],
  ['10.0.0.1 ', 'Malformed'],
  ['10.0.0.1/32', 'Malformed'],
  ['fd00::1::2', 'Malformed'],
  ['fd00:::1', 'Malformed'],
  ['12345::', 'Malformed'],
  ['[fd00::1]', 'Malformed'],
  ['fe80::1%eth0', 'Zone'],
  ['::ffff:10.0.0.1', 'IPv4Mapped'],
])('parseAddress refuses "%s" as %s and quotes it', (text, code) => {
  const address = parseAddress(text);
  if (address.ok) throw new Error(`${text} was taken`);
  expect(address.error.code).toBe(code);
  expect(address.error.message).toContain(`"${text}"`);
});

test.each([
  ['10.0.0.0', 'PrefixMissing'],
  ['10.0.0.0/', 'PrefixMalformed'],
  ['10.0.0.0/08', 'PrefixMalformed'],
  ['10.0.0.0/+8', 'PrefixMalformed'],
  ['10.0.0.0/8/8', 'PrefixMalformed'],
  ['10.0.0.0/255.0.0.0', 'PrefixMalformed'],
  ['10.0.0.0/33', 'PrefixTooLong'],
  ['fd00::/129', 'PrefixTooLong'],
  ['fe80::%eth0/64', 'Zone'],
  ['::ffff:10.0.0.0/104', 'IPv4Mapped'],
  ['10.0.0/8', 'Malformed'],
])('parseCidr refuses "%s" as %s', (text, code) => {
  const parsed = parseCidr(text);
  if (parsed.ok) throw new Error(`${text} was taken`);
  expect(parsed.error.code).toBe(code);
});

test('a CIDR is its own canonical text', () => {
  fc.assert(
    fc.property(cidrs, (network) => {
      expect(parseCidr(network.text)).toEqual({ ok: true, value: network });
    }),
  );
});

test('two addresses share a network when that of the one holds the other', () => {
  const near = fc
    .tuple(addresses, fc.bigInt({ min: 0n, max: 2n ** 20n }), fc.nat(128))
    .map(([address, step, prefix]) => {
      const bits = addressBits(address.family);
      const value = (address.value ^ step) % 2n ** BigInt(bits);
      return [address, addressOf(address.family, value), Math.min(prefix, bits)] as const;
    });
  fc.assert(
    fc.property(near, ([a, b, prefix]) => {
      expect(shareNetwork(a, b, prefix)).toBe(contains(networkOf(a, prefix), b));
    }),
  );
  fc.assert(
    fc.property(addresses, addresses, (a, b) => {
      fc.pre(a.family !== b.family);
      expect(shareNetwork(a, b, 0)).toBe(false);
    }),
  );
});

test.each(['10.0.0.1/8', 'FD00::/8', 'fd00:0::/32', '10.0.0.0', 'x'])('%s is not canonical', (text) => {
  const parsed = parseCidr(text);
  expect(parsed.ok && parsed.value.text === text).toBe(false);
});

test('a network holds its ends and not their neighbours', () => {
  fc.assert(
    fc.property(cidrs, (network) => {
      const within = (value: bigint) =>
        value >= 0n &&
        value >> BigInt(addressBits(network.family)) === 0n &&
        contains(network, addressOf(network.family, value));
      expect(within(network.first)).toBe(true);
      expect(within(network.last)).toBe(true);
      expect(within(network.first - 1n)).toBe(false);
      expect(within(network.last + 1n)).toBe(false);
      expect(addressCount(network)).toBe(1n << BigInt(addressBits(network.family) - network.prefix));
    }),
  );
});

test('two CIDRs overlap exactly when one holds the other', () => {
  // Networks from one small corner, so that overlaps are common.
  const near = fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 24, max: 32 }))
    .map(([host, prefix]) => networkOf(addressOf('IPv4', 0x0a000000n + BigInt(host)), prefix));
  fc.assert(
    fc.property(fc.oneof(near, cidrs), fc.oneof(near, cidrs), (a, b) => {
      expect(overlaps(a, b)).toBe(contains(a, b) || contains(b, a));
      expect(overlaps(a, b)).toBe(overlaps(b, a));
    }),
  );
});

test('subnets are counted', () => {
  expect(subnetCount(cidr('10.244.0.0/16'), 24)).toBe(256n);
  expect(subnetCount(cidr('fd00::/48'), 64)).toBe(65536n);
  expect(subnetCount(cidr('10.244.0.0/16'), 16)).toBe(1n);
  expect(subnetCount(cidr('10.244.0.0/16'), 15)).toBe(0n);
  expect(subnetCount(cidr('10.244.0.0/16'), 33)).toBe(0n);
});

test('addresses are counted from the first', () => {
  expect(nthAddress(cidr('10.96.0.0/16'), 10n)?.text).toBe('10.96.0.10');
  expect(nthAddress(cidr('fd00::/127'), 1n)?.text).toBe('fd00::1');
  expect(nthAddress(cidr('fd00::/127'), 2n)).toBeNull();
  expect(nthAddress(cidr('fd00::/127'), -1n)).toBeNull();
});

test.each([
  ['10.1.2.3', 'Private', true],
  ['172.31.0.1', 'Private', true],
  ['172.32.0.1', 'Global', true],
  ['192.0.2.1', 'Global', true],
  ['127.0.0.9', 'Loopback', false],
  ['169.254.1.1', 'LinkLocal', false],
  ['224.0.0.1', 'Multicast', false],
  ['0.0.0.0', 'Unspecified', false],
  ['fd00::1', 'UniqueLocal', true],
  ['2001:db8::1', 'Global', true],
  ['fe80::1', 'LinkLocal', false],
  ['ff02::1', 'Multicast', false],
  ['::1', 'Loopback', false],
  ['::', 'Unspecified', false],
])('%s is %s', (text, kind, routable) => {
  const address = parseAddress(text);
  if (!address.ok) throw new Error(address.error.message);
  expect(classOf(address.value)).toBe(kind);
  expect(isRoutable(address.value)).toBe(routable);
});

test.each([
  ['10.0.0.0/8', null],
  ['fd00::/48', null],
  ['0.0.0.0/0', '0.0.0.0/8'],
  ['127.1.0.0/16', '127.0.0.0/8'],
  ['192.0.0.0/2', '224.0.0.0/4'],
  ['fe80::/64', 'fe80::/10'],
  ['ff00::/16', 'ff00::/8'],
  ['::/64', '::/8'],
  ['64:ff9b::/96', '::/8'],
  ['::8000:0:0/81', '::/8'],
])('%s touches the unusable network %s', (text, network) => {
  expect(unusablePart(cidr(text))).toBe(network);
});

test('a list is read back as it was joined', () => {
  fc.assert(
    fc.property(fc.array(cidrs, { maxLength: 3 }), (networks) => {
      const text = networks.map((network) => network.text).join(',');
      expect(parseList(text, parseCidr)).toEqual({ ok: true, value: networks });
    }),
  );
});

test.each([
  ['10.0.0.0/8, fd00::/48', 'white space'],
  ['10.0.0.0/8,', 'empty item'],
  [',', 'empty item'],
  ['10.0.0.0/8,x/1', '"x" is not an IP address'],
])('parseList refuses "%s"', (text, why) => {
  const list = parseList(text, parseCidr);
  if (list.ok) throw new Error(`${text} was taken`);
  expect(list.error.message).toContain(why);
});
