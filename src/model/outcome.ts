import type { Connectivity } from './connectivity.ts';
import type { ServicePackets } from './service-packets.ts';

/** What carrying out one Step came to. That it was done is not proof: the next look at the cluster is. */
export type Outcome =
  | { readonly is: 'Changed'; readonly what: string }
  /** `why`: nothing could be done, and that is told elsewhere. Absent: there was nothing to do. */
  | { readonly is: 'Unchanged'; readonly why?: string }
  /** A `Verify` step ran: the proof is to be kept in the status. */
  | { readonly is: 'Proven'; readonly proof: Proof }
  /** A `VerifyPackets` step ran. */
  | { readonly is: 'Probed'; readonly connectivity: Connectivity }
  /** An `AskServices` step ran. */
  | { readonly is: 'Asked'; readonly packets: ServicePackets }
  | { readonly is: 'Refused'; readonly error: OperatorError };

/**
 * `Invalid`: the user mends the resource; no retry. `Blocked`: a fact of the cluster; looked at again.
 * `Transient`: back off, heed `retryAfterSeconds`. Anything else that goes wrong is a bug and is thrown.
 */
export type OperatorError =
  | { readonly kind: 'Invalid'; readonly message: string }
  | { readonly kind: 'Blocked'; readonly message: string }
  | { readonly kind: 'Transient'; readonly message: string; readonly retryAfterSeconds?: number };

/** What was proven, when, and of which configuration: a proof of another fingerprint proves nothing any more. */
export interface Proof {
  readonly fingerprint: string;
  /** RFC 3339. */
  readonly at: string;
  readonly checks: readonly ProofCheck[];
}

export interface ProofCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen. */
  readonly detail: string;
}
