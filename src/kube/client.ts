import { asArray, asString, at, type KubeObject, type ObjectRef, refText } from '../model/object.ts';
import type { ListQuery } from '../model/reader.ts';
import { err, ok, type Result } from '../result.ts';
import type { Answer, ByteStream, Connection, HttpRequest } from './connection.ts';
import { type Discovery, discovery, groupPath } from './discovery.ts';
import type { KubeError, Subject } from './errors.ts';
import { json, object } from './json.ts';
import { acceptFor, readPages } from './pages.ts';
import { protobufFormat } from './protobuf/answers.ts';
import { type RetryOptions, withRetry } from './retry.ts';

export type { ListQuery } from '../model/reader.ts';

export type SelectQuery = ListQuery;

interface CallOptions {
  readonly signal?: AbortSignal;
}

interface WriteOptions extends CallOptions {
  /** Who owns the fields that are written. */
  readonly fieldManager?: string;
  /** The server does everything but store. */
  readonly dryRun?: boolean;
  /** For instance `status`. */
  readonly subresource?: string;
  /** `Strict` refuses unknown and duplicate fields. The server's own default is `Warn`. */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
}

interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Take over fields that others own. Without it they are told in `conflicts` of the error. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  /** Only if it is still this very object. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly gracePeriodSeconds?: number;
  readonly dryRun?: boolean;
}

export interface Page {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
}

interface ServerVersion {
  readonly gitVersion: string;
}

interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

type Outcome<T> = Promise<Result<T, KubeError>>;

/**
 * The Kubernetes API for objects of any kind, as plain JSON: nothing that the server sends or that is written back is dropped, also
 * fields that no library knows. Kinds are found by discovery. No function throws for what the server or the network does.
 */
export interface KubeClient {
  get(ref: ObjectRef, options?: CallOptions): Outcome<KubeObject>;
  /** All pages together. Starts again when the list expires half-way. */
  list(query: SelectQuery, options?: CallOptions): Outcome<Page>;
  /** Page by page, to keep little in memory. Ends after the first failure; `Gone` means: start again. */
  pages(query: SelectQuery, options?: CallOptions): AsyncGenerator<Result<Page, KubeError>, void>;
  create(object: KubeObject, options?: WriteOptions): Outcome<KubeObject>;
  /** Replaces the whole object; with a resourceVersion in it only if nobody changed it meanwhile (`Conflict`). */
  update(object: KubeObject, options?: WriteOptions): Outcome<KubeObject>;
  /** Server-side apply: creates it, or sets just these fields. */
  apply(object: KubeObject, options: ApplyOptions): Outcome<KubeObject>;
  /** RFC 7386: null removes a field, lists are replaced. */
  mergePatch(ref: ObjectRef, patch: object, options?: WriteOptions): Outcome<KubeObject>;
  /** RFC 6902. A failed `test` is `Invalid`. */
  jsonPatch(ref: ObjectRef, patch: readonly JsonPatchOperation[], options?: WriteOptions): Outcome<KubeObject>;
  delete(ref: ObjectRef, options?: DeleteOptions): Outcome<void>;
  /** Posts to a subresource: `eviction` of a Pod, `token` of a ServiceAccount. */
  createSubresource(ref: ObjectRef, subresource: string, body: object, options?: WriteOptions): Outcome<unknown>;
  /** The open stream of a watch; see `watch.ts`, which reads it and says what a resourceVersion of null means. */
  openWatch(
    query: SelectQuery,
    resourceVersion: string | null,
    timeoutSeconds: number,
    options?: CallOptions,
  ): Outcome<ByteStream>;
  /** Whether the server serves the kind at all. */
  serves(apiVersion: string, kind: string): Outcome<boolean>;
  serverVersion(options?: CallOptions): Outcome<ServerVersion>;
  /** Every served group and version: `v1`, `apps/v1` … */
  groupVersions(options?: CallOptions): Outcome<readonly string[]>;
  /** The text at a path outside the objects: `/readyz`, `/metrics`. Sent once, without retry. */
  text(path: string, options?: CallOptions): Outcome<string>;
}

interface ClientOptions extends RetryOptions {
  readonly connection: Connection;
}

/** Items per page. Larger pages raise the peak of memory, smaller ones the number of round trips. */
const PAGE_LIMIT = 500;
/** How often a list is begun again that expires before its last page. */
const LIST_RESTARTS = 3;

