import type { ServerResponse } from 'node:http';
import { type FakeApi, reply, status } from './fake-api.ts';

export interface StoredObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly data: { readonly value: string };
}

/** What may go wrong with the next list page or watch; used up in their order. */
export type Fault =
  | {
      readonly on: 'list' | 'watch';
      readonly do: 'Status';
      readonly code: number;
      readonly reason: string;
      readonly retryAfter?: string;
    }
  | { readonly on: 'list' | 'watch'; readonly do: 'HangUp' }
  | { readonly on: 'watch'; readonly do: 'ErrorEvent'; readonly code: number }
  /** Sends half of the next event and then ends, or goes silent. */
  | { readonly on: 'watch'; readonly do: 'HalfLine'; readonly afterwards: 'End' | 'Silence' }
  | { readonly on: 'watch'; readonly do: 'Garbage' }
  | { readonly on: 'watch'; readonly do: 'EndAtOnce' }
  | { readonly on: 'watch'; readonly do: 'Silence' }
  /** Of a watch that begins with the list: so many objects of it, then the end, or a status in the stream. */
  | { readonly on: 'stream'; readonly do: 'Cut'; readonly after: number; readonly code?: number }
  /** Takes it for a watch from now on, as a server that does not know the words. */
  | { readonly on: 'stream'; readonly do: 'Ignore' };

/** ConfigMaps in the namespace `here`, listed in pages and watched, as a kube-apiserver does it. */
export interface ObjectServer {
  put(name: string, value: string): void;
  remove(name: string): void;
  /** Forgets its history: watches and list pages from before are answered with 410. */
  compact(): void;
  readonly faults: Fault[];
  /** Watches open now. */
  readonly watches: number;
  /** How often a list was begun. */
  readonly lists: number;
  /** How often a list in a watch was begun. */
  readonly streams: number;
  bookmark(): void;
  /** Says in all watches that the list which they began with has ended. */
  endList(): void;
  contents(): Readonly<Record<string, string>>;
}

const PATH = '/api/v1/namespaces/here/configmaps';
const PAGE = 3;
const END_OF_LIST = { 'k8s.io/initial-events-end': 'true' };

interface Change {
  readonly version: number;
  readonly line: string;
}

