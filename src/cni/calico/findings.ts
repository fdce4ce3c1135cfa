import { type Finding, finding, type FindingWords } from '../../model/finding.ts';
import type { FindingReason } from '../../model/finding-reasons.ts';
import type { ObjectRef } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';

/** All phases that change Calico. */
export const CALICO_PHASES: readonly Phase[] = ['Pools', 'CNIConfig', 'CNIAgents'];

export const blocker = (reason: FindingReason, object: ObjectRef | null, words: FindingWords): Finding =>
  finding(reason, object, CALICO_PHASES, words);

export const warning = (reason: FindingReason, object: ObjectRef | null, words: FindingWords): Finding =>
  finding(reason, object, [], words);
