import type { Family, PerFamily } from '../net/family.ts';
import type { Result } from '../result.ts';

/** Writes the files with which one tool makes a new cluster, or one part of it. Pure: the same request gives the same files. */
export interface Generator {
  /** As it is called on the command line. */
  readonly name: string;
  /** One sentence for its help. */
  readonly summary: string;
  /** What it asks beside the networks. */
  readonly flags: readonly Flag[];
  /** Networks of a family for which none are given. */
  defaults(values: FlagValues): Readonly<Record<Family, Networks>>;
  generate(cluster: NewCluster, values: FlagValues): Result<Generated, Refusal>;
}

/** A cluster that does not exist yet, as far as its network goes. */
export interface NewCluster {
  /** Name of the DualStackCluster, or `cluster`. */
  readonly name: string;
  /** Primary first. Each of them has networks below. */
  readonly families: readonly Family[];
  readonly pods: PerFamily<string>;
  readonly services: PerFamily<string>;
  /** Only what was asked for: what a tool takes otherwise is the generator's to know. */
  readonly nodeMask: PerFamily<number>;
  /** Options of distributions and CNIs by key, checked with the resource. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface Networks {
  readonly pods: string;
  readonly services: string;
}

/** A flag with a value. */
export interface Flag {
  /** Without dashes. */
  readonly name: string;
  /** What stands for the value in the help. */
  readonly value: string;
  readonly description: string;
  readonly choices?: readonly string[];
  /** It can be given more than once. */
  readonly many?: true;
}

/** What was given, by the names of the flags. One that was not given is absent. */
export type FlagValues = Readonly<Record<string, readonly string[]>>;

export interface Generated {
  readonly files: readonly GeneratedFile[];
  /** What remains to be done, or is worth knowing before the files are used; sentences. */
  readonly notes: readonly string[];
}

export interface GeneratedFile {
  /** Without folders. */
  readonly name: string;
  readonly text: string;
  /** It holds a secret, so nobody else may read it. */
  readonly secret?: true;
}

/**
 * Why there are no files.
 * - `Asked`: something is missing or not valid; asked rightly there are files.
 * - `Impossible`: the tool can have no such cluster.
 */
export interface Refusal {
  readonly is: 'Asked' | 'Impossible';
  /** Sentences, each with what to do. */
  readonly problems: readonly string[];
}
