import type { AgentFacts, CiliumFacts, CiliumNodeFacts, ConfigFacts } from '../../src/cni/cilium/facts.ts';
import type { ClusterFacts, WorkloadFacts } from '../../src/model/facts.ts';
import { known } from '../../src/model/reader.ts';
import { before, type ClusterOptions, clusterFacts, type Deep, merge, PODS, workloadFacts } from './facts.ts';

/** What the chart writes where IPv6 is off, as far as it matters here. */
export const CILIUM_CONFIG = {
  'enable-ipv4': 'true',
  'enable-ipv6': 'false',
  ipam: 'cluster-pool',
  'cluster-pool-ipv4-cidr': PODS.IPv4,
  'cluster-pool-ipv4-mask-size': '24',
  'routing-mode': 'tunnel',
  'enable-ipv4-masquerade': 'true',
  'enable-ipv6-masquerade': 'true',
} as const;

export const CILIUM_DUAL = {
  ...CILIUM_CONFIG,
  'enable-ipv6': 'true',
  'cluster-pool-ipv6-cidr': PODS.IPv6,
  'cluster-pool-ipv6-mask-size': '64',
} as const;

export const HELM = { text: 'label app.kubernetes.io/managed-by: Helm', watches: false } as const;
export const ARGO = { text: 'label argocd.argoproj.io/instance: net', watches: true } as const;

export interface CiliumParts {
  readonly config?: Partial<ConfigFacts>;
  readonly agent?: Deep<AgentFacts>;
  readonly operator?: Partial<WorkloadFacts> | null;
  readonly nodes?: (n: number) => Partial<CiliumNodeFacts>;
  readonly pool?: CiliumFacts['pool'];
}

/** Nodes have addresses of both families, and podCIDRs of IPv4 alone unless told otherwise. */
export function ciliumCluster(options: ClusterOptions & { readonly podCIDRs?: boolean } = {}): ClusterFacts {
  const facts = clusterFacts({ dual: true, ...options });
  if (options.podCIDRs !== true) return facts;
  const nodes = facts.nodes.map((node, index) => ({
    ...node,
    podCIDRs: [...node.podCIDRs, `fd00:10:244:${index}::/64`],
  }));
  return { ...facts, nodes, basics: { ...facts.basics, nodes } };
}

/** The n-th node's CiliumNode once it runs with IPv6. */
export const withIPv6 = (n: number): Partial<CiliumNodeFacts> => ({
  podCIDRs: [`10.244.${n}.0/24`, `fd00:10:244:${n}::/64`],
  internalIPs: [`10.244.${n}.7`, `fd00:10:244:${n}::7`],
});

export function ciliumFacts(facts: ClusterFacts, parts: CiliumParts = {}): CiliumFacts {
  const names = facts.nodes.map((node) => node.name);
  const agent: AgentFacts = {
    workload: workloadFacts('cilium', names),
    image: 'quay.io/cilium/cilium:v1.18.4@sha256:aa',
  };
  const operator = workloadFacts('cilium-operator', names.slice(0, 1), { kind: 'Deployment' });
  return {
    config: known({
      data: CILIUM_CONFIG,
      resourceVersion: '10',
      changedAt: before(86_000),
      owner: null,
      release: null,
      ...parts.config,
    }),
    agent: known(merge<AgentFacts>(agent, parts.agent)),
    operator: known(parts.operator === null ? null : { ...operator, ...parts.operator }),
    nodes: known(
      Object.fromEntries(
        names.map((name, index) => [
          name,
          {
            resourceVersion: '20',
            podCIDRs: [`10.244.${index + 1}.0/24`],
            internalIPs: [`10.244.${index + 1}.7`],
            operatorError: '',
            ...parts.nodes?.(index + 1),
          },
        ]),
      ),
    ),
    pool: parts.pool ?? known(null),
  };
}
