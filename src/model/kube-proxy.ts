import type { ObjectRef } from './object.ts';
import type { Permission } from './plugin.ts';
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

export const ROLL_OUT_PROXY: Permission = {
  why: 'give kube-proxy new pods after a change of its configuration',
  namespace: 'kube-system',
  apiGroups: ['apps'],
  resources: ['daemonsets'],
  resourceNames: [PROXY.name],
  verbs: ['get', 'patch'],
};

/** Of all workloads in the namespace: what a DaemonSet's revisions are called is not known beforehand. */
export const SEE_PROXY_TEMPLATES: Permission = {
  why: 'tell which template of kube-proxy is the newest',
  namespace: 'kube-system',
  apiGroups: ['apps'],
  resources: ['controllerrevisions'],
  verbs: ['get', 'list', 'watch'],
};
