import { CORDON_MARK, FIELD_MANAGER } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { type KubeError, errorText, isTransient } from '../kube/errors.ts';
import { asArray, at, type JsonObject, type KubeObject, type ObjectRef } from '../model/object.ts';
import { podCIDRsOf, type ReplacedNode, successorOf } from '../model/replaced-node.ts';
import type { Clock } from '../runtime/clock.ts';
import { dropReplaced, keepReplaced, readReplaced } from './replaced-nodes.ts';

export interface BringBackDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
}

export type Return =
  /** The Node is there with what it shall have. */
  | { readonly is: 'Back'; readonly created: boolean }
  /** Somebody else, such as its kubelet, was quicker, and it has other podCIDRs. What it had been given by people was put back. */
  | { readonly is: 'Reregistered'; readonly what: string }
  /** The old object is there and nobody deletes it. */
  | { readonly is: 'Alive' }
  /** The old object is there, and goes as soon as the garbage collector has been with it. */
  | { readonly is: 'Terminating' }
  /** It is gone, and the new one could not be created. */
  | { readonly is: 'Missing'; readonly error: KubeError };

const MANAGER = { fieldManager: FIELD_MANAGER };
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 250;

/** A request of a process that died may still be under way. Only an entry that is older is surely that of a Node that was never deleted. */
const STALE_AFTER_MS = 60_000;

/**
 * Creates the stored Node as soon as the old one is gone, for at most so many milliseconds. Any number of callers may do it at once, and again
 * after a crash at any point: the first to create it wins, and the others see it.
 */
export async function bringBack(stored: ReplacedNode, deps: BringBackDeps, patienceMs: number): Promise<Return> {
  const { client, clock } = deps;
  const ref: ObjectRef = { apiVersion: 'v1', kind: 'Node', name: stored.node.metadata.name };
  let entry = stored;
  const end = clock.monotonic() + patienceMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    const created = await client.create(entry.node, MANAGER);
    if (created.ok) return settle(entry, created.value, deps, true);
    const isOver = clock.monotonic() >= end;
    const seen = await client.get(ref);
    if (seen.ok) {
      const { uid, deletionTimestamp } = seen.value.metadata;
      if (uid !== entry.uid) return settle(entry, seen.value, deps, false);
      if (deletionTimestamp === undefined) return { is: 'Alive' };
      entry = await keepUpWith(seen.value, entry, client);
      if (isOver) return { is: 'Terminating' };
    } else if (isOver || !(isTransient(created.error) || created.error.kind === 'AlreadyExists')) {
      return { is: 'Missing', error: created.error };
    }
    await clock.sleep(pause);
  }
}

/**
 * For as long as the old object waits for the garbage collector, people and programs write to it as to any Node: a cordon or a taint from that time
 * must not be lost with it. Where that cannot be stored now it is at the next look.
 */
async function keepUpWith(old: KubeObject, entry: ReplacedNode, client: KubeClient): Promise<ReplacedNode> {
  // Its status stays the one from when it was whole: a Node that is not Ready is not created, and its kubelet tells soon how it is.
  const node = { ...successorOf(old, podCIDRsOf(entry.node)), status: entry.node['status'] };
  if (textOfWritten(node) === textOfWritten(entry.node)) return entry;
  const newer = { ...entry, node };
  const kept = await keepReplaced(client, newer);
  return kept.ok ? newer : entry;
}

/** What is not the kubelet's. */
const textOfWritten = (node: KubeObject): string =>
  JSON.stringify([node.metadata.labels, node.metadata.annotations, at(node, 'spec')]);

/** The Node is there again under another uid. The entry is dropped only now. */
async function settle(entry: ReplacedNode, node: KubeObject, deps: BringBackDeps, created: boolean): Promise<Return> {
  const { client } = deps;
  const back = created ? { node, changed: false } : await mergeBack(entry, node, client);
  await adoptCSINode(back.node, client);
  await dropReplaced(client, node.metadata.name);
  const [has, shall] = [podCIDRsOf(back.node), podCIDRsOf(entry.node)];
  if (has.join() === shall.join()) return { is: 'Back', created };
  const lost = has[0] === shall[0] ? '' : ': pods that run there cannot be reached until they are made anew';
  return {
    is: 'Reregistered',
    what: `it has ${has.join(' and ') || 'no pod CIDR'}, not ${shall.join(' and ')}${lost}`,
  };
}

interface Merged {
  readonly node: KubeObject;
  readonly changed: boolean;
}

/**
 * Puts back what people and programs had written on the Node and is not there any more; what is there stays. Its podCIDRs too, as long as
 * it has not been given others.
 */
async function mergeBack(entry: ReplacedNode, node: KubeObject, client: KubeClient): Promise<Merged> {
  const patch = missingFrom(entry.node, node);
  if (patch === null) return { node, changed: false };
  const { name, resourceVersion = '' } = node.metadata;
  const body = { ...patch, metadata: { ...(patch['metadata'] as object | undefined), resourceVersion } };
  const patched = await client.mergePatch({ apiVersion: 'v1', kind: 'Node', name }, body, MANAGER);
  if (patched.ok) return { node: patched.value, changed: true };
  if (patched.error.kind !== 'Conflict') return { node, changed: false };
  const again = await client.get({ apiVersion: 'v1', kind: 'Node', name });
  return again.ok ? mergeBack(entry, again.value, client) : { node, changed: false };
}

