import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkSettings } from '../../../src/agent/allow.ts';
import {
  ipv6FromHex,
  parseDefaultRoutes,
  parseFibTrie,
  parseIfInet6,
  noInterfaces,
  readAddresses,
  readNetwork,
} from '../../../src/agent/netfs.ts';
import { findProcesses, parseFlags, parseStat, startedAt } from '../../../src/agent/procfs.ts';
import { persistSysctl, readPersisted, sysctlPath } from '../../../src/agent/sysctl.ts';
import type { HostReport } from '../../../src/model/host.ts';
import { TestHost } from '../../support/agent-host.ts';

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.clear());

test('IPv6 addresses come with scope and flags', () => {
  const text = [
    'fe80000000000000fc00fffe000001 04 40 20 80 eth0',
    'fe8000000000000000fc00fffe000001 04 40 20 80     eth0',
    '00000000000000000000000000000001 01 80 10 80       lo',
    'fd000000000000000000000000000002 04 40 00 82     eth0',
    '20010db8000000000000000000000009 04 40 00 49     eth1',
    '20010db800000000000000000000000a 04 40 00 28     eth1',
  ];
  expect(parseIfInet6(text.slice(1).join('\n'))).toEqual([
    { address: 'fe80::fc:ff:fe00:1', prefixLength: 64, interface: 'eth0', scope: 'LinkLocal', flags: ['permanent'] },
    { address: '::1', prefixLength: 128, interface: 'lo', scope: 'Host', flags: ['permanent'] },
    { address: 'fd00::2', prefixLength: 64, interface: 'eth0', scope: 'UniqueLocal', flags: ['permanent'] },
    {
      address: '2001:db8::9',
      prefixLength: 64,
      interface: 'eth1',
      scope: 'Global',
      flags: ['temporary', 'dadfailed', 'tentative'],
    },
    {
      address: '2001:db8::a',
      prefixLength: 64,
      interface: 'eth1',
      scope: 'Global',
      flags: ['dadfailed', 'deprecated'],
    },
  ]);
});

test.each([
  ['00000000000000000000000000000000', '::'],
  ['20010db8000100000000000000000001', '2001:db8:1::1'],
  ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ['20010000000000010000000000000001', '2001:0:0:1::1'],
  ['fd000000000000000000000000000000', 'fd00::'],
])('%s is %s', (hex, text) => {
  expect(ipv6FromHex(hex)).toBe(text);
});

