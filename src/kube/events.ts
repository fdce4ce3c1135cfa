import type { KubeObject, ObjectRef } from '../model/object.ts';
import type { Clock } from '../runtime/clock.ts';
import type { KubeClient } from './client.ts';
import type { KubeError } from './errors.ts';
import { microTime } from './micro-time.ts';

/** The object that an Event is about. */
interface Regarding extends ObjectRef {
  readonly uid?: string;
}

export interface EventContent {
  readonly type: 'Normal' | 'Warning';
  /** Why, in CamelCase: `StepDone`. */
  readonly reason: string;
  /** What was done, in CamelCase: `Apply`. */
  readonly action: string;
  /** For people. Cut at 1024 bytes, the limit of the API. */
  readonly note: string;
}

interface RecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'mergePatch'>;
  readonly clock: Clock;
  /** For unique names: hexadecimal, new at each call. */
  readonly newId: () => string;
  /** The program, for instance `dualstack.dev/operator`. */
  readonly controller: string;
  /** This very process: usually the pod's name. */
  readonly instance: string;
  /** Ends the waiting for a server that is away. */
  readonly signal?: AbortSignal;
  readonly onError?: (error: KubeError) => void;
}

export interface EventRecorder {
  /** Settles when the Event is written, or could not be. Never rejects: nobody's work fails for want of an Event. */
  record(regarding: Regarding, content: EventContent): Promise<void>;
}

/** The same Event within this time is counted on the one already there. */
const SERIES_MS = 10 * 60_000;
/** How many different Events are remembered; the oldest are forgotten first. */
const MAX_REMEMBERED = 1000;
const MAX_NOTE_BYTES = 1024;
/** The API's limits for `reason` and `action`. */
const MAX_WORD = 128;

interface Series {
  readonly ref: ObjectRef;
  readonly count: number;
  readonly lastMs: number;
}

export function eventRecorder(options: RecorderOptions): EventRecorder {
  const { client, clock } = options;
  const seen = new Map<string, Series>();
  // One after another, so that two equal Events in one moment become one series instead of two Events.
  let last: Promise<void> = Promise.resolve();

  const remember = (key: string, series: Series): void => {
    seen.delete(key);
    seen.set(key, series);
    const oldest = seen.keys().next();
    if (seen.size > MAX_REMEMBERED && oldest.done !== true) seen.delete(oldest.value);
  };

  const create = async (key: string, regarding: Regarding, content: EventContent): Promise<void> => {
    const now = clock.now();
    const event = eventOf(options, regarding, content, now);
    const error = await insist(() => client.create(event), options);
    if (error !== null) return options.onError?.(error);
    const { apiVersion, kind, metadata } = event;
    const ref = { apiVersion, kind, name: metadata.name, namespace: metadata.namespace ?? 'default' };
    remember(key, { ref, count: 1, lastMs: now });
  };

  const write = async (regarding: Regarding, content: EventContent): Promise<void> => {
    const key = JSON.stringify([regarding, content]);
    const earlier = seen.get(key);
    const now = clock.now();
    if (earlier === undefined || now - earlier.lastMs > SERIES_MS) return create(key, regarding, content);
    const count = earlier.count + 1;
    const counted = await client.mergePatch(earlier.ref, { series: { count, lastObservedTime: microTime(now) } });
    if (counted.ok) return remember(key, { ...earlier, count, lastMs: now });
    // Events expire, an hour after they were made by default.
    if (counted.error.kind === 'NotFound') return create(key, regarding, content);
    options.onError?.(counted.error);
  };

  return {
    record: (regarding, content) => {
      // `write` tells what went wrong; should the telling itself fail, the next Event must still be written.
      last = last.then(() => write(regarding, content)).catch(() => {});
      return last;
    },
  };
}

/** Milliseconds between the attempts. */
const PAUSES_MS = [1000, 2000, 4000, 8000];

/**
 * What is told of an API server's restart is told while it begins, when it may be away once more or refuse everybody. By its name it is one Event,
 * however often it is sent. Null: it is there.
 */
async function insist(
  create: () => ReturnType<KubeClient['create']>,
  { clock, signal }: Pick<RecorderOptions, 'clock' | 'signal'>,
): Promise<KubeError | null> {
  for (let attempt = 0; ; attempt++) {
    const created = await create();
    if (created.ok || created.error.kind === 'AlreadyExists') return null;
    const pause = PAUSES_MS[attempt];
    const isWorthIt = pause !== undefined && PASSING.has(created.error.kind);
    if (!isWorthIt || !(await clock.sleep(pause, signal))) return created.error;
  }
}

/** `Forbidden`: a server that has just begun has not read its roles yet. */
const PASSING: ReadonlySet<KubeError['kind']> = new Set([
  'Network',
  'Timeout',
  'ServerError',
  'TooManyRequests',
  'Forbidden',
]);

function eventOf(options: RecorderOptions, regarding: Regarding, content: EventContent, nowMs: number): KubeObject {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: `${regarding.name}.${options.newId()}`,
      // Events about cluster-scoped objects live in `default`: that is where `kubectl describe` looks for them.
      namespace: regarding.namespace ?? 'default',
    },
    eventTime: microTime(nowMs),
    reportingController: options.controller,
    reportingInstance: options.instance.slice(0, MAX_WORD),
    action: content.action.slice(0, MAX_WORD),
    reason: content.reason.slice(0, MAX_WORD),
    type: content.type,
    note: cutToBytes(content.note, MAX_NOTE_BYTES),
    regarding: {
      apiVersion: regarding.apiVersion,
      kind: regarding.kind,
      name: regarding.name,
      ...(regarding.namespace === undefined ? {} : { namespace: regarding.namespace }),
      ...(regarding.uid === undefined ? {} : { uid: regarding.uid }),
    },
  };
}

/** The API counts bytes; a character is never cut in half. */
function cutToBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const ellipsis = '…';
  const room = maxBytes - Buffer.byteLength(ellipsis);
  const cut = new TextDecoder().decode(Buffer.from(text).subarray(0, room), { stream: true });
  return `${cut}${ellipsis}`;
}
