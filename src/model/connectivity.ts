import type { Family } from '../net/family.ts';

/** The last proof with packets: small enough for a status, whatever the size of the cluster. */
export interface Connectivity {
  readonly fingerprint: string;
  /** RFC 3339. */
  readonly at: string;
  /** Proofs in a row that found something wrong, this one included; 0: all was well. */
  readonly failedInRow: number;
  readonly nodes: {
    /** Nodes that could take part. */
    readonly ready: number;
    readonly probed: number;
    /** When the youngest of the nodes was made (RFC 3339): younger ones were not there. Empty: there was none. */
    readonly newest: string;
    /** Nodes that could not take part, at most 50. */
    readonly leftOut: readonly string[];
  };
  /** Ordered pairs of different nodes between which packets were sent, and how many there are. */
  readonly pairs: { readonly tested: number; readonly total: number };
  readonly checks: { readonly total: number; readonly failed: number };
  readonly families: readonly FamilyFigures[];
  /** What explains the failures, at most 50. Empty: everything passed. */
  readonly hops: readonly Hop[];
}

export interface FamilyFigures {
  readonly family: Family;
  readonly total: number;
  readonly failed: number;
  /** Of pod → pod between nodes: connecting and one small request. Microseconds; null: none passed. */
  readonly latency: { readonly median: number; readonly p99: number } | null;
}

/** Where packets are lost, in the order in which one looks: what comes first often explains what follows. */
export const HOPS = [
  'NotRun',
  'PodNotStarted',
  'NoReport',
  'PodWithoutAddress',
  'WithinNode',
  'BetweenNodes',
  'Node',
  'FromNode',
  'ToNode',
  'Pair',
  'LargePackets',
  'HostToPod',
  'ServiceWithoutAddress',
  'Service',
  'HostToService',
  'NodePort',
  'DNSWithoutEndpoint',
  'DNSServer',
  'DNSRecord',
] as const;
export type HopName = (typeof HOPS)[number];

export interface Hop {
  readonly hop: HopName;
  /** Null: it is of no one family. */
  readonly family: Family | null;
  /** Nodes that it is about; empty: all of them. */
  readonly nodes: readonly string[];
  /** Failed checks that it explains. */
  readonly checks: number;
  readonly message: string;
  readonly remedy: string;
}
