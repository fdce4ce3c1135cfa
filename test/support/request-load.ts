import { type ClientHttp2Session, connect as connectHttp2, type ClientHttp2Stream } from 'node:http2';
import { Agent, type RequestOptions, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOLD_LABEL } from './slow-webhook.ts';
import { urlHost } from './url-host.ts';

/** Where an API server is, and who asks. */
export interface ServerAccess {
  readonly host: string;
  readonly port: number;
  readonly tls: {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly servername?: string;
  };
}

export interface Ask {
  readonly what: string;
  readonly path: string;
  readonly body?: object;
  /** Bytes a second that are read of the answer; undefined: as fast as it comes. */
  readonly bytesPerSecond?: number;
}

export interface Outcome {
  readonly what: string;
  /** `performance.now()` of its beginning and end. */
  readonly beganAt: number;
  readonly endedAt: number;
  /** When it was handed to a connection that the server had answered on; null: there was none. */
  readonly sentAt: number | null;
  /** Null: no head of an answer came. */
  readonly status: number | null;
  /** The whole body came. */
  readonly whole: boolean;
  readonly bytes: number;
  readonly error: string;
}

/** An HTTP/1.1 request on a connection of its own. Never rejects. */
export function ask(access: ServerAccess, one: Ask): Promise<Outcome> {
  return run(one, (how) => {
    const { host, port, tls } = access;
    const text = one.body === undefined ? undefined : JSON.stringify(one.body);
    const options: RequestOptions = {
      host,
      port,
      ...tls,
      agent: new Agent({ keepAlive: false, maxCachedSessions: 0 }),
      path: one.path,
      method: text === undefined ? 'GET' : 'POST',
      headers: { accept: 'application/json', ...(text === undefined ? {} : { 'content-type': 'application/json' }) },
    };
    const sent = request(options, (answer) => {
      how.head(answer.statusCode ?? 0);
      void readAll(answer, one, how).then(
        () => how.end(answer.complete, ''),
        (error: unknown) => how.end(false, String(error)),
      );
    });
    sent.once('socket', (socket) => socket.once('secureConnect', () => how.sent()));
    sent.on('error', (error) => how.end(false, error.message));
    sent.end(text);
  });
}

/** The same as one of many streams on a shared HTTP/2 connection, as Kubernetes' own clients do. */
export function askOn(session: ClientHttp2Session, one: Ask): Promise<Outcome> {
  return run(one, (how) => {
    let stream: ClientHttp2Stream;
    try {
      const text = one.body === undefined ? undefined : JSON.stringify(one.body);
      const headers = { ':path': one.path, ':method': text === undefined ? 'GET' : 'POST', accept: 'application/json' };
      stream = session.request(text === undefined ? headers : { ...headers, 'content-type': 'application/json' });
      stream.end(text);
    } catch (error) {
      return how.end(false, String(error));
    }
    stream.once('ready', () => how.sent());
    let whole = false;
    stream.once('response', (head) => how.head(Number(head[':status'])));
    stream.once('end', () => (whole = stream.rstCode === 0));
    stream.once('error', (error) => how.end(false, error.message));
    stream.once('close', () => how.end(whole && stream.rstCode === 0, `stream closed with code ${stream.rstCode}`));
    void readAll(stream, one, how).catch((error: unknown) => how.end(false, String(error)));
  });
}

export function openSession({ host, port, tls }: ServerAccess): ClientHttp2Session {
  const session = connectHttp2(`https://${urlHost(host)}:${port}`, { ...tls, ALPNProtocols: ['h2'] });
  session.on('error', () => undefined);
  return session;
}

interface How {
  sent(): void;
  head(status: number): void;
  read(bytes: number): void;
  end(whole: boolean, error: string): void;
}

function run(one: Ask, begin: (how: How) => void): Promise<Outcome> {
  const beganAt = performance.now();
  let sentAt: number | null = null;
  let status: number | null = null;
  let bytes = 0;
  return new Promise((resolve) =>
    begin({
      sent: () => (sentAt = performance.now()),
      head: (code) => (status = code),
      read: (more) => (bytes += more),
      end: (whole, error) =>
        resolve({
          what: one.what,
          beganAt,
          sentAt,
          endedAt: performance.now(),
          status,
          whole,
          bytes,
          error: whole ? '' : error,
        }),
    }),
  );
}

const SLICE_MS = 50;

async function readAll(body: AsyncIterable<Uint8Array>, one: Ask, how: How): Promise<void> {
  let owed = 0;
  for await (const chunk of body) {
    how.read(chunk.length);
    if (one.bytesPerSecond === undefined) continue;
    owed += (chunk.length / one.bytesPerSecond) * 1000;
    if (owed < SLICE_MS) continue;
    await sleep(owed);
    owed = 0;
  }
}

