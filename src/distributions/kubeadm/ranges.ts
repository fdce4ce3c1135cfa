import { parseCidr } from '../../net/cidr.ts';
import type { Family, PerFamily } from '../../net/family.ts';
import { parseList } from '../../net/list.ts';
import { type Known, known, unknown } from '../../model/reader.ts';
import type { KubeadmFacts } from './facts.ts';
import { flagOf, type Instance, instancesOf } from './instances.ts';
import { readClusterConfig } from './cluster-config.ts';
import { readProxyCIDR } from './proxy-config.ts';

/** The networks of a flag, canonical and in order; null when a component would not take the text either. */
export function networksOf(text: string): readonly string[] | null {
  const parsed = parseList(text, parseCidr);
  return parsed.ok ? parsed.value.map((cidr) => cidr.text) : null;
}

/** True when both texts name the same networks in the same order, however they are spelt. */
export function sameRange(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || sameNetworks(networksOf(a), networksOf(b));
}

const sameNetworks = (a: readonly string[] | null, b: readonly string[] | null): boolean =>
  a !== null && b !== null && a.length === b.length && a.every((network, index) => network === b[index]);

/** True when `longer` begins with all that `shorter` has. */
export const isPrefixOf = (shorter: readonly string[], longer: readonly string[]): boolean =>
  shorter.every((network, index) => network === longer[index]);

/** `wanted` as a flag's text, each network in the spelling in which it is live already: what need not change does not change. */
export function keepSpelling(live: string | undefined, wanted: readonly string[]): string {
  const spelt = new Map((live ?? '').split(',').map((item) => [networksOf(item)?.[0], item]));
  return wanted.map((network) => spelt.get(networksOf(network)?.[0]) ?? network).join(',');
}

/** A place where the control plane names its networks. */
export interface Mention {
  readonly where: string;
  readonly text: string;
}

const mention = (where: string, text: string | undefined): readonly Mention[] =>
  text === undefined || text === '' ? [] : [{ where, text }];

const flagMentions = (instances: readonly Instance[], flag: string): readonly Mention[] =>
  instances.flatMap((instance) =>
    mention(`${instance.component} --${flag} on ${instance.node}`, flagOf(instance, flag)),
  );

/** Where running components say which Service networks they have. */
export const serviceMentions = (own: KubeadmFacts): readonly Mention[] =>
  flagMentions(own.instances, 'service-cluster-ip-range');

export const podMentions = (own: KubeadmFacts): readonly Mention[] =>
  flagMentions(instancesOf(own.instances, 'kube-controller-manager'), 'cluster-cidr');

/**
 * What all mentions agree on. Half-converted components count as agreeing: the longest list is what the rest is on the way to.
 */
export function agreed(mentions: readonly Mention[]): Known<readonly string[]> {
  const lists = mentions.map((entry) => ({ ...entry, networks: networksOf(entry.text) }));
  const longest = lists.reduce<(typeof lists)[number] | null>(
    (best, next) => (best === null || (next.networks?.length ?? 0) > (best.networks?.length ?? 0) ? next : best),
    null,
  );
  if (longest === null) return unknown('no component says it');
  for (const { where, text, networks } of lists) {
    if (networks === null) return unknown(`${where} is "${text}", which cannot be read`);
    if (!isPrefixOf(networks, longest.networks ?? [])) {
      return unknown(`${where} is ${text}, but ${longest.where} is ${longest.text}`);
    }
  }
  return known(longest.networks ?? []);
}

/** What the first source says that says anything. */
const firstSaid = (...sources: readonly (readonly Mention[])[]): Known<readonly string[]> =>
  agreed(sources.find((mentions) => mentions.length > 0) ?? []);

export function network(own: KubeadmFacts): {
  readonly pods: Known<readonly string[]>;
  readonly services: Known<readonly string[]>;
  readonly nodeMask: PerFamily<number>;
} {
  const config =
    own.clusterConfig.known && own.clusterConfig.value ? readClusterConfig(own.clusterConfig.value.text) : null;
  const proxy = own.proxyConfig.known && own.proxyConfig.value ? readProxyCIDR(own.proxyConfig.value.text) : null;
  return {
    pods: firstSaid(
      podMentions(own),
      mention('podSubnet in ConfigMap kube-system/kubeadm-config', config?.podSubnet),
      mention('clusterCIDR in ConfigMap kube-system/kube-proxy', proxy ?? undefined),
    ),
    services: firstSaid(
      serviceMentions(own),
      mention('serviceSubnet in ConfigMap kube-system/kubeadm-config', config?.serviceSubnet),
    ),
    nodeMask: nodeMask(own),
  };
}

/** Masks that are set on any controller manager. The flag without a family speaks for the one family that there is. */
function nodeMask(own: KubeadmFacts): PerFamily<number> {
  const managers = instancesOf(own.instances, 'kube-controller-manager');
  const read = (flag: string): number | undefined => {
    const text = managers.map((manager) => flagOf(manager, flag)).find((value) => value !== undefined);
    return text !== undefined && /^[1-9][0-9]*$/.test(text) ? Number(text) : undefined;
  };
  const primary: Family = podMentions(own)[0]?.text.split(',')[0]?.includes(':') ? 'IPv6' : 'IPv4';
  const legacy = read('node-cidr-mask-size');
  const mask = { IPv4: read('node-cidr-mask-size-ipv4'), IPv6: read('node-cidr-mask-size-ipv6') };
  const live = { ...mask, [primary]: mask[primary] ?? legacy };
  return {
    ...(live.IPv4 === undefined ? {} : { IPv4: live.IPv4 }),
    ...(live.IPv6 === undefined ? {} : { IPv6: live.IPv6 }),
  };
}
