import type { Permission } from '../../model/plugin.ts';

/** What the folder's observations and steps need. Hosts are the user's. */
export const permissions: readonly Permission[] = [
  {
    why: 'read the dynamic configuration of k0s, and switch the families on there',
    namespace: 'kube-system',
    apiGroups: ['k0s.k0sproject.io'],
    resources: ['clusterconfigs'],
    resourceNames: ['k0s'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'find the controllers of k0s, which need have no Node, by the Leases of their API servers',
    namespace: 'kube-system',
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['list'],
  },
  {
    why: 'see which kube-controller-manager leads, and since when',
    namespace: 'kube-system',
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    resourceNames: ['kube-controller-manager'],
    verbs: ['get'],
  },
  {
    why: 'read the configuration that k0s writes for kube-proxy',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['kube-proxy'],
    verbs: ['get'],
  },
  {
    why: 'give kube-proxy new pods after a change of its configuration',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['daemonsets'],
    resourceNames: ['kube-proxy'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'see the pods of kube-proxy, and replace them while a node is down, which the DaemonSet would wait for',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['get', 'list', 'watch', 'delete'],
  },
  {
    why: 'tell which template of kube-proxy is the newest',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['controllerrevisions'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'see which Service networks there are',
    apiGroups: ['networking.k8s.io'],
    resources: ['servicecidrs'],
    resourceNames: ['kubernetes'],
    verbs: ['get'],
  },
];
