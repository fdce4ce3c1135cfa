import { FIELD_MANAGER } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { type KubeError, type KubeErrorKind, toOperatorError } from '../kube/errors.ts';
import { nodeHolders } from '../model/node-holders.ts';
import { asArray, at, type KubeObject } from '../model/object.ts';
import type { Outcome } from '../model/outcome.ts';
import { podCIDRsOf, type ReplacedNode, successorOf } from '../model/replaced-node.ts';
import type { ReplaceNode } from '../model/step.ts';
import { overlaps, parseCidr } from '../net/cidr.ts';
import { ok, type Result, unreachable } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';
import { bringBack, type Return } from './bring-back.ts';
import { dropReplaced, keepReplaced, readReplaced } from './replaced-nodes.ts';

export interface ReplaceDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
}

/** How long one call waits for the old object to go. The garbage collector takes some ms; without a controller manager it never goes. */
const PATIENCE_MS = 20_000;

/** Between reading a Node and deleting it its kubelet may have written to it. */
const ATTEMPTS = 5;

/**
 * Stores the Node, deletes it, and creates its successor as soon as it is gone. Dependents are orphaned, not collected: so mirror Pods and the
 * CSINode stay. All that could have changed since the step was planned is looked at again right before.
 */
export async function replaceNode(
  step: ReplaceNode,
  deps: ReplaceDeps,
  patienceMs: number = PATIENCE_MS,
): Promise<Outcome> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const begun = await begin(step, deps);
    if (begun.is === 'Deleted') return outcomeOf(step, await bringBack(begun.entry, deps, patienceMs));
    if (begun.is === 'Ended') {
      if (attempt > 1) await forget(step, deps);
      return begun.outcome;
    }
  }
  await forget(step, deps);
  return transient(`Node ${step.node} is written to all the time: it is tried again`);
}

/** An attempt that deleted nothing has stored the Node: if somebody deletes that for good, it must not come back. */
const forget = (step: ReplaceNode, { client }: ReplaceDeps): Promise<unknown> => dropReplaced(client, step.node);

/** Answers after which the Node is surely there. */
const SURELY_NOT_DONE: ReadonlySet<KubeErrorKind> = new Set([
  'Forbidden',
  'Unauthorized',
  'Invalid',
  'TooManyRequests',
]);

type Begun =
  | { readonly is: 'Deleted'; readonly entry: ReplacedNode }
  | { readonly is: 'Changed' }
  | { readonly is: 'Ended'; readonly outcome: Outcome };

async function begin(step: ReplaceNode, deps: ReplaceDeps): Promise<Begun> {
  const { client, clock } = deps;
  const read = await client.get({ apiVersion: 'v1', kind: 'Node', name: step.node });
  if (!read.ok) return ended(read.error.kind === 'NotFound' ? { is: 'Unchanged' } : refused(read.error));
  const node = read.value;
  if (node.metadata.uid !== step.uid || podCIDRsOf(node).join() === step.podCIDRs.join())
    return ended({ is: 'Unchanged' });
  if (node.metadata.deletionTimestamp !== undefined) return beingDeleted(node, deps);

  const unsafe = await whyNot(step, node, client);
  if (unsafe !== null) return ended(unsafe);

  const successor = successorOf(node, step.podCIDRs);
  const refusal = await rehearse(successor, client);
  if (refusal !== null) return ended(refusal);

  const at = new Date(clock.now()).toISOString();
  const entry: ReplacedNode = { at, uid: step.uid, node: successor };
  const kept = await keepReplaced(client, entry);
  if (!kept.ok) return ended(refused(kept.error));

  const { uid, resourceVersion = '' } = node.metadata;
  const deleted = await client.delete(
    { apiVersion: 'v1', kind: 'Node', name: step.node },
    { uid, resourceVersion, propagationPolicy: 'Orphan' },
  );
  if (deleted.ok) return { is: 'Deleted', entry };
  if (deleted.error.kind === 'Conflict') return { is: 'Changed' };
  // Nobody answered, which does not mean that nothing was done.
  if (!SURELY_NOT_DONE.has(deleted.error.kind)) return { is: 'Deleted', entry };
  // What was stored would only be in the way of whoever deletes it for good.
  await dropReplaced(client, step.node);
  return ended(refused(deleted.error));
}

/**
 * What the API server or an admission webhook would refuse once the old Node is gone it refuses now, while that is still there: the name is found to be
 * taken only after all other checks. Null: it would be created.
 */
