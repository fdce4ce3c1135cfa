import type { PodRef } from './step.ts';

/** What is on a Node that has to go before the Node counts as empty. */
export interface NodeLoad {
  /** Those that a drain is about, by namespace and name. Pods that stay are not among them. */
  readonly pods: readonly LoadPod[];
  /** Names of the VolumeAttachments of this Node. */
  readonly attachments: readonly string[];
}

export interface LoadPod extends PodRef {
  /** No controller would make it anew. */
  readonly standalone: boolean;
  /** Its first emptyDir volume; null: it has none. */
  readonly emptyDir: string | null;
  /** It is on its way out. */
  readonly terminating: boolean;
  /** What keeps it from being evicted now, as a clause; null: nothing. */
  readonly heldBy: string | null;
}
