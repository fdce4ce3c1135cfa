import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';
import { beforeShutdown, judgeDrained, stillAnswered } from './drained.ts';
import type { Before } from './drained.ts';
import type { HostFiles } from './files.ts';
import { parseGoroutines } from './goroutines.ts';
import type { HostView } from './host.ts';
import type { HostProcess } from './procfs.ts';
import { readSockets } from './sockets.ts';
import type { TcpSocket } from './sockets.ts';
import type { Terminate } from './terminate.ts';

/**
 * Ends an API server's old process once it has answered everything.
 *
 * When its manifest changes, the kubelet asks the old process to end. It stops listening at once and answers what it has accepted, but then waits for
 * the ends of open watches, which have none, until the kubelet kills it after 30 s. A second SIGTERM makes it exit at once (k8s.io/apiserver,
 * `SetupSignalContext`). It is sent when, and only when, the process itself has shown that every request is answered and only watches are left.
 *
 * A stopping server takes no new questions. So the questions are put before the edit, with a delay: Go's `/debug/pprof/goroutine?seconds=N` answers
 * after N seconds what has changed since, and the server does not count it among the requests that it waits for.
 */
export interface Shortener {
  /** Puts the questions. Never fails and takes seconds at most: where it cannot be done, the old process ends as it always did. */
  prepare(host: HostView): Promise<Prepared>;
  /** A sentence about the old process while it ends. */
  note(): string | null;
}

export interface Prepared {
  /** The manifest has been changed. */
  readonly start: () => void;
  /** It has not. */
  readonly cancel: () => void;
}

interface ShortenDeps {
  readonly files: HostFiles;
  readonly clock: Clock;
  readonly log: (message: string, detail?: Readonly<Record<string, unknown>>) => void;
  /** Reaches one API server by its own address (`https://host:port`), as the agent's own user. */
  readonly open: (server: string) => Instance;
  readonly terminate: Terminate;
}

/** One API server. Several questions may be under way at once. */
export interface Instance {
  /** The whole body of a good answer. Never rejects. */
  get(path: string, signal: AbortSignal): Promise<Result<Uint8Array, string>>;
  close(): Promise<void>;
}

/** For those who cannot ask an API server by its own address: the old process always ends by itself. */
export const noShortener: Shortener = {
  prepare: () => Promise.resolve({ start: () => undefined, cancel: () => undefined }),
  note: () => null,
};

const APISERVER = 'kube-apiserver';
const PROFILE = '/debug/pprof/goroutine';
/** Closely at first: most servers have answered everything within a second of the kubelet's signal. The kubelet's patience ends after 30 s. */
const DELAYS_SECONDS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 19, 24];
/** After this it is said what is waited for. */
const LONG_SECONDS = 3;
/** Enough for a server under heavy load; one that takes longer is not asked. */
const PREPARE_MS = 10_000;
/** Between the last answer and the signal: what the kernel still holds is on its way. */
const SETTLE_MS = { least: 250, most: 1_500, turn: 50 } as const;

interface Target {
  readonly process: HostProcess;
  readonly server: string;
  readonly port: number;
}

export function makeShortener(deps: ShortenDeps): Shortener {
  let note: string | null = null;
  let current: AbortController | null = null;

  const leave = (why: string): void => {
    note = `The old API server ends by itself, within its grace period of 30 s: ${why}.`;
    deps.log('the old API server is left to end by itself', { why });
  };

  const end = async (target: Target, questions: Questions, signal: AbortSignal): Promise<void> => {
    note = 'The old API server answers its last requests.';
    const drained = await whenDrained(deps, questions, signal);
    if (signal.aborted) return;
    if (!drained.ok) return leave(drained.error);
    await settle(deps, target, signal);
    if (signal.aborted) return;
    const loss = lossAt(deps.files, target);
    const sent = loss === null ? deps.terminate(target.process, APISERVER) : err(loss);
    if (!sent.ok) return leave(sent.error);
    note = 'The old API server had answered every request and was told to end.';
    deps.log('the old API server has answered every request and is told to end', { pid: target.process.pid });
  };

  return {
    note: () => note,
    async prepare(host) {
      current?.abort();
      const control = new AbortController();
      current = control;
      note = null;
      const target = targetOf(host);
      const asked = target.ok ? await ask(deps, target.value, control.signal) : target;
      return {
        cancel: () => control.abort(),
        start: () => {
          if (!target.ok || !asked.ok) {
            control.abort();
            leave(asked.ok ? 'it was not found' : asked.error);
            return;
          }
          const ending = end(target.value, asked.value, control.signal).catch((error: unknown) => leave(String(error)));
          void ending.finally(() => control.abort());
        },
      };
    },
  };
}

