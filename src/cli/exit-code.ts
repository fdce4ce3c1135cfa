/**
 * How commands end. Scripts may rely on these numbers; `docs/cli.md` lists them.
 * `Attention` is its own number so that "the cluster is not ready for it" is told apart from "the command failed".
 */
export const EXIT = {
  /** Done; for `check` and `plan`: nothing blocks; for `status`: Ready. */
  OK: 0,
  /** The command itself failed: no connection, no permission, a file that cannot be read. */
  Error: 1,
  /** It was called wrongly, or what it was asked for is not valid. */
  Usage: 2,
  /** The answer is no: blockers were found, the resource is not Ready, or a system can have no such cluster. */
  Attention: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
