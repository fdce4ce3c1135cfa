import type { Family } from '../net/family.ts';

/** What is behind a Service. */
export interface Backends {
  /** Its EndpointSlices, by address type. */
  readonly slices: Readonly<Record<Family, number>>;
  /** Ready endpoints in them. */
  readonly endpoints: Readonly<Record<Family, number>>;
  /**
   * Pods that its selector selects and that are ready, and how many of these have an address of a family. A slice of a family is there only when the
   * Service has that family, so of a family to come the pods alone can tell. Null: it has no selector.
   */
  readonly pods: { readonly ready: number; readonly having: Readonly<Record<Family, number>> } | null;
}

/** Of all Services, by `namespace/name`. */
export type BackendsByService = Readonly<Record<string, Backends>>;

export const serviceKey = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;
