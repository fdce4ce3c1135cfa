import { createHash } from 'node:crypto';
import type { AgentOptions, Agent as HttpsAgent, RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent, type Dispatcher, ProxyAgent, Socks5ProxyAgent } from 'undici';
import type { Clock } from '../runtime/clock.ts';
import { err, ok, type Result, unreachable } from '../result.ts';
import {
  cancelledError,
  errorFromNetwork,
  errorFromResponse,
  errorFromStatus,
  type KubeError,
  type Subject,
  timeoutError,
} from './errors.ts';
import { bodyOf, exchange, type Response } from './exchange.ts';
import { isProtobuf, protobufStatus } from './protobuf/answers.ts';

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
  /** Hands on bytes as they come, until the server ends it; call it once. Rejects when the connection breaks, or what `take` throws. */
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

export interface ConnectionOptions {
  readonly config: KubeConfig;
  readonly server: string;
  /** For instance `dualstack-operator/1.0.0`. */
  readonly userAgent: string;
  readonly clock: Clock;
  /** For a whole answer, or for the beginning of a stream. Default 30 s. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
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
  const { userAgent } = options;
  const base = options.server.replace(/\/+$/, '');
  const pools = poolKeeper(options.config);
  const closed = new AbortController();

  const begin = async (
    req: HttpRequest,
    pool: 'requests' | 'streams',
    signal: AbortSignal,
  ): Promise<Result<Response, KubeError>> => {
    const { headers, requests, streams } = await pools.current();
    const { origin, pathname, search } = new URL(`${base}${req.path}`);
    const options = {
      origin,
      path: `${pathname}${search}`,
      method: req.method,
      headers: {
        ...headers,
        accept: req.accept ?? 'application/json',
        'user-agent': userAgent,
        ...(req.body === undefined ? {} : { 'content-type': req.contentType ?? 'application/json' }),
      },
      ...(req.body === undefined ? {} : { body: req.body }),
    };
    const response = await exchange(pool === 'requests' ? requests : streams, options, signal);
    return response.status < 400 ? ok(response) : err(await refusal(req, response));
  };

  /** Runs one exchange under the time-out, the caller's signal and `close()`, and says which of them ended it. */
  const guarded = async <T>(
    req: HttpRequest,
    run: (controller: AbortController) => Promise<Result<T, KubeError>>,
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
    try {
      return await run(controller);
    } catch (thrown) {
      if (late) return err(timeoutError(req.subject, timeoutMs));
      return err(controller.signal.aborted ? cancelledError(req.subject) : errorFromNetwork(req.subject, thrown));
    } finally {
      timer.cancel();
      for (const signal of signals) signal.removeEventListener('abort', stop);
    }
  };

  const receive = (req: HttpRequest): Promise<Result<Answer, KubeError>> =>
    guarded(req, async ({ signal }) => {
      const begun = await begin(req, 'requests', signal);
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
      guarded(req, async (controller) => {
        const begun = await begin(req, 'streams', controller.signal);
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
    close: async () => {
      closed.abort();
      await pools.close();
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

interface Pools {
  readonly requests: Dispatcher;
  readonly streams: Dispatcher;
}

interface PoolKeeper {
  /** The headers that prove who we are, and pools for the TLS material of this moment. */
  current(): Promise<Pools & { readonly headers: Readonly<Record<string, string>> }>;
  close(): Promise<void>;
}

/**
 * Asks the kubeconfig for its credentials before each request (tokens and certificates are rotated on disk, and plug-ins hand out
 * new ones), and makes new pools only when the TLS material has changed. What runs on the old pools ends there.
 */
function poolKeeper(config: KubeConfig): PoolKeeper {
  let fingerprint: string | undefined;
  let pools: Pools | undefined;
  return {
    async current() {
      const tls: RequestOptions = {};
      await config.applyToHTTPSOptions(tls);
      // client-node makes and keeps a Node agent on the way; only the material is of use here.
      delete (tls as { agent?: HttpsAgent }).agent;
      const now = fingerprintOf(tls);
      if (pools === undefined || now !== fingerprint) {
        const old = pools;
        pools = makePools(config, tls);
        fingerprint = now;
        if (old !== undefined) for (const pool of [old.requests, old.streams]) pool.close().catch(() => {});
      }
      return { ...pools, headers: headersOf(tls) };
    },
    async close() {
      if (pools !== undefined) await Promise.all([pools.requests.destroy(), pools.streams.destroy()]);
    },
  };
}

function headersOf(tls: RequestOptions): Record<string, string> {
  const basic =
    typeof tls.auth === 'string' ? { authorization: `Basic ${Buffer.from(tls.auth).toString('base64')}` } : {};
  const named = Object.entries(tls.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return { ...basic, ...(Object.fromEntries(named) as Record<string, string>) };
}

function fingerprintOf(tls: RequestOptions): string {
  const hash = createHash('sha256');
  for (const part of [tls.ca, tls.cert, tls.key, tls.pfx, tls.servername, tls.rejectUnauthorized])
    hash.update(JSON.stringify(part) ?? '').update('\0');
  return hash.digest('hex');
}

function makePools(config: KubeConfig, tls: RequestOptions): Pools {
  const how = config.createDispatcherOptions(config.getCurrentCluster(), tls as AgentOptions);
  const common = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    // One connection per watch makes a dead one visible and cheap to replace; HTTP/2 would tie all of them to one socket.
    allowH2: false,
    // Time-outs are kept in one place, `guarded`, where a test can move the clock.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const make = (connections: number | null): Dispatcher => {
    switch (how.type) {
      case 'none':
        return new Agent({ ...common, connections });
      case 'agent':
        return new Agent({ ...common, connections, connect: how.connect as object });
      case 'proxy':
        return new ProxyAgent({ ...common, connections, uri: how.uri, requestTls: how.requestTls as object });
      case 'socks':
        return new Socks5ProxyAgent(how.uri, { ...common, connections, requestTls: how.requestTls as object });
      default:
        return unreachable(how);
    }
  };
  return { requests: make(REQUEST_CONNECTIONS), streams: make(null) };
}
