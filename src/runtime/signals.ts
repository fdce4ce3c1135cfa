/** The part of `process` that is used. */
interface SignalSource {
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  off(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  exit(code: number): void;
}

interface Termination {
  /** Aborts at the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  /** Takes the listeners away again. */
  readonly dispose: () => void;
}

/** Exit codes as shells give them to processes that end by a signal: 128 + its number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Asks politely first: the first signal aborts, so that everything can end in order; a second one ends the process at once. */
export function onTermination(source: SignalSource): Termination {
  const controller = new AbortController();
  const handle = (name: keyof typeof EXIT_CODES) => (): void => {
    if (controller.signal.aborted) source.exit(EXIT_CODES[name]);
    else controller.abort(new Error(`received ${name}`));
  };
  const onInterrupt = handle('SIGINT');
  const onTerminate = handle('SIGTERM');
  source.on('SIGINT', onInterrupt);
  source.on('SIGTERM', onTerminate);
  return {
    signal: controller.signal,
    dispose: () => {
      source.off('SIGINT', onInterrupt);
      source.off('SIGTERM', onTerminate);
    },
  };
}
