import type { Basics, EndedContainer, NodeFacts, PodFacts, WorkloadFacts } from './facts.ts';
import { asArray, asNumber, asString, asStringMap, at, refText, type KubeObject, type ObjectRef } from './object.ts';
import { known, unknown, type Known, type Reader } from './reader.ts';

const CONTAINER_FIELDS = [
  'restartCount',
  'state.waiting.reason',
  'state.terminated.exitCode',
  'state.terminated.reason',
  'state.terminated.message',
  'lastState.terminated.exitCode',
  'lastState.terminated.reason',
  'lastState.terminated.message',
] as const;

/** All that is read of a pod here. An agent has as many pods as the cluster has nodes. */
export const WORKLOAD_POD_FIELDS: readonly string[] = [
  'metadata.labels',
  'metadata.deletionTimestamp',
  'metadata.ownerReferences.uid',
  'spec.nodeName',
  'spec.hostNetwork',
  'status.startTime',
  'status.podIPs',
  'status.conditions.type',
  'status.conditions.status',
  ...CONTAINER_FIELDS.flatMap((field) => [
    `status.containerStatuses.${field}`,
    `status.initContainerStatuses.${field}`,
  ]),
];

/** Names a DaemonSet or Deployment. */
export interface WorkloadRef extends ObjectRef {
  readonly apiVersion: 'apps/v1';
  readonly kind: WorkloadFacts['kind'];
  readonly namespace: string;
}

/**
 * Reads a DaemonSet or Deployment together with its pods and the hash of its newest template. Known null: it does not exist.
 * Used by every folder that rolls something out, so that "all pods are new" means the same everywhere.
 */
export const readWorkload = (
  reader: Reader,
  kind: WorkloadFacts['kind'],
  namespace: string,
  name: string,
): Promise<Known<WorkloadFacts | null>> =>
  readWorkloadWith(reader, { apiVersion: 'apps/v1', kind, namespace, name }, (_object, workload) => workload);

/** The same for who wants more of the object than how far it is rolled out. */
export async function readWorkloadWith<T>(
  reader: Reader,
  ref: WorkloadRef,
  use: (object: KubeObject, workload: WorkloadFacts) => T,
): Promise<Known<T | null>> {
  const { kind, namespace, name } = ref;
  const workload = await reader.get(ref);
  if (workload.is === 'Missing') return known(null);
  if (workload.is === 'Unreadable') return unknown(workload.why);

  const owner = workload.value;
  const labelSelector = selectorText(at(owner, 'spec', 'selector', 'matchLabels'));
  const ofOwner = { namespace, labelSelector } as const;
  const pods = await reader.list({ apiVersion: 'v1', kind: 'Pod', ...ofOwner, fields: WORKLOAD_POD_FIELDS });
  if (pods.is !== 'Found') return unknown(pods.is === 'Unreadable' ? pods.why : 'the server knows no Pods');

  const revisionKind = kind === 'DaemonSet' ? 'ControllerRevision' : 'ReplicaSet';
  const revisions = await reader.list({ apiVersion: 'apps/v1', kind: revisionKind, ...ofOwner });
  if (revisions.is !== 'Found') {
    return unknown(revisions.is === 'Unreadable' ? revisions.why : `the server knows no ${revisionKind}s`);
  }

  const facts: WorkloadFacts = {
    kind,
    namespace,
    name,
    uid: owner.metadata.uid ?? '',
    resourceVersion: owner.metadata.resourceVersion ?? '',
    generation: owner.metadata.generation ?? 0,
    observedGeneration: asNumber(at(owner, 'status', 'observedGeneration')) ?? 0,
    templateAnnotations: asStringMap(at(owner, 'spec', 'template', 'metadata', 'annotations')),
    desired: asNumber(at(owner, 'status', 'desiredNumberScheduled')) ?? asNumber(at(owner, 'spec', 'replicas')) ?? 0,
    strategy: asString(at(owner, 'spec', kind === 'DaemonSet' ? 'updateStrategy' : 'strategy', 'type')) ?? '',
    newestHash: newestHash(kind, owner, revisions.value),
    pods: pods.value.filter((pod) => isOwnedBy(pod, owner, revisions.value)).map(toPodFacts),
  };
  return known(use(owner, facts));
}

/**
 * True when the controller has seen the newest template and each wanted pod is there, ready and made from it.
 * A pod that still terminates counts against it: its successor is not proven to be alone.
 */
export function isRolledOut(workload: WorkloadFacts): boolean {
  const current = workload.pods.filter((pod) => !pod.terminating && pod.hash === workload.newestHash && pod.ready);
  return (
    workload.newestHash !== null &&
    workload.observedGeneration >= workload.generation &&
    current.length === workload.desired &&
    workload.pods.length === workload.desired
  );
}

/** Nodes that one of its pods is on. */
export function nodesWithPod(nodes: readonly NodeFacts[], { pods }: WorkloadFacts): readonly NodeFacts[] {
  const running = new Set(pods.map((pod) => pod.node));
  return nodes.filter((node) => running.has(node.name));
}

