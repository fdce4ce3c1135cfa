import { ROLL_OUT_PROXY, SEE_PROXY_TEMPLATES } from '../../model/kube-proxy.ts';
import { PASS_ON_MANAGER_LEASE } from '../../model/manager-lease.ts';
import type { Permission } from '../../model/plugin.ts';
import { SEE_SERVICE_NETWORKS } from '../../model/service-networks.ts';

/** What the folder's observations and steps need. Hosts are their agents', or the user's. */
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
  ...PASS_ON_MANAGER_LEASE,
  {
    why: 'read the configuration that k0s writes for kube-proxy',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['kube-proxy'],
    verbs: ['get'],
  },
  ROLL_OUT_PROXY,
  {
    why: 'see the pods of kube-proxy, and replace them while a node is down, which the DaemonSet would wait for',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['get', 'list', 'watch', 'delete'],
  },
  SEE_PROXY_TEMPLATES,
  SEE_SERVICE_NETWORKS,
];
