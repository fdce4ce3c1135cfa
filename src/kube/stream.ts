import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectOverTLS } from 'node:tls';
import type { TLSMaterial } from './credentials.ts';
import { cutOff, type Dialling, type Outgoing, type Response } from './exchange.ts';
import { responseReader } from './http-response.ts';

/** A TLS record has 16 KB at most; what a host without TLS sends may come in larger pieces. */
const BUFFER = 64 * 1024;
const KEEP_ALIVE_MS = 30_000;

/**
 * A GET on a connection of its own, whose answer is read out of one buffer that is used again and again. `exchange` does the same with less code of our
 * own; this is for what sends megabytes. Rejects when no head of a response comes; the signal ends it at any time, also while the body is read.
 */
export function openStream(
  outgoing: Outgoing,
  tls: TLSMaterial,
  signal: AbortSignal,
  dialling: Dialling,
): Promise<Response> {
  return new Promise((begun, failed) => {
    if (signal.aborted) return failed(aborted());
    const body = Promise.withResolvers<void>();
    // Who has not begun to read, or never will, is told nothing; without a listener this would end the process.
    body.promise.catch(() => {});
    let take: ((chunk: Uint8Array) => void) | null = null;
    /** What came with the head, and waits for its reader. */
    let rest: Buffer = Buffer.alloc(0);

    const reader = responseReader({
      head: (status, headers) => begun({ status, header: (name) => headers.get(name), read }),
      data: (bytes) => take?.(bytes),
      end: () => {
        body.resolve();
        socket.destroy();
      },
    });
    const fail = (error: Error): void => {
      failed(error);
      body.reject(error);
      socket.destroy();
    };
    const feed = (piece: Buffer): number => {
      try {
        return reader.take(piece);
      } catch (thrown) {
        fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
        return piece.length;
      }
    };
    /** The head is told, and its body has no reader yet. */
    const isWaiting = (): boolean => take === null && reader.hasHead();
    /** False stops the reading. */
    const onPiece = (length: number, buffer: Uint8Array): boolean => {
      if (socket.destroyed) return false;
      const piece = Buffer.from(buffer.buffer, buffer.byteOffset, length);
      // More may come although reading was stopped: what TLS had decrypted by then.
      const taken = isWaiting() ? 0 : feed(piece);
      if (taken < length) rest = Buffer.concat([rest, piece.subarray(taken)]);
      return !isWaiting();
    };
    let hasClosed = false;
    const onClose = (): void => {
      hasClosed = true;
      if (!isWaiting() && !reader.close()) fail(cutOff());
    };
    const read: Response['read'] = (wanted) => {
      take = wanted;
      while (rest.length > 0) rest = rest.subarray(feed(rest));
      if (hasClosed) onClose();
      else socket.resume();
      return body.promise;
    };

    const onread = { buffer: Buffer.allocUnsafeSlow(BUFFER), callback: onPiece };
    const socket = dial(outgoing.url, tls, onread, () => {
      dialling.done();
      socket.write(requestText(outgoing));
    });
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
    const abort = (): void => fail(aborted());
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', fail);
    socket.once('end', onClose);
    socket.once('close', () => {
      signal.removeEventListener('abort', abort);
      onClose();
    });
    dialling.begun();
  });
}

const aborted = (): Error => new Error('the request was aborted');

function dial(url: URL, tls: TLSMaterial, onread: OnReadOpts, ready: () => void): Socket {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (url.protocol === 'http:') return connectPlain({ host, port: Number(url.port || 80), onread }, ready);
  const name = isIP(host) === 0 ? { servername: host } : {};
  const how = { host, port: Number(url.port || 443), ALPNProtocols: ['http/1.1'], ...name, ...tls, onread };
  // By then the server has been found to be the right one, and may learn who we are.
  return connectOverTLS(how, ready);
}

function requestText({ method, url, headers }: Outgoing): string {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`, 'connection: close'];
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `${[...lines, ...fields].join('\r\n')}\r\n\r\n`;
}
