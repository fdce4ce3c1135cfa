import { CORDON_MARK, FIELD_MANAGER } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorText, type KubeError, toOperatorError } from '../kube/errors.ts';
import { at, type ObjectRef } from '../model/object.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Drain, PodRef, ReplaceNode } from '../model/step.ts';
import { err, ok, type Result, unreachable } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';

export interface DrainDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
}

const MANAGER = { fieldManager: FIELD_MANAGER };

/** Evictions in one act: after these it is looked again. */
const AT_ONCE = 20;
/** A refusal costs seconds, because the API server wants to be asked later. */
const MOST_REFUSALS = 3;

/** Does what is next on the way to a Node without pods. What is done already, by whomever, is not done again. */
export async function drainNode(step: ReplaceNode, drain: Drain, deps: DrainDeps): Promise<Outcome> {
  switch (drain.is) {
    case 'Cordon':
      return cordon(step, deps);
    case 'Evict':
      return evictAll(step.node, drain.pods, deps);
    case 'Await':
      return { is: 'Unchanged' };
    default:
      return unreachable(drain);
  }
}

/**
 * Cordon and mark in one request, and only of the version that was found without a cordon: so a crash cannot part them, and a cordon that an
 * administrator sets in the same moment is never taken for this one.
 */
async function cordon({ node, uid }: ReplaceNode, { client, clock }: DrainDeps): Promise<Outcome> {
  const ref: ObjectRef = { apiVersion: 'v1', kind: 'Node', name: node };
  const read = await client.get(ref);
  if (!read.ok) return read.error.kind === 'NotFound' ? { is: 'Unchanged' } : refused(read.error);
  const { metadata } = read.value;
  if (metadata.uid !== uid || at(read.value, 'spec', 'unschedulable') === true) return { is: 'Unchanged' };
  // One that somebody uncordoned in the middle of its drain has the mark already.
  const isMarked = metadata.annotations?.[CORDON_MARK] !== undefined;
  const annotations = isMarked ? {} : { [CORDON_MARK]: new Date(clock.now()).toISOString() };
  const patch = { metadata: { annotations, resourceVersion: metadata.resourceVersion }, spec: { unschedulable: true } };
  const patched = await client.mergePatch(ref, patch, MANAGER);
  return patched.ok ? { is: 'Changed', what: `cordoned Node ${node} to drain it` } : refused(patched.error);
}

async function evictAll(node: string, pods: readonly PodRef[], { client }: DrainDeps): Promise<Outcome> {
  const evicted: string[] = [];
  const refusals: KubeError[] = [];
  for (const pod of pods.slice(0, AT_ONCE)) {
    const done = await evict(pod, client);
    if (done.ok) evicted.push(`${pod.namespace}/${pod.name}`);
    else refusals.push(done.error);
    if (refusals.length >= MOST_REFUSALS) break;
  }
  const [refusal] = refusals;
  if (evicted.length === 0) return refusal === undefined ? { is: 'Unchanged' } : refused(refusal);
  const but = refusal === undefined ? '' : `; ${refusals.length} not yet: ${errorText(refusal)}`;
  return { is: 'Changed', what: `evicted ${evicted.length} pod(s) of Node ${node} (${evicted.join(', ')})${but}` };
}

/** Without a grace period of its own: each pod has what it asks for. One that is gone, or is another by now, counts as evicted. */
async function evict({ namespace, name, uid }: PodRef, client: KubeClient): Promise<Result<void, KubeError>> {
  const body = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { namespace, name },
    deleteOptions: { preconditions: { uid } },
  };
  const posted = await client.createSubresource({ apiVersion: 'v1', kind: 'Pod', namespace, name }, 'eviction', body);
  const isGone = !posted.ok && (posted.error.kind === 'NotFound' || posted.error.kind === 'Conflict');
  return posted.ok || isGone ? ok(undefined) : err(posted.error);
}

/**
 * Takes the cordon of this program off every Node that bears its mark: for when there is nobody left who asks for a drain. Names of those that are
 * uncordoned now.
 */
export async function uncordonAll(client: KubeClient): Promise<Result<readonly string[], KubeError>> {
  const fields = ['metadata.annotations'];
  const nodes = await client.list({ apiVersion: 'v1', kind: 'Node', fields });
  if (!nodes.ok) return nodes;
  const marked = nodes.value.items.filter(({ metadata }) => metadata.annotations?.[CORDON_MARK] !== undefined);
  for (const { metadata } of marked) {
    const { name, resourceVersion } = metadata;
    const patch = {
      metadata: { annotations: { [CORDON_MARK]: null }, resourceVersion },
      spec: { unschedulable: null },
    };
    const patched = await client.mergePatch({ apiVersion: 'v1', kind: 'Node', name }, patch, MANAGER);
    if (!patched.ok && patched.error.kind !== 'NotFound') return patched;
  }
  return ok(marked.map(({ metadata }) => metadata.name));
}

const refused = (error: KubeError): Outcome => ({ is: 'Refused', error: toOperatorError(error) });
