import type { KubeObject } from '../model/object.ts';
import { type BackoffOptions, backoffDelay } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { ok, type Result, unreachable } from '../result.ts';
import type { KubeClient, SelectQuery } from './client.ts';
import type { KubeError } from './errors.ts';
import { type WatchEvent, watchOnce } from './watch.ts';

/** What changed in the cache. A deleted and newly made object of the same name is told as `Deleted`, then `Added`. */
export type CacheChange<T> =
  | { readonly type: 'Added'; readonly key: string; readonly item: T }
  | { readonly type: 'Updated'; readonly key: string; readonly item: T; readonly before: T }
  | { readonly type: 'Deleted'; readonly key: string; readonly before: T };

interface ReflectorOptions<T> {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly query: SelectQuery;
  /** The part of an object that is kept. Called once per version, page by page, so that whole objects are never held together. */
  readonly trim: (object: KubeObject) => T;
  /** Called after the cache holds the change. What it throws goes to `onError` and changes nothing here. */
  readonly onChange?: (change: CacheChange<T>) => void;
  /** Told of every failed list or watch (and handler); the reflector goes on by itself. */
  readonly onError?: (error: KubeError | Error) => void;
  /** Told of every page of a list and every watch that the server has answered: it is there, also where nothing has changed. */
  readonly onReached?: () => void;
  /** How long a watch may be silent before it is taken for dead. Default 150 s: the server sends bookmarks each minute. */
  readonly idleTimeoutMs?: number;
  readonly backoff?: BackoffOptions;
}

/** A copy of all objects of one kind, trimmed, kept up to date by one watch. */
export interface Reflector<T> {
  /** By name, or `namespace/name`. */
  get(key: string): T | undefined;
  items(): readonly T[];
  keys(): readonly string[];
  readonly size: number;
  /** True once a whole list has been read; stays true. What is cached may be old while the server is away. */
  readonly hasSynced: boolean;
  /** The resourceVersion up to which the cache has followed; undefined: not all of a list has been read yet, or it must be read anew. */
  readonly position: string | undefined;
  /** When the server last said anything of these objects (monotonic milliseconds), if only that nothing has changed. Undefined: never. */
  readonly heardAt: number | undefined;
  /** When `hasSynced` becomes true; false when the signal aborted before. */
  whenSynced(signal: AbortSignal): Promise<boolean>;
  /** Lists and watches until the signal aborts; then nothing of it is left running. Call it once. */
  run(signal: AbortSignal): Promise<void>;
}

interface Entry<T> {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly item: T;
}

/** What one list or watch came to, and whether the cache is further than before. */
interface Turn {
  readonly result: Result<void, KubeError>;
  readonly progressed: boolean;
}

/** As client-go: from 0.8 s to 30 s. */
const BACKOFF: BackoffOptions = { baseMs: 800, maxMs: 30_000, jitter: 0.5 };
const IDLE_TIMEOUT_MS = 150_000;
/** Watches end after 5 to 10 minutes: the spread keeps many from coming back at once, the end moves them between API servers. */
const WATCH_SECONDS = { from: 300, to: 600 };
/** A watch that lasted this long was a good one, also when nothing happened in it. */
const PROVEN_AFTER_MS = 5_000;

/** So a server answers that has the list in a watch switched off, or never had it. */
const isRefusedAsUnknown = (result: Result<void, KubeError>): boolean => !result.ok && result.error.kind === 'Invalid';

const wholeOf = ({ apiVersion, kind, namespace, labelSelector, fieldSelector }: SelectQuery): SelectQuery => ({
  apiVersion,
  kind,
  ...(namespace === undefined ? {} : { namespace }),
  ...(labelSelector === undefined ? {} : { labelSelector }),
  ...(fieldSelector === undefined ? {} : { fieldSelector }),
});

/** `name`, or `namespace/name`. */
const cacheKey = ({ metadata: { name, namespace } }: KubeObject): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

