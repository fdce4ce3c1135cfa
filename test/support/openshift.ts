import { SUBNETS } from '../../src/distributions/openshift/nodes.ts';
import {
  type InfrastructureFacts,
  type NetworkFacts,
  type NetworkLists,
  OPERATORS,
  type OpenShiftFacts,
  type OperatorFacts,
} from '../../src/distributions/openshift/facts.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import type { KubeObject } from '../../src/model/object.ts';
import { known } from '../../src/model/reader.ts';
import { basics, clusterFacts, type Deep, merge, nodeFacts, PODS, SERVICES } from './facts.ts';

export interface OpenShiftOptions {
  /** All is converted. */
  readonly dual?: boolean;
  readonly nodes?: number;
  readonly agents?: boolean;
  /** Applied to every Node after it is made. */
  readonly node?: (node: NodeFacts) => NodeFacts;
}

export const SINGLE_LISTS: NetworkLists = {
  clusterNetwork: [{ cidr: PODS.IPv4, hostPrefix: 24 }],
  serviceNetwork: [SERVICES.IPv4],
};
export const DUAL_LISTS: NetworkLists = {
  clusterNetwork: [...SINGLE_LISTS.clusterNetwork, { cidr: PODS.IPv6, hostPrefix: 64 }],
  serviceNetwork: [SERVICES.IPv4, SERVICES.IPv6],
};

export const networkWith = (change: Partial<NetworkFacts> = {}): NetworkFacts => ({
  spec: SINGLE_LISTS,
  status: SINGLE_LISTS,
  networkType: 'OVNKubernetes',
  mtu: 1400,
  migrates: false,
  ...change,
});

export const infrastructure = (change: Partial<InfrastructureFacts> = {}): InfrastructureFacts => ({
  platform: 'None',
  controlPlaneTopology: 'HighlyAvailable',
  addresses: null,
  ...change,
});

export const operators = (change: Readonly<Record<string, Partial<OperatorFacts>>> = {}): readonly OperatorFacts[] =>
  OPERATORS.map((name) => ({ name, progressing: false, degraded: false, message: '', ...change[name] }));

export function openshiftNode(n: number, { dual = false, agents = true }: OpenShiftOptions = {}): NodeFacts {
  const subnets = dual ? [`10.244.${n}.0/24`, `fd00:10:244:${n}::/64`] : [`10.244.${n}.0/24`];
  return nodeFacts(
    n,
    { dual, agent: agents, controlPlane: n === 1 },
    {
      podCIDRs: [],
      osImage: 'Red Hat Enterprise Linux CoreOS 9.6.20250701-0 (Plow)',
      annotations: { [SUBNETS]: JSON.stringify({ default: dual ? subnets : subnets[0] }) },
    },
  );
}

/** An OpenShift cluster: all facts, with OpenShift's part of them. */
export function openshiftCluster(
  options: OpenShiftOptions = {},
  change: Partial<OpenShiftFacts> = {},
): { readonly facts: ClusterFacts; readonly own: OpenShiftFacts } {
  const { dual = false, nodes: count = 3, node = (each) => each } = options;
  const nodes = Array.from({ length: count }, (_, index) => node(openshiftNode(index + 1, options)));
  const lists = dual ? DUAL_LISTS : SINGLE_LISTS;
  const own: OpenShiftFacts = {
    network: known(networkWith({ spec: lists, status: lists })),
    infrastructure: known(infrastructure()),
    operators: known(operators()),
    serviceCIDR: known(lists.serviceNetwork),
    ...change,
  };
  const facts = clusterFacts({ nodes, dual }, { basics: openshiftBasics(nodes) });
  return { facts: { ...facts, distribution: { name: 'OpenShift', detectedBy: 'a test', own } }, own };
}

export const openshiftBasics = (nodes: readonly NodeFacts[]): ReturnType<typeof basics> =>
  basics({
    nodes,
    groupVersions: ['v1', 'apps/v1', 'config.openshift.io/v1', 'operator.openshift.io/v1', 'route.openshift.io/v1'],
    objects: { ConfigMap: [], DaemonSet: [], Deployment: [], Pod: [] },
  });

const conditions = (progressing: string, degraded: string, message: string) => [
  { type: 'Available', status: 'True' },
  { type: 'Progressing', status: progressing, message },
  { type: 'Degraded', status: degraded, message },
];

/** Objects in the form of OpenShift's documentation and API. */
export function openshiftObjects(change: Deep<{ spec: object; status: object }> = {}): readonly KubeObject[] {
  return [
    merge<KubeObject>(
      {
        apiVersion: 'config.openshift.io/v1',
        kind: 'Network',
        metadata: { name: 'cluster' },
        spec: { ...SINGLE_LISTS, networkType: 'OVNKubernetes', externalIP: { policy: {} } },
        status: { ...SINGLE_LISTS, networkType: 'OVNKubernetes', clusterNetworkMTU: 1400 },
      },
      change,
    ),
    {
      apiVersion: 'config.openshift.io/v1',
      kind: 'Infrastructure',
      metadata: { name: 'cluster' },
      spec: { platformSpec: { type: 'BareMetal', baremetal: { apiServerInternalIPs: ['192.0.2.5'] } } },
      status: {
        controlPlaneTopology: 'HighlyAvailable',
        platform: 'BareMetal',
        platformStatus: {
          type: 'BareMetal',
          baremetal: { apiServerInternalIPs: ['192.0.2.5'], ingressIPs: ['192.0.2.6'] },
        },
      },
    },
    ...OPERATORS.map((name) => ({
      apiVersion: 'config.openshift.io/v1',
      kind: 'ClusterOperator',
      metadata: { name },
      status: {
        conditions:
          name === 'network'
            ? conditions('True', 'False', 'DaemonSet "/openshift-ovn-kubernetes/ovnkube-node" is not available')
            : conditions('False', 'False', ''),
      },
    })),
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'kubernetes' },
      spec: { cidrs: [SERVICES.IPv4] },
    },
  ];
}
