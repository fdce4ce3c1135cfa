import { coerce, lt } from 'semver';

/**
 * The gate of dual-stack is off by itself up to 1.20, on from 1.21, and a start-up error from 1.25 (KEP-563;
 * github.com/kubernetes/kubernetes/pull/109435): so it is told where it must be, and nowhere else.
 */
export const DUAL_STACK_GATE = 'IPv6DualStack=true';

/** kube-apiserver, kube-controller-manager, kube-proxy and kubelets of that version must be told the gate. */
export function needsDualStackGate(kubernetesVersion: string): boolean {
  const version = coerce(kubernetesVersion);
  return version !== null && lt(version, '1.21.0');
}
