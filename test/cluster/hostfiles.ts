import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { NodeAddresses } from './addresses.ts';
import type { HostOptions } from './options.ts';

/** One address on a played host's interface. */
export interface InterfaceAddress {
  readonly address: string;
  readonly prefixLength: number;
}

export const INTERFACE = 'eth0';
const CLOCK_TICKS = 100; // USER_HZ, the unit of times in /proc/<pid>/stat

/** The plain files of a host that do not come from kubeadm. */
export async function writeHostFiles(root: string, node: NodeAddresses, options: Required<HostOptions>): Promise<void> {
  const forwarding = (family: 'IPv4' | 'IPv6'): string =>
    options.forwarding === 'dual' || options.forwarding === family ? '1\n' : '0\n';
  const ipv6 = (name: string): Record<string, string> => ({
    [`proc/sys/net/ipv6/conf/${name}/forwarding`]: forwarding('IPv6'),
    [`proc/sys/net/ipv6/conf/${name}/accept_ra`]: '1\n',
    [`proc/sys/net/ipv6/conf/${name}/disable_ipv6`]: '0\n',
  });
  const files: Record<string, string> = {
    'etc/hostname': `${node.name}\n`,
    'etc/os-release':
      'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
    'etc/default/kubelet': 'KUBELET_EXTRA_ARGS=\n',
    'etc/sysctl.d/99-kubernetes.conf': 'net.ipv4.ip_forward = 1\n',
    'etc/systemd/system/kubelet.service.d/10-kubeadm.conf': KUBEADM_DROP_IN,
    'proc/stat': bootTime(),
    'proc/sys/kernel/random/boot_id': readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'),
    'proc/sys/kernel/hostname': `${node.name}\n`,
    'proc/sys/net/ipv4/ip_forward': forwarding('IPv4'),
    ...ipv6('all'),
    ...ipv6('default'),
    ...ipv6('lo'),
    ...ipv6(INTERFACE),
  };
  await Promise.all(
    Object.entries(files).map(async ([path, text]) => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }),
  );
  // Time goes by, and a process that looks at itself is a real one.
  await Promise.all(['uptime', 'self'].map((name) => symlink(`/proc/${name}`, join(root, 'proc', name))));
}

