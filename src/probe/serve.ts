import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { err, ok, type Result } from '../result.ts';

export interface Identity {
  readonly node: string;
  readonly pod: string;
}

/** What a probe server answers with. */
export interface Answer extends Identity {
  /** As the client sent it: tells that the answer is to this very request. */
  readonly nonce: string;
  /** Addresses as the server sees them, IPv4 in its own form. */
  readonly client: string;
  readonly local: string;
  /** Bytes of the request's body that arrived. */
  readonly received: number;
  /** As long as the request's body, so that large packets travel both ways. */
  readonly padding: string;
}

export interface ProbeServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A body that no probe needs: more is cut off with the connection. */
const LONGEST_BODY = 1 << 20;

/** Answers on both families at once, or on IPv4 alone where the kernel has no IPv6. Port 0 chooses one. */
export async function serveProbe(port: number, identity: Identity): Promise<Result<ProbeServer, string>> {
  for (const host of ['::', '0.0.0.0']) {
    const server = createServer((request, response) => void answer(request, response, identity));
    const failure = await listen(server, port, host);
    if (failure === null) {
      return ok({
        port: (server.address() as AddressInfo).port,
        close: () => closeServer(server),
      });
    }
    if (failure.code !== 'EAFNOSUPPORT' && failure.code !== 'EADDRNOTAVAIL')
      return err(`cannot listen on port ${port}: ${failure.message}`);
  }
  return err(`cannot listen on port ${port}: neither family is there`);
}

const listen = (server: Server, port: number, host: string): Promise<NodeJS.ErrnoException | null> =>
  new Promise((resolve) => {
    server.once('error', resolve);
    server.listen({ port, host, ipv6Only: false }, () => {
      server.off('error', resolve);
      resolve(null);
    });
  });

async function answer(request: IncomingMessage, response: ServerResponse, { node, pod }: Identity): Promise<void> {
  const received = await bodyLength(request);
  if (received === null) return;
  const url = new URL(request.url ?? '/', 'http://probe');
  const body: Answer = {
    node,
    pod,
    nonce: url.searchParams.get('nonce') ?? '',
    client: plain(request.socket.remoteAddress),
    local: plain(request.socket.localAddress),
    received,
    padding: 'x'.repeat(received),
  };
  response.setHeader('content-type', 'application/json');
  response.setHeader('connection', 'close');
  response.end(JSON.stringify(body));
}

/** Null: the client went away or sent too much; there is nobody to answer. */
async function bodyLength(request: IncomingMessage): Promise<number | null> {
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > LONGEST_BODY) {
        request.destroy();
        return null;
      }
    }
    return length;
  } catch {
    return null;
  }
}

/** A socket of both families shows IPv4 addresses as `::ffff:192.0.2.1`. */
const plain = (address: string | undefined): string => (address ?? '').replace(/^::ffff:(?=[\d.]+$)/u, '');

const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
