import type { ClusterFacts } from '../model/facts.ts';
import type { Finding } from '../model/finding.ts';
import { listText } from '../model/list-text.ts';
import { refText } from '../model/object.ts';
import type { Omission, OneFamilyPolicy } from '../model/traffic-rules.ts';
import type { Wanted } from '../model/wanted.ts';
import { type Family, otherFamily } from '../net/family.ts';

const OMISSIONS: readonly Omission[] = ['NotCovered', 'Denied', 'NotChecked'];

/**
 * Policies that were written for one family. Pods get addresses of the other by a conversion, whether or not their Services do, so all of them are told; none of
 * it stands in the way, since what was right before stays so.
 */
export function checkTrafficRules({ families }: Wanted, { trafficRules }: ClusterFacts): readonly Finding[] {
  if (trafficRules === undefined || families.length < 2) return [];
  const { policies, unread } = trafficRules;
  const findings = OMISSIONS.flatMap((omission) =>
    families.flatMap((family) =>
      findingOn(
        policies.filter((policy) => policy.omission === omission && policy.family === family),
        omission,
        family,
      ),
    ),
  );
  const [first] = unread;
  if (first === undefined) return findings;
  const kinds = unread.map(({ kind }) => kind).join(', ');
  return [
    ...findings,
    {
      reason: 'PolicyUnreadable',
      object: null,
      message: `Whether policies name networks of one family alone is not known of ${kinds}: ${first.why}.`,
      remedy: 'Grant the operator, or yourself, to list them: kubectl apply -k config/default.',
      blocks: [],
    },
  ];
}

function findingOn(policies: readonly OneFamilyPolicy[], omission: Omission, family: Family): readonly Finding[] {
  const [first] = policies;
  if (first === undefined) return [];
  const { message, remedy } = TEXTS[omission](family, otherFamily(family));
  return [
    {
      reason: 'PolicyNamesOneFamily',
      object: first.ref,
      message: `${message} ${listText(policies.map(({ ref }) => refText(ref)))}.`,
      remedy,
      blocks: [],
    },
  ];
}

const TEXTS: Readonly<
  Record<Omission, (named: Family, other: Family) => { readonly message: string; readonly remedy: string }>
> = {
  NotCovered: (named, other) => ({
    message: `Policies keep ${named} networks out and name none of ${other}, so the same hosts come through over ${other}:`,
    remedy: `Add the ${other} networks of these hosts before pods get ${other} addresses.`,
  }),
  Denied: (named, other) => ({
    message: `Policies let ${named} networks through and name none of ${other}, so the same hosts are denied over ${other}:`,
    remedy: `Add the ${other} networks of these hosts (of 0.0.0.0/0 it is ::/0) before Services get both families.`,
  }),
  NotChecked: (named, other) => ({
    message: `Admission policies look at ${named} networks and name none of ${other}, so addresses of ${other} are refused or pass unchecked:`,
    remedy: `See what they check, and have them treat ${other} networks alike.`,
  }),
};
