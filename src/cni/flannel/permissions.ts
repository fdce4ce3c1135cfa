import type { Permission } from '../../model/plugin.ts';
import { CONFIG_MAP_NAME, DAEMON_SET_NAME } from './facts.ts';

/** Not bound to a namespace: flannel's own is not there in other clusters, and a Role needs its namespace. */
export const permissions: readonly Permission[] = [
  {
    why: "add the second family's network to the configuration of flannel",
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: [CONFIG_MAP_NAME],
    verbs: ['get', 'patch'],
  },
  {
    why: 'roll out flannel',
    apiGroups: ['apps'],
    resources: ['daemonsets'],
    resourceNames: [DAEMON_SET_NAME],
    verbs: ['get', 'patch'],
  },
  {
    why: 'remove the addresses that flannel stored on its Nodes, on the way back',
    apiGroups: [''],
    resources: ['nodes'],
    verbs: ['get', 'list', 'patch'],
  },
];
