import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeError, KubeErrorKind } from '../../src/kube/errors.ts';
import { type JsonObject, type KubeObject, type ObjectRef, refText } from '../../src/model/object.ts';
import { err, ok, type Result } from '../../src/result.ts';

/** A write as the server saw it. */
export interface Write {
  readonly verb: 'create' | 'createSubresource' | 'apply' | 'mergePatch' | 'delete';
  /** `DualStackCluster cluster/status`, `Secret dualstack-system/dualstack-records`. */
  readonly on: string;
  readonly body: unknown;
}

/** A `KubeClient` over objects in memory: versions, generations, the status subresource, and refusals on demand. */
export interface FakeKube {
  readonly client: KubeClient;
  readonly writes: Write[];
  get(ref: ObjectRef): KubeObject | undefined;
  put(object: KubeObject): void;
  /** Answers each call; null: it succeeds. May throw, as a mistake of ours would, or never settle. */
  refuse: (verb: string, on: string) => KubeErrorKind | null | Promise<null>;
}

const BUILT_IN = [
  'CSINode',
  'ConfigMap',
  'ControllerRevision',
  'DaemonSet',
  'Deployment',
  'DualStackCluster',
  'DualStackNode',
  'Node',
  'Pod',
  'ReplicaSet',
  'Secret',
  'Service',
  'VolumeAttachment',
];

const keyOf = ({ kind, namespace, name }: Omit<ObjectRef, 'apiVersion'>): string =>
  `${kind} ${namespace ?? ''}/${name}`;

const refOf = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
});

const failure = (verb: string, on: string, kind: KubeErrorKind): Result<never, KubeError> =>
  err({ kind, verb, object: on, message: `refused on purpose: ${kind}` });

const withMeta = (before: KubeObject | undefined, change: KubeObject['metadata']) => ({
  ...before?.metadata,
  ...change,
});

/** RFC 7386: null removes a field, lists are replaced. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const out: Record<string, unknown> = { ...(target as object | undefined) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = merged(out[key], value);
  }
  return out;
}

/** A Go server gives keys back in alphabetical order, and what JSON cannot say is not stored. */
function asStored(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asStored);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, entry]) => [key, asStored(entry)]));
}