export function kubeClient(options: ClientOptions): KubeClient {
  const { connection } = options;
  const getJson = async (path: string, subject: Subject, signal?: AbortSignal): Outcome<unknown> => {
    const request: HttpRequest = { method: 'GET', path, subject, ...(signal === undefined ? {} : { signal }) };
    return json(subject, await withRetry(options, 'read', signal, () => connection.send(request)));
  };
  const receive = (path: string, subject: Subject, accept: string, signal?: AbortSignal): Outcome<Answer> => {
    const request: HttpRequest = { method: 'GET', path, subject, accept, ...(signal === undefined ? {} : { signal }) };
    return withRetry(options, 'read', signal, () => connection.receive(request));
  };
  const finder = discovery((path, subject) => getJson(path, subject));

  const write = async (
    subject: Subject,
    request: Omit<HttpRequest, 'subject' | 'signal'>,
    signal: AbortSignal | undefined,
  ): Outcome<unknown> => {
    const full: HttpRequest = { ...request, subject, ...(signal === undefined ? {} : { signal }) };
    return json(subject, await withRetry(options, 'write', signal, () => connection.send(full)));
  };

  const patch = async (
    verb: string,
    contentType: string,
    ref: ObjectRef,
    body: object,
    query: Record<string, string | undefined>,
    how: WriteOptions,
  ): Outcome<KubeObject> => {
    const subject = { verb, object: refText(ref) };
    const path = await objectPath(finder, ref, subject);
    if (!path.ok) return path;
    const full = withQuery(withSubresource(path.value, how.subresource), { ...writeQuery(how), ...query });
    return object(
      subject,
      await write(subject, { method: 'PATCH', path: full, contentType, body: JSON.stringify(body) }, how.signal),
    );
  };

  const client: KubeClient = {
    async get(ref, how = {}) {
      const subject = { verb: 'get', object: refText(ref) };
      const path = await objectPath(finder, ref, subject);
      if (!path.ok) return path;
      return object(subject, await getJson(path.value, subject, how.signal));
    },

    async list(query, how = {}) {
      for (let restart = 0; ; restart++) {
        const all = await collect(client.pages(query, how));
        if (all.ok || all.error.kind !== 'Gone' || restart >= LIST_RESTARTS) return all;
      }
    },

    async *pages(query, how = {}) {
      const subject = { verb: 'list', object: queryText(query) };
      const path = await collectionPath(finder, query, subject);
      if (!path.ok) {
        yield path;
        return;
      }
      const fetch = (token: string | undefined, accept: string): Outcome<Answer> => {
        const page = { ...selectors(query), limit: String(PAGE_LIMIT), continue: token };
        return receive(withQuery(path.value, page), subject, accept, how.signal);
      };
      yield* readPages(fetch, query, subject);
    },

    async create(what, how = {}) {
      const ref = refOf(what);
      const subject = { verb: 'create', object: refText(ref) };
      const path = await collectionPath(finder, ref, subject, 'one');
      if (!path.ok) return path;
      const request = {
        method: 'POST',
        path: withQuery(path.value, writeQuery(how)),
        body: JSON.stringify(what),
      } as const;
      return object(subject, await write(subject, request, how.signal));
    },

    async update(what, how = {}) {
      const subject = { verb: 'update', object: refText(refOf(what)) };
      const path = await objectPath(finder, refOf(what), subject);
      if (!path.ok) return path;
      const full = withQuery(withSubresource(path.value, how.subresource), writeQuery(how));
      return object(
        subject,
        await write(subject, { method: 'PUT', path: full, body: JSON.stringify(what) }, how.signal),
      );
    },

    apply: (what, how) =>
      // JSON is YAML, and the server takes nothing but `apply-patch+yaml` in all supported versions.
      patch(
        'apply',
        'application/apply-patch+yaml',
        refOf(what),
        what,
        { force: how.force === true ? 'true' : undefined },
        how,
      ),
    mergePatch: (ref, body, how = {}) => patch('patch', 'application/merge-patch+json', ref, body, {}, how),
    jsonPatch: (ref, body, how = {}) => patch('patch', 'application/json-patch+json', ref, body, {}, how),

    async delete(ref, how = {}) {
      const subject = { verb: 'delete', object: refText(ref) };
      const path = await objectPath(finder, ref, subject);
      if (!path.ok) return path;
      const body = JSON.stringify({
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid: how.uid, resourceVersion: how.resourceVersion },
        propagationPolicy: how.propagationPolicy,
        gracePeriodSeconds: how.gracePeriodSeconds,
        // Here and not in the query: the server does not look at that where there is a body.
        dryRun: how.dryRun === true ? ['All'] : undefined,
      });
      const answer = await write(subject, { method: 'DELETE', path: path.value, body }, how.signal);
      return answer.ok ? ok(undefined) : answer;
    },

    async createSubresource(ref, subresource, body, how = {}) {
      const subject = { verb: `create ${subresource} of`, object: refText(ref) };
      const path = await objectPath(finder, ref, subject);
      if (!path.ok) return path;
      const full = withQuery(withSubresource(path.value, subresource), writeQuery(how));
      return write(subject, { method: 'POST', path: full, body: JSON.stringify(body) }, how.signal);
    },

    async openWatch(query, resourceVersion, timeoutSeconds, how = {}) {
      const subject = { verb: 'watch', object: queryText(query) };
      const path = await collectionPath(finder, query, subject);
      if (!path.ok) return path;
      const full = withQuery(path.value, {
        ...selectors(query),
        watch: 'true',
        allowWatchBookmarks: 'true',
        ...(resourceVersion === null
          ? { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }
          : { resourceVersion }),
        timeoutSeconds: String(timeoutSeconds),
      });
      return connection.open({
        method: 'GET',
        path: full,
        subject,
        accept: acceptFor(protobufFormat(query)),
        ...(how.signal === undefined ? {} : { signal: how.signal }),
      });
    },

    async serves(apiVersion, kind) {
      const found = await finder.resource(apiVersion, kind, { verb: 'discover', object: `${kind} of ${apiVersion}` });
      if (found.ok) return ok(true);
      return found.error.kind === 'NotFound' ? ok(false) : found;
    },

    async serverVersion(how = {}) {
      const answer = await getJson('/version', { verb: 'read', object: 'the version of the API server' }, how.signal);
      return answer.ok ? ok({ gitVersion: asString(at(answer.value, 'gitVersion')) ?? '' }) : answer;
    },

    async groupVersions(how = {}) {
      const answer = await getJson('/apis', { verb: 'read', object: 'the API groups' }, how.signal);
      if (!answer.ok) return answer;
      const named = asArray(at(answer.value, 'groups')).flatMap((group) =>
        asArray(at(group, 'versions')).map((version) => asString(at(version, 'groupVersion')) ?? ''),
      );
      return ok(['v1', ...named.filter((name) => name !== '')]);
    },

    text: (path, how = {}) =>
      connection.send({
        method: 'GET',
        path,
        accept: '*/*',
        subject: { verb: 'read', object: path },
        ...(how.signal === undefined ? {} : { signal: how.signal }),
      }),
  };
  return client;
}

