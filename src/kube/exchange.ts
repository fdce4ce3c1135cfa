import type { Dispatcher } from 'undici';

/** The head of a response, whose body waits until it is read. */
export interface Response {
  readonly status: number;
  header(name: string): string | undefined;
  /**
   * Hands on the body's bytes as they come; call it once. Ends with the body, rejects when the connection breaks, the exchange is aborted, or
   * `take` throws. Without a stream in between: for a list of thousands of objects that is a good part of the time.
   */
  read(take: (chunk: Uint8Array) => void): Promise<void>;
}

const nothing = (): void => {};

/** Sends a request. Rejects when no head of a response comes; the signal ends it at any time, also while the body is read. */
export function exchange(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal: AbortSignal,
): Promise<Response> {
  return new Promise((begun, failed) => {
    if (signal.aborted) return failed(aborted());
    let take: (chunk: Uint8Array) => void = nothing;
    const body = Promise.withResolvers<void>();
    // Who has not begun to read, or never will, is told nothing; without a listener this would end the process.
    body.promise.catch(nothing);
    let current: Dispatcher.DispatchController | null = null;
    // Before the request is on its way, as when the connection is not made yet, there is nothing to abort, and nobody to wait for either.
    const abort = (): void => (current === null ? failed(aborted()) : current.abort(aborted()));
    const end = (): void => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort, { once: true });

    dispatcher.dispatch(options, {
      onRequestStart(controller) {
        current = controller;
        if (signal.aborted) controller.abort(aborted());
      },
      onResponseStart(controller, status, headers) {
        controller.pause();
        begun({
          status,
          header: (name) => {
            const value = headers[name];
            return Array.isArray(value) ? value[0] : value;
          },
          read: (reader) => {
            take = reader;
            controller.resume();
            return body.promise;
          },
        });
      },
      onResponseData(controller, chunk) {
        try {
          take(chunk);
        } catch (thrown) {
          body.reject(thrown);
          controller.abort(new Error('its reader failed'));
        }
      },
      onResponseEnd() {
        end();
        body.resolve();
      },
      onResponseError(_, error) {
        end();
        failed(error);
        body.reject(error);
      },
    });
  });
}

const aborted = (): Error => new Error('the request was aborted');

/** The whole body. */
export async function bodyOf(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  await response.read((chunk) => chunks.push(chunk));
  return Buffer.concat(chunks);
}
