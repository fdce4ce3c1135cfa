import { SEE_PROXY_TEMPLATES } from '../../model/kube-proxy.ts';
import type { Permission } from '../../model/plugin.ts';
import { SEE_SERVICE_NETWORKS } from '../../model/service-networks.ts';

/** What the folder's observations need; it changes nothing. */
export const permissions: readonly Permission[] = [
  {
    why: 'tell the networks of a user cluster of KKP, whose control plane is elsewhere, from what KKP writes for its components',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['kube-proxy', 'canal-config', 'cilium-config'],
    verbs: ['get'],
  },
  {
    why: 'see which release of Canal runs: KKP has dual-stack from 3.22 on',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['daemonsets'],
    resourceNames: ['canal', 'kube-proxy'],
    verbs: ['get'],
  },
  {
    why: 'see which addresses pods on the network of their hosts are told, by those of kube-proxy',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['get', 'list', 'watch'],
  },
  SEE_PROXY_TEMPLATES,
  SEE_SERVICE_NETWORKS,
];
