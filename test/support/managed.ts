import type { K3sFacts } from '../../src/distributions/k3s/index.ts';
import type { ManagedFacts } from '../../src/distributions/managed/index.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import { known } from '../../src/model/reader.ts';
import { basics, clusterFacts, type Deep, merge, nodeFacts, PODS, SERVICES } from './facts.ts';

/** As each cloud calls the version of what it builds. */
export const VERSIONS = {
  EKS: 'v1.33.5-eks-113cf36',
  GKE: 'v1.33.5-gke.1162000',
  AKS: 'v1.33.5',
  K3s: 'v1.33.5+k3s1',
  RKE2: 'v1.33.5+rke2r1',
} as const;

/** Labels of a Node as each cloud gives them. */
export const LABELS = {
  EKS: { 'eks.amazonaws.com/nodegroup': 'ng-1' },
  GKE: { 'cloud.google.com/gke-nodepool': 'default-pool', 'cloud.google.com/gke-os-distribution': 'cos' },
  AKS: { 'kubernetes.azure.com/cluster': 'MC_group_cluster_westeurope', 'kubernetes.azure.com/mode': 'system' },
} as const;

export interface ManagedOptions {
  readonly dual?: boolean;
  readonly version?: string;
  readonly node?: Deep<NodeFacts>;
  /** Default: none was recognised. */
  readonly cni?: string;
}

function clusterOf(name: string, own: unknown, options: ManagedOptions): ClusterFacts {
  const dual = options.dual ?? false;
  const nodes = [1, 2, 3].map((n) =>
    merge<NodeFacts>(nodeFacts(n, { name: `node-${n}`, dual, agent: false }), options.node),
  );
  const facts = clusterFacts(
    { nodes, dual },
    { basics: basics({ nodes, ...(options.version === undefined ? {} : { kubernetesVersion: options.version }) }) },
  );
  return {
    ...facts,
    distribution: { name, detectedBy: 'a test', own },
    cni: { name: options.cni ?? 'Unmanaged', detectedBy: 'a test', own: null },
  };
}

/** A cluster of a cloud: three Nodes, and no control plane to be seen. */
export function managedCluster(
  name: 'EKS' | 'GKE' | 'AKS',
  options: ManagedOptions = {},
  change: Partial<ManagedFacts> = {},
): { readonly facts: ClusterFacts; readonly own: ManagedFacts } {
  const own: ManagedFacts = {
    serviceCIDR: known(options.dual === true ? [SERVICES.IPv4, SERVICES.IPv6] : [SERVICES.IPv4]),
    ...change,
  };
  const node = { labels: LABELS[name], ...options.node };
  return { facts: clusterOf(name, own, { version: VERSIONS[name], ...options, node }), own };
}

/** A cluster of k3s or RKE2 with one server. */
export function k3sCluster(
  options: ManagedOptions & { readonly args?: Readonly<Record<string, string>> } = {},
  change: Partial<K3sFacts> = {},
): { readonly facts: ClusterFacts; readonly own: K3sFacts } {
  const networks = (option: { readonly IPv4: string; readonly IPv6: string }): string =>
    options.dual === true ? `${option.IPv4},${option.IPv6}` : option.IPv4;
  const own: K3sFacts = {
    servers: [
      {
        node: 'node-1',
        family: 'IPv4',
        args: options.args ?? { 'cluster-cidr': networks(PODS), 'service-cidr': networks(SERVICES) },
      },
    ],
    serviceCIDR: known(options.dual === true ? [SERVICES.IPv4, SERVICES.IPv6] : [SERVICES.IPv4]),
    ...change,
  };
  return { facts: clusterOf('K3s', own, { version: VERSIONS.K3s, ...options }), own };
}