export function fakeKube(objects: readonly KubeObject[]): FakeKube {
  const stored = new Map(objects.map((object) => [keyOf(refOf(object)), object]));
  const writes: Write[] = [];
  let version = 1000;

  const asked = async <T>(
    verb: string,
    on: string,
    run: () => Result<T, KubeError>,
    body?: unknown,
  ): Promise<Result<T, KubeError>> => {
    const refused = await kube.refuse(verb, on);
    if (refused !== null) return failure(verb, on, refused);
    const result = run();
    if (verb !== 'get' && verb !== 'list') writes.push({ verb: verb as Write['verb'], on, body });
    return result;
  };

  const store = (before: KubeObject | undefined, after: KubeObject): KubeObject => {
    if (JSON.stringify(asStored(before)) === JSON.stringify(asStored(after))) return after;
    version += 1;
    const specChanged = JSON.stringify(asStored(before?.['spec'])) !== JSON.stringify(asStored(after['spec']));
    const generation = (before?.metadata.generation ?? 0) + (specChanged ? 1 : 0);
    const metadata = { ...after.metadata, resourceVersion: String(version), generation };
    const saved = asStored({ ...after, metadata }) as KubeObject;
    stored.set(keyOf(refOf(saved)), saved);
    return saved;
  };

  const client = {
    get: (ref: ObjectRef) =>
      asked('get', refText(ref), () => {
        const found = stored.get(keyOf(ref));
        return found === undefined ? failure('get', refText(ref), 'NotFound') : ok(found);
      }),
    list: ({ kind, namespace, labelSelector, fieldSelector }: Parameters<KubeClient['list']>[0]) =>
      asked('list', kind, () => {
        const labels = (labelSelector ?? '').split(',').filter((each) => each !== '');
        const ofKind = [...stored.values()].filter((object) => object.kind === kind);
        if (ofKind.length === 0 && !BUILT_IN.includes(kind)) return failure('list', kind, 'NotFound');
        const [, node] = (fieldSelector ?? '').split('spec.nodeName=');
        const items = ofKind.filter(
          ({ metadata, spec }) =>
            (namespace === undefined || metadata.namespace === namespace) &&
            (node === undefined || (spec as { readonly nodeName?: string } | undefined)?.nodeName === node) &&
            labels.every((each) => {
              const [key = '', value] = each.split('=');
              return metadata.labels?.[key] === value;
            }),
        );
        return ok({ items, resourceVersion: String(version) });
      }),
    create: (object: KubeObject) =>
      asked(
        'create',
        refText(refOf(object)),
        () =>
          stored.has(keyOf(refOf(object)))
            ? failure('create', refText(refOf(object)), 'AlreadyExists')
            : ok(store(undefined, object)),
        object,
      ),
    apply: (object: KubeObject, options: { readonly subresource?: string }) => {
      const ref = refOf(object);
      const on = `${refText(ref)}${options.subresource === undefined ? '' : `/${options.subresource}`}`;
      return asked(
        'apply',
        on,
        () => {
          const before = stored.get(keyOf(ref));
          if (options.subresource === 'status') {
            return before === undefined
              ? failure('apply', on, 'NotFound')
              : ok(store(before, { ...before, status: object['status'] }));
          }
          return ok(store(before, { ...before, ...object, metadata: withMeta(before, object.metadata) }));
        },
        object,
      );
    },
    mergePatch: (ref: ObjectRef, patch: JsonObject) =>
      asked(
        'mergePatch',
        refText(ref),
        () => {
          const before = stored.get(keyOf(ref));
          if (before === undefined) return failure('mergePatch', refText(ref), 'NotFound');
          const metadata = patch['metadata'] as unknown as KubeObject['metadata'] | undefined;
          if (metadata?.resourceVersion !== undefined && metadata.resourceVersion !== before.metadata.resourceVersion) {
            return failure('mergePatch', refText(ref), 'Conflict');
          }
          const after = store(before, merged(before, patch) as KubeObject);
          const isGone = after.metadata.deletionTimestamp !== undefined && after.metadata.finalizers?.length === 0;
          if (isGone) stored.delete(keyOf(ref));
          return ok(after);
        },
        patch,
      ),
    /** Evictions are all that there is: the pod goes at once. */
    createSubresource: (ref: ObjectRef, subresource: string, body: unknown) =>
      asked(
        'createSubresource',
        `${refText(ref)}/${subresource}`,
        () => {
          const existed = stored.delete(keyOf(ref));
          return existed ? ok({}) : failure('create eviction of', refText(ref), 'NotFound');
        },
        body,
      ),
    delete: (ref: ObjectRef) =>
      asked('delete', refText(ref), () => {
        const existed = stored.delete(keyOf(ref));
        return existed ? ok(undefined) : failure('delete', refText(ref), 'NotFound');
      }),
    serves: (_apiVersion: string, kind: string) =>
      asked('get', 'discovery', () =>
        ok(BUILT_IN.includes(kind) || [...stored.values()].some((object) => object.kind === kind)),
      ),
    serverVersion: () => asked('get', 'version', () => ok({ gitVersion: 'v1.36.3' })),
    groupVersions: () =>
      asked('get', 'groups', () => ok([...new Set([...stored.values()].map(({ apiVersion }) => apiVersion))])),
  };

  const kube: FakeKube = {
    // What no pass calls is not there, so that a call to it is found out.
    client: client as unknown as KubeClient,
    writes,
    get: (ref) => stored.get(keyOf(ref)),
    put: (object) => {
      store(stored.get(keyOf(refOf(object))), object);
    },
    refuse: () => null,
  };
  return kube;
}
