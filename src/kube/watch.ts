import { asNumber, asString, at, type KubeObject } from '../model/object.ts';
import type { Clock } from '../runtime/clock.ts';
import { err, ok, type Result } from '../result.ts';
import { type KubeClient, queryText, type SelectQuery } from './client.ts';
import { cancelledError, errorFromNetwork, errorFromStatus, type KubeError, type Subject } from './errors.ts';

/** What a watch tells. A bookmark carries no object: it only says how far the watch has come. */
export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string | undefined };

export interface WatchOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly query: SelectQuery;
  readonly resourceVersion: string;
  /** After this the server ends the watch by itself. */
  readonly timeoutSeconds: number;
  /** Silence for this long means that the connection is dead (no FIN ever came), not that nothing happens: bookmarks come each minute. */
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: WatchEvent) => void;
}

/**
 * One watch from its beginning to its end. Good when the server ended it between two events, also by cutting one in half: every
 * whole event before was delivered, so the watch may go on from the last resourceVersion. Also that is so after an error, but for `Gone`.
 */
export async function watchOnce(options: WatchOptions): Promise<Result<void, KubeError>> {
  const { client, clock, query, signal } = options;
  const subject: Subject = { verb: 'watch', object: queryText(query) };
  const opened = await client.openWatch(query, options.resourceVersion, options.timeoutSeconds, { signal });
  if (!opened.ok) return opened;
  const stream = opened.value;

  let silent = false;
  let handling = false;
  const dog = clockDog(clock, options.idleTimeoutMs, () => {
    silent = true;
    stream.close();
  });
  try {
    for await (const line of linesOf(stream.chunks, dog.pat)) {
      const event = parseEvent(line, subject);
      if (!event.ok) return event;
      handling = true;
      options.onEvent(event.value);
      handling = false;
      // An event handler may have asked to stop; the rest of a buffered chunk is then none of its business.
      if (signal.aborted) return err(cancelledError(subject));
    }
    return ok(undefined);
  } catch (thrown) {
    // A bug of the handler must not pass for a bad connection.
    if (handling) throw thrown;
    if (silent)
      return err({
        ...subject,
        kind: 'Network',
        message: `nothing came for ${options.idleTimeoutMs / 1000} s: the connection is dead`,
      });
    return err(signal.aborted ? cancelledError(subject) : errorFromNetwork(subject, thrown));
  } finally {
    dog.stop();
    stream.close();
  }
}

/** Calls `bark` when it has not been patted for the given time. */
function clockDog(
  clock: Clock,
  milliseconds: number,
  bark: () => void,
): { readonly pat: () => void; readonly stop: () => void } {
  let timer = clock.setTimeout(bark, milliseconds);
  return {
    pat: () => {
      timer.cancel();
      timer = clock.setTimeout(bark, milliseconds);
    },
    stop: () => timer.cancel(),
  };
}

/** Whole lines only: what comes after the last line break has been cut off by the end of the stream. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>, onBytes: () => void): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  // Pieces of one long line are joined once, at its end: joining at each chunk would copy the beginning again and again.
  let pieces: string[] = [];
  for await (const chunk of chunks) {
    onBytes();
    const parts = decoder.decode(chunk, { stream: true }).split('\n');
    const last = parts.pop() ?? '';
    for (const part of parts) {
      const line = pieces.length === 0 ? part : [...pieces, part].join('');
      pieces = [];
      if (line.trim() !== '') yield line;
    }
    if (last !== '') pieces.push(last);
  }
}

function parseEvent(line: string, subject: Subject): Result<WatchEvent, KubeError> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return err({ ...subject, kind: 'Network', message: 'a line of the watch is no JSON' });
  }
  const type = at(event, 'type');
  const object = at(event, 'object');
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return ok({ type, object: object as KubeObject });
    case 'BOOKMARK':
      return ok({ type, resourceVersion: asString(at(object, 'metadata', 'resourceVersion')) });
    case 'ERROR':
      return err(errorFromStatus(subject, asNumber(at(object, 'code')) ?? 500, object));
    default:
      return err({ ...subject, kind: 'Unknown', message: `the server sent a watch event of type ${String(type)}` });
  }
}
