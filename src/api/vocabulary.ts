import * as z from 'zod';
import { baseShape, type ClusterSpec } from './cluster-spec.ts';
import type { Rule } from './rule.ts';

/** What the registry adds to the schema: names of distributions and CNIs, and the options of those that have some. */
export interface Vocabulary {
  /** Without `Auto`, which is always allowed. */
  readonly distributions: readonly string[];
  readonly cnis: readonly string[];
  /** Schemas of `spec.<key>`. */
  readonly options: Readonly<Record<string, z.ZodType>>;
  /** Rules that tie options to the rest of the spec. */
  readonly rules?: readonly Rule[];
}

const chosenFrom = (names: readonly string[], description: string) =>
  z
    .enum(['Auto', ...names])
    .meta({ description })
    .exactOptional();

/** Schema of `spec` for that vocabulary. It has no defaults, so that GitOps tools see no drift. */
export const clusterSpecSchema = (vocabulary: Vocabulary): z.ZodType<ClusterSpec> => {
  const { ipFamilies, mode, paused, approvedPlanHash, ...rest } = baseShape;
  return z
    .strictObject({
      ipFamilies,
      mode,
      paused,
      approvedPlanHash,
      distribution: chosenFrom(
        vocabulary.distributions,
        'How the control plane is run. Auto: found out. Unmanaged: the operator leaves the control plane to you and says what to set. Default: Auto.',
      ),
      cni: chosenFrom(
        vocabulary.cnis,
        'The network plug-in. Auto: found out. Unmanaged: the operator leaves it to you and says what to set. Default: Auto.',
      ),
      ...rest,
      ...Object.fromEntries(Object.entries(vocabulary.options).map(([key, schema]) => [key, schema.exactOptional()])),
    })
    .meta({ description: 'What is wanted. The operator never writes here.' });
};
