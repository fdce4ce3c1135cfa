import { type Permission, replacePods } from '../../model/plugin.ts';
import { CONFIG_MAP, DAEMON_SET, OPERATOR } from './facts.ts';

const NAMESPACE = 'kube-system';

export const permissions: readonly Permission[] = [
  {
    why: 'switch IPv6 on in the configuration of Cilium',
    namespace: NAMESPACE,
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: [CONFIG_MAP.name],
    verbs: ['get', 'patch'],
  },
  {
    why: 'restart the agents of Cilium, which read their configuration only then',
    namespace: NAMESPACE,
    apiGroups: ['apps'],
    resources: ['daemonsets'],
    resourceNames: [DAEMON_SET.name],
    verbs: ['get', 'patch'],
  },
  {
    why: 'restart the operator of Cilium, which reads its configuration only then',
    namespace: NAMESPACE,
    apiGroups: ['apps'],
    resources: ['deployments'],
    resourceNames: [OPERATOR.name],
    verbs: ['get', 'patch'],
  },
  replacePods('Cilium', NAMESPACE),
  {
    why: 'see that each agent has found its IPv6 address, and take the IPv6 pod CIDR of a node back on the way back',
    apiGroups: ['cilium.io'],
    resources: ['ciliumnodes'],
    verbs: ['get', 'list', 'patch'],
  },
  {
    why: 'see whether the default pool of Cilium has IPv6 addresses',
    apiGroups: ['cilium.io'],
    resources: ['ciliumpodippools'],
    resourceNames: ['default'],
    verbs: ['get'],
  },
];
