import type { PerFamily } from '../net/family.ts';
import type { ClusterFacts, ComponentFacts, PodFacts } from './facts.ts';
import type { Finding } from './finding.ts';
import type { NodeProofs } from './node-proof.ts';
import type { Known } from './reader.ts';
import type { Recordable } from './record.ts';
import type { Step } from './step.ts';
import type { Wanted } from './wanted.ts';

/**
 * A distribution or CNI together with what it saw of the cluster: what the planner is given, so that it needs to know neither
 * the folder nor the type of its facts.
 */
export interface BoundPlugin {
  readonly name: string;
  components(): readonly ComponentFacts[];
  check(wanted: Wanted, facts: ClusterFacts): readonly Finding[];
  records(facts: ClusterFacts): readonly Recordable[];
  steps(wanted: Wanted, facts: ClusterFacts): readonly Step[];
}

export interface BoundDistribution extends BoundPlugin {
  readonly defaultNodeMask: Required<PerFamily<number>>;
  readonly choosesNetworks: boolean;
  network(): {
    readonly pods: Known<readonly string[]>;
    readonly services: Known<readonly string[]>;
    readonly nodeMask: PerFamily<number>;
  };
  hostPods(): readonly PodFacts[];
}

export interface BoundCNI extends BoundPlugin {
  readonly usesNodeIPAM: boolean;
  podCIDRs(): readonly string[];
  /** Null: it shows nothing of single nodes. */
  nodeProofs(wanted: Wanted, facts: ClusterFacts): Known<NodeProofs> | null;
}

export interface BoundPlugins {
  readonly distribution: BoundDistribution;
  readonly cni: BoundCNI;
}
