/** What a CNI shows of its work on single nodes, beyond what the Node objects say. */
export interface NodeProofs {
  /** It looks for both families on every node by now: so a node that lacks one may lose the other. */
  readonly inForce: boolean;
  /** By name, of the nodes that it works on. */
  readonly nodes: Readonly<Record<string, NodeProof>>;
}

export interface NodeProof {
  /** `LostPrimary`: it dropped the family that it had, while the Node may stay Ready. */
  readonly is: 'Proven' | 'Pending' | 'LostPrimary';
  /** What was seen, in a sentence. */
  readonly evidence: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly remedy: string;
}
