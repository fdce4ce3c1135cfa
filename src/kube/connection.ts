import { createHash } from 'node:crypto';
import { Agent, validateHeaderValue } from 'node:http';
import { Agent as TLSAgent } from 'node:https';
import type { Clock, Timer } from '../runtime/clock.ts';
import { err, ok, type Result } from '../result.ts';
import type { Credentials, Proof, TLSMaterial } from './credentials.ts';
import {
  cancelledError,
  errorFromNetwork,
  errorFromResponse,
  errorFromStatus,
  type KubeError,
  type Subject,
  timeoutError,
  unreachedError,
} from './errors.ts';
import { bodyOf, type Dialling, exchange, type Outgoing, type Response } from './exchange.ts';
import { isProtobuf, protobufStatus } from './protobuf/answers.ts';
import { openStream } from './stream.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute path on the server, query included. */
  readonly path: string;
  readonly subject: Subject;
  readonly body?: string;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

/** A whole answer as it came. */
export interface Answer {
  /** What its bytes are; empty where the server did not say. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** A response whose body comes in pieces for as long as the server likes. */
export interface ByteStream {
  readonly contentType: string;
  /**
   * Hands on bytes as they come, until the server ends it; call it once. They are the reader's only until `take` returns. Rejects when the connection
   * breaks, or what `take` throws.
   */
  read(take: (chunk: Uint8Array) => void): Promise<void>;
  /** Drops the connection; then `read` rejects, if it had not ended. */
  close(): void;
}

/** HTTP to one API server as one user. Every failure is a value, also answers of 400 and more. */
export interface Connection {
  readonly server: string;
  /** The whole body of a good answer. */
  send(request: HttpRequest): Promise<Result<string, KubeError>>;
  /** The same for an answer that need not be text. */
  receive(request: HttpRequest): Promise<Result<Answer, KubeError>>;
  /** As soon as a good answer has begun. Its body has no time-out here: who reads it watches it. */
  open(request: HttpRequest): Promise<Result<ByteStream, KubeError>>;
  /** Ends every request that is still running. The connection is of no use afterwards. */
  close(): Promise<void>;
}

interface ConnectionOptions {
  readonly credentials: Credentials;
  readonly server: string;
  /** For instance `dualstack-operator/1.0.0`. */
  readonly userAgent: string;
  readonly clock: Clock;
  /** For a whole answer, or for the beginning of a stream. Default 30 s. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** A server that is switched off says nothing. Whoever has not reached it may try the next one. */
const CONNECT_MS = 10_000;
/** Enough for any burst here, few enough not to be a burden on the server. Streams hold theirs and are not counted. */
const REQUEST_CONNECTIONS = 16;
/** Below the 90 s after which the API server itself drops idle connections, so that a request never meets one being dropped. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Connections that are kept and shared between requests. client-node would open a new TLS connection for each one as soon as a
 * CA or client certificate is set, so only its reading of kubeconfigs and credentials is used; the sockets are ours.
 */
export function openConnection(options: ConnectionOptions): Connection {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const { credentials, userAgent } = options;
  const base = options.server.replace(/\/+$/, '');
  const agents = agentKeeper(base.startsWith('http:'));
  const closed = new AbortController();

  const outgoing = (req: HttpRequest, { headers }: Proof): Outgoing => {
    const own = {
      ...headers,
      accept: req.accept ?? 'application/json',
      'user-agent': userAgent,
      ...(req.body === undefined
        ? {}
        : {
            'content-type': req.contentType ?? 'application/json',
            // Node.js leaves it out of a DELETE.
            'content-length': String(Buffer.byteLength(req.body)),
          }),
    };
    for (const [name, value] of Object.entries(own)) validateHeaderValue(name, value);
    return {
      method: req.method,
      url: new URL(`${base}${req.path}`),
      headers: own,
      ...(req.body === undefined ? {} : { body: req.body }),
    };
  };

  const begin = async (
    req: HttpRequest,
    send: (outgoing: Outgoing, proof: Proof) => Promise<Response>,
  ): Promise<Result<Response, KubeError>> => {
    const proof = await credentials.current();
    const response = await send(outgoing(req, proof), proof);
    return response.status < 400 ? ok(response) : err(await refusal(req, response));
  };

  /** Runs one exchange under the time-out, the caller's signal and `close()`, and says which of them ended it. */
  const guarded = async <T>(
    req: HttpRequest,
    run: (controller: AbortController, dialling: Dialling) => Promise<Result<T, KubeError>>,
  ): Promise<Result<T, KubeError>> => {
    const controller = new AbortController();
    const signals = [closed.signal, ...(req.signal === undefined ? [] : [req.signal])];
    const stop = (): void => controller.abort();
    if (signals.some((signal) => signal.aborted)) return err(cancelledError(req.subject));
    for (const signal of signals) signal.addEventListener('abort', stop, { once: true });
    let late = false;
    const timer = options.clock.setTimeout(() => {
      late = true;
      controller.abort();
    }, timeoutMs);
    let unreached: Timer | null = null;
    let isUnreached = false;
    const dialling: Dialling = {
      begun: () => {
        unreached = options.clock.setTimeout(() => {
          isUnreached = true;
          controller.abort();
        }, CONNECT_MS);
      },
      done: () => unreached?.cancel(),
    };
    try {
      return await run(controller, dialling);
    } catch (thrown) {
      if (isUnreached) return err(unreachedError(req.subject, CONNECT_MS));
      if (late) return err(timeoutError(req.subject, timeoutMs));
      return err(controller.signal.aborted ? cancelledError(req.subject) : errorFromNetwork(req.subject, thrown));
    } finally {
      timer.cancel();
      dialling.done();
      for (const signal of signals) signal.removeEventListener('abort', stop);
    }
  };

  const receive = (req: HttpRequest): Promise<Result<Answer, KubeError>> =>
    guarded(req, async ({ signal }, dialling) => {
      const begun = await begin(req, (one, proof) => exchange(one, agents.for(proof), signal, dialling));
      if (!begun.ok) return begun;
      return ok({ contentType: begun.value.header('content-type') ?? '', bytes: await bodyOf(begun.value) });
    });

  return {
    server: base,
    send: async (req) => {
      const answer = await receive(req);
      return answer.ok ? ok(Buffer.from(answer.value.bytes).toString()) : answer;
    },
    receive,
    open: (req) =>
      guarded(req, async (controller, dialling) => {
        const begun = await begin(req, (one, { tls, proxy }) =>
          proxy === null
            ? openStream(one, tls, controller.signal, dialling)
            : exchange(one, proxy, controller.signal, dialling),
        );
        if (!begun.ok) return begun;
        const close = (): void => controller.abort();
        // From here on the stream lives until its reader, its caller or `close()` ends it.
        const signals = [closed.signal, ...(req.signal === undefined ? [] : [req.signal])];
        for (const signal of signals) signal.addEventListener('abort', close, { once: true });
        const read: ByteStream['read'] = async (take) => {
          try {
            await begun.value.read(take);
          } finally {
            for (const signal of signals) signal.removeEventListener('abort', close);
          }
        };
        return ok({ contentType: begun.value.header('content-type') ?? '', read, close });
      }),
    close: () => {
      closed.abort();
      agents.close();
      return Promise.resolve();
    },
  };
}

/** A server that was asked for protobuf also refuses in it. */
async function refusal({ subject }: HttpRequest, response: Response): Promise<KubeError> {
  const body = await bodyOf(response);
  const retryAfter = response.header('retry-after');
  return isProtobuf(response.header('content-type') ?? '')
    ? errorFromStatus(subject, response.status, protobufStatus(body), retryAfter)
    : errorFromResponse(subject, response.status, body.toString(), retryAfter);
}

interface AgentKeeper {
  /** The agent for the TLS material of this moment. */
  for(proof: Proof): Agent;
  close(): void;
}

/**
 * Makes a new agent only when the TLS material has changed. What runs on the old one ends there; its idle connections end by themselves.
 */
function agentKeeper(isPlain: boolean): AgentKeeper {
  let fingerprint: string | undefined;
  let agent: Agent | undefined;
  return {
    for({ tls, proxy }) {
      if (proxy !== null) return proxy;
      const now = fingerprintOf(tls);
      if (agent === undefined || now !== fingerprint) {
        const how = { keepAlive: true, maxSockets: REQUEST_CONNECTIONS, timeout: KEEP_ALIVE_MS };
        agent = isPlain ? new Agent(how) : new TLSAgent({ ...how, ...tls });
        fingerprint = now;
      }
      return agent;
    },
    close: () => agent?.destroy(),
  };
}

function fingerprintOf(tls: TLSMaterial): string {
  const hash = createHash('sha256');
  for (const part of [tls.ca, tls.cert, tls.key, tls.pfx, tls.servername, tls.rejectUnauthorized])
    hash.update(JSON.stringify(part) ?? '').update('\0');
  return hash.digest('hex');
}
