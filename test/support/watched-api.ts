import type { ServerResponse } from 'node:http';
import { asString, at, type KubeObject } from '../../src/model/object.ts';
import { type FakeApi, reply, status } from './fake-api.ts';

/** Objects of any kind behind HTTP: read, listed and watched, by a server that can go away and come back. */
export interface WatchedApi {
  put(object: KubeObject): void;
  remove(kind: string, name: string): void;
  /** Every connection is cut, and none is answered until it is back. Watches know nothing of what happened meanwhile. */
  down(): void;
  up(): void;
  /** Watches open now. */
  readonly watches: number;
  /** How often objects of the kind were listed. */
  listed(kind: string): number;
}

/** Kinds that are served also where there is none of them. */
const KINDS: readonly (readonly [string, string, boolean])[] = [
  ['v1', 'ConfigMap', true],
  ['v1', 'Namespace', false],
  ['v1', 'Node', false],
  ['v1', 'Pod', true],
  ['v1', 'Secret', true],
  ['v1', 'Service', true],
  ['apps/v1', 'DaemonSet', true],
  ['apps/v1', 'Deployment', true],
  ['apps/v1', 'StatefulSet', true],
  ['policy/v1', 'PodDisruptionBudget', true],
  ['coordination.k8s.io/v1', 'Lease', true],
  ['networking.k8s.io/v1', 'ServiceCIDR', false],
  ['dualstack.dev/v1alpha1', 'DualStackCluster', false],
  ['dualstack.dev/v1alpha1', 'DualStackNode', false],
];

const pluralOf = (kind: string): string => `${kind.toLowerCase()}s`;
const resourcesOf = (apiVersion: string): object => ({
  resources: KINDS.filter(([group]) => group === apiVersion).map(([, kind, namespaced]) => ({
    kind,
    name: pluralOf(kind),
    namespaced,
  })),
});

/** What it answers whatever there is; null: nothing. */
const fixed = (path: string): unknown => {
  if (path === '/version') return { gitVersion: 'v1.36.3' };
  const groups = [...new Set(KINDS.map(([group]) => group))];
  const version = groups.find((group) => path === (group.includes('/') ? `/apis/${group}` : `/api/${group}`));
  if (version !== undefined) return resourcesOf(version);
  return path === '/apis'
    ? { groups: groups.slice(1).map((groupVersion) => ({ versions: [{ groupVersion }] })) }
    : null;
};

const keyOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

interface Watching {
  readonly kind: string;
  readonly name: string | null;
  readonly response: ServerResponse;
}

export function watchedApi(api: FakeApi, initial: readonly KubeObject[]): WatchedApi {
  const objects = new Map<string, KubeObject>();
  const watching = new Set<Watching>();
  const lists: string[] = [];
  let version = 100;
  let isDown = false;

  const tell = (type: string, object: KubeObject): void => {
    for (const { kind, name, response } of watching)
      if (kind === object.kind && (name === null || name === object.metadata.name))
        response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const put = (object: KubeObject): void => {
    version += 1;
    const before = objects.get(keyOf(object));
    const metadata = { uid: `uid-${object.metadata.name}`, ...object.metadata, resourceVersion: String(version) };
    const stored = { ...object, metadata };
    objects.set(keyOf(object), stored);
    tell(before === undefined ? 'ADDED' : 'MODIFIED', stored);
  };

  const selected = (kind: string, namespace: string | undefined, name: string | null): readonly KubeObject[] =>
    [...objects.values()].filter(
      (object) =>
        object.kind === kind &&
        (namespace === undefined || object.metadata.namespace === namespace) &&
        (name === null || object.metadata.name === name),
    );

  const watch = (kind: string, name: string | null, query: URLSearchParams, response: ServerResponse): true => {
    if (query.get('sendInitialEvents') === 'true') return reply(response, 422, status(422, 'Invalid', 'no such thing'));
    // It keeps no history: who has missed something lists anew.
    if (query.get('resourceVersion') !== String(version))
      return reply(response, 410, status(410, 'Expired', 'too old resource version'));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const one = { kind, name, response };
    watching.add(one);
    response.on('close', () => watching.delete(one));
    return true;
  };

  api.route(({ method, path, query }, response) => {
    if (isDown) {
      response.destroy();
      return true;
    }
    if (method !== 'GET') return false;
    const known = fixed(path);
    if (known !== null) return reply(response, 200, known);
    const found =
      /^\/apis?\/(?:[^/]+\/)?v[^/]+(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+))?$/u.exec(
        path,
      )?.groups;
    const kind = KINDS.find(([, each]) => pluralOf(each) === found?.['plural'])?.[1];
    if (kind === undefined) return false;
    const [one] = found?.['name'] === undefined ? [] : selected(kind, found['namespace'], found['name']);
    if (one !== undefined) return reply(response, 200, one);
    if (found?.['name'] !== undefined) return false;
    const name = /^metadata\.name=(.+)$/u.exec(query.get('fieldSelector') ?? '')?.[1] ?? null;
    if (query.get('watch') === 'true') return watch(kind, name, query, response);
    lists.push(kind);
    const items = selected(kind, found?.['namespace'], name);
    return reply(response, 200, { metadata: { resourceVersion: String(version) }, items });
  });

  initial.forEach(put);
  return {
    put,
    remove(kind, name) {
      const object = [...objects.values()].find((each) => each.kind === kind && each.metadata.name === name);
      if (object === undefined) return;
      version += 1;
      objects.delete(keyOf(object));
      tell('DELETED', { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
    },
    down() {
      isDown = true;
      api.cut();
    },
    up() {
      isDown = false;
    },
    get watches() {
      return watching.size;
    },
    listed: (kind) => lists.filter((each) => each === kind).length,
  };
}

/** The same Node with these addresses, and with whatever else is changed. */
export const withAddresses = (node: KubeObject, addresses: readonly string[], change: object = {}): KubeObject => ({
  ...node,
  status: {
    ...(at(node, 'status') as object),
    addresses: addresses.map((address) => ({ type: 'InternalIP', address: asString(address) })),
    ...change,
  },
});
