import { execute, type ExecuteDeps } from '../apply/execute.ts';
import { type ClusterStatus, clusterStatusOf } from '../api/cluster-status.ts';
import { governing } from '../api/governing.ts';
import { API_VERSION, CLUSTER, FIELD_MANAGER, FINALIZER } from '../api/names.ts';
import { resolve } from '../api/resolve.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorText, type KubeError } from '../kube/errors.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { KubeObject, ObjectRef } from '../model/object.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Request } from '../model/request.ts';
import type { AskServices, Step, VerifyPackets } from '../model/step.ts';
import { canonicalText } from '../plan/canonical.ts';
import { attemptPrefix, type Decision } from '../plan/next.ts';
import { vocabulary } from '../registry.ts';
import { nodeChanges, toldOf } from '../report/node-changes.ts';
import { type Looked, makeStatus, type Said } from '../report/status.ts';
import { transitions } from '../report/transitions.ts';
import { ok, type Result } from '../result.ts';
import { judge, type Seen } from './judge.ts';
import { freeNodes } from './free-nodes.ts';
import { look } from './look.ts';
import { makeGood } from './make-good.ts';
import { isAboutPods, isFirstDone, isOnlyTold, isUnknown, mustBeFresh } from './decisions.ts';
import { judgeWithLoads } from './node-loads.ts';
import { afterAct } from './memory.ts';
import { outcomeText } from './outcome-text.ts';
import type { PassDeps } from './pass-deps.ts';
import { freshPods } from './workload-cache.ts';

/** When to look again. */
export type Next =
  | { readonly is: 'Again'; readonly afterMs: number }
  | { readonly is: 'Idle' }
  | { readonly is: 'Gone' }
  | { readonly is: 'BackOff'; readonly afterMs?: number };

/** After an act the next look comes at once; watches wake the rest, and this is for what no watch shows, such as time passing. */
const AFTER_ACT_MS = 100;
export const WHILE_WAITING_MS = 1_000;
const WHILE_BLOCKED_MS = 10_000;
/** While a Node may be missing: however often it fails, since the pods of a missing Node are removed after 40 s. */
export const WHILE_MISSING_MS = 2_000;
/** Restarts of workloads take their time, and a look at them lists all pods. */
const WHILE_RESTARTING_MS = 3_000;

interface Subject {
  readonly name: string;
  readonly resource: KubeObject;
  readonly generation: number;
  readonly status: ClusterStatus;
  readonly deleting: boolean;
}

/**
 * One pass over one DualStackCluster: look, plan, do the first thing that is not yet true, tell. It remembers nothing of the last pass but what
 * the status holds.
 */
export async function pass(name: string, deps: PassDeps): Promise<Next> {
  const begun = await makeGood(deps);
  if (!begun.ok) return stillMissing(name, begun.error, deps);
  const read = await deps.client.get(refOf(name));
  if (!read.ok) {
    if (read.error.kind !== 'NotFound') return backOff(read.error, deps);
    deps.proofs.breakOff(name);
    deps.nodeMetrics?.shown(undefined);
    deps.serviceMetrics?.shown(undefined);
    const freed = await freeNodes(deps);
    return freed.ok ? { is: 'Gone' } : backOff(freed.error, deps);
  }
  const subject = subjectOf(name, read.value);

  const all = await deps.client.list({ apiVersion: API_VERSION, kind: CLUSTER.kind });
  if (!all.ok) return backOff(all.error, deps);
  const governor = governing(all.value.items);
  if (governor !== null && governor.metadata.name !== name) {
    deps.proofs.breakOff(name);
    if (subject.deleting) return dropFinalizer(subject, deps);
    return tell(subject, { is: 'AnotherGoverns', name: governor.metadata.name }, deps, { is: 'Idle' });
  }
  const request = resolve(subject.resource['spec'], vocabulary);
  if (!request.ok) {
    deps.proofs.breakOff(name);
    return tell(subject, { is: 'Invalid', problems: request.error }, deps, { is: 'Idle' });
  }

  if (subject.deleting && request.value.deletionPolicy === 'Orphan') return dropFinalizer(subject, deps);
  const guarded = await keepFinalizer(subject, request.value, deps);
  if (!guarded.ok) return backOff(guarded.error, deps);

  const told = await glance(subject, request.value, deps);
  if (told !== null) return told;
  const facts = await look(request.value, { ...deps, client: listing(deps) });
  if (!facts.ok) return tell(subject, { is: 'Unreadable', message: facts.error }, deps, { is: 'BackOff' });
  return advance(subject, request.value, facts.value, deps);
}

