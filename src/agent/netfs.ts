import { networkInterfaces } from 'node:os';
import type { HostAddress, HostReport } from '../model/host.ts';
import { isPodLink } from '../net/interfaces.ts';
import type { HostFiles } from './files.ts';
import { readNetworkScripts } from './network-profiles.ts';

export type SeenAddress = Omit<HostAddress, 'since'>;

/** Address flags of `/proc/net/if_inet6`, as the kernel names them (linux/if_addr.h). */
const IPV6_FLAGS: readonly (readonly [number, string])[] = [
  [0x01, 'temporary'],
  [0x08, 'dadfailed'],
  [0x20, 'deprecated'],
  [0x40, 'tentative'],
  [0x80, 'permanent'],
];
/** Route flags (linux/route.h, linux/ipv6_route.h). */
const RTF_UP = 0x0001;
const RTF_REJECT = 0x0200;
const RTF_ADDRCONF = 0x0004_0000;

/** At most this many addresses are told: a status must stay small whatever a host carries. */
const MAX_ADDRESSES = 100;
const MAX_INTERFACES = 16;
/** kube-proxy's ipvs mode and NodeLocal DNSCache give addresses of Services to these: they say nothing of the host. */
const SERVICE_INTERFACES = ['kube-ipvs0', 'nodelocaldns'];

/** What is on it comes and goes with Services and pods, and would make an idle node write its status. */
export const isOfWorkloads = (device: string): boolean => SERVICE_INTERFACES.includes(device) || isPodLink(device);

/**
 * The interface of each IPv4 address in the network namespace that this program runs in. `/proc` tells addresses without it: what lies around them in
 * the routing table tells it for most, but not for those that stand alone, as a tunnel's or a Service's do.
 */
export type OwnInterfaces = () => ReadonlyMap<string, string>;

/** As the kernel tells them of interfaces that are up. An address that a pod's link has too is told of the other interface. */
export const ownInterfaces: OwnInterfaces = () =>
  new Map(
    Object.entries(networkInterfaces())
      .toSorted(([a], [b]) => Number(isOfWorkloads(b)) - Number(isOfWorkloads(a)))
      .flatMap(([name, addresses = []]) =>
        addresses.filter(({ family }) => family === 'IPv4').map(({ address }) => [address, name] as const),
      ),
  );

/** For a program that does not run in the host's network namespace. */
export const noInterfaces: OwnInterfaces = () => new Map();

/** Addresses of the host itself. The host's ends of its pods' links are none of it, whatever they are called: they carry a link-local address at least. */
export function readAddresses(files: HostFiles, interfaces: OwnInterfaces): readonly SeenAddress[] {
  const all = allAddresses(files, interfaces()).filter((address) => !isOfWorkloads(address.interface));
  const routes = readDefaultRoutes(files);
  const lasting = new Set([
    'lo',
    routes.IPv4?.interface,
    routes.IPv6?.interface,
    ...all
      .filter((address) => address.scope === 'Global' || address.scope === 'UniqueLocal')
      .map((address) => address.interface),
  ]);
  return all.filter((address) => lasting.has(address.interface)).slice(0, MAX_ADDRESSES);
}

const readDefaultRoutes = (files: HostFiles): DefaultRoutes =>
  parseDefaultRoutes(files.read('/proc/1/net/route') ?? '', files.read('/proc/1/net/ipv6_route') ?? '');

/** From the host's own network namespace: process 1 lives there, this program perhaps not. */
function allAddresses(files: HostFiles, known: ReadonlyMap<string, string>): readonly SeenAddress[] {
  const nets = new Map(interfaceNets(files.read('/proc/1/net/route') ?? ''));
  const seen = parseFibTrie(files.read('/proc/1/net/fib_trie') ?? '', (address) => interfaceOf(address, nets));
  const isOurs = seen.some(({ address, scope }) => scope !== 'Host' && known.has(address));
  return [...(isOurs ? placed(seen, known) : seen), ...parseIfInet6(files.read('/proc/1/net/if_inet6') ?? '')];
}

