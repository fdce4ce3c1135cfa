import type { Outcome } from '../model/outcome.ts';
import type { ProbeProgress } from '../model/probe.ts';

/** Carries a proof out, until the signal aborts; tells how far it is. */
export type RunProof = (signal: AbortSignal, onProgress: (progress: ProbeProgress) => void) => Promise<Outcome>;

export type ProofRun =
  | { readonly is: 'Running'; readonly text: string }
  /** Rejects where the proof ended in an exception. */
  | { readonly is: 'Ended'; readonly outcome: Promise<Outcome> };

/**
 * Proofs with packets, which take minutes: they go on beside the passes, so that a pause, a changed spec or a node that falls is seen meanwhile. They are
 * not kept over the end of the process: what a killed one left in the cluster the next leader removes before its first pass.
 */
export interface ProofRuns {
  /** The proof for that resource and fingerprint; null: there is none. One of another fingerprint is broken off. What has ended is given once. */
  take(name: string, fingerprint: string): ProofRun | null;
  start(name: string, fingerprint: string, run: RunProof): void;
  /** What comes of it no longer counts; it removes what it made. */
  breakOff(name: string): void;
  /** Settles when none is at work any more. */
  idle(): Promise<void>;
}

interface Run {
  readonly fingerprint: string;
  readonly outcome: Promise<Outcome>;
  readonly ending: AbortController;
  progress: ProbeProgress | null;
  isOver: boolean;
}

/** @param signal Ends all of them. */
export function proofRuns(signal: AbortSignal): ProofRuns {
  const current = new Map<string, Run>();
  const working = new Set<Promise<unknown>>();

  const runs: ProofRuns = {
    take(name, fingerprint) {
      const run = current.get(name);
      if (run !== undefined && run.fingerprint !== fingerprint) runs.breakOff(name);
      if (run?.fingerprint !== fingerprint) return null;
      if (!run.isOver) return { is: 'Running', text: progressText(run.progress) };
      current.delete(name);
      return { is: 'Ended', outcome: run.outcome };
    },

    start(name, fingerprint, work) {
      runs.breakOff(name);
      const ending = new AbortController();
      // One that was broken off must have removed what it made before the next one looks for what is left over.
      const before = Promise.allSettled(working);
      const outcome = before.then(() =>
        work(AbortSignal.any([signal, ending.signal]), (progress) => {
          run.progress = progress;
        }),
      );
      const run: Run = { fingerprint, outcome, ending, progress: null, isOver: false };
      current.set(name, run);
      const over = outcome.then(
        () => (run.isOver = true),
        () => (run.isOver = true),
      );
      working.add(over);
      void over.then(() => working.delete(over));
    },

    breakOff(name) {
      current.get(name)?.ending.abort();
      current.delete(name);
    },

    async idle() {
      await Promise.allSettled(working);
    },
  };
  return runs;
}

function progressText(progress: ProbeProgress | null): string {
  if (progress === null) return 'the proof with packets begins';
  const { servers, runners } = progress;
  return runners[1] === 0
    ? `the proof with packets runs: ${servers[0]} of ${servers[1]} pods that answer are ready`
    : `the proof with packets runs: ${runners[0]} of ${runners[1]} pods that ask have reported`;
}
