import { NAMESPACE } from './api/names.ts';
import type { Permission } from './model/plugin.ts';
import { pluginPermissions } from './registry.ts';

/**
 * What the operator itself needs, whatever the distribution and CNI are. Each rule says what for; the manifests in `config/rbac` are made
 * of these lists, so that nothing is granted which nobody asked for.
 */
const corePermissions: readonly Permission[] = [
  {
    why: 'take the wish from the resource, and keep it until its way back is done',
    apiGroups: ['dualstack.dev'],
    resources: ['dualstackclusters'],
    verbs: ['get', 'list', 'watch', 'patch', 'update'],
  },
  {
    why: 'tell how far it is',
    apiGroups: ['dualstack.dev'],
    resources: ['dualstackclusters/status'],
    verbs: ['get', 'patch', 'update'],
  },
  {
    why: 'hold deletion back until the way back is done',
    apiGroups: ['dualstack.dev'],
    resources: ['dualstackclusters/finalizers'],
    verbs: ['update'],
  },
  {
    why: 'tell the agents what their hosts shall look like, and read what they show',
    apiGroups: ['dualstack.dev'],
    resources: ['dualstacknodes'],
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
  {
    why: 'know the nodes and their addresses',
    apiGroups: [''],
    resources: ['nodes'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'give a node its second pod CIDR, which takes a new Node object, and see that nothing is lost with the old one (nodes.podCIDRs: Replace, Drain); admission policies say when',
    onlyFor: 'node-replacement',
    apiGroups: [''],
    resources: ['nodes'],
    verbs: ['create', 'delete', 'patch'],
  },
  {
    why: 'see that the kubelet of a replaced Node is back, before the next one is replaced',
    namespace: 'kube-node-lease',
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['get'],
  },
  {
    why: 'let the CSINode belong to the new Node object',
    onlyFor: 'node-replacement',
    apiGroups: ['storage.k8s.io'],
    resources: ['csinodes'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'replace no Node object that volumes are attached to',
    onlyFor: 'node-replacement',
    apiGroups: ['storage.k8s.io'],
    resources: ['volumeattachments'],
    verbs: ['list'],
  },
  {
    why: 'empty a node before its Node object is replaced (nodes.podCIDRs: Drain), as far as PodDisruptionBudgets allow; admission policies say when',
    onlyFor: 'node-drain',
    apiGroups: [''],
    resources: ['pods/eviction'],
    verbs: ['create'],
  },
  {
    why: 'recognise distribution and CNI by what is in their namespaces, which may be made later than this role',
    apiGroups: [''],
    resources: ['configmaps', 'pods'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'see workloads and whether a roll-out of them is through',
    apiGroups: ['apps'],
    resources: ['daemonsets', 'deployments', 'statefulsets', 'replicasets', 'controllerrevisions'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'restart workloads that are asked for (workloads.restart); an admission policy says what of them may change',
    onlyFor: 'workload-restart',
    apiGroups: ['apps'],
    resources: ['daemonsets', 'deployments', 'statefulsets'],
    verbs: ['patch'],
  },
  {
    why: 'restart no workload, and evict no pod, that may not be disrupted now',
    apiGroups: ['policy'],
    resources: ['poddisruptionbudgets'],
    verbs: ['list'],
  },
  {
    why: 'keep new pods off nodes that lack a family, by a taint (spec.nodes.guard)',
    apiGroups: [''],
    resources: ['nodes'],
    verbs: ['patch'],
  },
  {
    why: 'find Services whose addresses would clash, and those that lack a family',
    apiGroups: [''],
    resources: ['services'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'give Services their second family, and take it back (services.migration); an admission policy says what of them may change',
    onlyFor: 'service-migration',
    apiGroups: [''],
    resources: ['services'],
    verbs: ['patch'],
  },
  {
    why: 'see what is behind each Service, and of which families it is',
    apiGroups: ['discovery.k8s.io'],
    resources: ['endpointslices'],
    verbs: ['list'],
  },
  {
    why: 'tell of policies that name networks of one family alone, and of what sends to Services from outside',
    apiGroups: ['networking.k8s.io'],
    resources: ['networkpolicies', 'ingresses'],
    verbs: ['list'],
  },
  {
    why: 'the same of Gateways',
    apiGroups: ['gateway.networking.k8s.io'],
    resources: ['httproutes', 'grpcroutes', 'tcproutes', 'tlsroutes'],
    verbs: ['list'],
  },
  {
    why: 'the same of the policies of administrators and of network plug-ins',
    apiGroups: ['policy.networking.k8s.io', 'crd.projectcalico.org', 'cilium.io'],
    resources: [
      'adminnetworkpolicies',
      'baselineadminnetworkpolicies',
      'networkpolicies',
      'globalnetworkpolicies',
      'ciliumnetworkpolicies',
      'ciliumclusterwidenetworkpolicies',
    ],
    verbs: ['list'],
  },
  {
    why: 'the same of admission policies',
    apiGroups: ['admissionregistration.k8s.io', 'kyverno.io'],
    resources: ['validatingadmissionpolicies', 'clusterpolicies', 'policies'],
    verbs: ['list'],
  },
  {
    why: 'see which networks Services are given addresses from',
    apiGroups: ['networking.k8s.io'],
    resources: ['servicecidrs'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'see that the Lease of a component may be passed on',
    apiGroups: ['admissionregistration.k8s.io'],
    resources: ['validatingadmissionpolicybindings'],
    resourceNames: ['dualstack-lease-transfer'],
    verbs: ['get'],
  },
  {
    why: 'tell what happened to nodes, which have no namespace, as to anything else',
    apiGroups: ['events.k8s.io'],
    resources: ['events'],
    verbs: ['create', 'patch'],
  },
  {
    why: 'give cluster DNS its second address',
    namespace: 'kube-system',
    apiGroups: [''],
    resources: ['services'],
    resourceNames: ['kube-dns'],
    verbs: ['patch'],
  },
  {
    why: 'give the pods of cluster DNS their second address',
    namespace: 'kube-system',
    apiGroups: ['apps'],
    resources: ['deployments'],
    resourceNames: ['coredns'],
    verbs: ['patch'],
  },
  {
    why: 'begin the records of first states; creation cannot be limited to a name',
    namespace: NAMESPACE,
    apiGroups: [''],
    resources: ['secrets'],
    verbs: ['create'],
  },
  {
    why: 'read and add to the records of first states',
    namespace: NAMESPACE,
    apiGroups: [''],
    resources: ['secrets'],
    resourceNames: ['dualstack-records'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'keep a Node, whole, while it is being replaced',
    namespace: NAMESPACE,
    apiGroups: [''],
    resources: ['secrets'],
    resourceNames: ['dualstack-replaced-node'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'have one operator at work',
    namespace: NAMESPACE,
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['get', 'create', 'update', 'patch'],
  },
  {
    why: 'prove with pods of a moment that packets flow in both families; an admission policy says what these may be',
    namespace: NAMESPACE,
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['create', 'delete'],
  },
  {
    why: 'prove with Services of a moment that both families are given out',
    namespace: NAMESPACE,
    apiGroups: [''],
    resources: ['services'],
    verbs: ['create', 'delete'],
  },
  {
    why: 'see that those Services get their EndpointSlices',
    namespace: NAMESPACE,
    apiGroups: ['discovery.k8s.io'],
    resources: ['endpointslices'],
    verbs: ['list'],
  },
];

/** Everything the operator needs. */
export const operatorPermissions: readonly Permission[] = [...corePermissions, ...pluginPermissions];

/** What an agent needs. Which of the objects it may write to is limited further by an admission policy: that of its own node. */
export const agentPermissions: readonly Permission[] = [
  {
    why: 'read what its host shall look like',
    apiGroups: ['dualstack.dev'],
    resources: ['dualstacknodes'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'report what its host shows',
    apiGroups: ['dualstack.dev'],
    resources: ['dualstacknodes/status'],
    verbs: ['get', 'patch'],
  },
  {
    why: 'see that the API server of its host has answered everything before it is told to end',
    apiGroups: [],
    resources: [],
    nonResourceURLs: ['/debug/pprof/goroutine'],
    verbs: ['get'],
  },
];
