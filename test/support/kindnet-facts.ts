import type { KindnetFacts, Subnet } from '../../src/cni/kindnet/facts.ts';
import type { ClusterFacts, WorkloadFacts } from '../../src/model/facts.ts';
import { known } from '../../src/model/reader.ts';
import { PODS, workloadFacts } from './facts.ts';

export interface KindnetParts {
  readonly subnet?: Subnet | null;
  readonly workload?: Partial<WorkloadFacts>;
  readonly owner?: { readonly text: string; readonly watches: boolean };
}

/** As kind installs it: one network in POD_SUBNET, and nothing else that names a family. */
export function kindnetFacts(facts: ClusterFacts, parts: KindnetParts = {}): KindnetFacts {
  const nodes = facts.nodes.map((node) => node.name);
  return known({
    workload: { ...workloadFacts('kindnet', nodes), ...parts.workload },
    container: 'kindnet-cni',
    image: 'docker.io/kindest/kindnetd:v20260213-ea8e5717',
    subnet: parts.subnet === undefined ? { is: 'Value', value: PODS.IPv4 } : parts.subnet,
    owner: parts.owner ?? null,
  });
}