/** When a server was away, in the time of `performance.now()`: from the first refusal to the first good answer after it. */
export interface Absence {
  /** When the last question was begun that was answered before: until then at least it accepted what came. */
  readonly acceptedUntilMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface AbsenceWatch {
  readonly absences: readonly Absence[];
  readonly isAway: boolean;
  stop(): Promise<void>;
}

const PROBE_MS = 25;

/** Asks for `/readyz` again and again: every time that the server listened no more, until it was ready again. */
export function watchAbsences(access: ServerAccess): AbsenceWatch {
  const absences: Absence[] = [];
  const stopping = new AbortController();
  let fromMs: number | null = null;
  let acceptedUntilMs = 0;
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      const outcome = await ask(access, { what: 'probe', path: '/readyz' });
      if (outcome.status === null) fromMs ??= outcome.endedAt;
      else if (outcome.status === 200 && fromMs !== null) {
        absences.push({ acceptedUntilMs, fromMs, toMs: outcome.endedAt });
        fromMs = null;
      }
      if (outcome.status === 200) acceptedUntilMs = outcome.beganAt;
      await sleep(PROBE_MS);
    }
  })();
  return {
    absences,
    get isAway() {
      return fromMs !== null;
    },
    stop: async () => {
      stopping.abort();
      await loop;
    },
  };
}

export interface LoadResult {
  readonly outcomes: readonly Outcome[];
  readonly watches: readonly Outcome[];
  readonly away: Absence;
}

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
const TEXT = 'x'.repeat(8_000);
const TURN_MS = 200;
const SLOW_READER = 5_000_000;
/** A client that is slower than the server must not pile up what neither can do before the kubelet's patience ends. */
const MOST_IN_FLIGHT = 40;

const configMap = (name: string, data: object, labels: object): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data,
});

/** So many ConfigMaps of 8 kB that a list of them takes its time. */
export async function fillWithConfigMaps(access: ServerAccess, count: number): Promise<void> {
  const session = openSession(access);
  for (let from = 0; from < count; from += 50) {
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        askOn(session, { what: 'fill', path: CONFIGMAPS, body: configMap(`big-${from + i}`, { text: TEXT }, {}) }),
      ),
    );
    const refused = made.find(({ status }) => status !== 201);
    if (refused !== undefined) throw new Error(`a ConfigMap could not be made: ${JSON.stringify(refused)}`);
  }
  session.close();
}

/**
 * Requests of every kind, begun all the time until the server is seen away: lists of all ConfigMaps, read fast and slowly, and creations that an
 * admission webhook holds up for `holdMs`; on connections of their own and as streams of one. Until all have ended and the server is back.
 */
export async function loadThroughRestart(
  access: ServerAccess,
  holdMs: readonly number[],
  begun: () => void = () => undefined,
): Promise<LoadResult> {
  const probes = watchAbsences(access);
  const session = openSession(access);
  const alone = (one: Ask): Promise<Outcome> => ask(access, one);
  const shared = (one: Ask): Promise<Outcome> => askOn(session, one);
  const watches = [
    shared({ what: 'watch', path: `${CONFIGMAPS}?watch=true&timeoutSeconds=600` }),
    alone({ what: 'watch', path: '/api/v1/nodes?watch=true&timeoutSeconds=600' }),
  ];
  const all: Promise<Outcome>[] = [];
  const heldUp = (ms: number): Ask => ({
    what: `POST held up ${ms} ms`,
    path: CONFIGMAPS,
    body: configMap(`held-${Date.now()}-${all.length}`, {}, { [HOLD_LABEL]: String(ms) }),
  });
  const list: Ask = { what: 'list', path: CONFIGMAPS };
  begun();
  let inFlight = 0;
  const add = (outcome: Promise<Outcome>): void => {
    inFlight += 1;
    all.push(outcome.finally(() => (inFlight -= 1)));
  };
  while (!probes.isAway && probes.absences.length === 0) {
    if (inFlight < MOST_IN_FLIGHT) {
      for (const ms of holdMs) for (const how of [alone, shared]) add(how(heldUp(ms)));
      add(alone(list));
      add(shared(list));
      add(alone({ ...list, what: 'slowly read list', bytesPerSecond: SLOW_READER }));
    }
    await sleep(TURN_MS);
  }
  const outcomes = await Promise.all(all);
  const ended = await Promise.all(watches);
  while (probes.absences.length === 0) await sleep(PROBE_MS);
  await probes.stop();
  session.destroy();
  const [away] = probes.absences;
  if (away === undefined) throw new Error('the server was not away');
  return { outcomes, watches: ended, away };
}

/**
 * Accepted by the old server, and not answered to the end: part of an answer came, or none although the server accepted others later. Who gets no
 * answer at all at the very end has come to a closed door, as at any restart. HTTP/2 says so: a refused stream was not looked at.
 */
export const lostOf = ({ outcomes, away }: LoadResult): readonly Outcome[] =>
  outcomes.filter(
    (one) =>
      !one.whole &&
      !one.error.includes('REFUSED') &&
      (one.status !== null || (one.sentAt !== null && one.sentAt < away.acceptedUntilMs)),
  );

export const awayMs = ({ away }: LoadResult): number => away.toMs - away.fromMs;

export function loadText(result: LoadResult): string {
  const { outcomes, away } = result;
  const late = outcomes.filter((one) => one.whole && one.endedAt > away.fromMs).length;
  const refused = outcomes.filter((one) => one.status === null).length;
  return (
    `away for ${(awayMs(result) / 1000).toFixed(1)} s; ${outcomes.length} requests, of which ${late} were answered after the server had stopped ` +
    `listening, ${refused} refused at the door, ${lostOf(result).length} lost`
  );
}
