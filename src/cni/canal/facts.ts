import type { WorkloadFacts } from '../../model/facts.ts';
import type { Flags } from '../../model/flanneld.ts';
import type { ObjectRef } from '../../model/object.ts';
import type { Owner } from '../../model/owner.ts';
import type { Known } from '../../model/reader.ts';
import type { WorkloadRef } from '../../model/workload.ts';

export const CONFIG_MAP: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: 'canal-config',
};
export const DAEMON_SET: WorkloadRef = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: 'kube-system',
  name: 'canal',
};

/** Key of the ConfigMap by which flanneld is configured. */
export const FLANNEL_KEY = 'net-conf.json';
/** Key of the ConfigMap that the init container installs as network configuration of the host. */
export const NETWORK_KEY = 'cni_network_config';
/** Container that runs Felix, which programs policies and the routes to the pods of its own node. */
export const FELIX_CONTAINER = 'calico-node';
/** Container that runs flanneld, which makes the routes to the other nodes. */
export const FLANNEL_CONTAINER = 'kube-flannel';
/** Annotation of the pod template: which roll-outs were begun. */
export const ROLLOUT_ANNOTATION = 'dualstack.dev/canal-rollout';

/**
 * The environment that is changed, and nothing else of it. calico-node makes an IPv6 pool when Felix has IPv6 and there is none, of a random network unless
 * it is told one; no pod takes an address from it.
 */
export const ENV_NAMES = ['FELIX_IPV6SUPPORT', 'CALICO_IPV6POOL_CIDR'] as const;
export type EnvName = (typeof ENV_NAMES)[number];

/** Canal's part of the facts. Known null: it does not exist. */
export interface CanalFacts {
  readonly config: Known<ConfigFacts | null>;
  readonly agent: Known<AgentFacts | null>;
}

export interface ConfigFacts {
  /** Text of `net-conf.json`; null: the key is not there. */
  readonly flannel: string | null;
  /** Text of `cni_network_config`; null: the key is not there. */
  readonly network: string | null;
  readonly resourceVersion: string;
  /** When the ConfigMap was last changed (RFC 3339), where the server tells. */
  readonly changedAt: string | null;
  /** Nobody has changed it since it was made. */
  readonly untouched: boolean;
}

/** DaemonSet canal. */
export interface AgentFacts {
  readonly workload: WorkloadFacts;
  readonly images: { readonly felix: string; readonly flannel: string };
  /** Of Felix's container. A literal value, or JSON of the source that it comes from. */
  readonly env: Readonly<
    Partial<
      Record<
        EnvName,
        { readonly is: 'Value'; readonly value: string } | { readonly is: 'From'; readonly source: string }
      >
    >
  >;
  /** Of flanneld. */
  readonly flags: Flags;
  /** Both containers are there, and the pods read both keys of the ConfigMap. */
  readonly readsConfig: boolean;
  readonly owner: Owner | null;
}
