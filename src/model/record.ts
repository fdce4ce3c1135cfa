import type { Json } from './object.ts';

/**
 * First states, by key. A key names the thing (`ConfigMap/kube-system/kube-proxy`, `DaemonSet/kube-system/calico-node`), the value
 * is whatever its folder needs to put it back. Written once, before the first change, and never overwritten.
 */
export type Recorded = Readonly<Record<string, Json>>;

/** One thing that a folder wants recorded before it changes it. */
export interface Recordable {
  readonly key: string;
  readonly value: Json;
}