/** Told in the status where that can be written, and tried again soon either way. */
async function stillMissing(name: string, message: string, deps: PassDeps): Promise<Next> {
  const read = await deps.client.get(refOf(name));
  if (read.ok) await tell(subjectOf(name, read.value), { is: 'Unreadable', message }, deps, { is: 'BackOff' });
  return { is: 'BackOff', afterMs: WHILE_MISSING_MS };
}

/** Tells in the status that a pass ended in an exception that nobody expected, for so many times in a row. */
export async function mishap(name: string, message: string, times: number, deps: PassDeps): Promise<void> {
  const read = await deps.client.get(refOf(name));
  if (read.ok) await tell(subjectOf(name, read.value), { is: 'Mishap', message, times }, deps, { is: 'BackOff' });
}

/** A look for which Nodes are listed, and by which it is known afterwards whether the watches show as much. */
export const listing = ({ client, nodes }: PassDeps): KubeClient => nodes?.listing(client) ?? client;

/**
 * What the watches show of Nodes is enough to say that nothing is to be done. Null: they show too little, or there may be something to do, which is
 * decided by a whole look.
 */
async function glance(subject: Subject, request: Request, deps: PassDeps): Promise<Next | null> {
  const { generation, status, deleting } = subject;
  const client = deps.nodes?.watched(deps.client) ?? null;
  if (client === null || deleting || status.observedGeneration !== generation) return null;
  const facts = await look(request, { ...deps, client });
  if (!facts.ok) return null;
  const looked = await judgeAll({ request, facts: facts.value, status, generation, deleting }, deps);
  if (!isOnlyTold(looked.decision) || isFirstDone(looked.decision, status)) return null;
  return tell(subject, looked, deps, nextAfter(looked.decision, looked));
}

/** Plans and decides; by the pods of this moment where they matter. */
async function judgeAll(seen: Seen, { loads, workloads }: PassDeps): Promise<Looked> {
  const first = await judgeWithLoads(seen, loads);
  return mustBeFresh(first.decision, seen.status)
    ? judge({ ...seen, facts: { ...first.facts, ...(await freshPods(workloads)) } })
    : first;
}

/** Plans, decides, and at most one change. The intent is in the status before the change is made. */
async function advance(subject: Subject, request: Request, facts: ClusterFacts, deps: PassDeps): Promise<Next> {
  const { generation } = subject;
  const seen = { request, facts, status: subject.status, generation, deleting: subject.deleting };
  const looked = await judgeAll(seen, deps);
  const { decision } = looked;
  if (!isOnlyTold(decision)) deps.nodes?.forget();
  if (decision.is === 'Act' && (decision.step.kind === 'VerifyPackets' || decision.step.kind === 'AskServices')) {
    return proveBeside(subject, looked, seen, decision.step, deps);
  }
  if (!isUnknown(decision)) deps.proofs.breakOff(subject.name);
  if (subject.deleting && decision.is === 'Done') return dropFinalizer(subject, deps);
  if (decision.is !== 'Act') return tell(subject, looked, deps, nextAfter(decision, looked));

  const intended = await write(subject, looked, deps);
  if (!intended.ok) return backOff(intended.error, deps);
  // The Lease may have been lost while this pass looked around: then another instance decides by now.
  if (deps.signal.aborted) return { is: 'Idle' };
  const outcome = await carryOut(decision.step, generation, deps);
  return tellOutcome({ ...subject, status: intended.value }, looked, seen, outcome, deps);
}

