import type { NodeFacts } from '../../model/facts.ts';
import type { CloudID } from '../../providers/clouds.ts';
import { expectationOf } from '../../providers/expect.ts';

/** A provider of KKP, by the name of its part in `spec.cloud` of a Cluster. */
interface Provider {
  /** Null: it is none that is known here. */
  readonly name: string | null;
  /** Flag of the Seed's datacenter without which KKP refuses a dual-stack Cluster there; null: it needs none. */
  readonly datacenterFlag: string | null;
  /** KKP lists it among the providers with dual-stack (pkg/apis/kubermatic/v1: `knownIPv6CloudProviders`). */
  readonly isListed: boolean;
}

const listed = (name: string, datacenterFlag: string | null = null): Provider => ({
  name,
  datacenterFlag,
  isListed: true,
});

const BY_CLOUD: Readonly<Record<CloudID, Provider>> = {
  aws: listed('aws'),
  azure: listed('azure'),
  digitalocean: listed('digitalocean'),
  // Left out since 2.29, with the provider.
  equinixmetal: listed('packet'),
  gcp: listed('gcp'),
  hetzner: listed('hetzner'),
  openstack: listed('openstack', 'spec.openstack.ipv6Enabled'),
  vsphere: listed('vsphere', 'spec.vsphere.ipv6Enabled'),
};

/** By the first Node that tells: the machines of a user cluster are all of one provider. */
export function providerOf(nodes: readonly NodeFacts[]): Provider {
  for (const node of nodes) {
    const { cloud } = expectationOf(node);
    if (cloud !== null) return BY_CLOUD[cloud.id];
  }
  const [scheme] = nodes.flatMap(({ providerID }) => (providerID === '' ? [] : [providerID.split(':')[0] ?? '']));
  // Machines that their owners bring (kubeadm join) have no providerID: nobody gives them one.
  if (scheme === undefined) return listed('bringyourown');
  return { name: scheme === 'kubevirt' ? 'kubevirt' : null, datacenterFlag: null, isListed: false };
}
