import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { KubeObject } from './client.ts';

/** Pure parts of the played calico-node: what it decides from a Pod's environment, the Node and the pools. */
export interface Pool {
  readonly name: string;
  readonly cidr: string;
  readonly disabled: boolean;
  readonly vxlan: boolean;
  readonly ipip: boolean;
}

export interface PodSpec {
  readonly nodeName?: string;
  readonly hostNetwork?: boolean;
  readonly containers: readonly {
    readonly name: string;
    readonly image?: string;
    readonly env?: readonly { readonly name: string; readonly value?: string }[];
  }[];
}

export const specOf = (pod: KubeObject): PodSpec => pod['spec'] as PodSpec;

/** The environment of calico-node, literal values only; undefined where the Pod is something else. */
export function calicoEnvironment(pod: KubeObject): Readonly<Record<string, string>> | undefined {
  const container = specOf(pod).containers.find(({ name }) => name === 'calico-node');
  return container && Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value ?? '']));
}

const isOn = (mode: string | undefined): boolean => mode !== undefined && mode !== '' && mode !== 'Never';

export function toPool(object: KubeObject): Pool {
  const spec = (object['spec'] ?? {}) as { cidr?: string; disabled?: boolean; vxlanMode?: string; ipipMode?: string };
  return {
    name: object.metadata.name,
    cidr: spec.cidr ?? '',
    disabled: spec.disabled ?? false,
    vxlan: isOn(spec.vxlanMode),
    ipip: isOn(spec.ipipMode),
  };
}

export const ofFamily = (pools: readonly Pool[], family: Family): Pool[] =>
  pools.filter(({ cidr }) => cidr.includes(':') === (family === 'IPv6'));

export const FAMILIES = ['IPv4', 'IPv6'] as const;
export type Family = (typeof FAMILIES)[number];

/** What start-up does to one family: nothing, write an address, or fail. */
export type Detection =
  | { readonly does: 'nothing' }
  | { readonly does: 'write'; readonly address: string }
  | { readonly does: 'fail'; readonly why: string };

/** IPv4 is looked for without being asked, unless an address is stored; IPv6 only when asked. */
export function detect(
  family: Family,
  environment: Readonly<Record<string, string>>,
  stored: string | undefined,
  seen: { readonly onHost: readonly string[]; readonly internalIPs: readonly string[] },
): Detection {
  const name = family === 'IPv4' ? 'IP' : 'IP6';
  const told = environment[name] ?? '';
  const wish = told === '' && family === 'IPv4' && stored === undefined ? 'autodetect' : told;
  if (wish === '' || wish === 'none' || environment['CALICO_NETWORKING_BACKEND'] === 'none') return { does: 'nothing' };
  const isOf = (address: string): boolean => isIP(address) === (family === 'IPv4' ? 4 : 6);
  if (wish !== 'autodetect')
    return isOf(wish) ? { does: 'write', address: wish } : { does: 'fail', why: `${name} ${wish} is no address` };
  const internal = environment[`${name}_AUTODETECTION_METHOD`] === 'kubernetes-internal-ip';
  const found = (internal ? seen.internalIPs : seen.onHost).find(isOf);
  if (found) return { does: 'write', address: found };
  return stored ? { does: 'nothing' } : { does: 'fail', why: `failed to autodetect an ${family} address` };
}

/** What the CNI plug-in gives to a new Pod, by the configuration that install-cni wrote on its node. */
export type Assignment = { readonly families: readonly Family[] } | { readonly failure: string };

export function assignment(installed: string, pools: readonly Pool[]): Assignment {
  const given = /"assign_ipv6"\s*:\s*("[^"]*"|\w+)/.exec(installed)?.[1];
  if (given === 'true' || given === 'false') {
    return { failure: 'cannot unmarshal bool into Go struct field .ipam.assign_ipv6 of type string' };
  }
  const wanted: Family[] = /"assign_ipv4"\s*:\s*"false"/.test(installed) ? [] : ['IPv4'];
  if (given === '"true"') wanted.push('IPv6');
  const without = wanted.find((family) => !ofFamily(pools, family).some(({ disabled }) => !disabled));
  return without
    ? { failure: `failed to request ${without} addresses: cannot find a qualified ippool` }
    : { families: wanted };
}

/** Whether this text would be JSON once install-cni has replaced its placeholders. */
export function isConflist(text: string): boolean {
  try {
    JSON.parse(text.replaceAll('__CNI_MTU__', '0'));
    return true;
  } catch {
    return false;
  }
}

/** The nth address of a CIDR. Enough for a played pool: only the last 16 bits count up. */
export function nthAddress(cidr: string, n: number): string {
  const base = cidr.split('/')[0] ?? '';
  if (!base.includes(':')) {
    const [a, b, c = 0] = base.split('.').map(Number);
    const last = n % 65_536;
    return `${a}.${b}.${(c + (last >> 8)) % 256}.${last & 255}`;
  }
  return new URL(`http://[${base.endsWith('::') ? base : `${base}::`}${n.toString(16)}]`).hostname.slice(1, -1);
}

/** The ULA that Calico draws when it makes an IPv6 pool of its own (by chance there, by name here). */
export function ownIPv6Pool(seed: string): string {
  const hex = createHash('md5').update(seed).digest('hex');
  return `fd${hex.slice(0, 2)}:${hex.slice(2, 6)}:${hex.slice(6, 10)}::/48`;
}