async function rehearse(successor: KubeObject, client: KubeClient): Promise<Outcome | null> {
  const tried = await client.create(successor, { fieldManager: FIELD_MANAGER, dryRun: true });
  if (tried.ok) return transient(`Node ${successor.metadata.name} was deleted by somebody else just now`);
  return tried.error.kind === 'AlreadyExists' ? null : refused(tried.error);
}

/** By an earlier attempt of ours, which is brought to its end; or by somebody else, who is left alone. */
async function beingDeleted(node: KubeObject, { client }: ReplaceDeps): Promise<Begun> {
  const entries = await readReplaced(client);
  if (!entries.ok) return ended(refused(entries.error));
  const entry = entries.value.find(({ uid }) => uid === node.metadata.uid);
  return entry === undefined
    ? ended(blocked(`Node ${node.metadata.name} is being deleted by somebody else`))
    : { is: 'Deleted', entry };
}

async function whyNot(step: ReplaceNode, node: KubeObject, client: KubeClient): Promise<Outcome | null> {
  const [primary] = podCIDRsOf(node);
  if (primary !== step.podCIDRs[0]) {
    return blocked(`Node ${step.node} has the primary pod CIDR ${primary ?? 'none'}, not ${step.podCIDRs[0] ?? ''}`);
  }
  const [holder] = nodeHolders(node);
  if (holder !== undefined) {
    return blocked(`Node ${step.node} cannot be replaced safely because of ${holder.who} (${holder.sign})`);
  }
  const isReady = asArray(at(node, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
  );
  if (!isReady) return transient(`Node ${step.node} is not ready`);
  const attached = await attachedVolume(step.node, client);
  if (!attached.ok) return refused(attached.error);
  if (attached.value !== null) {
    return blocked(
      `VolumeAttachment ${attached.value}: Node ${step.node} cannot be replaced while volumes are attached`,
    );
  }
  return othersInTheWay(step, client);
}

async function attachedVolume(node: string, client: KubeClient): Promise<Result<string | null, KubeError>> {
  const listed = await client.list({ apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttachment' });
  if (!listed.ok) return listed;
  return ok(listed.value.items.find((item) => at(item, 'spec', 'nodeName') === node)?.metadata.name ?? null);
}

/** Node IPAM may have given the chosen subnet to a Node that joined meanwhile; and would give what is free for a moment to one that waits. */
async function othersInTheWay(step: ReplaceNode, client: KubeClient): Promise<Outcome | null> {
  const listed = await client.list({ apiVersion: 'v1', kind: 'Node', fields: ['spec.podCIDR', 'spec.podCIDRs'] });
  if (!listed.ok) return refused(listed.error);
  const others = listed.value.items.filter(({ metadata }) => metadata.name !== step.node);
  const waiting = others.find((other) => podCIDRsOf(other).length === 0);
  if (waiting !== undefined) {
    return transient(`Node ${waiting.metadata.name} has no pod CIDR yet and could be given that of ${step.node}`);
  }
  const holder = others.find((other) => podCIDRsOf(other).some((held) => step.podCIDRs.some(sharesWith(held))));
  return holder === undefined
    ? null
    : transient(`Node ${holder.metadata.name} holds ${podCIDRsOf(holder).join(' and ')} by now: another is chosen`);
}

const sharesWith =
  (held: string) =>
  (chosen: string): boolean => {
    const [a, b] = [parseCidr(held), parseCidr(chosen)];
    return a.ok && b.ok && overlaps(a.value, b.value);
  };

function outcomeOf({ node, podCIDRs }: ReplaceNode, back: Return): Outcome {
  switch (back.is) {
    case 'Back':
      return { is: 'Changed', what: `replaced Node ${node}, which has ${podCIDRs.join(' and ')} now` };
    case 'Reregistered':
      return blocked(`Node ${node} was registered anew by somebody else: ${back.what}`);
    case 'Alive':
      return transient(`Node ${node} was not deleted: it is tried again`);
    case 'Terminating':
      return transient(
        `Node ${node} is marked as deleted and goes on as it is until the garbage collector of kube-controller-manager lets it go; its successor is stored and created then`,
      );
    case 'Missing':
      return refused(back.error);
    default:
      return unreachable(back);
  }
}

const ended = (outcome: Outcome): Begun => ({ is: 'Ended', outcome });
const refused = (error: KubeError): Outcome => ({ is: 'Refused', error: toOperatorError(error) });
const blocked = (message: string): Outcome => ({ is: 'Refused', error: { kind: 'Blocked', message } });
const transient = (message: string): Outcome => ({ is: 'Refused', error: { kind: 'Transient', message } });
