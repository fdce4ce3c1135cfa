import type { ObjectRef } from './object.ts';
import type { WorkloadRef } from './workload.ts';

/** kube-proxy as kubeadm names it, and those that followed it. */
export const PROXY: WorkloadRef = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: 'kube-system',
  name: 'kube-proxy',
};
/** Its settings, where it has them from a file: key `config.conf`. */
export const PROXY_CONFIG: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: 'kube-proxy',
};
