import type { Rule } from '../api/rule.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { NodeProofs } from '../model/node-proof.ts';
import type { Plugin } from '../model/plugin.ts';
import type { Known } from '../model/reader.ts';
import type { Wanted } from '../model/wanted.ts';

/** A network plug-in. Its steps belong to the phases Pools, CNIConfig and CNIAgents. */
export interface CNI<Own> extends Plugin<Own> {
  /** Rules that tie its options to the rest of the spec. */
  readonly optionRules?: readonly Rule[];
  /** True: pods take their addresses from the Node's podCIDRs, so existing Nodes need a second one. A function where that hangs on its configuration. */
  readonly usesNodeIPAM: boolean | ((own: Own) => boolean);
  /** What is live of the pod networks, where the CNI knows it. */
  podCIDRs(own: Own): readonly string[];
  /** What it shows of single nodes, where it shows more than the Node objects do. */
  nodeProofs?(wanted: Wanted, facts: ClusterFacts, own: Own): Known<NodeProofs>;
}
