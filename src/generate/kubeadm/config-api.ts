import type { SemVer } from 'semver';
import { isBefore } from '../flags.ts';
import type { Branch, Tree } from '../yaml.ts';

/** Versions of kubeadm's configuration that are written here. */
const CONFIG_APIS = ['v1beta2', 'v1beta3', 'v1beta4'] as const;
export type ConfigApi = (typeof CONFIG_APIS)[number];

/**
 * The newest that kubeadm of that release reads: v1beta3 came with 1.22, v1beta4 with 1.31
 * (cmd/kubeadm/app/apis/kubeadm/v1beta4/doc.go).
 */
export function configApiOf(version: SemVer): ConfigApi {
  if (isBefore(version, 22)) return 'v1beta2';
  return isBefore(version, 31) ? 'v1beta3' : 'v1beta4';
}

export const documentOf = (api: ConfigApi, kind: string): { readonly apiVersion: string; readonly kind: string } => ({
  apiVersion: `kubeadm.k8s.io/${api}`,
  kind,
});

/** Flags of a component: a map up to v1beta3, a list from v1beta4 on (`Arg` in types.go). Absent where there are none. */
export function extraArgs(api: ConfigApi, args: readonly (readonly [name: string, value: Tree])[]): Tree | undefined {
  if (args.length === 0) return undefined;
  if (api === 'v1beta4') return args.map(([name, value]) => ({ name, value }));
  return Object.fromEntries(args);
}

/**
 * `IPv6DualStack` is off by default up to 1.20, on from 1.21, and a start-up error from 1.25: so it is named where it must be, and nowhere else.
 * kubeadm hands its own gate on to the API server, the controller manager and the scheduler
 * (cmd/kubeadm/app/phases/controlplane/manifests.go, release-1.20).
 */
export const dualStackGate = (version: SemVer, dual: boolean): Branch | undefined =>
  dual && isBefore(version, 21) ? { IPv6DualStack: true } : undefined;
