import type { WorkloadFacts } from '../../model/facts.ts';
import type { ObjectRef } from '../../model/object.ts';
import type { Owner } from '../../model/owner.ts';
import type { Known } from '../../model/reader.ts';
import type { WorkloadRef } from '../../model/workload.ts';

export const CONFIG_MAP_NAME = 'kube-flannel-cfg';
export const DAEMON_SET_NAME = 'kube-flannel-ds';
/** Container that runs flanneld. */
export const AGENT_CONTAINER = 'kube-flannel';
/** Key of the ConfigMap that flanneld reads. The other, `cni-conf.json`, names no family. */
export const CONFIG_KEY = 'net-conf.json';

/** Where flannel's manifest has put it: in a namespace of its own since 0.20, in kube-system before. */
export const NAMESPACES = ['kube-flannel', 'kube-system'] as const;

export const configMapRef = (namespace: string): ObjectRef => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace,
  name: CONFIG_MAP_NAME,
});

export const daemonSetRef = (namespace: string): WorkloadRef => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace,
  name: DAEMON_SET_NAME,
});

/** Annotation of the pod template: which roll-outs were begun. */
export const ROLLOUT_ANNOTATION = 'dualstack.dev/flannel-rollout';

/** Flannel's part of the facts. Known null: it does not exist. */
export interface FlannelFacts {
  readonly namespace: string;
  /** Other namespaces with a DaemonSet of that name, left there by an upgrade. */
  readonly others: readonly string[];
  readonly config: Known<ConfigFacts | null>;
  readonly agent: Known<FlannelAgentFacts | null>;
}

export interface ConfigFacts {
  /** Text of `net-conf.json`; null: the key is not there. */
  readonly text: string | null;
  readonly resourceVersion: string;
  /** When the ConfigMap was last changed (RFC 3339), where the server tells. */
  readonly changedAt: string | null;
  /** Nobody has changed it since it was made. */
  readonly untouched: boolean;
}

/** DaemonSet kube-flannel-ds. */
export interface FlannelAgentFacts {
  readonly workload: WorkloadFacts;
  readonly image: string;
  /** Flags of flanneld by name without dashes, each with all of its values. Environment variables count where the flag is not given. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
  /** A volume of its pods is the ConfigMap. */
  readonly readsConfig: boolean;
  readonly owner: Owner | null;
}
