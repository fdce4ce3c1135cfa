import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { parse } from 'yaml';

/** As much of a Kubernetes object as the harness reads. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
    readonly generation?: number;
  };
  readonly [field: string]: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const REQUEST_TIMEOUT_MS = 10_000;

/**
 * The harness's own way to the API, as `kubernetes-super-admin`: past the balancer, at any API server that answers,
 * so that its requests neither disturb nor count in what a test measures.
 */
export class ApiClient {
  readonly #agent: Agent;
  readonly #servers: readonly string[];
  #next = 0;

  private constructor(agent: Agent, servers: readonly string[]) {
    this.#agent = agent;
    this.#servers = servers;
  }

  static async fromKubeconfig(file: string, servers: readonly string[]): Promise<ApiClient> {
    const config = parse(await readFile(file, 'utf8')) as {
      clusters: { cluster: { 'certificate-authority-data': string } }[];
      users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
    };
    const user = config.users[0]?.user;
    const connect = {
      ca: decode(config.clusters[0]?.cluster['certificate-authority-data']),
      cert: decode(user?.['client-certificate-data']),
      key: decode(user?.['client-key-data']),
    };
    return new ApiClient(new Agent({ connect, connections: 8, pipelining: 1 }), servers);
  }

  /** One request at one server; a server that does not answer is passed over once per server. */
  async send(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<Answer> {
    let failure: unknown;
    for (let i = 0; i < this.#servers.length; i++) {
      try {
        return await this.#sendTo(
          this.#servers[this.#next % this.#servers.length] ?? '',
          method,
          path,
          body,
          contentType,
        );
      } catch (error) {
        failure = error;
        this.#next++;
      }
    }
    throw failure;
  }

  async #sendTo(server: string, method: string, path: string, body: unknown, contentType: string): Promise<Answer> {
    const response = await request(`${server}${path}`, {
      method: method as 'GET',
      dispatcher: this.#agent,
      headers: body === undefined ? {} : { 'content-type': contentType },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.body.text();
    return {
      status: response.statusCode,
      body: response.headers['content-type']?.includes('json') ? JSON.parse(text) : text,
    };
  }

  /** The object, or undefined when there is none. Throws for any other answer. */
  async get(path: string): Promise<KubeObject | undefined> {
    const answer = await this.send('GET', path);
    if (answer.status === 404) return undefined;
    return expectSuccess('GET', path, answer) as KubeObject;
  }

  async create(path: string, object: unknown): Promise<KubeObject> {
    return expectSuccess('POST', path, await this.send('POST', path, object)) as KubeObject;
  }

  async mergePatch(path: string, patch: unknown): Promise<KubeObject> {
    const answer = await this.send('PATCH', path, patch, 'application/merge-patch+json');
    return expectSuccess('PATCH', path, answer) as KubeObject;
  }

  /** Nothing to delete counts as deleted. */
  async delete(path: string, options: unknown = {}): Promise<void> {
    const answer = await this.send('DELETE', path, options);
    if (answer.status !== 404) expectSuccess('DELETE', path, answer);
  }

  /** Lines of a watch, until the server or the signal ends it. */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<{ type: string; object: KubeObject }> {
    const server = this.#servers[this.#next++ % this.#servers.length] ?? '';
    const response = await request(`${server}${path}`, { dispatcher: this.#agent, signal, bodyTimeout: 0 });
    if (response.statusCode !== 200) throw new Error(`watch ${path}: ${response.statusCode}`);
    let rest = '';
    for await (const chunk of response.body) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line) yield JSON.parse(line);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

const decode = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString();

function expectSuccess(method: string, path: string, answer: Answer): unknown {
  if (answer.status < 300) return answer.body;
  const { message } = answer.body as { message?: string };
  throw new Error(`${method} ${path}: ${answer.status} ${message ?? JSON.stringify(answer.body)}`);
}

const RETRY_MS = 250;

/** A copy of one collection, kept up to date. `changed` hears of each object that came, changed or went. */
export class Watched {
  readonly objects = new Map<string, KubeObject>();
  readonly #api: ApiClient;
  readonly #path: string;
  readonly #changed: (object: KubeObject, gone: boolean) => void;

  constructor(api: ApiClient, path: string, changed: (object: KubeObject, gone: boolean) => void = () => {}) {
    this.#api = api;
    this.#path = path;
    this.#changed = changed;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#follow(await this.#list(), signal);
      } catch {
        // The API is away now and then, by design: look again.
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #list(): Promise<string> {
    const list = (await this.#api.get(this.#path)) as
      | { items?: KubeObject[]; metadata?: { resourceVersion?: string } }
      | undefined;
    const found = new Map((list?.items ?? []).map((object) => [key(object), object]));
    for (const [id, object] of this.objects) if (!found.has(id)) this.#set(object, true);
    for (const [id, object] of found) {
      if (this.objects.get(id)?.metadata.resourceVersion !== object.metadata.resourceVersion) this.#set(object, false);
    }
    return list?.metadata?.resourceVersion ?? '0';
  }

  async #follow(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const query = `?watch=1&allowWatchBookmarks=true&resourceVersion=${resourceVersion}&timeoutSeconds=300`;
    for await (const event of this.#api.watch(`${this.#path}${query}`, signal)) {
      if (event.type === 'ERROR') return;
      if (event.type !== 'BOOKMARK') this.#set(event.object, event.type === 'DELETED');
    }
  }

  #set(object: KubeObject, gone: boolean): void {
    if (gone) this.objects.delete(key(object));
    else this.objects.set(key(object), object);
    this.#changed(object, gone);
  }
}

/** `namespace/name`, or the name of an object without a namespace. */
export const key = (object: KubeObject): string =>
  object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name;