/** An address that stands alone and is on no interface that is up is a Service's: kube-proxy's ipvs mode keeps them on one that is down. */
const placed = (seen: readonly SeenAddress[], known: ReadonlyMap<string, string>): readonly SeenAddress[] =>
  seen.flatMap((one) => {
    const name = known.get(one.address) ?? one.interface;
    return name === '' ? [] : [{ ...one, interface: name }];
  });

export function parseIfInet6(text: string): readonly SeenAddress[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 6)
    .map(([hex = '', , prefix = '', , flags = '', device = '']) => {
      const address = ipv6FromHex(hex);
      const bits = Number.parseInt(flags, 16);
      return {
        address,
        prefixLength: Number.parseInt(prefix, 16),
        interface: device,
        scope: ipv6Scope(hex),
        flags: IPV6_FLAGS.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name),
      };
    });
}

/**
 * IPv4 addresses from the kernel's routing trie: each `/32 host LOCAL` leaf is an own address. The prefix length is that of the
 * narrowest connected route around it.
 */
export function parseFibTrie(
  text: string,
  place: (address: string) => { readonly interface: string; readonly prefixLength: number } | null,
): readonly SeenAddress[] {
  const own = new Set<string>();
  let leaf = '';
  for (const line of text.split('\n')) {
    leaf = /\|--\s+([0-9.]+)/.exec(line)?.[1] ?? leaf;
    if (/\/32 host LOCAL/.test(line)) own.add(leaf);
  }
  return [...own].map((address) => {
    const loopback = address.startsWith('127.');
    const found = loopback ? { interface: 'lo', prefixLength: 8 } : place(address);
    return {
      address,
      prefixLength: found?.prefixLength ?? 32,
      interface: found?.interface ?? '',
      scope: loopback ? 'Host' : address.startsWith('169.254.') ? 'LinkLocal' : 'Global',
      flags: ['permanent'],
    };
  });
}

interface Ipv4Net {
  readonly interface: string;
  readonly net: number;
  readonly mask: number;
}

function interfaceNets(route: string): readonly (readonly [string, Ipv4Net])[] {
  return routeRows(route)
    .filter((row) => row.gateway === 0 && row.mask !== 0)
    .map((row) => [
      `${row.interface} ${row.destination}`,
      { interface: row.interface, net: row.destination, mask: row.mask },
    ]);
}

function interfaceOf(
  address: string,
  nets: ReadonlyMap<string, Ipv4Net>,
): { readonly interface: string; readonly prefixLength: number } | null {
  const value = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const around = [...nets.values()]
    .filter((net) => (value & net.mask) >>> 0 === (net.net & net.mask) >>> 0)
    .sort((a, b) => bitCount(b.mask) - bitCount(a.mask))[0];
  return around === undefined ? null : { interface: around.interface, prefixLength: bitCount(around.mask) };
}

interface RouteRow {
  readonly interface: string;
  readonly destination: number;
  readonly gateway: number;
  readonly flags: number;
  readonly metric: number;
  readonly mask: number;
}

function routeRows(text: string): readonly RouteRow[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 8)
    .map(([device = '', destination = '', gateway = '', flags = '', , , metric = '', mask = '']) => ({
      interface: device,
      destination: ipv4FromLittleEndian(destination),
      gateway: ipv4FromLittleEndian(gateway),
      flags: Number.parseInt(flags, 16),
      metric: Number(metric),
      mask: ipv4FromLittleEndian(mask),
    }));
}

type DefaultRoutes = HostReport['network']['defaultRoutes'];

