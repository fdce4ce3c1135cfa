import { ROLL_OUT_PROXY, SEE_PROXY_TEMPLATES } from '../../model/kube-proxy.ts';
import { PASS_ON_MANAGER_LEASE } from '../../model/manager-lease.ts';
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
  ROLL_OUT_PROXY,
  {
    why: 'replace pods of kube-proxy while a node is down, which the DaemonSet would wait for',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['delete'],
  },
  SEE_PROXY_TEMPLATES,
  ...PASS_ON_MANAGER_LEASE,
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
