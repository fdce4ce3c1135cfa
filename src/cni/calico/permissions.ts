import type { Permission } from '../../model/plugin.ts';

export const permissions: readonly Permission[] = [
  {
    why: 'add IPv6 to the network configuration that calico-node installs',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['calico-config'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'set the IPv6 environment of calico-node and pace its roll-out',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['daemonsets'],
    resourceNames: ['calico-node'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'find the newest template of calico-node',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['controllerrevisions'],
    verbs: ['list'],
  },
  {
    why: 'replace the pods of calico-node one by one',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['list', 'delete'],
  },
  {
    why: 'give Calico an IPv6 pool, and disable it on the way back',
    apiGroups: ['crd.projectcalico.org', 'projectcalico.org'],
    resources: ['ippools'],
    verbs: ['get', 'list', 'watch', 'create', 'patch'],
  },
  {
    why: 'see whether the eBPF data plane is on',
    apiGroups: ['crd.projectcalico.org'],
    resources: ['felixconfigurations'],
    resourceNames: ['default'],
    verbs: ['get'],
  },
  {
    why: 'see whether the data of Calico is being moved',
    apiGroups: ['migration.projectcalico.org'],
    resources: ['datastoremigrations'],
    verbs: ['list'],
  },
  {
    why: 'tell which of its two APIs Calico uses',
    apiGroups: ['apiregistration.k8s.io'],
    resources: ['apiservices'],
    resourceNames: ['v3.projectcalico.org'],
    verbs: ['get'],
  },
  {
    why: 'remove the IPv6 address that calico-node stored on its Node, on the way back',
    apiGroups: [''],
    resources: ['nodes'],
    verbs: ['get', 'list', 'patch'],
  },
];
