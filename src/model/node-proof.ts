/** What a CNI shows of its work on single nodes, beyond what the Node objects say. */
export interface NodeProofs {
  /** It looks for both families on every node by now: so a node that lacks one may lose the other. */
  readonly inForce: boolean;
  /** By name, of the nodes that it works on. */
  readonly nodes: ReadonlyMap<string, NodeProof>;
}

export interface NodeProof {
  /**
   * `LostPrimary`: it dropped the family that it had, because the other is missing, while the Node may stay Ready. `Failing`: its pod there
   * fails again and again, and nothing that is known tells why.
   */
  readonly is: 'Proven' | 'Pending' | 'Failing' | 'LostPrimary';
  /** What was seen, in a sentence. */
  readonly evidence: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly remedy: string;
}
