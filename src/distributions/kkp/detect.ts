import type { Basics } from '../../model/facts.ts';

/** KKP puts the CRD ApplicationInstallation into every user cluster (since 2.21, as dual-stack; `reconcileCRDs` of its user-cluster-controller-manager). */
const IN_USER_CLUSTERS = 'apps.kubermatic.k8c.io/';
/** Cluster, Seed and the like: in master and Seed clusters, which serve the group above as well. */
const ON_SEEDS = 'kubermatic.k8c.io/';
/** Into every user cluster too, and not into Seeds (`reconcileConfigMaps`). */
const CA_BUNDLE = 'kube-system/ca-bundle';

/**
 * A user cluster of KKP looks like one of kubeadm's: its addon kubeadm-configmap makes a ConfigMap kubeadm-config, for machines that are brought and
 * join by kubeadm. What tells them apart is the control plane: it runs on the Seed, so no pod here is an API server. A Seed or master is not KKP's:
 * it is whatever it was made with, mostly kubeadm (KubeOne), and on a managed one the ConfigMap is missing.
 */
export function detect({ groupVersions, objects }: Basics): string | null {
  const serves = (group: string): boolean => groupVersions.some((name) => name.startsWith(group));
  const runsAPIServer = objects.Pod.some((name) => name.startsWith('kube-system/kube-apiserver-'));
  if (!serves(IN_USER_CLUSTERS) || runsAPIServer) return null;
  if (serves(ON_SEEDS) && !objects.ConfigMap.includes(CA_BUNDLE)) return null;
  return 'API group apps.kubermatic.k8c.io, and no API server among the pods';
}
