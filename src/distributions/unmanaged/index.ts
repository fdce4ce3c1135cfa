import type { ComponentFacts } from '../../model/facts.ts';
import { everyWay } from '../../model/support.ts';
import type { Distribution } from '../contract.ts';
import { apiServerSteps, identityRecords, serviceCIDRSteps } from './api-server.ts';
import { check } from './check.ts';
import { managerSteps } from './controller-manager.ts';
import { observe, type UnmanagedFacts } from './facts.ts';
import { network, podsOf } from './network.ts';
import { nodeSteps } from './nodes.ts';
import { permissions } from './permissions.ts';
import { proxySteps } from './proxy.ts';

/**
 * A control plane that no other folder knows. It is never changed here: each component is a step for the user, with the flags of its version, and done when the
 * API shows it. What nothing shows is said, and networks that nothing shows are asked for.
 */
export const unmanaged: Distribution<UnmanagedFacts> = {
  name: 'Unmanaged',
  support: {
    page: 'unmanaged',
    ways: everyWay({ is: 'HandedOver', test: 'test/unit/distributions/unmanaged-steps.test.ts' }),
  },
  defaultNodeMask: { IPv4: 24, IPv6: 64 },
  permissions,
  detect: () => 'no distribution that this program knows was recognised',
  observe,
  network,
  components,
  check,
  records: (_facts, own) => identityRecords(own),
  steps: (wanted, facts, own) => [
    ...nodeSteps(wanted, facts),
    ...apiServerSteps(wanted, facts, own),
    ...serviceCIDRSteps(wanted, own),
    ...managerSteps(wanted, facts, own),
    ...proxySteps(wanted, facts, own),
  ],
};

const SHOWN = /^(?:cluster-cidr|service-cluster-ip-range|node-cidr-mask-size.*|allocate-node-cidrs|feature-gates)$/u;

function components(own: UnmanagedFacts): readonly ComponentFacts[] {
  const pods = [...podsOf(own.apiServerPods), ...podsOf(own.managerPods)];
  const proxy = own.proxy.known ? (own.proxy.value?.networks ?? null) : null;
  return [
    ...pods.map(({ component, name, node, flags }) => ({
      component,
      where: node,
      source: `Pod kube-system/${name}`,
      settings: Object.fromEntries(Object.entries(flags).filter(([flag]) => SHOWN.test(flag))),
    })),
    ...(proxy?.is === 'Flag' || proxy?.is === 'Config'
      ? [
          {
            component: 'kube-proxy',
            where: 'DaemonSet kube-system/kube-proxy',
            source: proxy.is === 'Flag' ? 'its arguments' : 'config.conf of ConfigMap kube-system/kube-proxy',
            settings: { clusterCIDR: proxy.value },
          },
        ]
      : []),
  ];
}
