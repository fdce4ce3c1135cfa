import type { Family, PerFamily } from '../net/family.ts';
import type { NodeFacts } from './facts.ts';
import type { Direction } from './phase.ts';
import type { Recorded } from './record.ts';

/**
 * The state that the planner works towards, every value explicit. Made in `plan/` from the resolved resource and the
 * facts (the live primary CIDR may be left out of the resource), or from the records when the way is back.
 */
export interface Wanted {
  readonly direction: Direction;
  /** Primary first. */
  readonly families: readonly Family[];
  /** Canonical CIDR texts. Going back, the family that leaves is absent. */
  readonly pods: PerFamily<string>;
  readonly services: PerFamily<string>;
  readonly nodeMask: PerFamily<number>;
  readonly nodes: {
    readonly nodeIP: 'Manage' | 'Leave';
    /** Seconds. */
    readonly gracePeriod: number;
    readonly remediation: 'Auto' | 'None';
    readonly podCIDRs: 'Keep' | 'Replace' | 'Drain';
    /** Set with `Drain`, and only then. */
    readonly drain?: DrainRules;
    readonly guard: 'None' | 'Taint';
    readonly maxUnavailable: number;
  };
  readonly serviceMigration: 'None' | 'Selected' | 'All';
  readonly workloadRestart: 'None' | 'Selected' | 'All';
  readonly tolerateUnavailable: number;
  readonly verification: 'Probes' | 'None';
  /** Options of a CNI or distribution by their key in the spec (`calico`); each folder parses its own with its own schema. */
  readonly options: Readonly<Record<string, unknown>>;
  /** First states to return to, byte for byte, where they were recorded. Empty when the way is forward. */
  readonly restore: Recorded;
}

/** What a drain may do to pods that lose something by it. */
export interface DrainRules {
  readonly standalonePods: 'Refuse' | 'Evict';
  readonly emptyDir: 'Refuse' | 'Evict';
  /** Seconds that it may stand still. */
  readonly timeout: number;
}

/**
 * True where nobody has to wait for the podCIDRs that these Nodes lack: there are none such, or nobody was asked to replace Nodes, and then the planner's own
 * Finding (`PodCIDRsMissing`) keeps what needs them from being done.
 */
export const needNotWait = ({ nodes: { podCIDRs } }: Wanted, lacking: readonly NodeFacts[]): boolean =>
  lacking.length === 0 || (podCIDRs === 'Keep' && lacking.every((node) => node.podCIDRs.length > 0));

/** CIDRs in family order, primary first, as component flags want them: `10.96.0.0/16,fd00:10:96::/112`. */
export const cidrList = (families: readonly Family[], cidrs: PerFamily<string>): readonly string[] =>
  families.flatMap((family) => cidrs[family] ?? []);
