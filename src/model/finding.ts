import type { FindingReason } from './finding-reasons.ts';
import type { Network } from './networks.ts';
import { type ObjectRef, refText } from './object.ts';
import type { Owner } from './owner.ts';
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
  /** What has a live network of the family already, where the spec asks for another one. */
  readonly liveNetwork?: Network;
}

/** What it says to people. */
export type FindingWords = Pick<Finding, 'message' | 'remedy'>;

/** Arguments in the order in which one reads them: what, where, what waits for it, and the words. */
export const finding = (
  reason: FindingReason,
  object: ObjectRef | null,
  blocks: readonly Phase[],
  words: FindingWords,
): Finding => ({ reason, object, blocks, ...words });

/** @param what An object, or what people call several. */
export const unreadable = (what: ObjectRef | string, why: string, blocks: readonly Phase[]): Finding =>
  finding('ComponentUnreadable', typeof what === 'string' ? null : what, blocks, {
    message: `${typeof what === 'string' ? what : refText(what)} could not be read: ${why}`,
    remedy: 'Give the operator the rights that its ClusterRole names, and see that the API server answers.',
  });

/** @param where What the CNI would have been installed by, if the object were there. */
export const notInstalled = (object: ObjectRef, where: string, blocks: readonly Phase[]): Finding =>
  finding('CNIConfigUnsupported', object, blocks, {
    message: `${refText(object)} is not there, as it is where ${where}`,
    remedy: 'Set spec.cni to how the network is made here, or to Unmanaged.',
  });

/** @param remedy Where its owner undoes every change at once, and where only its next upgrade does. */
export function keptElsewhere(
  object: ObjectRef,
  owner: Owner,
  blocks: readonly Phase[],
  remedy: { readonly atOnce: string; readonly later: string },
): Finding {
  const message = `${refText(object)} is kept by something else (${owner.text})`;
  return owner.watches
    ? finding('AnotherOwner', object, blocks, {
        message: `${message}, which would undo every change`,
        remedy: remedy.atOnce,
      })
    : finding('AnotherOwner', object, [], {
        message: `${message}: its next upgrade will undo the change, which is then made again`,
        remedy: remedy.later,
      });
}

export const isBlocker = (finding: Finding): boolean => finding.blocks.length > 0;
