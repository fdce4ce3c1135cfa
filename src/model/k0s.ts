import { unreachable } from '../result.ts';
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

/** Those of them that may be changed on a host: families, networks, and the arguments that beat them. Nothing else. */
export const EDITABLE_K0S_SETTINGS = [
  'spec.api.extraArgs.service-cluster-ip-range',
  'spec.controllerManager.extraArgs.cluster-cidr',
  'spec.controllerManager.extraArgs.node-cidr-mask-size',
  'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv4',
  'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv6',
  'spec.controllerManager.extraArgs.service-cluster-ip-range',
  'spec.network.dualStack.enabled',
  'spec.network.dualStack.IPv6podCIDR',
  'spec.network.dualStack.IPv6serviceCIDR',
  'spec.network.podCIDR',
  'spec.network.primaryAddressFamily',
  'spec.network.serviceCIDR',
] as const satisfies readonly K0sSetting[];
export type EditableK0sSetting = (typeof EDITABLE_K0S_SETTINGS)[number];

export const isEditableK0sSetting = (path: string): path is EditableK0sSetting =>
  (EDITABLE_K0S_SETTINGS as readonly string[]).includes(path);

/** What the values of a setting look like. Switches are texts here, and booleans in k0s' own configuration. */
export type K0sValueKind = 'Switch' | 'Family' | 'CIDR' | 'CIDRs' | 'Mask';

export function k0sValueKind(path: EditableK0sSetting): K0sValueKind {
  switch (path) {
    case 'spec.network.dualStack.enabled':
      return 'Switch';
    case 'spec.network.primaryAddressFamily':
      return 'Family';
    case 'spec.network.podCIDR':
    case 'spec.network.serviceCIDR':
    case 'spec.network.dualStack.IPv6podCIDR':
    case 'spec.network.dualStack.IPv6serviceCIDR':
      return 'CIDR';
    case 'spec.api.extraArgs.service-cluster-ip-range':
    case 'spec.controllerManager.extraArgs.cluster-cidr':
    case 'spec.controllerManager.extraArgs.service-cluster-ip-range':
      return 'CIDRs';
    case 'spec.controllerManager.extraArgs.node-cidr-mask-size':
    case 'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv4':
    case 'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv6':
      return 'Mask';
    default:
      return unreachable(path);
  }
}

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
