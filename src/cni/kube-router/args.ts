import { parseCidr } from '../../net/cidr.ts';
import type { Family } from '../../net/family.ts';

/** What kube-router takes where a flag is not given (`AddFlags` in its `pkg/options/options.go`). */
const DEFAULTS: Readonly<Record<string, string>> = {
  'enable-ipv4': 'true',
  'enable-ipv6': 'false',
  'run-router': 'true',
  'run-firewall': 'true',
  'enable-cni': 'true',
  'enable-pod-egress': 'true',
  'bgp-graceful-restart': 'false',
};

export const IPV6_FLAG = 'enable-ipv6';
export const SERVICES_FLAG = 'service-cluster-ip-range';

/** All of its flags here carry their value behind `=`, but for switches that need none. */
const nameOf = (arg: string): string => arg.replace(/^--?/u, '').split('=')[0] ?? '';
const valueOf = (arg: string): string => (arg.includes('=') ? arg.slice(arg.indexOf('=') + 1) : 'true');

/** Of several the last counts. */
export const flag = (args: readonly string[], name: string): string =>
  valuesOf(args, name).at(-1) ?? DEFAULTS[name] ?? '';

export const isOn = (args: readonly string[], name: string): boolean => flag(args, name).toLowerCase() === 'true';

const valuesOf = (args: readonly string[], name: string): readonly string[] =>
  args.filter((arg) => arg.startsWith('-') && nameOf(arg) === name).map(valueOf);

/** Ranges of Services, in the order in which they are given: by commas or flag by flag. */
export const serviceRanges = (args: readonly string[]): readonly string[] =>
  valuesOf(args, SERVICES_FLAG).flatMap((value) => value.split(',').filter((text) => text !== ''));

export const familyOf = (text: string): Family | null => {
  const cidr = parseCidr(text.trim());
  return cidr.ok ? cidr.value.family : null;
};

/**
 * The same arguments with IPv6 on, and with a range of Services of each family: the firewall lets Services through by these, and refuses to start with two
 * ranges and one family (`NewNetworkPolicyController` in kube-router's `pkg/controllers/netpol`). Everything else stays where it is.
 * @param services Networks of Services by family, IPv4 for where no range was given.
 */
export function withIPv6(
  args: readonly string[],
  services: { readonly IPv4: string | undefined; readonly IPv6: string | undefined },
): readonly string[] {
  const on = isOn(args, IPV6_FLAG) ? args : setFlag(args, IPV6_FLAG, 'true');
  const live = serviceRanges(args);
  if (services.IPv6 === undefined || live.some((range) => familyOf(range) === 'IPv6')) return on;
  const first = live.length > 0 ? live : services.IPv4 === undefined ? [] : [services.IPv4];
  return setFlag(on, SERVICES_FLAG, [...first, services.IPv6].join(','));
}

/** The same arguments with IPv6 off and without its range of Services. */
export function withoutIPv6(args: readonly string[]): readonly string[] {
  const off = isOn(args, IPV6_FLAG) ? setFlag(args, IPV6_FLAG, 'false') : args;
  const live = serviceRanges(args);
  const left = live.filter((range) => familyOf(range) !== 'IPv6');
  return left.length === live.length || left.length === 0 ? off : setFlag(off, SERVICES_FLAG, left.join(','));
}

/** In place of the first one of that name, or behind the last argument. */
function setFlag(args: readonly string[], name: string, value: string): readonly string[] {
  const isNamed = (arg: string) => arg.startsWith('-') && nameOf(arg) === name;
  const at = args.findIndex(isNamed);
  const text = `--${name}=${value}`;
  if (at < 0) return [...args, text];
  return args.flatMap((arg, index) => (index === at ? [text] : isNamed(arg) ? [] : [arg]));
}

/** True when two lists differ in nothing but what this program changes. */
export const sameButFamily = (a: readonly string[], b: readonly string[]): boolean => others(a) === others(b);

const others = (args: readonly string[]): string =>
  args.filter((arg) => ![IPV6_FLAG, SERVICES_FLAG].includes(nameOf(arg))).join('\n');