/** kubeadm's drop-in for the kubelet's unit, as its packages ship it. */
const KUBEADM_DROP_IN = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`;

function bootTime(): string {
  const line = readFileSync('/proc/stat', 'utf8')
    .split('\n')
    .find((text) => text.startsWith('btime '));
  return `cpu  0 0 0 0 0 0 0 0 0 0\n${line ?? 'btime 0'}\n`;
}

/** Writes what the kernel shows of a host's addresses and routes. */
export function writeNetworkFiles(root: string, addresses: readonly InterfaceAddress[]): void {
  const v4 = addresses.filter(({ address }) => !address.includes(':'));
  const v6 = addresses.filter(({ address }) => address.includes(':'));
  const folder = join(root, 'proc/1/net');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'fib_trie'), fibTrie(v4));
  writeFileSync(join(folder, 'route'), ipv4Routes(v4));
  writeFileSync(join(folder, 'if_inet6'), ifInet6(v6));
  writeFileSync(join(folder, 'ipv6_route'), ipv6Routes(v6));
  writeFileSync(join(folder, 'dev'), DEVICES);
}

const DEVICES = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  ${INTERFACE}:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;

const trieLeaf = (address: string, kind: string): string => `           |-- ${address}\n              ${kind}\n`;

function fibTrie(addresses: readonly InterfaceAddress[]): string {
  const hosts = [{ address: '127.0.0.1', prefixLength: 8 }, ...addresses];
  const table = hosts
    .map(({ address, prefixLength }) => {
      const base = networkOf(address, prefixLength);
      return `     +-- ${base}/${prefixLength} 2 0 2\n${trieLeaf(base, `/${prefixLength} link UNICAST`)}${trieLeaf(address, '/32 host LOCAL')}`;
    })
    .join('');
  return `Main:\n  +-- 0.0.0.0/0 3 0 5\n${table}Local:\n  +-- 0.0.0.0/0 3 0 5\n${table}`;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function networkOf(address: string, prefixLength: number): string {
  const size = 2 ** (32 - prefixLength);
  const base = Math.floor(toNumber(address) / size) * size;
  return [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join('.');
}

/** Numbers here are in the machine's byte order. */
function littleEndianHex(address: string): string {
  return address
    .split('.')
    .toReversed()
    .map((part) => Number(part).toString(16).toUpperCase().padStart(2, '0'))
    .join('');
}

function ipv4Routes(addresses: readonly InterfaceAddress[]): string {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const [first] = addresses;
  if (!first) return head;
  const base = networkOf(first.address, first.prefixLength);
  const gateway = base.replace(/\d+$/, '253');
  const mask = networkOf('255.255.255.255', first.prefixLength);
  const byDefault = ipv4Route('00000000', littleEndianHex(gateway), '0003', '00000000');
  return `${head}${byDefault}${ipv4Route(littleEndianHex(base), '00000000', '0001', littleEndianHex(mask))}`;
}

const ipv4Route = (destination: string, via: string, flags: string, netmask: string): string =>
  `${INTERFACE}\t${destination}\t${via}\t${flags}\t0\t0\t0\t${netmask}\t0\t0\t0\n`;

const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));

/** 32 hex digits without colons. */
export function ipv6Hex(address: string): string {
  const [head = '', tail] = address.split('::');
  const before = groups(head);
  const after = groups(tail ?? '');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: zeros }, () => '0'), ...after]
    .map((group) => group.padStart(4, '0'))
    .join('');
}

const SCOPE = { host: '10', link: '20', global: '00' } as const;
const PERMANENT = '80';

function ifInet6(addresses: readonly InterfaceAddress[]): string {
  const linkLocal = addresses.length > 0 ? ipv6Row('fe80::1', '02', 64, SCOPE.link, INTERFACE) : '';
  const global = addresses.map(({ address, prefixLength }) =>
    ipv6Row(address, '02', prefixLength, SCOPE.global, INTERFACE),
  );
  return `${ipv6Row('::1', '01', 128, SCOPE.host, 'lo')}${linkLocal}${global.join('')}`;
}

const ipv6Row = (address: string, index: string, prefix: number, scope: string, device: string): string =>
  `${ipv6Hex(address)} ${index} ${prefix.toString(16).padStart(2, '0')} ${scope} ${PERMANENT} ${device.padStart(8)}\n`;

/** A static default route by way of the link-local neighbour fe80::fe, and the link itself. */
function ipv6Routes(addresses: readonly InterfaceAddress[]): string {
  if (addresses.length === 0) return '';
  const links = addresses.map(({ address, prefixLength }) => {
    const digits = ipv6Hex(address).slice(0, prefixLength / 4);
    return ipv6Route(digits.padEnd(32, '0'), prefixLength.toString(16), ZEROS, '00000001');
  });
  return `${links.join('')}${ipv6Route(ZEROS, '00', ipv6Hex('fe80::fe'), '00000003')}`;
}

const ZEROS = '0'.repeat(32);
const ipv6Route = (destination: string, prefix: string, via: string, flags: string): string =>
  `${destination} ${prefix} ${ZEROS} 00 ${via} 00000400 00000001 00000000 ${flags} ${INTERFACE.padStart(8)}\n`;

/** A real process behind one that a host shows. */
export interface RealProcess {
  readonly stat: string;
  /** The static pod that it runs in; undefined: it is the child of a service. */
  readonly podUid: string | undefined;
}

/**
 * Shows a process on the host as /proc does: its command line is the manifest's, times and sockets are the real process's, and of a static pod
 * the control group and the process-id namespace are those of a container. Without a real process it is one of the service, started now.
 */
export function showProcess(
  root: string,
  pid: number,
  args: readonly string[],
  real?: RealProcess,
  service = 'kubelet',
): void {
  const [folder, draft] = [join(root, 'proc', String(pid)), join(root, 'proc', `.${pid}`)];
  const name = (args[0] ?? '').split('/').at(-1)?.slice(0, 15) ?? '';
  mkdirSync(draft, { recursive: true });
  writeFileSync(join(draft, 'cmdline'), args.map((argument) => `${argument}\0`).join(''));
  writeFileSync(join(draft, 'comm'), `${name}\n`);
  writeFileSync(join(draft, 'stat'), real?.stat.replace(/\(.*\)/, `(${name})`) ?? playedStat(pid, name));
  const podUid = real?.podUid;
  const unit =
    podUid === undefined ? `system.slice/${service}.service` : `kubepods.slice/kubepods-burstable-pod${podUid}.slice`;
  writeFileSync(join(draft, 'cgroup'), `0::/${unit}\n`);
  writeFileSync(join(draft, 'status'), `Name:\t${name}\nNSpid:\t${pid}${podUid === undefined ? '' : '\t1'}\n`);
  if (real !== undefined) symlinkSync(`/proc/${pid}/net`, join(draft, 'net'));
  // All at once, as the kernel does: who looks just then sees a whole process or none.
  rmSync(folder, { recursive: true, force: true });
  renameSync(draft, folder);
}

export function hideProcess(root: string, pid: number): void {
  rmSync(join(root, 'proc', String(pid)), { recursive: true, force: true });
}

/** A stat line for a process that is only played, started now. Field 22 is the start in clock ticks since boot. */
function playedStat(pid: number, name: string): string {
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  const fields = Array.from({ length: 49 }, () => '0');
  fields[18] = String(Math.round(uptime * CLOCK_TICKS));
  return `${pid} (${name}) S 1 ${fields.slice(1).join(' ')}\n`;
}