async function carryOut(
  step: Step,
  generation: number,
  deps: PassDeps & Pick<ExecuteDeps, 'onProgress'>,
): Promise<Outcome> {
  deps.log.info('carrying out a step', { step: step.id, phase: step.phase, target: step.target });
  const attempt = () => `${attemptPrefix(generation)}${deps.newId()}`;
  const onRefused: ExecuteDeps['onRefused'] = (service, why) => deps.refusals.note(service, why);
  const onGiven: ExecuteDeps['onGiven'] = (service) => deps.refusals.given(service);
  const outcome = await execute(step, { ...deps, suffix: deps.newId, attempt, onRefused, onGiven });
  deps.log.info('carried out a step', { step: step.id, outcome: outcomeText(outcome) });
  return outcome;
}

function tellOutcome(subject: Subject, looked: Looked, seen: Seen, outcome: Outcome, deps: PassDeps): Promise<Next> {
  const refused = outcome.is === 'Refused' ? outcome.error : null;
  const after: Looked = { ...looked, memory: afterAct(looked.memory, outcome), refused };
  const isProof = outcome.is === 'Probed' || outcome.is === 'Asked';
  // The plan counts it: without a second look the status would hold a proof and say that there is none.
  const status = isProof ? makeStatus(after, subject.status, subject.generation, nowText(deps)) : subject.status;
  const told = isProof ? judge({ ...seen, facts: looked.facts, status }) : after;
  return tell(subject, told, deps, nextAfterOutcome(outcome));
}

/**
 * Steps that are carried out beside the passes: they take minutes and change nothing. Each pass decides anew, as if it had not begun, whether
 * it is still what is to be done; if not it is broken off, since it would prove what is no longer so.
 */
async function proveBeside(
  subject: Subject,
  looked: Looked,
  seen: Seen,
  step: Step & (VerifyPackets | AskServices),
  deps: PassDeps,
): Promise<Next> {
  const { name, generation } = subject;
  const run = deps.proofs.take(name, step.fingerprint);
  if (run?.is === 'Ended') return tellOutcome(subject, looked, seen, await run.outcome, deps);
  if (run?.is === 'Running') {
    const proving = { fingerprint: step.fingerprint, text: run.text };
    const again = { is: 'Again', afterMs: WHILE_WAITING_MS } as const;
    return tell(subject, judge({ ...seen, facts: { ...looked.facts, proving } }), deps, again);
  }
  const intended = await write(subject, looked, deps);
  if (!intended.ok) return backOff(intended.error, deps);
  if (deps.signal.aborted) return { is: 'Idle' };
  deps.proofs.start(name, step.fingerprint, (signal, onProgress) =>
    carryOut(step, generation, { ...deps, signal, onProgress }),
  );
  return { is: 'Again', afterMs: AFTER_ACT_MS };
}

function nextAfter(decision: Decision, looked: Looked): Next {
  switch (decision.is) {
    case 'Wait':
    case 'Act':
      return { is: 'Again', afterMs: isAboutPods(decision) ? WHILE_RESTARTING_MS : WHILE_WAITING_MS };
    case 'Failed':
      // A roll-back that was just decided on begins with the next pass.
      return { is: 'Again', afterMs: looked.memory.rollBack?.state === 'Running' ? AFTER_ACT_MS : WHILE_BLOCKED_MS };
    case 'Blocked':
    case 'NodesPending':
    case 'WaitingForUser':
      return { is: 'Again', afterMs: WHILE_BLOCKED_MS };
    case 'Paused':
    case 'PlanOnly':
    case 'AwaitingApproval':
    case 'Done':
      return { is: 'Idle' };
  }
}

function nextAfterOutcome(outcome: Outcome): Next {
  if (outcome.is !== 'Refused') return { is: 'Again', afterMs: AFTER_ACT_MS };
  const { error } = outcome;
  if (error.kind !== 'Transient') return { is: 'Again', afterMs: WHILE_BLOCKED_MS };
  return error.retryAfterSeconds === undefined
    ? { is: 'BackOff' }
    : { is: 'BackOff', afterMs: error.retryAfterSeconds * 1000 };
}

