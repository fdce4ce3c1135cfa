import { coerce, gte } from 'semver';
import type { K0sSettings } from '../../src/model/k0s.ts';
import { isPlainObject, type Plain } from './merge-patch.ts';

/** What k0s works out of its configuration (github.com/k0sproject/k0s: pkg/apis/k0s/v1beta1/network.go, pkg/component/controller). */

const isDual = (settings: K0sSettings): boolean => settings['spec.network.dualStack.enabled'] === 'true';

/** `--service-cluster-ip-range` of the API server, from the file of its controller. */
export function serviceRange(settings: K0sSettings): string {
  const own = settings['spec.network.serviceCIDR'] ?? '10.96.0.0/12';
  return isDual(settings) ? `${own},${settings['spec.network.dualStack.IPv6serviceCIDR'] ?? ''}` : own;
}

/** `--cluster-cidr` and what kube-proxy gets; the order of the families hangs on the version. */
export function podRange(settings: K0sSettings, version: string): string {
  const own = settings['spec.network.podCIDR'] ?? '';
  if (!isDual(settings)) return own;
  const IPv6 = settings['spec.network.dualStack.IPv6podCIDR'] ?? '';
  const known = coerce(version);
  return known !== null && gte(known, '1.36.1') ? `${own},${IPv6}` : `${IPv6},${own}`;
}

/**
 * Flags of kube-controller-manager.
 * @param settings Of ClusterConfig where there is one, else of the controller's file.
 * @param apiRange What the API server of the same controller was started with.
 */
export function managerFlags(
  settings: K0sSettings,
  apiRange: string,
  version: string,
): Readonly<Record<string, string>> {
  const extra = Object.fromEntries(
    Object.entries(settings).flatMap(([path, value]) => {
      const flag = /^spec\.controllerManager\.extraArgs\.(.+)$/u.exec(path)?.[1];
      return flag === undefined ? [] : [[flag, value]];
    }),
  );
  return {
    'allocate-node-cidrs': 'true',
    'cluster-cidr': podRange(settings, version),
    'service-cluster-ip-range': apiRange,
    ...(isDual(settings)
      ? { 'node-cidr-mask-size-ipv4': '24', 'node-cidr-mask-size-ipv6': '117' }
      : { 'node-cidr-mask-size': '24' }),
    ...extra,
  };
}

/** Of kube-router, in the order of their names. Its range of Services is that of one family, whatever else is on (kuberouter.go). */
export function kubeRouterArgs(settings: K0sSettings): readonly string[] {
  const args: Readonly<Record<string, string>> = {
    'auto-mtu': 'true',
    'bgp-graceful-restart': 'true',
    'enable-ipv4': 'true',
    'enable-ipv6': String(isDual(settings)),
    'hairpin-mode': 'true',
    'metrics-port': '8080',
    'run-firewall': 'true',
    'run-router': 'true',
    'run-service-proxy': 'false',
    'service-cluster-ip-range': settings['spec.network.serviceCIDR'] ?? '10.96.0.0/12',
  };
  return Object.entries(args).map(([name, value]) => `--${name}=${value}`);
}

/** A tree without what stands at that path. */
export function without(tree: Plain, path: readonly string[]): Plain {
  const [key = '', ...rest] = path;
  const child = tree[key];
  if (rest.length > 0 && isPlainObject(child)) return { ...tree, [key]: without(child, rest) };
  const { [key]: _gone, ...kept } = tree;
  return kept;
}