export function parseDefaultRoutes(route: string, ipv6Route: string): DefaultRoutes {
  const v4 = routeRows(route)
    .filter((row) => row.destination === 0 && row.mask === 0 && usable(row.flags))
    .sort((a, b) => a.metric - b.metric)[0];
  const v6 = ipv6Route
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((f) => f.length >= 10 && /^0{32}$/.test(f[0] ?? '') && f[1] === '00' && f[9] !== 'lo')
    .map((f) => ({
      interface: f[9] ?? '',
      metric: Number.parseInt(f[5] ?? '', 16),
      flags: Number.parseInt(f[8] ?? '', 16),
    }))
    .filter((row) => usable(row.flags))
    .sort((a, b) => a.metric - b.metric)[0];
  return {
    ...(v4 === undefined ? {} : { IPv4: { interface: v4.interface, learned: false } }),
    ...(v6 === undefined ? {} : { IPv6: { interface: v6.interface, learned: (v6.flags & RTF_ADDRCONF) !== 0 } }),
  };
}

export function readNetwork(files: HostFiles, addresses: readonly SeenAddress[]): HostReport['network'] {
  const sysctl = (path: string): string | null => files.read(`/proc/sys/net/${path}`)?.trim() ?? null;
  const interfaces = files.list('/proc/sys/net/ipv6/conf');
  const lasting = new Set(addresses.map((address) => address.interface));
  const routes = readDefaultRoutes(files);
  const told = interfaces.filter(
    (name) =>
      name === 'all' ||
      name === 'default' ||
      lasting.has(name) ||
      name === routes.IPv4?.interface ||
      name === routes.IPv6?.interface,
  );
  const own = told.filter((name) => name !== 'all' && name !== 'default' && name !== 'lo');
  const disabledOn = own.filter((name) => sysctl(`ipv6/conf/${name}/disable_ipv6`) === '1').slice(0, MAX_INTERFACES);
  const scripts = readNetworkScripts(files, own, (routes.IPv4 ?? routes.IPv6)?.interface ?? null);
  return {
    // Without IPv6 in the kernel the whole folder is missing.
    ipv6Disabled: sysctl('ipv6/conf/all/disable_ipv6') !== '0',
    ...(disabledOn.length === 0 ? {} : { ipv6DisabledOn: disabledOn }),
    ...(Object.keys(scripts).length === 0 ? {} : { networkScripts: scripts }),
    forwarding: { IPv4: sysctl('ipv4/ip_forward') === '1', IPv6: sysctl('ipv6/conf/all/forwarding') === '1' },
    acceptRA: Object.fromEntries(
      told.flatMap((name) => {
        const value = sysctl(`ipv6/conf/${name}/accept_ra`);
        return value === null ? [] : [[name, value] as const];
      }),
    ),
    defaultRoutes: routes,
  };
}

const usable = (flags: number): boolean => (flags & RTF_UP) !== 0 && (flags & RTF_REJECT) === 0;

const bitCount = (mask: number): number => (mask >>> 0).toString(2).replaceAll('0', '').length;

/** The kernel prints IPv4 numbers of `/proc/net/route` in the byte order of the machine; all that run Kubernetes are little-endian. */
function ipv4FromLittleEndian(hex: string): number {
  const bytes = hex.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
  return bytes.toReversed().reduce((sum, byte) => (sum * 256 + byte) >>> 0, 0);
}

/** Canonical text (RFC 5952) of 32 hexadecimal digits. */
export function ipv6FromHex(hex: string): string {
  const groups = (hex.match(/.{4}/g) ?? []).map((group) => Number.parseInt(group, 16).toString(16));
  const longest = longestZeroRun(groups);
  if (longest.length < 2) return groups.join(':');
  return `${groups.slice(0, longest.start).join(':')}::${groups.slice(longest.start + longest.length).join(':')}`;
}

function longestZeroRun(groups: readonly string[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, i) => {
    if (group !== '0') start = i + 1;
    else if (i - start + 1 > best.length) best = { start, length: i - start + 1 };
  });
  return best;
}

/** By the address's own bits, not by the kernel's scope field, which counts unique local addresses as global. */
function ipv6Scope(hex: string): SeenAddress['scope'] {
  if (/^0{31}1$/.test(hex)) return 'Host';
  const first = Number.parseInt(hex.slice(0, 4), 16);
  if ((first & 0xffc0) === 0xfe80) return 'LinkLocal';
  return (first & 0xfe00) === 0xfc00 ? 'UniqueLocal' : 'Global';
}
