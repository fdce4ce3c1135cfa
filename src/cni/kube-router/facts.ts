import type { WorkloadFacts } from '../../model/facts.ts';
import type { Owner } from '../../model/owner.ts';
import type { Known } from '../../model/reader.ts';
import type { WorkloadRef } from '../../model/workload.ts';

export const DAEMON_SET: WorkloadRef = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: 'kube-system',
  name: 'kube-router',
};

/** Container of the manifests that runs kube-router. */
export const AGENT_CONTAINER = 'kube-router';

/** DaemonSet kube-router. Known null: it does not exist. */
export type KubeRouterFacts = Known<AgentFacts | null>;

export interface AgentFacts {
  readonly workload: WorkloadFacts;
  readonly container: string;
  readonly image: string;
  readonly args: readonly string[];
  /** Flags stand in the container's command as well, where they cannot be told from the rest. */
  readonly flagsInCommand: boolean;
  readonly owner: Owner | null;
}