/**
 * Controllers put these on and take them off by what they see: the node life-cycle controller by conditions and `spec.unschedulable`
 * (`pkg/controller/nodelifecycle/node_lifecycle_controller.go`), a cloud's by what the cloud says. Not out-of-service: no controller makes it, and who
 * set it takes it off. All others are somebody's decision too. The admission policy dualstack-nodes refuses what is of controllers.
 */
const isOfController = (taint: unknown): boolean => {
  const key = String(at(taint, 'key'));
  const isSystem = key.startsWith('node.kubernetes.io/') || key.startsWith('node.cloudprovider.kubernetes.io/');
  return isSystem && key !== 'node.kubernetes.io/out-of-service';
};

/** A merge patch; null: nothing is missing. */
export function missingFrom(stored: KubeObject, node: KubeObject): JsonObject | null {
  const labels = absent(stored.metadata.labels, node.metadata.labels);
  const annotations = absent(withoutMark(stored, node), node.metadata.annotations);
  const taints = asArray(at(node, 'spec', 'taints'));
  const lost = asArray(at(stored, 'spec', 'taints')).filter(
    (taint) =>
      !isOfController(taint) &&
      !taints.some((has) => at(has, 'key') === at(taint, 'key') && at(has, 'effect') === at(taint, 'effect')),
  );
  const spec = {
    ...(lost.length === 0 ? {} : { taints: [...taints, ...lost] }),
    ...(at(stored, 'spec', 'unschedulable') === true && at(node, 'spec', 'unschedulable') !== true
      ? { unschedulable: true }
      : {}),
    ...(podCIDRsOf(node).length === 0 ? { podCIDR: podCIDRsOf(stored)[0], podCIDRs: podCIDRsOf(stored) } : {}),
  };
  const metadata = { ...(labels === null ? {} : { labels }), ...(annotations === null ? {} : { annotations }) };
  const patch = {
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(Object.keys(spec).length === 0 ? {} : { spec }),
  };
  return Object.keys(patch).length === 0 ? null : (patch as JsonObject);
}

/** A Node that somebody has cordoned by now stays cordoned: the mark would say that it was this program. */
function withoutMark({ metadata }: KubeObject, node: KubeObject): Readonly<Record<string, string>> | undefined {
  if (at(node, 'spec', 'unschedulable') !== true) return metadata.annotations;
  const { [CORDON_MARK]: _mark, ...others } = metadata.annotations ?? {};
  return others;
}

function absent(
  stored: Readonly<Record<string, string>> = {},
  now: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> | null {
  const lost = Object.entries(stored).filter(([key]) => now[key] === undefined);
  return lost.length === 0 ? null : Object.fromEntries(lost);
}

/**
 * The CSINode belongs to the new Node, so that it goes with it one day; its kubelet writes that only when it makes the object. The Lease needs no
 * such help, because a kubelet sees to that at each renewal; nor mirror Pods, which pod garbage collection removes with their Node. Left
 * undone it harms nobody.
 */
async function adoptCSINode({ metadata: { name, uid } }: KubeObject, client: KubeClient): Promise<void> {
  const ref: ObjectRef = { apiVersion: 'storage.k8s.io/v1', kind: 'CSINode', name };
  const read = await client.get(ref);
  if (!read.ok) return;
  const { ownerReferences: owners = [], resourceVersion } = read.value.metadata;
  if (owners.some((owner) => owner['uid'] === uid)) return;
  const ownerReferences = [
    ...owners.filter((owner) => owner['kind'] !== 'Node'),
    { apiVersion: 'v1', kind: 'Node', name, uid },
  ];
  await client.mergePatch(ref, { metadata: { ownerReferences, resourceVersion } }, MANAGER);
}

/** What became of one Node whose replacement was found begun. */
export interface Recovered {
  readonly node: string;
  readonly uid: string | undefined;
  readonly back: Return;
}

/**
 * Sees each replacement that was begun to its end: after a crash between deleting and creating nothing else would bring the Node back, and its
 * pods would be removed after 40 s.
 */
export async function recoverNodes(
  deps: BringBackDeps,
  patienceMs: number,
): Promise<{ readonly recovered: readonly Recovered[]; readonly problem: string | null }> {
  const entries = await readReplaced(deps.client);
  if (!entries.ok) return { recovered: [], problem: errorText(entries.error) };
  const recovered: Recovered[] = [];
  for (const entry of entries.value) {
    const back = await bringBack(entry, deps, patienceMs);
    const isStale = deps.clock.now() - Date.parse(entry.at) > STALE_AFTER_MS;
    if (back.is === 'Alive' && isStale) await dropReplaced(deps.client, entry.node.metadata.name);
    recovered.push({ node: entry.node.metadata.name, uid: entry.uid, back });
  }
  return { recovered, problem: null };
}
