import { setTimeout as sleep } from 'node:timers/promises';
import { asArray, asString, at } from '../../src/model/object.ts';
import type { KubeObject, PlugIn, TestCluster } from '../cluster/index.ts';
import { isReady } from '../cluster/podplayer.ts';

/** What runs of a network plug-in on a cluster whose pods are played: writes to the API what the real one would, and gives pods their addresses. */
export interface PlayedCNI {
  /** Looks at the API and does what is due. May fail where the API is away: it is called again. */
  turn(): Promise<void>;
  readonly plugIn: PlugIn;
  /** For which the real one would have ended, or fought with another; none in a conversion that goes well. */
  readonly wrongs: string[];
}

const TURN_MS = 100;

/** Plays it until the answer is called. */
export function play(cluster: TestCluster, played: PlayedCNI): () => Promise<void> {
  const stopping = new AbortController();
  cluster.plugIn = played.plugIn;
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      await played.turn().catch(() => {}); // the API is away now and then
      await sleep(TURN_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();
  return async () => {
    stopping.abort();
    await loop;
    cluster.plugIn = undefined;
  };
}

/** Pods of one workload that have come to run, each once. */
export class Starts {
  readonly #cluster: TestCluster;
  readonly #isOne: (pod: KubeObject) => boolean;
  readonly #seen = new Set<string>();

  constructor(cluster: TestCluster, namespace: string, labels: Readonly<Record<string, string>>) {
    this.#cluster = cluster;
    this.#isOne = ({ metadata }) =>
      metadata.namespace === namespace &&
      Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value);
  }

  /** @param start Answers whether it has started; else it is asked again at the next turn. */
  async each(start: (pod: KubeObject) => Promise<boolean>): Promise<void> {
    const fresh = [...this.#cluster.pods.objects.values()].filter(
      (pod) => this.#isOne(pod) && isReady(pod) && !this.#seen.has(uidOf(pod)) && !pod.metadata.deletionTimestamp,
    );
    for (const pod of fresh.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
      if (await start(pod)) this.#seen.add(uidOf(pod));
    }
  }
}

const uidOf = ({ metadata }: KubeObject): string => metadata.uid ?? '';

export const nodeNameOf = (pod: KubeObject): string => asString(at(pod, 'spec', 'nodeName')) ?? '';

export const isIPv6 = (text: string): boolean => text.includes(':');

export const internalIPsOf = (node: KubeObject): readonly string[] =>
  asArray(at(node, 'status', 'addresses')).flatMap((entry) =>
    at(entry, 'type') === 'InternalIP' ? (asString(at(entry, 'address')) ?? []) : [],
  );

/** Values of a Pod's container, literal ones only. */
export function environmentOf(pod: KubeObject, container: string): Readonly<Record<string, string>> {
  const found = asArray(at(pod, 'spec', 'containers')).find((each) => at(each, 'name') === container);
  return Object.fromEntries(
    asArray(at(found, 'env')).flatMap((entry) => {
      const value = asString(at(entry, 'value'));
      return value === undefined ? [] : [[asString(at(entry, 'name')) ?? '', value]];
    }),
  );
}

/** The object; throws where there is none. */
export async function objectAt({ api }: TestCluster, path: string): Promise<KubeObject> {
  const object = await api.get(path);
  if (object === undefined) throw new Error(`there is no ${path}`);
  return object;
}

export const itemsAt = async ({ api }: TestCluster, path: string): Promise<readonly KubeObject[]> =>
  asArray(at(await api.get(path), 'items')) as readonly KubeObject[];