test('own IPv4 addresses are the local leaves of the trie, with the interface of the route around them', () => {
  const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        +-- 192.0.2.0/30 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.2
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
Local:
           |-- 192.0.2.2
              /32 host LOCAL
`;
  expect(parseFibTrie(trie, () => ({ interface: 'eth0', prefixLength: 24 }))).toEqual([
    { address: '192.0.2.2', prefixLength: 24, interface: 'eth0', scope: 'Global', flags: ['permanent'] },
  ]);
});

test('default routes: the lowest metric, rejected ones never, and whether a router advertised it', () => {
  const head = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n';
  const v4 = `${head}eth1\t00000000\t0102000A\t0003\t0\t0\t200\t00000000\t0\t0\t0\neth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n`;
  const zero = '0'.repeat(32);
  const row = (flags: string, metric: string, device: string): string =>
    `${zero} 00 ${zero} 00 fe800000000000000000000000000001 ${metric} 00000001 00000000 ${flags} ${device}\n`;
  expect(parseDefaultRoutes(v4, row('00450003', '00000400', 'eth0') + row('00200200', 'ffffffff', 'lo'))).toEqual({
    IPv4: { interface: 'eth0', learned: false },
    IPv6: { interface: 'eth0', learned: true },
  });
  expect(parseDefaultRoutes(head, row('00000003', '00000400', 'eth0'))).toEqual({
    IPv6: { interface: 'eth0', learned: false },
  });
  expect(parseDefaultRoutes('', '')).toEqual({});
});

test('this machine’s own /proc is understood', () => {
  const own = parseIfInet6(readFileSync('/proc/self/net/if_inet6', 'utf8'));
  const trie = parseFibTrie(readFileSync('/proc/self/net/fib_trie', 'utf8'), () => null);
  expect([...own, ...trie].map((address) => address.address)).toEqual(expect.arrayContaining(['127.0.0.1']));
  const stat = parseStat(readFileSync('/proc/self/stat', 'utf8'));
  const btime = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))![1]);
  const started = Date.parse(startedAt(stat!.startTicks, btime));
  expect(Math.abs(Date.now() - performance.now() - started)).toBeLessThan(60_000);
});

test('what comes and goes with pods and Services is left out', () => {
  host.setIPv6(
    '20010db8000000000000000000000001 02 40 00 80 eth0',
    'fe800000000000000000000000000001 02 40 20 80 eth0',
    'fe800000000000000000000000000099 05 40 20 80 cali12345',
    'fd00009600000000000000000000000a 06 80 00 80 kube-ipvs0',
  );
  expect(readAddresses(host.files, noInterfaces).map((address) => address.address)).toEqual([
    '192.0.2.1',
    '127.0.0.1',
    '2001:db8::1',
    'fe80::1',
  ]);
});

test('flags of a command line', () => {
  expect(parseFlags(['--a=1', '--b', '2', '--c', '--d=x=y', 'word', '--a=3', '--e=', '--f', ''])).toEqual({
    a: '3',
    b: '2',
    c: 'true',
    d: 'x=y',
    e: '',
    f: '',
  });
});

test('processes are told by their program, not by their arguments, the newest last', () => {
  host.stop('kube-apiserver');
  const old = host.start(['/usr/local/bin/kube-apiserver', '--a=1']);
  const fresh = host.start(['kube-apiserver', '--a=2']);
  host.start(['/bin/grep', 'kube-apiserver']);
  expect(findProcesses(host.files, 'kube-apiserver').map((process) => process.pid)).toEqual([old, fresh]);
  expect(findProcesses(host.files, 'kube-controller-manager')).toHaveLength(1);
});

test('a name with parentheses does not shift the fields of stat', () => {
  const fields = ['Z', ...Array.from({ length: 18 }, () => '1'), '777', '0'];
  expect(parseStat(`12 (a) b (c) ${fields.join(' ')}`)).toEqual({ state: 'Z', startTicks: 777 });
  expect(parseStat('')).toBeNull();
});

test('absolute links lead to the host’s files, not to this machine’s', () => {
  host.write('/opt/real/f', 'host');
  symlinkSync('/opt/real', join(host.root, 'link'));
  symlinkSync('../opt/real/f', join(host.root, 'etc/relative'));
  expect(host.files.read('/link/f')).toBe('host');
  expect(host.files.read('/etc/relative')).toBe('host');
  expect(host.files.replace('/link/f', 'new')).toMatchObject({ ok: true });
  expect(host.read('/opt/real/f')).toBe('new');
  symlinkSync('/round', join(host.root, 'round'));
  expect(() => host.files.read('/round')).toThrow('symbolic links');
});

test('a replaced file keeps its mode and leaves nothing beside it', () => {
  host.write('/etc/a/f', 'old');
  chmodSync(join(host.root, '/etc/a/f'), 0o640);
  expect(host.files.replace('/etc/a/f', 'new')).toMatchObject({ ok: true });
  expect(statSync(join(host.root, '/etc/a/f')).mode & 0o777).toBe(0o640);
  expect(readdirSync(join(host.root, '/etc/a'))).toEqual(['f']);
  mkdirSync(join(host.root, '/etc/b/f'), { recursive: true });
  expect(host.files.replace('/etc/b/f', 'x')).toMatchObject({
    ok: false,
    error: expect.stringContaining('/etc/b/f cannot be written'),
  });
});

test('an interface with dots in its name keeps its sysctl apart', () => {
  const name = 'net.ipv6.conf.eth0.100.accept_ra';
  expect(sysctlPath(name)).toBe('/proc/sys/net/ipv6/conf/eth0.100/accept_ra');
  expect(persistSysctl(host.files, name, '2').ok).toBe(true);
  expect(persistSysctl(host.files, 'net.ipv4.ip_forward', '1').ok).toBe(true);
  expect(host.read('/etc/sysctl.d/99-zz-dualstack.conf')).toContain('net/ipv6/conf/eth0.100/accept_ra = 2\n');
  expect(readPersisted(host.files)).toEqual({ [name]: '2', 'net.ipv4.ip_forward': '1' });
});

test.each([
  ['nothing', {}],
  ['a pair', { kubelet: { nodeIPs: ['10.0.0.4', 'fd00::4'] } }],
  ['one address', { kubelet: { nodeIPs: ['fd00::4'] } }],
  ['flags', { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16,fd00::/112' } } }],
  ['sysctls', { sysctls: { 'net.ipv6.conf.all.forwarding': '1', 'net.ipv6.conf.eth0.100.accept_ra': '2' } }],
  ['an absent flag', { absent: { 'kube-controller-manager': ['node-cidr-mask-size'], kubelet: ['node-ip'] } }],
  ['a restart', { restart: { kubelet: '7' } }],
])('allowed: %s', (_, spec) => {
  expect(checkSettings(spec)).toEqual({ ok: true, value: spec });
});

test.each([
  ['an unknown field', { command: 'sh' }, 'command'],
  ['an unknown component', { staticPods: { etcd: { 'data-dir': '/' } } }, 'etcd'],
  ['a flag of another kind', { staticPods: { 'kube-apiserver': { 'anonymous-auth': 'true' } } }, 'anonymous-auth'],
  [
    'a flag of another component',
    { staticPods: { 'kube-apiserver': { 'cluster-cidr': '10.0.0.0/8' } } },
    'cluster-cidr',
  ],
  [
    'text in a value',
    { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': '10.0.0.0/8\n    - --x' } } },
    'service-cluster-ip-range',
  ],
  ['an absent flag not of ours', { absent: { 'kube-apiserver': ['client-ca-file'] } }, 'absent'],
  ['one family twice', { kubelet: { nodeIPs: ['10.0.0.4', '10.0.0.5'] } }, 'one family'],
  ['any address', { kubelet: { nodeIPs: ['10.0.0.4', '::'] } }, '::'],
  ['0.0.0.0', { kubelet: { nodeIPs: ['0.0.0.0'] } }, '0.0.0.0'],
  ['loopback', { kubelet: { nodeIPs: ['::1'] } }, '::1'],
  ['link-local', { kubelet: { nodeIPs: ['fe80::1'] } }, 'fe80::1'],
  ['multicast', { kubelet: { nodeIPs: ['224.0.0.1'] } }, '224.0.0.1'],
  ['a zone', { kubelet: { nodeIPs: ['fe80::1%eth0'] } }, 'not an IP address'],
  ['mapped', { kubelet: { nodeIPs: ['::ffff:10.0.0.1'] } }, '::ffff:10.0.0.1'],
  ['a name', { kubelet: { nodeIPs: ['node-1'] } }, 'not an IP address'],
  ['another sysctl', { sysctls: { 'kernel.core_pattern': '1' } }, 'kernel.core_pattern'],
  ['a path in a sysctl', { sysctls: { 'net.ipv6.conf.../../../kernel.accept_ra': '1' } }, 'not a sysctl'],
  ['another value', { sysctls: { 'net.ipv4.ip_forward': '2' } }, 'may be 0, 1'],
  [
    'both set and absent',
    {
      staticPods: { 'kube-controller-manager': { 'cluster-cidr': '10.0.0.0/8' } },
      absent: { 'kube-controller-manager': ['cluster-cidr'] },
    },
    'asked to be absent',
  ],
  ['no object', 'text', 'spec'],
])('not allowed: %s', (_, spec, told) => {
  expect(checkSettings(spec)).toMatchObject({ ok: false, error: expect.stringContaining(told) });
});

const network = (): HostReport['network'] => readNetwork(host.files, readAddresses(host.files, noInterfaces));

test('IPv6 that is switched off on one interface is told, and only of interfaces of the host', () => {
  expect(network()).not.toHaveProperty('ipv6DisabledOn');
  host.setIPv6();
  host.write('/proc/sys/net/ipv6/conf/eth0/disable_ipv6', '1\n');
  host.write('/proc/sys/net/ipv6/conf/cali1/disable_ipv6', '1\n');
  expect(network()).toMatchObject({ ipv6Disabled: false, ipv6DisabledOn: ['eth0'] });
  expect(network().acceptRA).toMatchObject({ eth0: '1' });
});

test('what network scripts of the RHEL family say of IPv6', () => {
  expect(network()).not.toHaveProperty('networkScripts');
  host.write(
    '/etc/sysconfig/network-scripts/ifcfg-eth0',
    '# IPV6INIT=yes\nDEVICE=eth0\nIPV6INIT="no"\nIPV6_AUTOCONF=YES\nDHCPV6C=maybe\nBOOTPROTO=dhcp\n',
  );
  host.write('/etc/sysconfig/network-scripts/ifcfg-eth9', 'IPV6INIT=no\n');
  expect(network().networkScripts).toEqual({ 'eth0 IPV6INIT': 'no', 'eth0 IPV6_AUTOCONF': 'yes' });
});