const nowText = ({ clock }: PassDeps): string => new Date(clock.now()).toISOString();

/** Writes the status if it says anything new, tells the transitions as Events, and passes on when to look again. */
async function tell(subject: Subject, said: Said, deps: PassDeps, next: Next): Promise<Next> {
  const written = await write(subject, said, deps);
  return written.ok ? next : backOff(written.error, deps);
}

async function write(subject: Subject, said: Said, deps: PassDeps): Promise<Result<ClusterStatus, KubeError>> {
  const status = makeStatus(said, subject.status, subject.generation, nowText(deps));
  if (said.is === 'Looked') {
    deps.nodeMetrics?.shown(status.nodes);
    deps.serviceMetrics?.shown(status.services);
  }
  // The server gives the keys back in an order of its own.
  if (canonicalText(status) === canonicalText(subject.status)) return ok(status);
  const body = { apiVersion: API_VERSION, kind: CLUSTER.kind, metadata: { name: subject.name }, status };
  const applied = await deps.client.apply(body, { fieldManager: FIELD_MANAGER, force: true, subresource: 'status' });
  if (!applied.ok) return applied;
  const regarding = {
    ...refOf(subject.name),
    ...(subject.resource.metadata.uid === undefined ? {} : { uid: subject.resource.metadata.uid }),
  };
  const isThere = (node: string): boolean => said.is !== 'Looked' || said.facts.nodes.some(({ name }) => name === node);
  const changes = nodeChanges(subject.status, status, isThere);
  deps.nodeMetrics?.changed(changes);
  for (const event of [...transitions(subject.status, status, isThere), ...changes.map(toldOf)]) {
    void deps.events.record(regarding, event);
  }
  // As the server has it: what it left out or put in order must not look like a change next time.
  return ok(clusterStatusOf(applied.value));
}

/** Kept only where deleting has something to do, so that an uninstalled operator leaves nothing behind that cannot be deleted. */
async function keepFinalizer(
  subject: Subject,
  request: Request,
  { client }: PassDeps,
): Promise<Result<void, KubeError>> {
  const has = subject.resource.metadata.finalizers ?? [];
  const wants = request.deletionPolicy === 'Revert';
  if (subject.deleting || has.includes(FINALIZER) === wants) return ok(undefined);
  const finalizers = wants ? [...has, FINALIZER] : has.filter((each) => each !== FINALIZER);
  return patchFinalizers(subject, finalizers, client);
}

async function dropFinalizer(subject: Subject, deps: PassDeps): Promise<Next> {
  const has = subject.resource.metadata.finalizers ?? [];
  if (!has.includes(FINALIZER)) return { is: 'Gone' };
  const dropped = await patchFinalizers(
    subject,
    has.filter((each) => each !== FINALIZER),
    deps.client,
  );
  return dropped.ok || dropped.error.kind === 'NotFound' ? { is: 'Gone' } : backOff(dropped.error, deps);
}

async function patchFinalizers(
  { name, resource }: Subject,
  finalizers: readonly string[],
  client: KubeClient,
): Promise<Result<void, KubeError>> {
  const metadata = { finalizers, resourceVersion: resource.metadata.resourceVersion };
  const patched = await client.mergePatch(refOf(name), { metadata }, { fieldManager: FIELD_MANAGER });
  return patched.ok ? ok(undefined) : patched;
}

const refOf = (name: string): ObjectRef => ({ apiVersion: API_VERSION, kind: CLUSTER.kind, name });

const subjectOf = (name: string, resource: KubeObject): Subject => ({
  name,
  resource,
  generation: resource.metadata.generation ?? 0,
  status: clusterStatusOf(resource),
  deleting: resource.metadata.deletionTimestamp !== undefined,
});

export function backOff(error: KubeError, { log }: PassDeps): Next {
  log.warn('a pass could not be finished and is tried again', { error: errorText(error) });
  return error.retryAfterSeconds === undefined
    ? { is: 'BackOff' }
    : { is: 'BackOff', afterMs: error.retryAfterSeconds * 1000 };
}
