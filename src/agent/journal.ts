import { z } from 'zod';
import { STATIC_PODS } from '../model/host.ts';
import type { HostReport } from '../model/host.ts';
import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';
import type { HostFiles } from './files.ts';

/** What the agent must not forget when it is restarted, on the host because the API may be away. */
export const STATE_FOLDER = '/var/lib/dualstack';
const JOURNAL = `${STATE_FOLDER}/state.json`;

const component = z.enum(['kube-apiserver', 'kube-controller-manager', 'kubelet', 'k0s']);
export type Component = z.infer<typeof component>;
/** What is restarted by its service. */
const restartable = z.enum(['kubelet', 'k0s']);
export type Restartable = z.infer<typeof restartable>;

const shownFlags = z.record(z.string(), z.string());

/** One edit that is still being watched. Written before the edit is made, so that a crash cannot leave an edit unwatched. */
const watchSchema = z.object({
  component,
  file: z.string(),
  /** The whole text before the edit, and after it the hash: if nobody else changed the file, exactly that text is put back. */
  before: z.string(),
  afterHash: z.string(),
  changes: z.array(z.object({ flag: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
  generation: z.number(),
  /** Milliseconds since the host's boot, as all times of an edit: the wall clock may be set while one is watched. */
  editedAt: z.number(),
  /** When a process with the old arguments was last seen: the new one cannot have started before. */
  oldSeenAt: z.number(),
  /** How often the container had been restarted before the edit, by uid of its Pod; null: unknown, later looks begin from what they see. */
  logsBefore: z.record(z.string(), z.number()).nullable().default(null),
  /** Processes with the new arguments. `excused`: it ended for a reason that the edit cannot have. */
  processes: z.array(z.object({ key: z.string(), seenAt: z.number(), gone: z.boolean(), excused: z.boolean() })),
  /** Runs that ended by the kubelet's own count, before the edit had proven to work. */
  exits: z.number(),
  /** Last line of the log of the run that ended last. */
  lastWords: z.string(),
  /** When the component first proved to work with the new arguments. */
  provenAt: z.number().nullable(),
  /** The file was seen with the edit in it. If it later lacks it, somebody took it out by hand. */
  written: z.boolean(),
  /** Of an edit of k0s' configuration. */
  k0s: z
    .object({
      /** The k0s that runs with the old text; null: none ran. */
      oldProcess: z.string().nullable(),
      /** What its processes must show. */
      shows: z.object({ 'kube-apiserver': shownFlags.optional(), 'kube-controller-manager': shownFlags.optional() }),
      /** Since when no k0s has run; null: one runs. */
      downSince: z.number().nullable(),
    })
    .nullable()
    .default(null),
  /** Why it is being undone: set before the old text goes back, so that a crash then does not lose the refusal. */
  undoing: z.string().nullable(),
});
export type Watch = z.infer<typeof watchSchema>;

const flagValues = z.record(z.string(), z.string().nullable());
const recordedSchema = z.object({
  kubelet: z.object({ nodeIP: z.string().nullable() }).optional(),
  staticPods: z
    .object({ 'kube-apiserver': flagValues.optional(), 'kube-controller-manager': flagValues.optional() })
    .optional(),
  sysctls: z.record(z.string(), z.string()).optional(),
  k0s: flagValues.optional(),
});

const journalSchema = z.object({
  boot: z.string(),
  /** When each address was first seen in this boot, by interface and address. */
  seen: z.record(z.string(), z.string()),
  /** When the first look of this boot was; null: an agent wrote this that did not note it. */
  watchingSince: z.string().nullable().default(null),
  /** Start times as first worked out: the kernel's boot time may jitter by a second, and a status must not. */
  started: z.record(z.string(), z.string()),
  recorded: recordedSchema,
  watches: z.array(watchSchema),
  refused: z.array(
    z.object({ component, flag: z.string(), value: z.string(), generation: z.number(), why: z.string() }),
  ),
  /** The restart that is under way. */
  restart: z
    .object({
      service: restartable.default('kubelet'),
      token: z.string().nullable(),
      oldProcess: z.string().nullable(),
      /** Milliseconds since the host's boot. */
      askedAt: z.number().nullable(),
      reloadUnits: z.boolean(),
      /** Why it could not be asked for. */
      problem: z.string().nullable(),
    })
    .nullable(),
  /** Token of the last restart of the kubelet that was done. */
  restartToken: z.string().nullable(),
  /** Generation of the spec that was last in force as a whole; null: none yet. */
  appliedGeneration: z.number().nullable().default(null),
});
export type Recorded = HostReport['recorded'];
export type Journal = Omit<z.infer<typeof journalSchema>, 'recorded'> & { readonly recorded: Recorded };

export const emptyJournal: Journal = {
  boot: '',
  seen: {},
  watchingSince: null,
  started: {},
  recorded: {},
  watches: [],
  refused: [],
  restart: null,
  restartToken: null,
  appliedGeneration: null,
};

/** A journal that cannot be understood is an error, never an empty one: it would forget first values and edits in flight. */
export function loadJournal(files: HostFiles): Result<Journal, string> {
  try {
    const text = files.read(JOURNAL);
    return text === null ? ok(emptyJournal) : ok(journalSchema.parse(JSON.parse(text)) as Journal);
  } catch (error) {
    return err(
      `${JOURNAL} cannot be understood (${error instanceof Error ? error.message : String(error)}): ` +
        'look at it on the host, and remove it if nothing of this node is under way',
    );
  }
}

export const saveJournal = (files: HostFiles, journal: Journal): Result<void, string> =>
  files.replace(JOURNAL, `${JSON.stringify(journal, null, 2)}\n`);

/** First values of both, where `first` beats `later`: what was recorded once is never overwritten. */
export function mergeRecorded(first: Recorded, later: Recorded): Recorded {
  const kubelet = first.kubelet ?? later.kubelet;
  const pods = STATIC_PODS.map((pod) => [pod, { ...later.staticPods?.[pod], ...first.staticPods?.[pod] }] as const);
  const staticPods = Object.fromEntries(pods.filter(([, flags]) => Object.keys(flags).length > 0));
  const sysctls = { ...later.sysctls, ...first.sysctls };
  const k0s = { ...later.k0s, ...first.k0s };
  return {
    ...(kubelet === undefined ? {} : { kubelet }),
    ...(Object.keys(staticPods).length === 0 ? {} : { staticPods }),
    ...(Object.keys(sysctls).length === 0 ? {} : { sysctls }),
    ...(Object.keys(k0s).length === 0 ? {} : { k0s }),
  };
}

/** The first values that the API server is known to hold, from the status of the agent's object as it came back. */
export function parseRecorded(status: unknown): Recorded {
  const parsed = z.object({ recorded: recordedSchema }).safeParse(status);
  return parsed.success ? mergeRecorded(parsed.data.recorded as Recorded, {}) : {};
}
