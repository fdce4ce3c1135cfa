import type { GeneratedFile } from '../generate/contract.ts';
import type { Result } from '../result.ts';
import type { ExitCode } from './exit-code.ts';
import type { Connect, Connection } from './session.ts';
import type { Terminal } from './terminal.ts';

/** All that the commands touch of the world. `main.ts` hands in the real ones. */
export interface Dependencies {
  readonly connect: Connect;
  readonly terminal: Terminal;
  /** Text of a file; `-` is standard input. Rejects with the system's error. */
  readonly readText: (file: string) => Promise<string>;
  /** Writes files into a folder and tells their paths; the error is one sentence. Files that are there stay, unless `replace`. */
  readonly writeFiles: (
    folder: string,
    files: readonly GeneratedFile[],
    replace: boolean,
  ) => Promise<Result<readonly string[], string>>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls back about every second until the signal; screens tell ages by it. */
  readonly everySecond: (run: () => void, signal: AbortSignal) => void;
  /** Aborts on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly runOperator: (options: OperatorOptions) => Promise<ExitCode>;
  /** The two halves of a proof with packets, each in a pod of its own. */
  readonly serveProbe: (options: ServeProbeOptions) => Promise<ExitCode>;
  readonly runProbe: () => Promise<ExitCode>;
  readonly runAgent: (options: AgentOptions) => Promise<ExitCode>;
}

export interface LogOptions {
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
}

export interface OperatorOptions extends Connection, LogOptions {
  /** `host:port`; port 0 chooses one. */
  readonly metricsBindAddress: string;
  readonly healthProbeBindAddress: string;
  /** False: run alone, without a Lease. */
  readonly leaderElect: boolean;
  /** Image for probe pods; absent: that of the operator's own pod. */
  readonly probeImage?: string;
}

export interface ServeProbeOptions {
  readonly port: number;
}

export interface AgentOptions extends Connection, LogOptions {
  readonly nodeName: string;
  /** Folder below which the host's files are seen. */
  readonly hostRoot: string;
  readonly healthProbeBindAddress: string;
  /** Seconds after which an edit whose component does not come back is undone. */
  readonly undoAfterSeconds: number;
}
