import type { KubeClient, ListQuery, Page } from '../kube/client.ts';
import type { Reflector } from '../kube/reflector.ts';
import type { KubeObject } from '../model/object.ts';
import { ok } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';

/**
 * Nodes and DualStackNodes as the watches show them. To list thousands takes seconds, and passes are made for each change, and while something is waited
 * for: so those in which nothing is done are made with what the watches show, and what is done is decided by a list alone.
 */
export interface NodeCache {
  /**
   * A client that lists them without asking the server. Null: the watches may be behind what was told before, since something was done, or nothing was
   * heard of the server for too long; then they are to be listed.
   */
  watched(client: KubeClient): KubeClient | null;
  /** A client that lists them, and compares each list with what the watches show: from then on these are as new, for they never go back. */
  listing(client: KubeClient): KubeClient;
  /** Something is done: whatever comes after it is looked at by a list first. */
  forget(): void;
}

/** One kind, and what is kept of each object. */
export interface WatchedKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly fields: readonly string[];
  readonly objects: Pick<Reflector<KubeObject>, 'items' | 'position' | 'heardAt'>;
}

/** Where nothing happens a bookmark comes each minute. A watch that is silent for longer may be dead. */
const HEARD_WITHIN_MS = 90_000;

export function nodeCache(kinds: readonly WatchedKind[], clock: Pick<Clock, 'monotonic'>): NodeCache {
  /** Kinds whose watch has shown all that was in a list, of after the last act. */
  const level = new Set<WatchedKind>();

  const kindOf = ({ apiVersion, kind, namespace, labelSelector, fieldSelector }: ListQuery): WatchedKind | undefined =>
    namespace === undefined && labelSelector === undefined && fieldSelector === undefined
      ? kinds.find((each) => each.apiVersion === apiVersion && each.kind === kind)
      : undefined;
  const isUsable = (kind: WatchedKind): boolean => {
    const { position, heardAt } = kind.objects;
    const isHeard = heardAt !== undefined && clock.monotonic() - heardAt <= HEARD_WITHIN_MS;
    return isHeard && position !== undefined && level.has(kind);
  };

  return {
    watched: (client) => {
      if (!kinds.every(isUsable)) return null;
      return {
        ...client,
        list: (query, how) => {
          const kind = kindOf(query);
          const isKept = query.fields?.every((field) => kind?.fields.includes(field)) === true;
          if (kind === undefined || !isKept) return client.list(query, how);
          return Promise.resolve(ok({ items: kind.objects.items(), resourceVersion: kind.objects.position ?? '' }));
        },
      };
    },
    listing: (client) => ({
      ...client,
      list: async (query, how) => {
        const page = await client.list(query, how);
        const kind = kindOf(query);
        if (!page.ok || kind === undefined) return page;
        if (isLevelWith(kind.objects, page.value)) level.add(kind);
        else level.delete(kind);
        return page;
      },
    }),
    forget: () => level.clear(),
  };
}

/**
 * Whether a watch has shown all that the list shows: each change that is in it, and each deletion before it. Versions of one kind can be put in order since
 * they are revisions of etcd (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions); where they are none this is never so.
 */
function isLevelWith(watched: WatchedKind['objects'], list: Page): boolean {
  const [reached, listedAt] = [revisionOf(watched.position), revisionOf(list.resourceVersion)];
  if (reached === null || listedAt === null) return false;
  const isSeen = ({ metadata }: KubeObject): boolean => {
    const revision = revisionOf(metadata.resourceVersion);
    return revision !== null && revision <= reached;
  };
  if (!list.items.every(isSeen)) return false;
  const names = new Set(list.items.map(({ metadata }) => metadata.name));
  // What the list has not is gone, or was made after it.
  return watched
    .items()
    .every(({ metadata }) => names.has(metadata.name) || (revisionOf(metadata.resourceVersion) ?? 0) > listedAt);
}

/** Null: it is no revision. */
function revisionOf(resourceVersion: string | undefined): number | null {
  const revision = /^[1-9]\d*$/u.test(resourceVersion ?? '') ? Number(resourceVersion) : Number.NaN;
  return Number.isSafeInteger(revision) ? revision : null;
}
