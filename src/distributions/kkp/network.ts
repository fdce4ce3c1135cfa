import { agreed, type Mention, mention } from '../../model/networks.ts';
import { type Known, unknown } from '../../model/reader.ts';
import type { PerFamily } from '../../net/family.ts';
import type { KKPFacts } from './facts.ts';

/** KKP's own defaults (github.com/kubermatic/kubermatic, pkg/resources: `DefaultNodeCIDRMaskSizeIPv4` and `…IPv6`). */
export const DEFAULT_MASKS = { IPv4: 24, IPv6: 64 } as const;

export function network(own: KKPFacts): {
  readonly pods: Known<readonly string[]>;
  readonly services: Known<readonly string[]>;
  readonly nodeMask: PerFamily<number>;
} {
  return { pods: podNetworks(own), services: serviceNetworks(own), nodeMask: nodeMask(own) };
}

function podNetworks(own: KKPFacts): Known<readonly string[]> {
  const said = agreed([
    ...told('net-conf.json in ConfigMap kube-system/canal-config', own.canal),
    ...(own.cilium.known
      ? mention('cluster-pool CIDRs in ConfigMap kube-system/cilium-config', own.cilium.value?.networks)
      : []),
    ...told('clusterCIDR in ConfigMap kube-system/kube-proxy', own.proxyCIDR),
  ]);
  if (!said.known) return said;
  // Without one of KKP's own network plug-ins only kube-proxy tells, and that has the first network alone.
  return said.value.length === 1 && own.held.IPv4 !== undefined && own.held.IPv6 !== undefined
    ? unknown(
        `Nodes hold podCIDRs of two families, and only ${said.value[0] ?? ''} is told; write both networks in spec.clusterNetwork.pods`,
      )
    : said;
}

const told = (where: string, text: Known<string | null>): readonly Mention[] =>
  text.known ? mention(where, text.value ?? undefined) : [];

function serviceNetworks({ serviceCIDR }: KKPFacts): Known<readonly string[]> {
  if (!serviceCIDR.known) return serviceCIDR;
  return serviceCIDR.value === null
    ? unknown(
        'the API server runs on the Seed, and before Kubernetes 1.33 nothing in the cluster tells its Service networks; write them in spec.clusterNetwork.services',
      )
    : agreed(mention('ServiceCIDR kubernetes', serviceCIDR.value.join(',')));
}

const nodeMask = ({ cilium, held }: KKPFacts): PerFamily<number> => ({
  ...held,
  ...(cilium.known ? cilium.value?.nodeMask : {}),
});