/** `streaming`: it can begin a watch with a list. */
export function objectServer(api: FakeApi, { streaming = false } = {}): ObjectServer {
  const objects = new Map<string, StoredObject>();
  const faults: Fault[] = [];
  const watching = new Set<ServerResponse>();
  let history: Change[] = [];
  let version = 100;
  let oldest = 100;
  let uids = 0;
  let lists = 0;
  let streams = 0;
  /** The state that each begun list shows on all of its pages. */
  const snapshots = new Map<number, readonly StoredObject[]>();

  const record = (type: string, object: StoredObject): void => {
    const line = eventLine(type, { apiVersion: 'v1', kind: 'ConfigMap', ...object });
    history.push({ version, line });
    for (const response of watching) response.write(line);
  };
  const bookmarkLine = (annotations?: Record<string, string>): string =>
    eventLine('BOOKMARK', { kind: 'ConfigMap', metadata: { resourceVersion: String(version), annotations } });
  const takeFault = <On extends Fault['on']>(on: On): (Fault & { readonly on: On }) | undefined => {
    const index = faults.findIndex((fault) => fault.on === on);
    return index < 0 ? undefined : (faults.splice(index, 1)[0] as Fault & { readonly on: On });
  };

  const list = (response: ServerResponse, token: string | null): true => {
    const fault = takeFault('list');
    if (fault?.do === 'HangUp') {
      response.destroy();
      return true;
    }
    if (fault?.do === 'Status') return refuse(response, fault);
    if (token === null) {
      lists++;
      snapshots.set(version, [...objects.values()]);
    }
    const [at, from] = (token ?? `${version}/0`).split('/').map(Number) as [number, number];
    if (at < oldest) return expired(response);
    const all = snapshots.get(at) ?? [];
    const rest = from + PAGE < all.length ? { continue: `${at}/${from + PAGE}` } : {};
    return reply(response, 200, {
      metadata: { resourceVersion: String(at), ...rest },
      items: all.slice(from, from + PAGE),
    });
  };

  const watch = (response: ServerResponse, from: number): true => {
    const fault = takeFault('watch');
    if (fault?.do === 'Status') return refuse(response, fault);
    if (fault?.do === 'HangUp') {
      response.destroy();
      return true;
    }
    if (from < oldest) return expired(response);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const missed = history.filter((change) => change.version > from);
    switch (fault?.do) {
      case 'ErrorEvent':
        response.end(
          `${JSON.stringify({ type: 'ERROR', object: status(fault.code, fault.code === 410 ? 'Expired' : 'Oops', 'told in the stream') })}\n`,
        );
        return true;
      case 'EndAtOnce':
        response.end();
        return true;
      case 'Garbage':
        response.end('this is no JSON\n');
        return true;
      case 'Silence':
        return true;
      case 'HalfLine': {
        const line =
          missed[0]?.line ?? `${JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'never-whole' } } })}\n`;
        response.write(line.slice(0, line.length / 2));
        if (fault.afterwards === 'End') response.end();
        return true;
      }
      case undefined:
        for (const change of missed) response.write(change.line);
        watching.add(response);
        response.on('close', () => watching.delete(response));
        return true;
      default:
        throw new Error(`no watch fault: ${JSON.stringify(fault)}`);
    }
  };

  const stream = (response: ServerResponse): true => {
    if (!streaming) return refuse(response, { code: 422, reason: 'Invalid' });
    streams++;
    const fault = takeFault('stream');
    if (fault?.do === 'Ignore') return watch(response, version);
    const told = [...objects.values()].slice(0, fault?.do === 'Cut' ? fault.after : undefined);
    response.writeHead(200, { 'content-type': 'application/json' });
    for (const object of told) response.write(eventLine('ADDED', object));
    if (fault?.do === 'Cut') {
      const last = fault.code === undefined ? '' : eventLine('ERROR', status(fault.code, 'Oops', 'told in the list'));
      response.end(last);
      return true;
    }
    response.write(bookmarkLine(END_OF_LIST));
    watching.add(response);
    response.on('close', () => watching.delete(response));
    return true;
  };

  api.route(({ method, path, query }, response) => {
    if (method !== 'GET' || path !== PATH) return false;
    if (query.get('sendInitialEvents') === 'true') return stream(response);
    return query.get('watch') === 'true'
      ? watch(response, Number(query.get('resourceVersion')))
      : list(response, query.get('continue'));
  });

  return {
    put(name, value) {
      version++;
      const before = objects.get(name);
      const uid = before?.metadata.uid ?? `uid-${uids++}`;
      const object = { metadata: { name, namespace: 'here', uid, resourceVersion: String(version) }, data: { value } };
      objects.set(name, object);
      record(before === undefined ? 'ADDED' : 'MODIFIED', object);
    },
    remove(name) {
      const before = objects.get(name);
      if (before === undefined) return;
      version++;
      objects.delete(name);
      record('DELETED', { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } });
    },
    compact() {
      version++;
      oldest = version;
      history = [];
    },
    bookmark() {
      for (const response of watching) response.write(bookmarkLine());
    },
    endList() {
      for (const response of watching) response.write(bookmarkLine(END_OF_LIST));
    },
    faults,
    get watches() {
      return watching.size;
    },
    get lists() {
      return lists;
    },
    get streams() {
      return streams;
    },
    contents: () => Object.fromEntries([...objects].map(([name, { data }]) => [`here/${name}`, data.value])),
  };
}

const eventLine = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`;

const expired = (response: ServerResponse): true =>
  reply(response, 410, status(410, 'Expired', 'too old resource version'));

function refuse(
  response: ServerResponse,
  fault: { readonly code: number; readonly reason: string; readonly retryAfter?: string },
): true {
  const headers: Record<string, string> = fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter };
  return reply(response, fault.code, status(fault.code, fault.reason, 'refused on purpose'), headers);
}
