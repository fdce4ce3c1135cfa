import { RESTART_LABEL, RESTART_MARK } from '../api/names.ts';
import { asArray, asNumber, asString, at, type KubeObject } from '../model/object.ts';
import { type PodOwner, RESTARTABLE_KINDS, type RestartFacts } from '../model/pod-owner.ts';
import { known, unknown, type Known, type ListQuery, type PagedReader } from '../model/reader.ts';
import { FAMILIES, type Family, hasFamily } from '../net/family.ts';
import { type Budget, toBudget } from './budgets.ts';

/** All that is read of a Pod here: one list of them is the longest that there is. */
export const POD_FIELDS = [
  'metadata.creationTimestamp',
  'metadata.deletionTimestamp',
  'metadata.labels',
  'metadata.ownerReferences.kind',
  'metadata.ownerReferences.name',
  'metadata.ownerReferences.controller',
  'spec.hostNetwork',
  'status.phase',
  'status.podIPs',
  'status.conditions.type',
  'status.conditions.status',
] as const;

/**
 * Everything that keeps pods, with how many of these lack a family. Whole objects are dropped as soon as a page of them is read. Workloads come
 * before their pods: what is rolled out by then has no older pods among those that are read later. `also` gets each pod as well.
 */
export async function readPodOwners(
  read: PagedReader,
  also?: (pod: KubeObject) => void,
): Promise<Known<readonly PodOwner[]>> {
  const workloads = new Map<string, KubeWorkload>();
  for (const kind of RESTARTABLE_KINDS) {
    const failure = await eachOf(read, { apiVersion: 'apps/v1', kind }, (object) => {
      const workload = toWorkload(kind, object);
      workloads.set(keyOf(workload), workload);
    });
    if (failure !== null) return unknown(failure);
  }
  const budgets: Budget[] = [];
  const noBudgets = await eachOf(read, { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' }, (object) =>
    budgets.push(toBudget(object)),
  );
  if (noBudgets !== null) return unknown(noBudgets);

  const owners = new Map<string, Tally>();
  const noPods = await eachOf(read, { apiVersion: 'v1', kind: 'Pod', fields: POD_FIELDS }, (pod) => {
    count(pod, owners, workloads);
    also?.(pod);
  });
  if (noPods !== null) return unknown(noPods);
  return known([...owners.values()].map((tally) => toOwner(tally, workloads, budgets)).toSorted(byName));
}

/** Null when all were read; else why not. */
export async function eachOf(
  read: PagedReader,
  query: ListQuery,
  use: (object: KubeObject) => unknown,
): Promise<string | null> {
  for await (const page of read(query)) {
    if (page.is !== 'Found') return page.is === 'Unreadable' ? page.why : `the server knows no ${query.kind}s`;
    page.value.forEach(use);
  }
  return null;
}

interface Named {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

const keyOf = ({ kind, namespace, name }: Named): string => `${kind}/${namespace}/${name}`;
const byName = (a: Named, b: Named): number => (keyOf(a) < keyOf(b) ? -1 : 1);

/** A workload without what its pods tell. */
interface KubeWorkload extends Named {
  readonly podLabels: Readonly<Record<string, string>>;
  readonly facts: Omit<RestartFacts, 'budget' | 'notReady' | 'youngestPod'>;
}

function toWorkload(kind: (typeof RESTARTABLE_KINDS)[number], object: KubeObject): KubeWorkload {
  const { metadata } = object;
  const desired = desiredOf(kind, object);
  const keeper = (metadata.ownerReferences ?? []).find((reference) => reference['controller'] === true);
  return {
    kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    podLabels: (at(object, 'spec', 'template', 'metadata', 'labels') as Record<string, string> | undefined) ?? {},
    facts: {
      resourceVersion: metadata.resourceVersion ?? '',
      label: metadata.labels?.[RESTART_LABEL] ?? null,
      mark: metadata.annotations?.[RESTART_MARK] ?? null,
      keeper: keeper === undefined ? null : `${asString(keeper['kind']) ?? ''} ${asString(keeper['name']) ?? ''}`,
      desired,
      rolledOut: isRolledOut(kind, object, desired),
      obstacle: obstacleOf(kind, object),
      allAtOnce: at(object, 'spec', 'strategy', 'type') === 'Recreate',
    },
  };
}

const desiredOf = (kind: string, object: KubeObject): number =>
  kind === 'DaemonSet'
    ? (asNumber(at(object, 'status', 'desiredNumberScheduled')) ?? 0)
    : (asNumber(at(object, 'spec', 'replicas')) ?? 1);

/** By the controller's own counts, as `kubectl rollout status` does. */
function isRolledOut(kind: (typeof RESTARTABLE_KINDS)[number], object: KubeObject, desired: number): boolean {
  const status = (field: string): number => asNumber(at(object, 'status', field)) ?? 0;
  if (status('observedGeneration') < (object.metadata.generation ?? 0)) return false;
  switch (kind) {
    case 'DaemonSet':
      return status('updatedNumberScheduled') >= desired && status('numberReady') >= desired;
    case 'Deployment':
      return (
        status('updatedReplicas') >= desired &&
        status('replicas') <= status('updatedReplicas') &&
        status('readyReplicas') >= desired
      );
    case 'StatefulSet':
      return (
        at(object, 'status', 'currentRevision') === at(object, 'status', 'updateRevision') &&
        status('readyReplicas') >= desired
      );
  }
}

function obstacleOf(kind: string, object: KubeObject): RestartFacts['obstacle'] {
  if (at(object, 'spec', 'paused') === true) return 'Paused';
  if (kind === 'Deployment') return null;
  if (at(object, 'spec', 'updateStrategy', 'type') === 'OnDelete') return 'OnDelete';
  const partition = asNumber(at(object, 'spec', 'updateStrategy', 'rollingUpdate', 'partition')) ?? 0;
  return partition > 0 ? 'Partition' : null;
}

/** What is kept of the pods of one owner. */
interface Tally extends Named {
  pods: number;
  readonly without: Record<Family, number>;
  notReady: { readonly pod: string; readonly since: string } | null;
  youngest: string | null;
}

function count(pod: KubeObject, owners: Map<string, Tally>, workloads: ReadonlyMap<string, KubeWorkload>): void {
  const phase = at(pod, 'status', 'phase');
  const isGoing = pod.metadata.deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed';
  if (isGoing || at(pod, 'spec', 'hostNetwork') === true) return;
  const owner = ownerOf(pod, workloads);
  const key = keyOf(owner);
  const tally = owners.get(key) ?? { ...owner, pods: 0, without: { IPv4: 0, IPv6: 0 }, notReady: null, youngest: null };
  owners.set(key, tally);

  const since = pod.metadata.creationTimestamp ?? '';
  if (since > (tally.youngest ?? '')) tally.youngest = since;
  if (!isReady(pod) && since < (tally.notReady?.since ?? '\uffff')) tally.notReady = { pod: pod.metadata.name, since };
  const addresses = asArray(at(pod, 'status', 'podIPs')).flatMap((entry) => asString(at(entry, 'ip')) ?? []);
  if (addresses.length === 0) return;
  tally.pods += 1;
  for (const family of FAMILIES) if (!hasFamily(addresses, family)) tally.without[family] += 1;
}

export const isReady = (pod: KubeObject): boolean =>
  asArray(at(pod, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
  );

/**
 * A Deployment's ReplicaSets are called after it and the hash of its template. So the Deployment is told from the pod, without reading all
 * ReplicaSets, old ones among them; that it is there is looked up.
 */
function ownerOf(pod: KubeObject, workloads: ReadonlyMap<string, KubeWorkload>): Named {
  const namespace = pod.metadata.namespace ?? '';
  const controller = (pod.metadata.ownerReferences ?? []).find((reference) => reference['controller'] === true);
  if (controller === undefined) return { kind: 'Pod', namespace, name: pod.metadata.name };
  const kind = asString(controller['kind']) ?? '';
  const name = asString(controller['name']) ?? '';
  const suffix = `-${pod.metadata.labels?.['pod-template-hash'] ?? ''}`;
  if (kind !== 'ReplicaSet' || suffix === '-' || !name.endsWith(suffix)) return { kind, namespace, name };
  const deployment = { kind: 'Deployment', namespace, name: name.slice(0, -suffix.length) };
  return workloads.has(keyOf(deployment)) ? deployment : { kind, namespace, name };
}

function toOwner(
  { kind, namespace, name, pods, without, notReady, youngest }: Tally,
  workloads: ReadonlyMap<string, KubeWorkload>,
  budgets: readonly Budget[],
): PodOwner {
  const workload = workloads.get(keyOf({ kind, namespace, name }));
  if (workload === undefined) return { kind, namespace, name, pods, without, restart: null };
  const budget = budgets.find(
    (each) => each.namespace === namespace && each.disruptionsAllowed === 0 && each.covers(workload.podLabels),
  );
  const restart = { ...workload.facts, budget: budget?.name ?? null, notReady, youngestPod: youngest };
  return { kind, namespace, name, pods, without, restart };
}
