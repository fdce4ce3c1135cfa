import { API_VERSION, CLUSTER, NODE } from '../api/names.ts';
import type { KubeClient, SelectQuery } from '../kube/client.ts';
import { errorText } from '../kube/errors.ts';
import { type Reflector, reflector } from '../kube/reflector.ts';
import type { KubeObject } from '../model/object.ts';
import type { NodeFacts } from '../model/facts.ts';
import { NODE_FIELDS, toNodes } from '../observe/nodes.ts';
import { ok, type Result } from '../result.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Contact, Observation, ObserveError, WatchNodesOptions } from './session.ts';
import { observationOf, type Sight, type SightDeps, takeSight } from './sight.ts';

interface WatchNodesDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
}

/** Changes come in bursts: this long they are gathered. */
const GATHER_MS = 200;
/**
 * The watches bring Nodes, DualStackNodes and the resource. What else decides on a cause, such as the pods of the network plug-in, is too much to be
 * watched by a command: it is looked at anew some time after a change, and without one now and then; never for more than a tenth of the time.
 */
const LOOK_AFTER_CHANGE_MS = 5_000;
const LOOK_ANYWAY_MS = 60_000;
const LOOK_SHARE = 10;
/** A person waits: sooner than a controller would. */
const BACKOFF = { baseMs: 500, maxMs: 3_000, jitter: 0.3 };

/** The server sends bookmarks each minute. */
const SILENT_MS = 90_000;

/** See `ClusterSession.watchNodes`. */
export async function* watchNodes(
  options: WatchNodesOptions,
  deps: WatchNodesDeps,
  signal: AbortSignal,
): AsyncIterable<Result<Observation, ObserveError>> {
  const { client, clock } = deps;
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const begun = clock.monotonic();
  const first = await takeSight(options.resource, { client, clock, signal: either });
  if (!first.ok) {
    yield first;
    return;
  }
  const bell = makeBell(clock);
  const looks = makeLooks(first.value, clock.monotonic() - begun, { client, clock, signal: either }, bell.ring);
  const contacts = makeContacts(options.onContact);
  const caches = await makeCaches(options, deps, contacts, () => {
    looks.expectChange();
    bell.ring();
  });
  const running = caches.run(either);
  try {
    if (!(await caches.whenSynced(either))) return;
    while (!either.aborted) {
      const resource = caches.resource() ?? looks.last().resource;
      yield ok(observationOf(sightNow(looks.last(), resource, caches.nodes(), clock.now())));
      await bell.wait(looks.dueInMs(), either);
      if (looks.dueInMs() <= 0 && !contacts.isLost()) looks.begin(resource);
    }
  } finally {
    ending.abort();
    await Promise.all([running, looks.idle()]);
  }
}

/** The rest of the cluster is as it was at the last look. */
function sightNow(sight: Sight, resource: KubeObject, nodes: readonly NodeFacts[], now: number): Sight {
  const renewals = new Map(sight.facts.nodes.flatMap(({ uid, renewedAt }) => (renewedAt ? [[uid, renewedAt]] : [])));
  const all = nodes.map((node) => {
    const renewedAt = renewals.get(node.uid);
    return renewedAt === undefined ? node : { ...node, renewedAt };
  });
  const { facts } = sight;
  return { ...sight, resource, facts: { ...facts, at: now, nodes: all, basics: { ...facts.basics, nodes: all } } };
}

