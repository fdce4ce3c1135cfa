import type { WorkloadFacts } from '../../model/facts.ts';
import type { JsonObject, ObjectRef } from '../../model/object.ts';
import type { Owner } from '../../model/owner.ts';
import type { Known } from '../../model/reader.ts';
import type { WorkloadRef } from '../../model/workload.ts';
import type { Family } from '../../net/family.ts';

export const CONFIG_MAP: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: 'calico-config',
};
export const DAEMON_SET: WorkloadRef = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: 'kube-system',
  name: 'calico-node',
};

/** Key of the ConfigMap that holds the network configuration. */
export const CONFIG_KEY = 'cni_network_config';
/** Container that runs Felix and, with backend `bird`, BGP. */
export const AGENT_CONTAINER = 'calico-node';
/** Annotation of the pod template: hash of the network configuration that its pods have installed. */
export const CONFIG_HASH_ANNOTATION = 'dualstack.dev/cni-config-hash';

/**
 * The environment that may be changed, and nothing else of it: the first three for IPv6, the others for IPv4. Felix can do without IPv6, but not
 * without IPv4; and BGP wants a router id of four bytes, which is the node's IPv4 address unless it is told otherwise.
 */
export const ENV_NAMES = [
  'IP6',
  'IP6_AUTODETECTION_METHOD',
  'FELIX_IPV6SUPPORT',
  'IP',
  'IP_AUTODETECTION_METHOD',
  'CALICO_ROUTER_ID',
] as const;
export type EnvName = (typeof ENV_NAMES)[number];

/** Calico's part of the facts. Known null: it does not exist. */
export interface CalicoFacts {
  readonly config: Known<ConfigFacts | null>;
  readonly agent: Known<CalicoNodeFacts | null>;
  readonly pools: Known<PoolFacts>;
  /** A move of Calico's data to other CRDs is under way. */
  readonly migrating: Known<boolean>;
  /** The eBPF data plane is on. */
  readonly bpf: Known<boolean>;
}

export interface ConfigFacts {
  /** `bird`, `vxlan`, `none`. */
  readonly backend: string;
  /** The network configuration's text; null: the key is not there. */
  readonly text: string | null;
  /** When the ConfigMap was last changed (RFC 3339), where the server tells. */
  readonly changedAt: string | null;
}

/** DaemonSet calico-node. */
export interface CalicoNodeFacts {
  readonly workload: WorkloadFacts;
  readonly updateStrategy: JsonObject;
  readonly env: Readonly<Record<string, EnvEntry>>;
  readonly image: string;
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** Null: nobody else keeps it. */
  readonly owner: Owner | null;
  /** Where its init container takes the network configuration from. */
  readonly configSource: 'ConfigMap' | 'Elsewhere';
}

/** A literal value, or JSON of the source that it comes from. */
export type EnvEntry =
  | { readonly is: 'Value'; readonly value: string }
  | { readonly is: 'From'; readonly source: string };

export interface PoolFacts {
  /** The API that pools are written through. */
  readonly apiVersion: PoolAPI;
  readonly pools: readonly Pool[];
}

export type PoolAPI = 'crd.projectcalico.org/v1' | 'projectcalico.org/v3';

export interface Pool {
  readonly name: string;
  readonly resourceVersion: string;
  readonly family: Family;
  readonly cidr: string;
  readonly blockSize: number | null;
  readonly ipipMode: string;
  readonly vxlanMode: string;
  readonly natOutgoing: boolean;
  readonly nodeSelector: string;
  readonly disabled: boolean;
  /** Condition `Allocatable`, where the server keeps one. */
  readonly allocatable: boolean | null;
}

export const poolsOf = (facts: CalicoFacts, family: Family): readonly Pool[] =>
  facts.pools.known ? facts.pools.value.pools.filter((pool) => pool.family === family) : [];
