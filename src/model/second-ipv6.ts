import { type Finding, finding } from './finding.ts';
import type { ObjectRef } from './object.ts';
import type { Phase } from './phase.ts';
import type { Wanted } from './wanted.ts';

/** IPv6 comes second, or leaves. */
export const changesIPv6 = ({ direction, families }: Wanted): boolean =>
  families[0] === 'IPv4' && families.length === (direction === 'Forward' ? 2 : 1);

/** A CNI with which nothing else is carried out. */
interface IPv6Alone {
  readonly cni: string;
  readonly object: ObjectRef | null;
  readonly blocks: readonly Phase[];
  /** What to change instead, such as `Change this and that by hand`. */
  readonly byHand: string;
}

export const checkChangesIPv6 = (wanted: Wanted, { cni, object, blocks, byHand }: IPv6Alone): readonly Finding[] =>
  changesIPv6(wanted)
    ? []
    : [
        finding('OptionNotCarriedOut', object, blocks, {
          message: `spec.ipFamilies: with ${cni} only IPv6 is added to IPv4, or taken away again; asked for is ${wanted.families.join(', ')}`,
          remedy: `${byHand}, and set spec.cni: Unmanaged.`,
        }),
      ];
