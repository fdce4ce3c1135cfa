import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { type Cluster, clusterOf } from '../../src/kube/connect.ts';
import type { Clock } from '../../src/runtime/clock.ts';

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** True when it has answered (or hung up). */
export type Route = (request: FakeRequest, response: ServerResponse) => boolean;

/** An HTTP server that behaves as badly as a test wants. Routes added later come first. */
export interface FakeApi {
  readonly url: string;
  readonly requests: FakeRequest[];
  /** Connections ever made. */
  readonly connections: number;
  route(route: Route): void;
  /** A client of it; closed with the server. */
  cluster(clock: Clock): Cluster;
  /** Cuts every connection, as a dying server does. */
  cut(): void;
  close(): Promise<void>;
}

export async function fakeApi(): Promise<FakeApi> {
  const routes: Route[] = [discoveryRoute];
  const requests: FakeRequest[] = [];
  const clusters: Cluster[] = [];
  let connections = 0;
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('error', () => {});
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://fake');
      const request: FakeRequest = {
        method: incoming.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
      };
      requests.push(request);
      if (!routes.some((route) => route(request, response)))
        reply(response, 404, status(404, 'NotFound', `nothing at ${request.path}`));
    });
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    requests,
    get connections() {
      return connections;
    },
    route: (route) => routes.unshift(route),
    cluster: (clock) => {
      const made = clusterAt(url, clock);
      clusters.push(made);
      return made;
    },
    cut: () => server.closeAllConnections(),
    close: async () => {
      await Promise.all(clusters.map((cluster) => cluster.close()));
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** A client of whatever listens at the address, or does not. */
export const clusterAt = (server: string, clock: Clock): Cluster =>
  clusterOf(
    {
      server,
      context: 'main',
      namespace: 'home',
      credentials: {
        current: () => Promise.resolve({ tls: {}, headers: { authorization: 'Bearer very-secret' }, proxy: null }),
      },
    },
    { version: '1.2.3', clock, random: () => 0.5 },
  );

export const kubeconfigText = (server: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'main',
    clusters: [{ name: 'fake', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'someone', user: { token: 'very-secret' } }],
    contexts: [
      { name: 'main', context: { cluster: 'fake', user: 'someone', namespace: 'home' } },
      { name: 'lost', context: { cluster: 'nowhere', user: 'someone' } },
    ],
  });

export function reply(
  response: ServerResponse,
  code: number,
  body: unknown,
  headers: Record<string, string> = {},
): true {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
  return true;
}

export const status = (code: number, reason: string, message: string, details?: object): object => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message,
  details,
});

/** A port of this machine where nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const resources = (...kinds: readonly (readonly [string, string, boolean])[]): object => ({
  kind: 'APIResourceList',
  resources: kinds.flatMap(([kind, name, namespaced]) => [
    { kind, name, namespaced },
    { kind, name: `${name}/status`, namespaced },
  ]),
});

const discoveryRoute: Route = ({ path, method }, response) => {
  if (method !== 'GET') return false;
  switch (path) {
    case '/api/v1':
      return reply(response, 200, resources(['ConfigMap', 'configmaps', true], ['Node', 'nodes', false]));
    case '/apis/apps/v1':
      return reply(response, 200, resources(['DaemonSet', 'daemonsets', true]));
    default:
      return false;
  }
};

/** A server that takes every connection and says nothing on it, as one whose TLS never begins. */
export async function silentServer(): Promise<{ readonly url: string; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