export function reflector<T>(options: ReflectorOptions<T>): Reflector<T> {
  const { client, clock, random } = options;
  let { query } = options;
  const entries = new Map<string, Entry<T>>();
  const waiting = new Set<() => void>();
  let synced = false;
  /** Where a watch goes on; undefined: a new list is needed. */
  let position: string | undefined;
  let heardAt: number | undefined;

  const tell = (change: CacheChange<T>): void => {
    try {
      options.onChange?.(change);
    } catch (thrown) {
      options.onError?.(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  };

  const put = (object: KubeObject): string => {
    const key = cacheKey(object);
    const before = entries.get(key);
    const { uid = '', resourceVersion = '' } = object.metadata;
    if (before?.uid === uid && before.resourceVersion === resourceVersion) return key;
    const item = options.trim(object);
    if (before !== undefined && before.uid !== uid) drop(key);
    entries.set(key, { uid, resourceVersion, item });
    tell(before?.uid === uid ? { type: 'Updated', key, item, before: before.item } : { type: 'Added', key, item });
    return key;
  };

  const drop = (key: string): void => {
    const before = entries.get(key);
    if (before === undefined) return;
    entries.delete(key);
    tell({ type: 'Deleted', key, before: before.item });
  };

  /** What of the list that is being read was told so far; all else is gone when the list has ended. */
  const beginList = (): { readonly seen: Set<string>; readonly end: () => void } => {
    const seen = new Set<string>();
    return {
      seen,
      end: () => {
        for (const key of entries.keys()) if (!seen.has(key)) drop(key);
        seen.clear();
        synced = true;
        for (const wake of waiting) wake();
      },
    };
  };

  /** Brings the cache to the state of a whole list, read page by page; later watches go on from there. */
  const listPages = async (signal: AbortSignal): Promise<Turn> => {
    const list = beginList();
    let resourceVersion: string | undefined;
    for await (const page of client.pages(query, { signal })) {
      if (!page.ok) return { result: page, progressed: false };
      options.onReached?.();
      heardAt = clock.monotonic();
      for (const object of page.value.items) list.seen.add(put(object));
      resourceVersion = page.value.resourceVersion;
    }
    list.end();
    position = resourceVersion;
    return { result: ok(undefined), progressed: true };
  };

  const follow = (event: WatchEvent): string | undefined => {
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        put(event.object);
        return event.object.metadata.resourceVersion;
      case 'DELETED':
        drop(cacheKey(event.object));
        return event.object.metadata.resourceVersion;
      case 'BOOKMARK':
        return event.resourceVersion;
      default:
        return unreachable(event);
    }
  };

  /**
   * The events of a watch that begins with a list: nothing may be concluded from what is missing, and no later watch may go on from an event,
   * before the list has ended. Changes may come in between.
   */
  const followList = (): ((event: WatchEvent) => string | undefined) => {
    const list = beginList();
    let ended = false;
    return (event) => {
      const reached = follow(event);
      if (ended) return reached;
      if (event.type === 'DELETED') list.seen.delete(cacheKey(event.object));
      else if (event.type !== 'BOOKMARK') list.seen.add(cacheKey(event.object));
      else if (event.endOfList) {
        ended = true;
        list.end();
        return reached;
      }
      return undefined;
    };
  };

  /** One watch, from the position or, without one, with the list first. */
  const watch = async (signal: AbortSignal): Promise<Turn> => {
    const started = clock.monotonic();
    let progressed = false;
    const take = position === undefined ? followList() : follow;
    const spread = WATCH_SECONDS.to - WATCH_SECONDS.from;
    const result = await watchOnce({
      client,
      clock,
      query,
      resourceVersion: position ?? null,
      timeoutSeconds: Math.round(WATCH_SECONDS.from + spread * random()),
      idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
      signal,
      onOpen: () => options.onReached?.(),
      onEvent: (event) => {
        heardAt = clock.monotonic();
        position = take(event) ?? position;
        progressed ||= position !== undefined;
      },
    });
    return {
      result,
      progressed: progressed || (position !== undefined && clock.monotonic() - started >= PROVEN_AFTER_MS),
    };
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    let failures = 0;
    /** How the next list is read. A server may not know how to begin a watch with one, or know the words and not do it. */
    let lists: 'ByWatch' | 'InPagesOnce' | 'InPages' = 'ByWatch';
    while (!signal.aborted) {
      const wantsList = position === undefined;
      const turn: Turn = wantsList && lists !== 'ByWatch' ? await listPages(signal) : await watch(signal);
      const { result, progressed } = turn;
      if (wantsList && lists === 'ByWatch' && position === undefined) {
        lists = isRefusedAsUnknown(result) ? 'InPages' : 'InPagesOnce';
        // Nothing has gone wrong: the server is of a version that cannot do it.
        if (lists === 'InPages') continue;
      } else if (lists === 'InPagesOnce') lists = 'ByWatch';
      if (signal.aborted) return;
      failures = progressed ? 0 : failures + 1;
      if (!result.ok) {
        options.onError?.(result.error);
        if (result.error.kind === 'Gone') position = undefined;
        // What cannot be understood comes whole, as JSON, from now on.
        if (result.error.kind === 'Unknown') query = wholeOf(query);
      }
      const pause = pauseAfter(result, progressed, failures);
      if (pause > 0) await clock.sleep(pause, signal);
    }
  };

  /** Milliseconds until the next list or watch: none while things go well, more with each failure, never less than the server asks. */
  const pauseAfter = (result: Result<unknown, KubeError>, progressed: boolean, failures: number): number => {
    if (result.ok && progressed) return 0;
    const asked = result.ok ? 0 : (result.error.retryAfterSeconds ?? 0) * 1000;
    return Math.max(asked, backoffDelay(options.backoff ?? BACKOFF, Math.max(1, failures), random));
  };

  return {
    get: (key) => entries.get(key)?.item,
    items: () => [...entries.values()].map(({ item }) => item),
    keys: () => [...entries.keys()],
    get size() {
      return entries.size;
    },
    get hasSynced() {
      return synced;
    },
    get position() {
      return position;
    },
    get heardAt() {
      return heardAt;
    },
    whenSynced: (signal) => {
      if (synced) return Promise.resolve(true);
      if (signal.aborted) return Promise.resolve(false);
      return new Promise((resolve) => {
        const finish = (): void => {
          waiting.delete(finish);
          signal.removeEventListener('abort', finish);
          resolve(synced);
        };
        waiting.add(finish);
        signal.addEventListener('abort', finish, { once: true });
      });
    },
    run,
  };
}
