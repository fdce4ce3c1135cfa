import type { Permission } from '../../model/plugin.ts';

/** What the folder looks at. It changes nothing. */
export const permissions: readonly Permission[] = [
  {
    why: 'see the flags of components that run as Pods, and the pods of kube-proxy',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'find API servers that run as processes by their Leases',
    namespace: 'kube-system',
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['list'],
  },
  {
    why: 'see which Service networks there are',
    apiGroups: ['networking.k8s.io'],
    resources: ['servicecidrs'],
    resourceNames: ['kubernetes'],
    verbs: ['get'],
  },
  {
    why: 'read the configuration of kube-proxy',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['kube-proxy'],
    verbs: ['get'],
  },
  {
    why: 'see whether kube-proxy has taken it up',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['daemonsets'],
    resourceNames: ['kube-proxy'],
    verbs: ['get'],
  },
  {
    why: 'tell which template of kube-proxy is the newest',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['controllerrevisions'],
    verbs: ['get', 'list', 'watch'],
  },
];
