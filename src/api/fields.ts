import * as z from 'zod';
import { CONDITION_STATUSES } from './conditions.ts';

/**
 * Building blocks of the schemas. Every list and text has an upper limit: the API server prices its rules by them, and an object
 * has to fit etcd. Texts in the status are cut to these limits by who writes them (`clip`).
 */
export const LIMITS = {
  /** Names of objects, nodes, steps. */
  name: 253,
  /** A sentence for people. */
  message: 1024,
  /** One side of a change; longer ones are cut. */
  diff: 2048,
  changes: 10,
  steps: 100,
  findings: 50,
  components: 200,
  exceptions: 50,
  corrections: 50,
  checks: 100,
} as const;

/** Cuts a text to `max` characters and shows by an ellipsis that it did. */
export const clip = (text: string, max: number = LIMITS.message): string =>
  text.length <= max ? text : `${text.slice(0, max - 1)}…`;

export const FAMILY = z.enum(['IPv4', 'IPv6']);

export const text = (description: string, max: number = LIMITS.message) => z.string().max(max).meta({ description });

export const name = (description: string) => text(description, LIMITS.name);

export const count = (description: string) => z.int().min(0).max(10_000_000).meta({ description });

/** RFC 3339. */
export const time = (description: string) => z.iso.datetime({ offset: true }).meta({ description });

export const generation = (description: string) => z.int().min(-1).max(Number.MAX_SAFE_INTEGER).meta({ description });

export const families = (description: string) =>
  z.array(FAMILY).max(2).meta({ description, 'x-kubernetes-list-type': 'atomic' });

/** Text values by key, such as flags of a component. */
export const texts = (description: string, max: number = LIMITS.message) =>
  z.record(z.string(), z.string().max(max)).meta({ description, maxProperties: 300 });

const LIST_ATOMIC = { 'x-kubernetes-list-type': 'atomic' } as const;

export const listOf = <T extends z.ZodType>(item: T, max: number, description: string) =>
  z
    .array(item)
    .max(max)
    .meta({ description, ...LIST_ATOMIC });

/** Conditions as `metav1.Condition` has them. */
export const conditionsOf = <T extends string>(types: readonly [T, ...T[]], description: string) =>
  z
    .array(
      z.strictObject({
        type: z.enum(types).meta({ description: 'What the condition is about.' }),
        status: z.enum(CONDITION_STATUSES).meta({ description: 'True, False, or Unknown when it could not be told.' }),
        observedGeneration: generation('Generation of the resource that this was told of.').exactOptional(),
        lastTransitionTime: time('When `status` last changed.'),
        reason: z
          .string()
          .min(1)
          .max(128)
          .regex(/^[A-Za-z][A-Za-z0-9]*$/)
          .meta({ description: 'Why, in one word of the documented list.' }),
        message: text('Why, in a sentence that says what to do.', 4096),
      }),
    )
    .max(types.length)
    .meta({ description, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });
