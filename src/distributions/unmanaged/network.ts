import type { ComponentPod } from '../../model/component-pods.ts';
import type { ClusterFacts } from '../../model/facts.ts';
import { agreed, type Mention, mention, type Network } from '../../model/networks.ts';
import { type Known, unknown } from '../../model/reader.ts';
import type { PerFamily } from '../../net/family.ts';
import type { Distribution } from '../contract.ts';
import type { UnmanagedFacts } from './facts.ts';

/** None where none is seen. */
export const podsOf = (pods: Known<readonly ComponentPod[]>): readonly ComponentPod[] => (pods.known ? pods.value : []);

/** Node IPAM hands podCIDRs out: as its flag says where that is seen, else as Nodes show. */
export function usesNodeIPAM(own: UnmanagedFacts, { nodes }: ClusterFacts): boolean {
  const managers = podsOf(own.managerPods);
  return managers.length > 0
    ? managers.some(({ flags }) => flags['allocate-node-cidrs'] === 'true')
    : nodes.some(({ podCIDRs }) => podCIDRs.length > 0);
}

/** Whether anything in the API shows an API server of this cluster. */
export const isBlind = (own: UnmanagedFacts): boolean =>
  podsOf(own.apiServerPods).length === 0 &&
  (!own.serviceCIDR.known || (own.serviceCIDR.value ?? []).length === 0) &&
  (!own.apiServers.known || own.apiServers.value.length === 0);

const flagMentions = (pods: Known<readonly ComponentPod[]>, flag: string): readonly Mention[] =>
  podsOf(pods).flatMap(({ name, flags }) => mention(`--${flag} of Pod kube-system/${name}`, flags[flag]));

/** What runs says so, or nothing does: networks are never made up from the addresses that are in use. */
export function network(own: UnmanagedFacts): ReturnType<Distribution<UnmanagedFacts>['network']> {
  const proxy = own.proxy.known ? (own.proxy.value?.networks ?? null) : null;
  return {
    pods: said('pods', [
      ...flagMentions(own.managerPods, 'cluster-cidr'),
      ...mention('clusterCIDR of kube-proxy', proxy?.is === 'Flag' || proxy?.is === 'Config' ? proxy.value : undefined),
    ]),
    services: said('services', [
      ...flagMentions(own.apiServerPods, 'service-cluster-ip-range'),
      ...mention('ServiceCIDR kubernetes', own.serviceCIDR.known ? own.serviceCIDR.value?.join(',') : undefined),
    ]),
    nodeMask: nodeMask(own),
  };
}

const said = (field: Network, mentions: readonly Mention[]): Known<readonly string[]> =>
  mentions.length === 0
    ? unknown(`nothing in the API shows the networks; write the live ones in spec.clusterNetwork.${field}.cidrBlocks`)
    : agreed(mentions);

function nodeMask(own: UnmanagedFacts): PerFamily<number> {
  const read = (...flags: readonly string[]): number | undefined => {
    const text = podsOf(own.managerPods)
      .flatMap((pod) => flags.map((flag) => pod.flags[flag]))
      .find((value) => value !== undefined);
    return text !== undefined && /^[1-9][0-9]*$/u.test(text) ? Number(text) : undefined;
  };
  const isIPv6 = podsOf(own.managerPods).some(({ flags }) =>
    (flags['cluster-cidr'] ?? '').split(',')[0]?.includes(':'),
  );
  const IPv4 = read('node-cidr-mask-size-ipv4', ...(isIPv6 ? [] : ['node-cidr-mask-size']));
  const IPv6 = read('node-cidr-mask-size-ipv6', ...(isIPv6 ? ['node-cidr-mask-size'] : []));
  return { ...(IPv4 === undefined ? {} : { IPv4 }), ...(IPv6 === undefined ? {} : { IPv6 }) };
}
