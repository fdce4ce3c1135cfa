import type { Connectivity } from './connectivity.ts';
import type { Proof } from './outcome.ts';
import type { ServicePackets } from './service-packets.ts';

/** What one pass leaves for the next, kept in the status: never progress, only intents, proofs and verdicts. */
export interface Memory {
  /** The step that was begun last and is not proven yet. */
  readonly current: { readonly id: string; readonly startedAt: number } | null;
  readonly proof: Proof | null;
  /** The last proof with packets. */
  readonly connectivity: Connectivity | null;
  /** Of Services that were asked with packets the last time. */
  readonly servicePackets: ServicePackets | null;
  readonly rollBack: RollBack | null;
  /** Changes from outside that were put right since the spec was last applied in full. */
  readonly corrections: readonly Correction[];
  /** The generation of the spec that was last applied in full; null: none yet. */
  readonly appliedGeneration: number | null;
  /** By node: since when it has shown an address that its host no longer has (RFC 3339). */
  readonly goneSince: Readonly<Record<string, string>>;
}

interface RollBack {
  /** The generation of the spec that is undone: another one starts anew. */
  readonly generation: number;
  readonly state: 'Running' | 'Done';
  readonly reason: string;
  /** The step that failed. */
  readonly step: string;
  /** RFC 3339. */
  readonly at: string;
}

interface Correction {
  readonly id: string;
  readonly count: number;
  /** RFC 3339. */
  readonly lastAt: string;
}
