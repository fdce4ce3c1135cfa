import { at } from './object.ts';

/**
 * Settings of k0s' configuration, in a file or in the API, that have to do with IP families
 * (github.com/k0sproject/k0s, pkg/apis/k0s/v1beta1/network.go and clusterconfig_types.go).
 */
const K0S_SETTINGS = [
  'spec.api.address',
  'spec.api.externalAddress',
  'spec.api.extraArgs.service-cluster-ip-range',
  'spec.controllerManager.extraArgs.allocate-node-cidrs',
  'spec.controllerManager.extraArgs.cluster-cidr',
  'spec.controllerManager.extraArgs.node-cidr-mask-size',
  'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv4',
  'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv6',
  'spec.controllerManager.extraArgs.service-cluster-ip-range',
  'spec.network.calico.mode',
  'spec.network.dualStack.enabled',
  'spec.network.dualStack.IPv6podCIDR',
  'spec.network.dualStack.IPv6serviceCIDR',
  'spec.network.podCIDR',
  'spec.network.primaryAddressFamily',
  'spec.network.provider',
  'spec.network.serviceCIDR',
] as const;
export type K0sSetting = (typeof K0S_SETTINGS)[number];

/** By path. What is not set is not there. */
export type K0sSettings = Readonly<Record<string, string>>;

/** Those settings of a parsed ClusterConfig, as texts. */
export function readK0sSettings(root: unknown): K0sSettings {
  return Object.fromEntries(
    K0S_SETTINGS.flatMap((path) => {
      const value = at(root, ...path.split('.'));
      const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
      return isPlain ? [[path, String(value)]] : [];
    }),
  );
}
