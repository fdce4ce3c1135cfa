import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { makeAlarm, runLoop } from '../../../src/agent/loop.ts';
import { makeAddressesChanged } from '../../../src/agent/own-addresses.ts';
import { TestHost } from '../../support/agent-host.ts';
import { type FakeClock, fakeClock } from '../../support/fake-clock.ts';

const GLOBAL = '20010db8000000000000000000000001 02 40 00 80 eth0';
const LINK_LOCAL = 'fe800000000000000000000000000001 02 40 20 80 eth0';
/** As the CNI plug-in ptp has it. */
const gatewayOn = (device: string): string => `fd000010024400010000000000000001 05 80 00 80 ${device}`;
const podLink = (n: number): string => `fe80000000000000000000000000ee${10 + n} 0${n} 40 20 80 cali${n}`;

let host: TestHost;
let clock: FakeClock;
let passes: number;
let ipv4: Map<string, string>;
let alarm: ReturnType<typeof makeAlarm>;
let stop: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  host = new TestHost();
  host.setIPv6(LINK_LOCAL);
  host.ask({});
  await host.settle();
  clock = fakeClock();
  passes = 0;
  ipv4 = new Map([['192.0.2.1', 'eth0']]);
  alarm = makeAlarm(clock);
  stop = new AbortController();
  const pass = host.pass;
  running = runLoop(
    {
      pass: () => {
        passes += 1;
        return pass();
      },
      alarm,
      addressesChanged: makeAddressesChanged(host.files, () => ipv4),
      clock,
      log: { error: (message) => host.logged.push(message) },
      onTurn: () => undefined,
    },
    stop.signal,
  );
  await clock.advance(1_050);
});

afterEach(async () => {
  stop.abort();
  await running;
  expect(clock.pending).toBe(0);
  host.clear();
});

const reported = (): readonly { address: string; flags: string[] }[] =>
  (host.object!.status as { addresses: { address: string; flags: string[] }[] }).addresses;
const passesIn = async (milliseconds: number): Promise<number> => {
  const before = passes;
  await clock.advance(milliseconds);
  return passes - before;
};

test('an address that comes late is in the status a second later', async () => {
  expect(reported().map(({ address }) => address)).not.toContain('2001:db8::1');
  host.setIPv6(LINK_LOCAL, GLOBAL);
  expect(await passesIn(1_100)).toBe(1);
  expect(reported().map(({ address }) => address)).toContain('2001:db8::1');
});

test('without a change only the ordinary passes are made, and nothing is written', async () => {
  const writes = host.statusWrites;
  expect(await passesIn(8_000)).toBe(0);
  expect(await passesIn(52_000)).toBe(6);
  expect(host.statusWrites).toBe(writes);
});

test.each([
  ['goes', () => host.setIPv6()],
  ['is deprecated', () => host.setIPv6(LINK_LOCAL.replace(' 80 eth0', ' a0 eth0'))],
  ['of IPv4 comes', () => ipv4.set('198.51.100.7', 'eth1')],
  ['of IPv4 goes', () => ipv4.clear()],
])('an address that %s is seen within a second', async (_, change) => {
  change();
  expect(await passesIn(1_100)).toBe(1);
});

test.each([
  ['links of pods', () => host.setIPv6(LINK_LOCAL, podLink(5), podLink(6))],
  ['addresses of Services', () => host.setIPv6(LINK_LOCAL, GLOBAL.replace('eth0', 'kube-ipvs0'))],
  ['a local cache of names', () => ipv4.set('169.254.20.10', 'nodelocaldns')],
  ['a bridge that is told on another of its links', () => ipv4.set('192.0.2.1', 'br7')],
  [
    'links of pods that carry the gateway of their network',
    () => host.setIPv6(LINK_LOCAL, gatewayOn('veth5'), gatewayOn('veth6')),
  ],
  ['links of pods that carry an IPv4 gateway', () => ipv4.set('10.244.1.1', 'veth5')],
])('%s that come and go call for no pass', async (_, change) => {
  ipv4.set('192.0.2.9', 'eth0');
  expect(await passesIn(1_100)).toBe(1);
  change();
  expect(await passesIn(5_000)).toBe(0);
});

test('changes in a burst are looked at together', async () => {
  host.setIPv6(LINK_LOCAL, GLOBAL.replace(' 80 eth0', ' c0 eth0'));
  const before = passes;
  await clock.advance(960);
  alarm.ring();
  host.setIPv6(LINK_LOCAL, GLOBAL);
  alarm.ring();
  expect(passes - before).toBe(0);
  await clock.advance(1_500);
  expect(passes - before).toBe(1);
  expect(reported().find(({ address }) => address === '2001:db8::1')?.flags).toEqual(['permanent']);
});

test('what a pass has seen by itself calls for no other one', async () => {
  host.setIPv6(LINK_LOCAL, GLOBAL);
  alarm.ring();
  expect(await passesIn(150)).toBe(1);
  expect(await passesIn(3_000)).toBe(0);
});

test('addresses that cannot be read change nothing and do not end the watching', async () => {
  host.remove('/proc/1/net/if_inet6');
  host.write('/proc/1/net/if_inet6/folder', '');
  expect(await passesIn(2_000)).toBe(0);
  host.remove('/proc/1/net/if_inet6');
  host.setIPv6(LINK_LOCAL, GLOBAL);
  expect(await passesIn(1_100)).toBe(1);
});
