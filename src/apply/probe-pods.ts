import type { KubeClient } from '../kube/client.ts';
import { errorText, type KubeError, toOperatorError } from '../kube/errors.ts';
import type { KubeObject, ObjectRef } from '../model/object.ts';
import type { OperatorError } from '../model/outcome.ts';
import { decodeResults, type ProbeCheck, type ProbedCheck, type ProbeProgress } from '../model/probe.ts';
import { err, ok, type Result } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  PACKETS,
  type PodRun,
  PROBE_BY_LABEL,
  podState,
  type PodState,
  type ProbedBy,
  runnerSelector,
  runSelector,
} from '../verify/packets.ts';
import { PROBE_LABEL } from '../verify/probes.ts';
import type { Harvest, NodeTrouble } from '../verify/summary.ts';

/** Pods of a moment: made, waited for, read and removed. */

export interface ProvePacketsDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly namespace: string;
  /** Sets the names of this run apart. */
  readonly suffix: string;
  readonly by: ProbedBy;
  /** Ends the run early; what it made is removed all the same. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ProbeProgress) => void;
}

export type LeftOverDeps = Pick<ProvePacketsDeps, 'client' | 'clock' | 'namespace' | 'by'>;

const LOOK_EVERY_MS = 500;
const CALLS_AT_ONCE = 8;
/** A pod that asks has so long to be pulled and started and to do its work. Milliseconds. */
const REPORTED_WITHIN_MS = 90_000;
/** What somebody else made is left alone unless it is older than any run lasts. */
const LEFT_BEHIND_MS = 15 * 60_000;

/** So that a run has one way out: what it has by then is in `harvest`. */
export type Stop = OperatorError;

export interface PodsRun extends PodRun {
  readonly deps: ProvePacketsDeps;
}

/** A pod that asks, with what it is to try. */
export interface Runner {
  readonly pod: KubeObject;
  readonly checks: readonly ProbeCheck[];
}

/** What pods that ask brought. */
export type Batch = Pick<Harvest, 'probed' | 'unreported' | 'noReport'>;

/** Lets them ask, all at the same time, and removes them. */
export async function runRunners(
  run: PodsRun,
  runners: readonly Runner[],
  onReported: (count: number) => void,
): Promise<Result<Batch, Stop>> {
  const created = await createPods(
    run,
    runners.map(({ pod }) => pod),
  );
  if (!created.ok) return created;
  const { made, refused } = created.value;
  const states = await awaitPods(run, runnerSelector(run), made, REPORTED_WITHIN_MS, isEnded, onReported);
  if (!states.ok) return states;
  const batch = { probed: [] as ProbedCheck[], unreported: [] as ProbeCheck[], noReport: [...refused] };
  for (const { pod, checks } of runners) {
    const state = states.value.get(pod.metadata.name);
    const results = state?.is === 'Ended' ? decodeResults(state.message, checks.length) : null;
    if (results !== null) {
      batch.probed.push(...checks.flatMap((check, index) => withResult(check, results[index])));
      continue;
    }
    batch.unreported.push(...checks);
    if (state !== undefined) batch.noReport.push({ node: nodeOf(pod), why: whyNoReport(state) });
  }
  await deletePods(run.deps, made);
  return ok(batch);
}

const isEnded = (state: PodState): boolean => state.is === 'Ended';

/** A refusal of one pod is that node's trouble; when all are refused for the same reason the run cannot be made at all. */
export async function createPods(
  { deps }: PodsRun,
  pods: readonly KubeObject[],
): Promise<Result<{ readonly made: readonly KubeObject[]; readonly refused: readonly NodeTrouble[] }, Stop>> {
  const made: KubeObject[] = [];
  const refused: NodeTrouble[] = [];
  let last: KubeError | null = null;
  await inBatches(pods, CALLS_AT_ONCE, async (pod) => {
    if (deps.signal.aborted) return;
    const created = await deps.client.create(pod);
    if (created.ok) made.push(pod);
    else {
      last = created.error;
      refused.push({ node: nodeOf(pod), why: errorText(created.error) });
    }
  });
  if (deps.signal.aborted) return err(BROKEN_OFF);
  return made.length === 0 && last !== null ? stop(last) : ok({ made, refused });
}

