import type { WorkloadFacts } from '../../model/facts.ts';
import type { ObjectRef } from '../../model/object.ts';
import type { Owner } from '../../model/owner.ts';
import type { Known } from '../../model/reader.ts';
import type { WorkloadRef } from '../../model/workload.ts';

const NAMESPACE = 'kube-system';

export const CONFIG_MAP: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: NAMESPACE,
  name: 'cilium-config',
};
export const DAEMON_SET: WorkloadRef = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: NAMESPACE,
  name: 'cilium',
};
export const OPERATOR: ObjectRef = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  namespace: NAMESPACE,
  name: 'cilium-operator',
};
export const NODE_API = 'cilium.io/v2';
export const POOL_API = 'cilium.io/v2alpha1';
/** Pool that pods take their addresses from unless they name another one. */
export const DEFAULT_POOL = 'default';

/** Container of the DaemonSet that runs cilium-agent. */
export const AGENT_CONTAINER = 'cilium-agent';
/** Annotation of both pod templates: what they were restarted for. Agent and operator read their configuration only when they start. */
export const ROLLOUT_ANNOTATION = 'dualstack.dev/cilium-rollout';
export const MARKS = { with: 'with IPv6', without: 'without IPv6' } as const;

/** The settings that are changed, and nothing else of the ConfigMap. */
export const CHANGED_KEYS = [
  'enable-ipv6',
  'cluster-pool-ipv6-cidr',
  'cluster-pool-ipv6-mask-size',
  'ipv6-native-routing-cidr',
] as const;
export type ChangedKey = (typeof CHANGED_KEYS)[number];

/** Cilium's part of the facts. Known null: it does not exist. */
export interface CiliumFacts {
  readonly config: Known<ConfigFacts | null>;
  readonly agent: Known<AgentFacts | null>;
  readonly operator: Known<WorkloadFacts | null>;
  /** CiliumNodes by name. */
  readonly nodes: Known<Readonly<Record<string, CiliumNodeFacts>>>;
  /** CiliumPodIPPool `default`, which counts in mode `multi-pool` alone. Null: it does not exist. */
  readonly pool: Known<{ readonly ipv6: readonly string[] } | null>;
}

/** ConfigMap cilium-config, which both the agents and the operator are configured by. */
export interface ConfigFacts {
  readonly data: Readonly<Record<string, string>>;
  readonly resourceVersion: string;
  /** When it was last changed (RFC 3339), where the server tells. */
  readonly changedAt: string | null;
  /** Who writes it. Null: nobody that can be told. */
  readonly owner: Owner | null;
  /** The Helm release that it is part of. */
  readonly release: { readonly name: string; readonly namespace: string } | null;
}

/** DaemonSet cilium. */
export interface AgentFacts {
  readonly workload: WorkloadFacts;
  readonly image: string;
}

/** What agent and operator have written about one node. */
export interface CiliumNodeFacts {
  readonly resourceVersion: string;
  /** Given by the operator in mode `cluster-pool`; in the others the agent's own note of what it uses. */
  readonly podCIDRs: readonly string[];
  /**
   * Addresses of type CiliumInternalIP: the agent takes one of each family that it runs with, and writes the whole list anew when it starts
   * (`mutateNodeResource` in Cilium's `pkg/nodediscovery/nodediscovery.go`).
   */
  readonly internalIPs: readonly string[];
  /** Why the operator gave it no pod CIDR; empty: it did. */
  readonly operatorError: string;
}
