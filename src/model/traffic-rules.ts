import type { Family } from '../net/family.ts';
import type { ObjectRef } from './object.ts';

/** What a policy that names networks of one family alone makes of the other family. */
export type Omission =
  /** It lists who is let through: nobody of the other family is. */
  | 'Denied'
  /** It lists who is kept out: everybody of the other family is let through. */
  | 'NotCovered'
  /** It looks at addresses in objects: those of the other family fail its check, or pass it unchecked. */
  | 'NotChecked';

export interface OneFamilyPolicy {
  readonly ref: ObjectRef;
  /** The family that it names. */
  readonly family: Family;
  readonly omission: Omission;
  /** Labels by which it selects the pods that it guards from clients; null: it guards none, or selects them in another way. */
  readonly guards: Readonly<Record<string, string>> | null;
}

/** What else decides on traffic to Services, beside the Services. */
export interface TrafficRules {
  readonly policies: readonly OneFamilyPolicy[];
  /** Ingresses and routes of Gateways that send to a Service, by its `namespace/name`. */
  readonly fronts: Readonly<Record<string, readonly string[]>>;
  /** What could not be read. */
  readonly unread: readonly { readonly kind: string; readonly why: string }[];
}
