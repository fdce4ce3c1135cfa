import { asString, at, type Json } from './object.ts';

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

/** The Secret that holds the first states of cluster objects. */
export const RECORDS_SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  namespace: 'dualstack-system',
  name: 'dualstack-records',
} as const;

/**
 * One entry of that Secret's `stringData`. Keys of Secrets allow no slash, so the true key travels inside, beside the value.
 */
export const toRecordEntry = (recordable: Recordable): readonly [key: string, text: string] => [
  recordable.key.replaceAll(/[^-._a-zA-Z0-9]/g, '.'),
  JSON.stringify({ key: recordable.key, value: recordable.value }),
];

/** Reads such an entry back; null: it was not written by `toRecordEntry`. */
export function fromRecordEntry(text: string): Recordable | null {
  try {
    const parsed: unknown = JSON.parse(text);
    const key = asString(at(parsed, 'key'));
    return key === undefined ? null : { key, value: at(parsed, 'value') as Json };
  } catch {
    return null;
  }
}
