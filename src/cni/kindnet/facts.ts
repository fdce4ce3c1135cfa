import type { WorkloadFacts } from '../../model/facts.ts';
import type { Owner } from '../../model/owner.ts';
import type { Known } from '../../model/reader.ts';
import type { WorkloadRef } from '../../model/workload.ts';

export const DAEMON_SET: WorkloadRef = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: 'kube-system',
  name: 'kindnet',
};

/** Container of kind's manifest that runs kindnetd. */
export const AGENT_CONTAINER = 'kindnet-cni';
/** Networks of pods, comma-separated: which families kindnetd makes routes for, and what it does not masquerade. */
export const SUBNET_ENV = 'POD_SUBNET';
/** Annotation of the pod template, where there is no such variable to change. */
export const ROLLOUT_ANNOTATION = 'dualstack.dev/kindnet-rollout';

/** DaemonSet kindnet. Known null: it does not exist. */
export type KindnetFacts = Known<AgentFacts | null>;

export interface AgentFacts {
  readonly workload: WorkloadFacts;
  readonly container: string;
  readonly image: string;
  /** Null: it is not set, as in the kindnet that is installed on its own; that takes everything from the Nodes. */
  readonly subnet: Subnet | null;
  readonly owner: Owner | null;
}

export type Subnet =
  | { readonly is: 'Value'; readonly value: string }
  /** JSON of where the value comes from. */
  | { readonly is: 'From'; readonly source: string };
