import { SEE_PROXY_TEMPLATES } from '../../model/kube-proxy.ts';
import type { Permission } from '../../model/plugin.ts';
import { SEE_SERVICE_NETWORKS } from '../../model/service-networks.ts';

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
  SEE_SERVICE_NETWORKS,
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
  SEE_PROXY_TEMPLATES,
];
