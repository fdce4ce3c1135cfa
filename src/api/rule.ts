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
  /** CEL that makes the message with the values in it; `message` where it cannot be evaluated. */
  readonly messageExpression?: string;
  /** Path below `spec` that the server names, such as `.ipFamilies`. */
  readonly fieldPath: string;
  /** What is wrong and what to write instead, without values. */
  readonly message: string;
  check(spec: ClusterSpec): readonly Problem[];
}
