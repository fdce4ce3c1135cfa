import { unreachable } from '../result.ts';
import type { KubeObject, ObjectRef } from './object.ts';

/**
 * What reading came to. `Unreadable` is told apart from `Missing` because nothing may be concluded from it:
 * facts that hang on it are unknown, never guessed.
 */
export type Read<T> =
  | { readonly is: 'Found'; readonly value: T }
  | { readonly is: 'Missing' }
  | { readonly is: 'Unreadable'; readonly why: string };

export interface ListQuery {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /**
   * What is read of each object beside its name, namespace, uid and resourceVersion, as dotted paths (`spec.podCIDRs`, through lists as well). Who answers may leave
   * out all else. Absent: objects are wanted whole, and must be if they are to be written back.
   */
  readonly fields?: readonly string[];
}

/** What a look at the cluster cannot do without: failing to read it means that nothing can be said at all. */
export interface ServerInfo {
  readonly kubernetesVersion: string;
  readonly groupVersions: readonly string[];
}

/** Reads the cluster. Handed to `observe`; it can change nothing. */
export interface Reader {
  get(ref: ObjectRef): Promise<Read<KubeObject>>;
  /** `Missing` when the server does not know the kind. */
  list(query: ListQuery): Promise<Read<readonly KubeObject[]>>;
}

/**
 * Reads a long list page by page, so that only what is kept of a page stays in memory. Ends after the first answer that is not `Found`.
 */
export type PagedReader = (query: ListQuery) => AsyncIterable<Read<readonly KubeObject[]>>;

/** A fact that may not have been readable. */
export type Known<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly why: string };

export const known = <T>(value: T): Known<T> => ({ known: true, value });
export const unknown = (why: string): Known<never> => ({ known: false, why });

/** What is made of an object that was asked for; known null: it is not there, or the server does not know its kind. */
export function ifThere<T>(read: Read<KubeObject>, use: (object: KubeObject) => T): Known<T | null> {
  switch (read.is) {
    case 'Found':
      return known(use(read.value));
    case 'Missing':
      return known(null);
    case 'Unreadable':
      return unknown(read.why);
    default:
      return unreachable(read);
  }
}
