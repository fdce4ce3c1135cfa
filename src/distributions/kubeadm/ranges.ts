import { agreed, type Mention, mention } from '../../model/networks.ts';
import { familyAtSight, type PerFamily } from '../../net/family.ts';
import type { Known } from '../../model/reader.ts';
import type { KubeadmFacts } from './facts.ts';
import { flagOf, type Instance, instancesOf } from './instances.ts';
import { readClusterConfig } from './cluster-config.ts';
import { readProxyCIDR } from './proxy-config.ts';

export { isPrefixOf, keepSpelling, type Mention, networksOf, sameRange } from '../../model/networks.ts';

const flagMentions = (instances: readonly Instance[], flag: string): readonly Mention[] =>
  instances.flatMap((instance) =>
    mention(`${instance.component} --${flag} on ${instance.node}`, flagOf(instance, flag)),
  );

/** Where running components say which Service networks they have. */
export const serviceMentions = (own: KubeadmFacts): readonly Mention[] =>
  flagMentions(own.instances, 'service-cluster-ip-range');

export const podMentions = (own: KubeadmFacts): readonly Mention[] =>
  flagMentions(instancesOf(own.instances, 'kube-controller-manager'), 'cluster-cidr');

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
  const primary = familyAtSight(podMentions(own)[0]?.text.split(',')[0] ?? '');
  const legacy = read('node-cidr-mask-size');
  const mask = { IPv4: read('node-cidr-mask-size-ipv4'), IPv6: read('node-cidr-mask-size-ipv6') };
  const live = { ...mask, [primary]: mask[primary] ?? legacy };
  return {
    ...(live.IPv4 === undefined ? {} : { IPv4: live.IPv4 }),
    ...(live.IPv6 === undefined ? {} : { IPv6: live.IPv6 }),
  };
}
