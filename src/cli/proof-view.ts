import { asArray, asNumber, asString, asStrings, at } from '../model/object.ts';

/** `status.connectivity` as a screen needs it, read field by field: the operator may be of another version than this command. */
export interface ProofView {
  readonly at: string;
  readonly nodes: { readonly ready: number; readonly probed: number; readonly leftOut: readonly string[] };
  readonly pairs: { readonly tested: number; readonly total: number };
  readonly checks: { readonly total: number; readonly failed: number };
  readonly families: readonly {
    readonly family: string;
    readonly total: number;
    readonly failed: number;
    /** Microseconds; null: not told. */
    readonly median: number | null;
    readonly p99: number | null;
  }[];
  readonly hops: readonly {
    readonly hop: string;
    readonly checks: number;
    readonly message: string;
    readonly remedy: string;
  }[];
}

export const proofView = (value: unknown): ProofView => ({
  at: text(value, 'at'),
  nodes: {
    ready: count(value, 'nodes', 'ready'),
    probed: count(value, 'nodes', 'probed'),
    leftOut: asStrings(at(value, 'nodes', 'leftOut')),
  },
  pairs: { tested: count(value, 'pairs', 'tested'), total: count(value, 'pairs', 'total') },
  checks: { total: count(value, 'checks', 'total'), failed: count(value, 'checks', 'failed') },
  families: asArray(at(value, 'families')).map((each) => ({
    family: text(each, 'family'),
    total: count(each, 'total'),
    failed: count(each, 'failed'),
    median: asNumber(at(each, 'latencyMicroseconds', 'median')) ?? null,
    p99: asNumber(at(each, 'latencyMicroseconds', 'p99')) ?? null,
  })),
  hops: asArray(at(value, 'hops')).map((each) => ({
    hop: text(each, 'hop'),
    checks: count(each, 'checks'),
    message: text(each, 'message'),
    remedy: text(each, 'remedy'),
  })),
});

const text = (value: unknown, ...path: readonly string[]): string => asString(at(value, ...path)) ?? '';
const count = (value: unknown, ...path: readonly string[]): number => asNumber(at(value, ...path)) ?? 0;
