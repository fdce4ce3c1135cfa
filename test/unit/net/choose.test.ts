import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { addressOf, parseAddress } from '../../../src/net/address.ts';
import { bestAddress, type Candidate, FITNESS, fitnessOf, type Leaning } from '../../../src/net/choose.ts';
import { isRoutable } from '../../../src/net/special.ts';

const FLAGS = ['temporary', 'deprecated', 'tentative', 'dadfailed', 'permanent'];
/** From few networks, so that ties are common, and some that no node may have. */
const PREFIXES = [0x2001_0db8_0000_0001n, 0x2001_0db8_0000_0002n, 0xfd12_3456_0000_0001n, 0xfe80_0000_0000_0000n, 0n];

const ipv6 = fc
  .tuple(fc.constantFrom(...PREFIXES), fc.bigInt({ min: 0n, max: 15n }))
  .map(([prefix, host]) => addressOf('IPv6', (prefix << 64n) | host).text);
const ipv4 = fc.integer({ min: 0, max: 15 }).map((host) => `192.0.2.${host}`);
const candidate: fc.Arbitrary<Candidate> = fc.record({
  address: fc.oneof({ arbitrary: ipv6, weight: 4 }, { arbitrary: ipv4, weight: 1 }),
  prefixLength: fc.constantFrom(64, 128, 24, 32),
  interface: fc.constantFrom('eth0', 'eth1', 'bond0', 'cni0', 'lo'),
  flags: fc.subarray(FLAGS),
});
const candidates = fc.array(candidate, { maxLength: 12 });
const leaning: fc.Arbitrary<Leaning> = fc.record({
  interfaces: fc.subarray(['eth0', 'eth1', 'bond0']),
  near: ipv6,
});

const property = (check: (given: readonly Candidate[], lean: Leaning, best: Candidate | null) => void): void =>
  fc.assert(
    fc.property(candidates, leaning, (given, lean) => check(given, lean, bestAddress(given, 'IPv6', lean))),
    { numRuns: 500 },
  );

test('what is chosen is one of those given, of the family, and fit for a node', () => {
  property((given, _, best) => {
    if (best === null) return;
    expect(given).toContain(best);
    const parsed = parseAddress(best.address);
    expect(parsed.ok && parsed.value.family === 'IPv6' && isRoutable(parsed.value)).toBe(true);
    expect(best.flags).not.toContain('tentative');
    expect(best.flags).not.toContain('dadfailed');
    expect(['cni0', 'lo']).not.toContain(best.interface);
  });
});

test('none is chosen only where none will do', () => {
  property((given, _, best) => {
    const fit = given.filter((each) => each.address.includes(':') && fitnessOf(each) !== null);
    expect(best === null).toBe(fit.length === 0);
  });
});

test('no fitter one is left behind', () => {
  property((given, _, best) => {
    const ranks = given
      .filter(({ address }) => address.includes(':'))
      .flatMap((each) => {
        const fitness = fitnessOf(each);
        return fitness === null ? [] : [FITNESS.indexOf(fitness)];
      });
    if (best === null) return;
    expect(FITNESS.indexOf(fitnessOf(best) ?? 'Virtual')).toBe(Math.min(...ranks));
  });
});

test('the order in which they are given does not matter', () => {
  property((given, lean, best) => {
    const turned = bestAddress(given.toReversed(), 'IPv6', lean);
    const rotated = bestAddress([...given.slice(3), ...given.slice(0, 3)], 'IPv6', lean);
    // The same address may be given twice with other particulars.
    expect([turned?.address, rotated?.address]).toEqual([best?.address, best?.address]);
  });
});

test('it is chosen again when only it and worse ones are left', () => {
  property((given, lean, best) => {
    if (best === null) return;
    const fewer = given.filter((each, index) => each === best || index % 2 === 0);
    expect(bestAddress(fewer, 'IPv6', lean)?.address).toBe(best.address);
  });
});

const of = (address: string, change: Partial<Candidate> = {}): Candidate => ({
  address,
  prefixLength: 64,
  interface: 'eth0',
  flags: ['permanent'],
  ...change,
});
const LEANING: Leaning = { interfaces: ['eth1', 'eth0'], near: '2001:db8:2::1' };

test.each<[string, readonly Candidate[], string | null]>([
  ['lasting before temporary', [of('2001:db8::1', { flags: ['temporary'] }), of('2001:db8::2')], '2001:db8::2'],
  [
    'temporary before deprecated',
    [of('2001:db8::1', { flags: ['deprecated'] }), of('2001:db8::2', { flags: ['temporary'] })],
    '2001:db8::2',
  ],
  [
    'a virtual IP last of all',
    [of('2001:db8::1', { prefixLength: 128 }), of('2001:db8::2', { flags: ['deprecated'] })],
    '2001:db8::2',
  ],
  ['a virtual IP rather than none', [of('2001:db8::1', { prefixLength: 128 })], '2001:db8::1'],
  [
    'a leased /128 is as good as any',
    [of('2001:db8::1', { prefixLength: 128, flags: [], interface: 'eth1' }), of('2001:db8::2')],
    '2001:db8::1',
  ],
  [
    'fitness before the interface',
    [of('2001:db8::1', { flags: ['temporary'], interface: 'eth1' }), of('2001:db8::2', { interface: 'eth9' })],
    '2001:db8::2',
  ],
  [
    'the interface that is named first',
    [of('2001:db8::1'), of('2001:db8::2', { interface: 'eth1' }), of('2001:db8::3', { interface: 'eth9' })],
    '2001:db8::2',
  ],
  ['a named interface before another', [of('2001:db8::1', { interface: 'eth9' }), of('2001:db8::2')], '2001:db8::2'],
  ['near the one before', [of('2001:db8:1::1'), of('2001:db8:2::9')], '2001:db8:2::9'],
  ['static before learned', [of('2001:db8::1', { flags: [] }), of('2001:db8::2')], '2001:db8::2'],
  ['global before unique local', [of('fd00::1'), of('2001:db8::2')], '2001:db8::2'],
  ['the lowest of equals', [of('2001:db8::2'), of('2001:db8::10'), of('2001:db8::1')], '2001:db8::1'],
  ['never link-local', [of('fe80::1')], null],
  ['never unspecified', [of('::', { prefixLength: 0 })], null],
  ['never loopback', [of('::1', { prefixLength: 128, interface: 'lo' })], null],
  ['never multicast', [of('ff02::1')], null],
  ['never a container network', [of('2001:db8::1', { interface: 'cali12345678901' })], null],
  ['never what is no address', [of('2001:db8::1%eth0'), of('nonsense')], null],
])('%s', (_, given, expected) => {
  expect(bestAddress(given, 'IPv6', LEANING)?.address ?? null).toBe(expected);
});
