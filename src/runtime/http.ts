import { createServer, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { err, ok, type Result } from '../result.ts';

/** Undefined when all is well, else what is wrong. */
export type HealthCheck = () => string | undefined;

export interface StatusServerOptions {
  /** `0.0.0.0:8080`, `[::]:8080`, `:8080` (all addresses of both families), `127.0.0.1:0` (any free port). */
  readonly listen: string;
  readonly registry: Registry;
  /** Failing: the process should be restarted. */
  readonly live: Readonly<Record<string, HealthCheck>>;
  /** Failing: the process is not (or no longer) able to do its work. */
  readonly ready: Readonly<Record<string, HealthCheck>>;
}

export interface StatusServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves `/metrics`, `/healthz` and `/readyz`. The error says which address could not be taken, and why. */
export async function startStatusServer(options: StatusServerOptions): Promise<Result<StatusServer, string>> {
  const where = parseListenAddress(options.listen);
  if (where === undefined)
    return err(`cannot listen on ${options.listen}: give host:port, for instance 0.0.0.0:8080 or [::]:8080`);
  const server = createServer((request, response) => {
    answer(options, request.url ?? '/', response).catch((thrown: unknown) => reply(response, 500, String(thrown)));
  });
  // A probe never takes long; a client that keeps a request open holds nothing up.
  server.requestTimeout = 10_000;
  const failure = await new Promise<Error | undefined>((resolve) => {
    server.once('error', resolve);
    server.listen(where, () => resolve(undefined));
  });
  if (failure !== undefined) return err(`cannot listen on ${options.listen}: ${failure.message}`);
  const address = server.address();
  return ok({
    port: typeof address === 'object' && address !== null ? address.port : where.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

/** Undefined when it is no address to listen on. Without a host: every address of both families. */
export function parseListenAddress(text: string): { readonly host?: string; readonly port: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  const host = bracketed ?? plain ?? '';
  return host === '' ? { port } : { host, port };
}

async function answer(
  { registry, live, ready }: StatusServerOptions,
  url: string,
  response: ServerResponse,
): Promise<void> {
  const path = url.split('?')[0] ?? '/';
  switch (path) {
    case '/metrics':
      response.setHeader('content-type', registry.contentType);
      return reply(response, 200, await registry.metrics());
    case '/healthz':
      return report(response, live);
    case '/readyz':
      return report(response, ready);
    default:
      return reply(response, 404, 'there are /metrics, /healthz and /readyz');
  }
}

/** One line per check, as the API server's own probes print them. */
function report(response: ServerResponse, checks: Readonly<Record<string, HealthCheck>>): void {
  const results = Object.entries(checks).map(([name, check]) => ({ name, wrong: outcomeOf(check) }));
  const lines = results.map(({ name, wrong }) =>
    wrong === undefined ? `[+]${name} ok` : `[-]${name} failed: ${wrong}`,
  );
  const healthy = results.every(({ wrong }) => wrong === undefined);
  reply(response, healthy ? 200 : 500, [...lines, healthy ? 'ok' : 'check failed'].join('\n'));
}

function outcomeOf(check: HealthCheck): string | undefined {
  try {
    return check();
  } catch (thrown) {
    return String(thrown);
  }
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(text.endsWith('\n') ? text : `${text}\n`);
}
