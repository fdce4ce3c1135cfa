import type { Family, PerFamily } from '../net/family.ts';
import type { Wanted } from './wanted.ts';

/**
 * A DualStackCluster's spec with every default explicit, rules checked, CIDRs canonical. What only the live cluster can fill in (a primary
 * CIDR that was left out, masks, `Auto`) is still absent here; `plan/` makes a `Wanted` of it and the facts.
 */
export interface Request {
  /** Primary first. */
  readonly families: readonly Family[];
  readonly mode: 'Apply' | 'Plan';
  readonly paused: boolean;
  /** Empty: no approval is asked for. */
  readonly approvedPlanHash: string;
  /** A name from the registry, or `Auto`. */
  readonly distribution: string;
  readonly cni: string;
  readonly pods: PerFamily<string>;
  readonly services: PerFamily<string>;
  readonly nodeMask: PerFamily<number>;
  readonly nodes: Wanted['nodes'];
  readonly serviceMigration: Wanted['serviceMigration'];
  readonly workloadRestart: Wanted['workloadRestart'];
  readonly onFailure: 'Halt' | 'RollBack';
  readonly tolerateUnavailable: number;
  readonly verification: Wanted['verification'];
  readonly deletionPolicy: 'Orphan' | 'Revert';
  readonly options: Readonly<Record<string, unknown>>;
}
