import type { ComponentFacts } from '../../model/facts.ts';
import { type Known, known } from '../../model/reader.ts';
import { everyWay } from '../../model/support.ts';
import type { Distribution } from '../contract.ts';
import { check } from './check.ts';
import { detect } from './detect.ts';
import { type KKPFacts, observe } from './facts.ts';
import { DEFAULT_MASKS, network } from './network.ts';
import { permissions } from './permissions.ts';

/** User clusters of the Kubermatic Kubernetes Platform: the control plane runs in another cluster, the Seed, and its networks are fixed when it is made. */
export const kkp: Distribution<KKPFacts> = {
  name: 'KKP',
  support: { page: 'kkp', ways: everyWay({ is: 'Refused', reason: 'NetworkImmutable' }) },
  defaultNodeMask: DEFAULT_MASKS,
  permissions,
  detect,
  observe,
  network,
  hostPods: ({ proxy }) => (proxy.known ? (proxy.value?.pods ?? []) : []),
  components,
  check,
  records: () => [],
  steps: () => [],
};

function components(own: KKPFacts): readonly ComponentFacts[] {
  return [
    ...(own.cluster === null
      ? []
      : [
          {
            component: 'KKP',
            where: `Cluster ${own.cluster}`,
            source: 'label system/cluster of Nodes; the object is on the Seed',
            settings: {},
          },
        ]),
    ...shown('canal', 'ConfigMap kube-system/canal-config', 'net-conf.json', own.canal, 'networks'),
    ...shown(
      'cilium',
      'ConfigMap kube-system/cilium-config',
      'cluster-pool CIDRs',
      own.cilium.known ? known(own.cilium.value?.networks ?? null) : own.cilium,
      'networks',
    ),
    ...shown('kube-proxy', 'ConfigMap kube-system/kube-proxy', 'config.conf', own.proxyCIDR, 'clusterCIDR'),
  ];
}

function shown(
  component: string,
  where: string,
  source: string,
  text: Known<string | null>,
  setting: string,
): readonly ComponentFacts[] {
  return !text.known || text.value === null ? [] : [{ component, where, source, settings: { [setting]: text.value } }];
}