/** The one process that certainly is this host's API server, and where it alone can be asked. */
function targetOf(host: HostView): Result<Target, string> {
  const view = host.staticPods[APISERVER];
  const process = view?.proven.at(-1);
  if (view === undefined || process === undefined || process.key !== view.processes.at(-1)?.key) {
    return err('which process it is cannot be proven by its control group');
  }
  if (view.healthy !== true) return err('it does not answer');
  const { flags } = process;
  if (flags['profiling'] === 'false')
    return err('it runs with --profiling=false, so it cannot be asked whether it still answers requests');
  const address = flags['advertise-address'] ?? '';
  if (!host.addresses.some((own) => own.address === address)) {
    return err('its --advertise-address is not an address of this host');
  }
  const port = Number(flags['secure-port'] ?? 6443);
  return ok({ process, port, server: `https://${address.includes(':') ? `[${address}]` : address}:${port}` });
}

interface Questions {
  readonly before: readonly Before[];
  /** In the order of their delays. */
  readonly answers: readonly Promise<Result<Uint8Array, string>>[];
}

/** The delayed questions, between two pictures of the server as it is. */
async function ask(
  { open, clock }: ShortenDeps,
  target: Target,
  signal: AbortSignal,
): Promise<Result<Questions, string>> {
  const instance = open(target.server);
  signal.addEventListener('abort', () => void instance.close(), { once: true });
  const late = new AbortController();
  const timer = clock.setTimeout(() => late.abort(), PREPARE_MS);
  const picture = async (): Promise<Result<Before, string>> => {
    const answer = await instance.get(PROFILE, AbortSignal.any([signal, late.signal]));
    const parsed = answer.ok ? parseGoroutines(answer.value) : answer;
    return parsed.ok ? ok(beforeShutdown(parsed.value)) : parsed;
  };
  try {
    const first = await picture();
    if (!first.ok) return first;
    if (first.value.helpers === 0) return err('what it shows of itself is not understood');
    const answers = DELAYS_SECONDS.map((seconds) => instance.get(`${PROFILE}?seconds=${seconds}`, signal));
    const second = await picture();
    return second.ok ? ok({ before: [first.value, second.value], answers }) : second;
  } finally {
    timer.cancel();
  }
}

async function whenDrained(
  { log }: ShortenDeps,
  { before, answers }: Questions,
  signal: AbortSignal,
): Promise<Result<void, string>> {
  let why = 'the kubelet has not told it to end';
  for (const [at, pending] of answers.entries()) {
    const seconds = DELAYS_SECONDS[at] ?? 0;
    const answer = await pending;
    if (signal.aborted) return err('it is over');
    const parsed = answer.ok ? parseGoroutines(answer.value) : answer;
    if (!parsed.ok) return err(parsed.error);
    const drained = judgeDrained(before, parsed.value);
    if (drained.is === 'Drained') return ok(undefined);
    if (drained.is === 'Busy') why = drained.why;
    // Whoever keeps an API server from ending is worth knowing, and the server itself does not say it.
    if (seconds >= LONG_SECONDS) {
      log('the old API server has not ended yet', { seconds, why, requests: stillAnswered(before, parsed.value) });
    }
  }
  return err(why);
}

/**
 * Waits until each of its connections has been seen with nothing left to send, for a while at most: what a reader is slow to take the kernel goes on
 * sending after the process has ended.
 */
async function settle({ files, clock }: ShortenDeps, target: Target, signal: AbortSignal): Promise<void> {
  const began = clock.monotonic();
  const empty = new Set<string>();
  for (;;) {
    await clock.sleep(SETTLE_MS.turn, signal);
    const sockets = connections(files, target);
    for (const socket of sockets) if (socket.unsent === 0) empty.add(socket.key);
    const waited = clock.monotonic() - began;
    const isQuiet = waited >= SETTLE_MS.least && sockets.every((socket) => empty.has(socket.key));
    if (signal.aborted || isQuiet || waited >= SETTLE_MS.most) return;
  }
}

/**
 * What an end would cut off; null: nothing. What was written goes on being sent, but a socket that is closed with unread data in it is reset, and
 * what it had to send is thrown away.
 */
function lossAt(files: HostFiles, target: Target): string | null {
  if (readSockets(files, target.process.pid) === null) return 'its connections cannot be seen';
  return connections(files, target).some((socket) => socket.unsent > 0 && socket.unread > 0)
    ? 'a connection has data in both directions, which an end would cut off'
    : null;
}

const connections = (files: HostFiles, target: Target): readonly TcpSocket[] =>
  (readSockets(files, target.process.pid) ?? []).filter(
    (socket) => socket.localPort === target.port && !socket.listens,
  );
