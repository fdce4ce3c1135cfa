import { NAMESPACE } from '../api/names.ts';
import type { LoadPod, NodeLoad } from '../model/node-load.ts';
import { asArray, asString, at, type KubeObject } from '../model/object.ts';
import { known, unknown, type Known, type ListQuery, type Reader } from '../model/reader.ts';
import { type Budget, toBudget } from './budgets.ts';

/** The pods and volumes of each of these Nodes, as far as a drain is about them. */
export async function readNodeLoads(
  reader: Reader,
  nodes: readonly string[],
): Promise<Readonly<Record<string, Known<NodeLoad>>>> {
  if (nodes.length === 0) return {};
  const [budgets, attachments] = await Promise.all([
    listOf(reader, { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' }),
    listOf(reader, { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttachment' }),
  ]);
  const loads = nodes.map(async (node): Promise<readonly [string, Known<NodeLoad>]> => {
    const pods = await listOf(reader, { apiVersion: 'v1', kind: 'Pod', fieldSelector: `spec.nodeName=${node}` });
    const failed = [budgets, attachments, pods].find((each) => !each.known);
    if (failed?.known === false) return [node, unknown(failed.why)];
    if (!budgets.known || !attachments.known || !pods.known) return [node, unknown('')];
    return [node, known(toNodeLoad(node, pods.value, budgets.value.map(toBudget), attachments.value))];
  });
  return Object.fromEntries(await Promise.all(loads));
}

/** A kind that the server does not know has no objects. */
async function listOf(reader: Reader, query: ListQuery): Promise<Known<readonly KubeObject[]>> {
  const read = await reader.list(query);
  if (read.is === 'Unreadable') return unknown(read.why);
  return known(read.is === 'Found' ? read.value : []);
}

function toNodeLoad(
  node: string,
  pods: readonly KubeObject[],
  budgets: readonly Budget[],
  attachments: readonly KubeObject[],
): NodeLoad {
  const concerned = pods.filter((pod) => !stays(pod)).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const spent = new Map<Budget, number>();
  return {
    pods: concerned.map((pod) => toLoadPod(pod, budgets, spent)),
    attachments: attachments
      .filter((attachment) => at(attachment, 'spec', 'nodeName') === node)
      .map(({ metadata }) => metadata.name),
  };
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;

/**
 * Those that `kubectl drain` leaves alone (`k8s.io/kubectl/pkg/drain/filters.go`): pods of DaemonSets and mirrors of static pods. And three more: pods
 * that have ended, which hold nothing; those that tolerate the cordon, which would be back at once; and this program's own, since on the last
 * node that can take it nobody would be left to uncordon.
 */
const stays = (pod: KubeObject): boolean =>
  pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined ||
  asString(controllerOf(pod)?.['kind']) === 'DaemonSet' ||
  ['Succeeded', 'Failed'].includes(asString(at(pod, 'status', 'phase')) ?? '') ||
  toleratesCordon(pod) ||
  pod.metadata.namespace === NAMESPACE;

const controllerOf = ({ metadata }: KubeObject) =>
  (metadata.ownerReferences ?? []).find((reference) => reference['controller'] === true);

const CORDON_TAINT = 'node.kubernetes.io/unschedulable';

/** The scheduler takes a cordon for a taint without a value and with effect NoSchedule (plugin `NodeUnschedulable`). */
const toleratesCordon = (pod: KubeObject): boolean =>
  asArray(at(pod, 'spec', 'tolerations')).some((toleration) => {
    const text = (field: string): string => asString(at(toleration, field)) ?? '';
    const isOfEffect = ['', 'NoSchedule'].includes(text('effect'));
    const isOfValue = text('operator') === 'Exists' || text('value') === '';
    const isOfKey = text('key') === CORDON_TAINT || (text('key') === '' && text('operator') === 'Exists');
    return isOfEffect && isOfValue && isOfKey;
  });

function toLoadPod(pod: KubeObject, budgets: readonly Budget[], spent: Map<Budget, number>): LoadPod {
  const { namespace = '', name, uid = '', deletionTimestamp } = pod.metadata;
  const terminating = deletionTimestamp !== undefined;
  const emptyDir = asArray(at(pod, 'spec', 'volumes')).find((volume) => at(volume, 'emptyDir') !== undefined);
  return {
    namespace,
    name,
    uid,
    standalone: controllerOf(pod) === undefined,
    emptyDir: asString(at(emptyDir, 'name')) ?? null,
    terminating,
    heldBy: terminating ? null : heldBy(pod, budgets, spent),
  };
}

/**
 * What the Eviction API would say (`pkg/registry/core/pod/storage/eviction.go`), so that nothing is asked for that is refused. Disruptions that the pods
 * before it take are counted off.
 */
function heldBy(pod: KubeObject, budgets: readonly Budget[], spent: Map<Budget, number>): string | null {
  if (at(pod, 'status', 'phase') === 'Pending') return null;
  const { namespace, labels = {} } = pod.metadata;
  const covering = budgets.filter((budget) => budget.namespace === namespace && budget.covers(labels));
  const [budget, ...others] = covering;
  if (budget === undefined) return null;
  if (others.length > 0) {
    const names = covering.map(({ name }) => name).join(', ');
    return `it has more than one PodDisruptionBudget (${names}), and such pods the API server does not evict`;
  }
  if (!isReady(pod) && mayGoUnready(budget)) return null;
  const text = `PodDisruptionBudget ${budget.namespace}/${budget.name}`;
  if (!budget.isCounted) return `${text} was changed and has not been counted yet`;
  const used = spent.get(budget) ?? 0;
  spent.set(budget, used + 1);
  if (used < budget.disruptionsAllowed) return null;
  return `${text} allows no more disruptions now (it wants ${budget.desiredHealthy} healthy pods, and ${budget.currentHealthy} are)`;
}

const mayGoUnready = ({ alwaysAllowsUnhealthy, currentHealthy, desiredHealthy }: Budget): boolean =>
  alwaysAllowsUnhealthy || (currentHealthy >= desiredHealthy && desiredHealthy > 0);

const isReady = (pod: KubeObject): boolean =>
  asArray(at(pod, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
  );
