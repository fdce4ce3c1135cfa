import { type ClientHttp2Session, connect as connectHttp2, type ClientHttp2Stream } from 'node:http2';
import { Agent, type RequestOptions, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

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
    let whole = false;
    stream.once('response', (head) => how.head(Number(head[':status'])));
    stream.once('end', () => (whole = stream.rstCode === 0));
    stream.once('error', (error) => how.end(false, error.message));
    stream.once('close', () => how.end(whole && stream.rstCode === 0, `stream closed with code ${stream.rstCode}`));
    void readAll(stream, one, how).catch((error: unknown) => how.end(false, String(error)));
  });
}

export function openSession({ host, port, tls }: ServerAccess): ClientHttp2Session {
  const session = connectHttp2(`https://${host}:${port}`, { ...tls, ALPNProtocols: ['h2'] });
  session.on('error', () => undefined);
  return session;
}

interface How {
  head(status: number): void;
  read(bytes: number): void;
  end(whole: boolean, error: string): void;
}

function run(one: Ask, begin: (how: How) => void): Promise<Outcome> {
  const beganAt = performance.now();
  let status: number | null = null;
  let bytes = 0;
  return new Promise((resolve) =>
    begin({
      head: (code) => (status = code),
      read: (more) => (bytes += more),
      end: (whole, error) =>
        resolve({
          what: one.what,
          beganAt,
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

export interface Absence {
  /** `performance.now()` of the first refusal, and of the first good answer after it. */
  readonly fromMs: number;
  readonly toMs: number;
}

const PROBE_MS = 25;

/** Asks for `/readyz` again and again: every time that the server listened no more, until it was ready again. */
export function watchAbsences(access: ServerAccess): { readonly absences: readonly Absence[]; stop(): Promise<void> } {
  const absences: Absence[] = [];
  const stopping = new AbortController();
  const loop = (async () => {
    let fromMs: number | null = null;
    while (!stopping.signal.aborted) {
      const outcome = await ask(access, { what: 'probe', path: '/readyz' });
      if (outcome.status === null) fromMs ??= outcome.endedAt;
      else if (outcome.status === 200 && fromMs !== null) {
        absences.push({ fromMs, toMs: outcome.endedAt });
        fromMs = null;
      }
      await sleep(PROBE_MS);
    }
  })();
  return {
    absences,
    stop: async () => {
      stopping.abort();
      await loop;
    },
  };
}
