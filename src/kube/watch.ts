import type { Clock } from '../runtime/clock.ts';
import { err, ok, type Result } from '../result.ts';
import { type KubeClient, queryText, type SelectQuery } from './client.ts';
import { cancelledError, errorFromNetwork, type KubeError, type Subject } from './errors.ts';
import { eventReader, type WatchEvent } from './event-stream.ts';
import { protobufFormat } from './protobuf/answers.ts';

export type { WatchEvent } from './event-stream.ts';

interface WatchOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly query: SelectQuery;
  /** Null: begin with all that is there, as `ADDED`, up to the bookmark with `endOfList`. */
  readonly resourceVersion: string | null;
  /** After this the server ends the watch by itself. */
  readonly timeoutSeconds: number;
  /** Silence for this long means that the connection is dead (no FIN ever came), not that nothing happens: bookmarks come each minute. */
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: WatchEvent) => void;
  /** Called when the server has begun to answer. */
  readonly onOpen?: () => void;
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
  options.onOpen?.();
  const stream = opened.value;

  let silent = false;
  let handling = false;
  /** Set when there is nothing more to read of it. */
  let end: Result<void, KubeError> | null = null;
  const dog = clockDog(clock, options.idleTimeoutMs, () => {
    silent = true;
    stream.close();
  });
  const take = (event: Result<WatchEvent, KubeError>): Result<void, KubeError> | null => {
    if (!event.ok) return event;
    handling = true;
    options.onEvent(event.value);
    handling = false;
    // An event handler may have asked to stop; the rest of a buffered chunk is then none of its business.
    return signal.aborted ? err(cancelledError(subject)) : null;
  };
  try {
    const eventsOf = eventReader(stream.contentType, protobufFormat(query), subject);
    await stream.read((chunk) => {
      dog.pat();
      if (end !== null) return;
      for (const event of eventsOf(chunk)) {
        end = take(event);
        if (end !== null) return stream.close();
      }
    });
    return end ?? ok(undefined);
  } catch (thrown) {
    // A bug of the handler must not pass for a bad connection.
    if (handling) throw thrown;
    if (end !== null) return end;
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
  let patted = clock.monotonic();
  // A timer for each pat would be thousands while a list comes in: it looks instead how long ago the last one was.
  const wake = (): void => {
    const left = patted + milliseconds - clock.monotonic();
    if (left <= 0) bark();
    else timer = clock.setTimeout(wake, left);
  };
  let timer = clock.setTimeout(wake, milliseconds);
  return {
    pat: () => {
      patted = clock.monotonic();
    },
    stop: () => timer.cancel(),
  };
}
