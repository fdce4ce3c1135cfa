import type { Permission } from '../../model/plugin.ts';

/** What the folder's observations and steps need. Hosts are changed by their agents, which have rights of their own. */
export const permissions: readonly Permission[] = [
  {
    why: 'see the control plane, kube-proxy and their pods',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'read and correct the configuration of kubeadm and kube-proxy',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['kubeadm-config', 'kube-proxy'],
    verbs: ['get', 'patch'],
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
    why: 'replace pods of kube-proxy while a node is down, which the DaemonSet would wait for',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['delete'],
  },
  {
    why: 'tell which template of kube-proxy is the newest',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['controllerrevisions'],
    verbs: ['get', 'list', 'watch'],
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
    why: 'let the Lease of kube-controller-manager pass to the instance that was changed first',
    namespace: 'dualstack-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['dualstack-lease-transfer'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'a server-side apply that makes the object is a create, which cannot be limited to one name',
    namespace: 'dualstack-system',
    apiGroups: [''],
    resources: ['configmaps'],
    verbs: ['create'],
  },
  {
    why: 'see which Service networks there are, and on the way back let the API server make the object again with one',
    apiGroups: ['networking.k8s.io'],
    resources: ['servicecidrs'],
    resourceNames: ['kubernetes', 'dualstack-keeper'],
    verbs: ['get', 'delete'],
  },
  {
    why: 'hold the primary Service network while that object is made again; a create cannot be limited to one name',
    apiGroups: ['networking.k8s.io'],
    resources: ['servicecidrs'],
    verbs: ['create'],
  },
];
