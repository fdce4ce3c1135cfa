import type { Family } from '../net/family.ts';

/** What it came to that some of the migrated Services were asked for a connection, over each of their families. */
export interface ServicePackets {
  /** When it was begun; RFC 3339. */
  readonly at: string;
  /** When the last of those was changed that it stands for, by the API server's clock: what is changed later is asked for itself. */
  readonly newest: string;
  /** Nodes from which it was asked. */
  readonly from: readonly string[];
  readonly asked: number;
  /** Over each family. */
  readonly answered: number;
  /** They answer over one family and not over the other; who answers over neither is not judged. */
  readonly silent: readonly SilentService[];
  /** Times in a row that some were silent, this one included. */
  readonly failedInRow: number;
  /** Why nobody could be asked; null: it was asked. */
  readonly notAsked: string | null;
}

export interface SilentService {
  readonly namespace: string;
  readonly name: string;
  /** Over which it does not answer. */
  readonly family: Family;
}

/** One that is to be asked. */
export interface AskedService {
  readonly namespace: string;
  readonly name: string;
  readonly clusterIPs: readonly string[];
  /** One that speaks TCP. */
  readonly port: number;
}
