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
  readonly pods: PodsBehind | null;
}

export interface PodsBehind {
  readonly ready: number;
  /** Ready ones that have an address of the family. */
  readonly having: Readonly<Record<Family, number>>;
  /** Ready or not, with an address of some family; those that have ended or are being deleted are not counted. */
  readonly addressed: number;
  /** How many of the addressed have none of the family. */
  readonly lacking: Readonly<Record<Family, number>>;
}

/** That the API server did not take a change of a Service, and what it said. It holds for that very version: another one is judged anew. */
export interface Refusal {
  readonly resourceVersion: string;
  /** A sentence without its full stop. */
  readonly why: string;
  /** It holds for any version: what is done there is undone again and again. Taking the second family back is not meant. */
  readonly isContested?: true;
  /** It is long enough ago to try once more, after all that have not been tried. */
  readonly isDue: boolean;
}

/** By `namespace/name`. */
export type Refusals = Readonly<Record<string, Refusal>>;

/** Of all Services, by `namespace/name`. */
export type BackendsByService = Readonly<Record<string, Backends>>;

export const serviceKey = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;
