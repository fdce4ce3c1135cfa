import type { Permission } from '../../model/plugin.ts';

export const permissions: readonly Permission[] = [
  {
    why: 'add a family to the network configuration that calico-node installs',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['calico-config'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'set how calico-node finds addresses of that family, and pace its roll-out',
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
    why: 'give Calico a pool of that family, and disable it on the way back',
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
    why: 'remove the address of that family that calico-node stored on its Node, on the way back',
    apiGroups: [''],
    resources: ['nodes'],
    verbs: ['get', 'list', 'patch'],
  },
];
