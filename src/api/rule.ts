import type { ClusterSpec } from './cluster-spec.ts';

/** Something wrong with a resource that its author has to mend. */
export interface Problem {
  /** Path of the field, such as `spec.ipFamilies`. */
  readonly path: string;
  /** What is wrong with which value, and what to write instead. */
  readonly message: string;
}

export const problemText = (problem: Problem): string => `${problem.path}: ${problem.message}`;

/**
 * A rule on the whole spec, said twice: as CEL for the API server and as a function for everything else. A test sends the same resources
 * through both.
 */
export interface Rule {
  /** Stable name, for tests and the reference. */
  readonly name: string;
  /** CEL over `self`, the spec; true: kept. */
  readonly cel: string;
  /** CEL for the text that the message is about, mostly the value. It is evaluated only where the rule is broken. */
  readonly celValue: string;
  /** Path below `spec` that the server names, such as `.ipFamilies`. */
  readonly fieldPath: string;
  /** What is wrong and what to write instead; the server puts the value before it. */
  readonly message: string;
  check(spec: ClusterSpec): readonly Problem[];
}
