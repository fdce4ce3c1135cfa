import type { Permission } from '../../model/plugin.ts';
import { CONFIG_MAP, DAEMON_SET } from './facts.ts';

export const permissions: readonly Permission[] = [
  {
    why: 'add the ranges and the network of IPv6 to the configuration of Canal',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: [CONFIG_MAP.name],
    verbs: ['get', 'patch'],
  },
  {
    why: 'switch IPv6 on in Felix, and roll out Canal',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['daemonsets'],
    resourceNames: [DAEMON_SET.name],
    verbs: ['get', 'patch'],
  },
  {
    why: 'remove the addresses that flannel stored on its Nodes, on the way back',
    apiGroups: [''],
    resources: ['nodes'],
    verbs: ['get', 'list', 'patch'],
  },
];