/** The state of each pod once all are as far as that, or when the time is over. */
export async function awaitPods(
  { deps, namespace }: PodsRun,
  labelSelector: string,
  pods: readonly KubeObject[],
  withinMs: number,
  isDone: (state: PodState) => boolean,
  onDone: (count: number) => void,
): Promise<Result<ReadonlyMap<string, PodState>, Stop>> {
  const names = new Set(pods.map(({ metadata }) => metadata.name));
  const deadline = deps.clock.monotonic() + withinMs;
  for (;;) {
    const read = await deps.client.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector });
    const states = new Map(
      (read.ok ? read.value.items : [])
        .filter(({ metadata }) => names.has(metadata.name))
        .map((pod) => [pod.metadata.name, podState(pod)] as const),
    );
    const done = [...states.values()].filter(isDone).length;
    onDone(done);
    const isOver = deps.clock.monotonic() >= deadline;
    if (!read.ok && isOver) return stop(read.error);
    if (done === names.size || isOver) return ok(states);
    if (!(await deps.clock.sleep(LOOK_EVERY_MS, deps.signal))) return err(BROKEN_OFF);
  }
}

const withResult = (check: ProbeCheck, result: ProbedCheck['result'] | undefined): readonly ProbedCheck[] =>
  result === undefined ? [] : [{ ...check, result }];

function whyNoReport(state: PodState): string {
  switch (state.is) {
    case 'Ended':
      return `the pod ended with ${state.why}${state.message === '' ? '' : ` (${state.message.slice(0, 200)})`}`;
    case 'Waiting':
      return `the pod did not start (${state.why})`;
    case 'Running':
      return 'the pod did not end in time';
  }
}

/** What an earlier run left that was killed: nobody takes it up, since its results may be of another state of the cluster. */
export async function removeLeftOver(deps: LeftOverDeps): Promise<void> {
  await removeAll(deps, `${PROBE_LABEL}=${PACKETS}`, ({ metadata }) => {
    const isOwn = metadata.labels?.[PROBE_BY_LABEL] === deps.by && deps.by === 'operator';
    return isOwn || deps.clock.now() - Date.parse(metadata.creationTimestamp ?? '') > LEFT_BEHIND_MS;
  });
}

/** All of one run. */
export const removeRun = (deps: ProvePacketsDeps): Promise<void> =>
  removeAll(deps, runSelector(deps.suffix), () => true);

/** What cannot be removed now is removed by the next run; pods end by themselves, and Services without them harm nobody. */
async function removeAll(
  deps: LeftOverDeps,
  labelSelector: string,
  matches: (object: KubeObject) => boolean,
): Promise<void> {
  for (const kind of ['Pod', 'Service'] as const) {
    const left = await deps.client.list({ apiVersion: 'v1', kind, namespace: deps.namespace, labelSelector });
    if (left.ok) await deleteObjects(deps, kind, left.value.items.filter(matches));
  }
}

const deletePods = (deps: ProvePacketsDeps, pods: readonly KubeObject[]): Promise<void> =>
  deleteObjects(deps, 'Pod', pods);

const deleteObjects = (
  { client, namespace }: LeftOverDeps,
  kind: 'Pod' | 'Service',
  objects: readonly KubeObject[],
): Promise<void> =>
  inBatches(objects, CALLS_AT_ONCE, async ({ metadata: { name } }) => {
    const ref: ObjectRef = { apiVersion: 'v1', kind, namespace, name };
    await client.delete(ref);
  });

async function inBatches<T>(items: readonly T[], size: number, run: (item: T) => Promise<void>): Promise<void> {
  for (let first = 0; first < items.length; first += size) {
    await Promise.all(items.slice(first, first + size).map(run));
  }
}

export const nodeOf = (pod: KubeObject): string => (pod['spec'] as { readonly nodeName: string }).nodeName;

const BROKEN_OFF: OperatorError = {
  kind: 'Transient',
  message:
    'the proof with packets was broken off, because this program ends, the resource was changed or paused, or something else has to be done first',
};

export const stop = (error: KubeError): Result<never, Stop> => err(toOperatorError(error));
