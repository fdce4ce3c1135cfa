import { type Agent, request as requestPlain } from 'node:http';
import { request as requestOverTLS } from 'node:https';

/** A request as it goes out. */
export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The head of a response, whose body waits until it is read. */
export interface Response {
  readonly status: number;
  header(name: string): string | undefined;
  /**
   * Hands on the body's bytes as they come; call it once. They are the reader's only until `take` returns. Ends with the body, rejects when the
   * connection breaks, the exchange is aborted, or `take` throws.
   */
  read(take: (chunk: Uint8Array) => void): Promise<void>;
}

/** Hears of the time in which nothing has been sent yet. */
export interface Dialling {
  begun(): void;
  done(): void;
}

/** Sends a request. Rejects when no head of a response comes; the signal ends it at any time, also while the body is read. */
export function exchange(outgoing: Outgoing, agent: Agent, signal: AbortSignal, dialling: Dialling): Promise<Response> {
  return new Promise((begun, failed) => {
    const { method, url, headers, body } = outgoing;
    const send = url.protocol === 'http:' ? requestPlain : requestOverTLS;
    const request = send(url, { method, headers, agent, signal });
    // It also tells of what breaks later, of which the answer tells its reader.
    request.on('error', failed);
    request.once('socket', (socket) => {
      if (!socket.connecting) return;
      dialling.begun();
      socket.once(url.protocol === 'http:' ? 'connect' : 'secureConnect', () => dialling.done());
    });
    request.once('response', (answer) => {
      let broken: Error | null = null;
      answer.on('error', (error) => (broken = error));
      begun({
        status: answer.statusCode ?? 0,
        header: (name) => {
          const value = answer.headers[name];
          return Array.isArray(value) ? value[0] : value;
        },
        read: (take) =>
          new Promise((resolve, reject) => {
            if (broken !== null) return reject(broken);
            answer.on('error', reject);
            answer.once('end', resolve);
            // Where it has ended this comes too late to matter.
            answer.once('close', () => reject(cutOff()));
            answer.on('data', (chunk: Buffer) => {
              try {
                take(chunk);
              } catch (thrown) {
                reject(thrown);
                answer.destroy();
              }
            });
          }),
      });
    });
    request.end(body);
  });
}

export const cutOff = (): Error => new Error('the connection ended in the middle of an answer');

/** The whole body. */
export async function bodyOf(response: Response): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await response.read((chunk) => chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks);
}
