import type { FindingReason } from './finding-reasons.ts';
import type { ObjectRef } from './object.ts';
import type { Phase } from './phase.ts';

/** Something about the cluster that the administrator must know. */
export interface Finding {
  readonly reason: FindingReason;
  readonly object: ObjectRef | null;
  /** What is wrong: names the object, the field and the value. One sentence. */
  readonly message: string;
  /** What to do about it. One sentence, a command where there is one. */
  readonly remedy: string;
  /** The phases that must not begin while this holds. None: it is a warning. */
  readonly blocks: readonly Phase[];
}

export const isBlocker = (finding: Finding): boolean => finding.blocks.length > 0;