/** What tells that it runs in a cluster; null: it is not there. */
export const signOf = ({ objects }: Basics, ref: WorkloadRef): string | null =>
  objects[ref.kind].includes(`${ref.namespace}/${ref.name}`) ? refText(ref) : null;

export function toPodFacts(pod: KubeObject): PodFacts {
  const statuses = asArray(at(pod, 'status', 'containerStatuses'));
  const initStatuses = asArray(at(pod, 'status', 'initContainerStatuses'));
  const conditions = asArray(at(pod, 'status', 'conditions'));
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const waiting = [...initStatuses, ...statuses].find(
    (status) => asString(at(status, 'state', 'waiting', 'reason')) !== undefined,
  );
  const crashed = waiting === undefined && !terminating ? statuses.find(hasCrashedAgain) : undefined;
  const ended = crashed === undefined ? endedOf(waiting, 'lastState') : endedOf(crashed, 'state');
  return {
    name: pod.metadata.name,
    uid: pod.metadata.uid ?? '',
    node: asString(at(pod, 'spec', 'nodeName')) ?? '',
    hash: pod.metadata.labels?.['controller-revision-hash'] ?? pod.metadata.labels?.['pod-template-hash'] ?? '',
    ready: conditions.some((condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True'),
    podIPs: asArray(at(pod, 'status', 'podIPs')).flatMap((entry) => asString(at(entry, 'ip')) ?? []),
    hostNetwork: at(pod, 'spec', 'hostNetwork') === true,
    restarts: statuses.reduce<number>((sum, status) => sum + (asNumber(at(status, 'restartCount')) ?? 0), 0),
    startedAt: asString(at(pod, 'status', 'startTime')) ?? '',
    terminating,
    waiting: crashed === undefined ? (asString(at(waiting, 'state', 'waiting', 'reason')) ?? null) : 'CrashLoopBackOff',
    ...(ended === null ? {} : { ended }),
  };
}

/**
 * A kubelet says that a container waits to be started anew only when it looks at the pod once more, 10 s or so after it ended: until then the container
 * counts as terminated, and between two ends of a loop that may be most of the time.
 */
const hasCrashedAgain = (status: unknown): boolean =>
  (asNumber(at(status, 'restartCount')) ?? 0) > 0 &&
  (asNumber(at(status, 'state', 'terminated', 'exitCode')) ?? 0) !== 0;

function endedOf(status: unknown, when: 'state' | 'lastState'): EndedContainer | null {
  const exitCode = asNumber(at(status, when, 'terminated', 'exitCode'));
  if (exitCode === undefined) return null;
  return {
    exitCode,
    reason: asString(at(status, when, 'terminated', 'reason')) ?? '',
    message: asString(at(status, when, 'terminated', 'message')) ?? '',
  };
}

/** How a pod's container ended, for people: `exit code 1 (Error): the end of what it said`. Empty: that is not told. */
export function endedText({ ended }: PodFacts): string {
  if (ended === undefined) return '';
  const reason = ended.reason === '' ? '' : ` (${ended.reason})`;
  const message = ended.message.trim().replace(/\s+/gu, ' ').slice(-MESSAGE_LENGTH);
  return `exit code ${ended.exitCode}${reason}${message === '' ? '' : `: ${message}`}`;
}

/** Characters; what made it end stands at the end of a log. */
const MESSAGE_LENGTH = 300;

/**
 * A DaemonSet's newest template is its ControllerRevision with the highest revision; a Deployment's is the ReplicaSet with the
 * highest revision annotation. Null until the controller has made one for the present generation.
 */
function newestHash(kind: WorkloadFacts['kind'], owner: KubeObject, revisions: readonly KubeObject[]): string | null {
  const numbered = revisions
    .filter((revision) => isControlledBy(revision, owner.metadata.uid))
    .map((revision) => ({
      hash: revision.metadata.labels?.[kind === 'DaemonSet' ? 'controller-revision-hash' : 'pod-template-hash'],
      number:
        kind === 'DaemonSet'
          ? (asNumber(at(revision, 'revision')) ?? 0)
          : Number(revision.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0),
    }));
  const newest = numbered.reduce<{ hash: string | undefined; number: number } | null>(
    (best, next) => (best === null || next.number > best.number ? next : best),
    null,
  );
  return newest?.hash ?? null;
}

const isOwnedBy = (pod: KubeObject, owner: KubeObject, revisions: readonly KubeObject[]): boolean =>
  isControlledBy(pod, owner.metadata.uid) ||
  revisions.some(
    (revision) => isControlledBy(revision, owner.metadata.uid) && isControlledBy(pod, revision.metadata.uid),
  );

const isControlledBy = (object: KubeObject, uid: string | undefined): boolean =>
  uid !== undefined && (object.metadata.ownerReferences ?? []).some((reference) => reference['uid'] === uid);

function selectorText(matchLabels: unknown): string {
  return Object.entries(asStringMap(matchLabels))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