async function collect(pages: AsyncIterable<Result<Page, KubeError>>): Outcome<Page> {
  const items: KubeObject[] = [];
  let resourceVersion = '';
  for await (const page of pages) {
    if (!page.ok) return page;
    items.push(...page.value.items);
    resourceVersion = page.value.resourceVersion;
  }
  return ok({ items, resourceVersion });
}

const refOf = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef =>
  namespace === undefined ? { apiVersion, kind, name } : { apiVersion, kind, namespace, name };

export function queryText({ kind, namespace, labelSelector }: SelectQuery): string {
  const where = namespace === undefined ? '' : ` in ${namespace}`;
  return `${kind} objects${where}${labelSelector === undefined ? '' : ` with ${labelSelector}`}`;
}

async function objectPath(finder: Discovery, ref: ObjectRef, subject: Subject): Outcome<string> {
  const collection = await collectionPath(finder, ref, subject, 'one');
  return collection.ok ? ok(`${collection.value}/${encodeURIComponent(ref.name)}`) : collection;
}

async function collectionPath(
  finder: Discovery,
  what: { readonly apiVersion: string; readonly kind: string; readonly namespace?: string },
  subject: Subject,
  extent: 'one' | 'all' = 'all',
): Outcome<string> {
  const found = await finder.resource(what.apiVersion, what.kind, subject);
  if (!found.ok) return found;
  const { plural, namespaced } = found.value;
  if (namespaced && extent === 'one' && what.namespace === undefined) {
    return err({ ...subject, kind: 'Invalid', message: `a ${what.kind} lives in a namespace: name it` });
  }
  const inside = namespaced && what.namespace !== undefined ? `/namespaces/${encodeURIComponent(what.namespace)}` : '';
  return ok(`${groupPath(what.apiVersion)}${inside}/${plural}`);
}

const withSubresource = (path: string, subresource: string | undefined): string =>
  subresource === undefined ? path : `${path}/${subresource}`;

function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const set = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return set.length === 0 ? path : `${path}?${new URLSearchParams(set).toString()}`;
}

const selectors = ({ labelSelector, fieldSelector }: SelectQuery): Record<string, string | undefined> => ({
  labelSelector,
  fieldSelector,
});

const writeQuery = (
  how: Pick<WriteOptions, 'fieldManager' | 'dryRun' | 'fieldValidation'>,
): Record<string, string | undefined> => ({
  fieldManager: how.fieldManager,
  dryRun: how.dryRun === true ? 'All' : undefined,
  fieldValidation: how.fieldValidation,
});
