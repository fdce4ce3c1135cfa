import type { FindingReason } from './finding-reasons.ts';

/** The ways that a cluster can go. `DualToSingle`: the second family is left out of the resource; `RollBack`: a conversion that stopped in the middle. */
export const WAYS = ['IPv4ToDual', 'IPv6ToDual', 'DualToSingle', 'RollBack'] as const;
export type Way = (typeof WAYS)[number];

/** What is done about one way, and which test shows it: its path from the root of the project. */
export type Evidence =
  /** `on`: what the test ran it on. A component that is played counts as recorded facts, whatever is real beside it. */
  | {
      readonly is: 'Converted';
      readonly on: 'RealComponent' | 'RecordedFacts';
      readonly test: string;
      /** In a few words, where the test is about less, or more, than the words for `on` say. */
      readonly note?: string;
    }
  /** It is told what to do, by a Finding or a Handoff, and watched for. */
  | { readonly is: 'HandedOver'; readonly test: string }
  /** The reason of the Finding that blocks it. */
  | { readonly is: 'Refused'; readonly reason: FindingReason };

/** What a distribution or network plug-in can do. The support matrix is made of this, and the conformance suite holds the plug-in to it. */
export interface Support {
  /** Its page in docs/systems, without `.md`. */
  readonly page: string;
  readonly ways: Readonly<Record<Way, Evidence>>;
}

/** The same about every way. */
export const everyWay = (evidence: Evidence): Support['ways'] => ({
  IPv4ToDual: evidence,
  IPv6ToDual: evidence,
  DualToSingle: evidence,
  RollBack: evidence,
});
