import type { Known } from '../model/reader.ts';
import type { Refusals } from '../model/service.ts';
import type { Family } from '../net/family.ts';
import type { Site } from '../providers/load-balancers.ts';
import type { Policy } from './api-server.ts';
import type { ServiceReason } from './reasons.ts';

/** What the judgement of each Service hangs on beside the Service. */
export interface Situation {
  /** Families that the API servers give out addresses of, their default first. */
  readonly served: Known<readonly Family[]>;
  /** Families that are wanted, primary first. */
  readonly wanted: readonly Family[];
  readonly migration: 'None' | 'Selected' | 'All';
  readonly site: Site;
  /** Changes that API servers did not take; absent: none. */
  readonly refusals?: Refusals;
}

/** What a Service is to say of its families. Its first family is as before: it cannot change. */
export interface FamilyChange {
  readonly policy: Policy;
  readonly families: readonly Family[];
}

/** What becomes of a Service, and why. */
export type Verdict =
  | { readonly is: 'AsWanted' }
  /** It has one family and shall: there is nothing to do, ever. */
  | { readonly is: 'Exempt'; readonly reason: ServiceReason }
  /** It is asked for, and nothing speaks against it now. */
  | { readonly is: 'Migrate'; readonly change: FamilyChange }
  /** It is asked for, and would break clients now; it goes on by itself. */
  | { readonly is: 'Wait'; readonly reason: ServiceReason; readonly why: string }
  /** Nobody has asked for it. */
  | { readonly is: 'Could'; readonly change: FamilyChange }
  /** Somebody has to decide or do something. `remedy` says what. */
  | { readonly is: 'Blocked'; readonly reason: ServiceReason; readonly why: string; readonly remedy: string };