interface Bell {
  readonly ring: () => void;
  /** Until it rings, and what rings with it has been gathered; or until the time is over or the signal aborts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

function makeBell(clock: Clock): Bell {
  let rung = false;
  let waiting = new AbortController();
  return {
    ring: () => {
      rung = true;
      waiting.abort();
    },
    async wait(milliseconds, signal) {
      waiting = new AbortController();
      if (!rung) await clock.sleep(milliseconds, AbortSignal.any([signal, waiting.signal]));
      if (rung) await clock.sleep(GATHER_MS, signal);
      rung = false;
    },
  };
}

interface Contacts {
  readonly lost: (watched: string, why: string) => void;
  readonly reached: (watched: string) => void;
  readonly isLost: () => boolean;
}

/** Several watches end when an API server goes away, and begin anew one after another: that is one loss. */
function makeContacts(tell: (contact: Contact) => void): Contacts {
  const lost = new Set<string>();
  return {
    lost: (watched, why) => {
      if (lost.size === 0) tell({ is: 'Lost', why });
      lost.add(watched);
    },
    reached: (watched) => {
      if (lost.delete(watched) && lost.size === 0) tell({ is: 'Back' });
    },
    isLost: () => lost.size > 0,
  };
}

interface Looks {
  /** The last one that could be taken. */
  readonly last: () => Sight;
  readonly dueInMs: () => number;
  /** Something has changed: other things may follow. */
  readonly expectChange: () => void;
  readonly begin: (resource: KubeObject) => void;
  /** When none is under way. */
  readonly idle: () => Promise<void>;
}

function makeLooks(first: Sight, firstTookMs: number, deps: SightDeps, onEnd: () => void): Looks {
  const { clock } = deps;
  let sight = first;
  let tookMs = firstTookMs;
  let endedAt = clock.monotonic();
  let isStale = false;
  let underWay: Promise<void> | null = null;

  const lookAgain = async (resource: KubeObject): Promise<void> => {
    const begun = clock.monotonic();
    // Of the workloads no node's cause is made, and they are the longest list of all.
    const taken = await takeSight(resource, { ...deps, readWorkloads: async () => first.facts.workloads });
    if (taken.ok) sight = taken.value;
    else isStale = true;
    endedAt = clock.monotonic();
    tookMs = endedAt - begun;
    underWay = null;
    onEnd();
  };

  return {
    last: () => sight,
    dueInMs: () => {
      if (underWay !== null) return LOOK_ANYWAY_MS;
      const pause = Math.max(isStale ? LOOK_AFTER_CHANGE_MS : LOOK_ANYWAY_MS, tookMs * LOOK_SHARE);
      return Math.max(0, endedAt + pause - clock.monotonic());
    },
    expectChange: () => {
      isStale = true;
    },
    begin: (resource) => {
      isStale = false;
      underWay ??= lookAgain(resource);
    },
    idle: async () => {
      await underWay;
    },
  };
}

interface Caches {
  readonly nodes: () => readonly NodeFacts[];
  /** The resource as it is in the cluster; null: it is not followed, or not there. */
  readonly resource: () => KubeObject | null;
  whenSynced(signal: AbortSignal): Promise<boolean>;
  run(signal: AbortSignal): Promise<void>;
}

/** An object and the part of it that counts: heartbeats do not. */
interface Kept {
  readonly object: KubeObject;
  readonly print: string;
}

async function makeCaches(
  { resource, inCluster }: WatchNodesOptions,
  deps: WatchNodesDeps,
  contacts: Contacts,
  onChange: () => void,
): Promise<Caches> {
  const follow = (query: SelectQuery, printOf: (object: KubeObject) => string): Reflector<Kept> =>
    reflector<Kept>({
      ...deps,
      query,
      trim: (object) => ({ object, print: printOf(object) }),
      onChange: (change) => {
        if (change.type !== 'Updated' || change.item.print !== change.before.print) onChange();
      },
      onReached: () => contacts.reached(query.kind),
      onError: (error) => {
        const isFailure = error instanceof Error || (error.kind !== 'Gone' && error.kind !== 'Unknown');
        if (isFailure) contacts.lost(query.kind, error instanceof Error ? error.message : errorText(error));
      },
      backoff: BACKOFF,
      idleTimeoutMs: SILENT_MS,
    });

  const nodes = follow({ apiVersion: 'v1', kind: 'Node', fields: NODE_FIELDS }, nodePrint);
  const served = await deps.client.serves(API_VERSION, NODE.kind);
  const agents = served.ok && served.value ? [follow({ apiVersion: API_VERSION, kind: NODE.kind }, ownPrint)] : [];
  const { name } = resource.metadata;
  const resourceQuery = { apiVersion: API_VERSION, kind: CLUSTER.kind, fieldSelector: `metadata.name=${name}` };
  const resources = inCluster ? [follow(resourceQuery, ownPrint)] : [];
  const all = [nodes, ...agents, ...resources];
  return {
    nodes: () => toNodes(objectsOf([nodes]), objectsOf(agents)),
    resource: () => objectsOf(resources)[0] ?? null,
    whenSynced: async (signal) => (await Promise.all(all.map((each) => each.whenSynced(signal)))).every(Boolean),
    run: async (signal) => {
      await Promise.all(all.map((each) => each.run(signal)));
    },
  };
}

const objectsOf = (caches: readonly Reflector<Kept>[]): readonly KubeObject[] =>
  caches.flatMap((cache) => cache.items().map(({ object }) => object));

const nodePrint = (object: KubeObject): string => {
  const [facts] = toNodes([object], []);
  return JSON.stringify({ ...facts, resourceVersion: '' });
};

const ownPrint = ({ metadata, ...object }: KubeObject): string =>
  JSON.stringify([metadata.generation, object['spec'], object['status']]);
