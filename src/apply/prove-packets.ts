import type { KubeClient } from '../kube/client.ts';
import { errorText, type KubeError, toOperatorError } from '../kube/errors.ts';
import type { Connectivity } from '../model/connectivity.ts';
import type { KubeObject, ObjectRef } from '../model/object.ts';
import type { OperatorError } from '../model/outcome.ts';
import { decodeResults, type ProbeCheck, type ProbedCheck, type ProbeProgress } from '../model/probe.ts';
import type { ProbeNode, VerifyPackets } from '../model/step.ts';
import { err, ok, type Result } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  checksFromHost,
  checksFromPod,
  packetServices,
  PACKETS,
  PROBE_BY_LABEL,
  podState,
  type PodState,
  type ProbeRun,
  type ProbeServices,
  type ProbedBy,
  type ProbeTargets,
  runnerPod,
  runnerSelector,
  runSelector,
  serverPod,
  serverSelector,
  targetsOf,
} from '../verify/packets.ts';
import { PROBE_LABEL } from '../verify/probes.ts';
import { type Harvest, type NodeTrouble, nothingRun, summarize } from '../verify/summary.ts';

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

/** A pod has so long to be pulled and started, and a runner to do its work on top. Milliseconds. */
const STARTED_WITHIN_MS = 45_000;
const REPORTED_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 500;
/** Nodes whose runners are at work at the same time: enough to be done soon, few enough for an API server to not notice. */
const NODES_AT_ONCE = 20;
const CALLS_AT_ONCE = 8;
/** What somebody else made is left alone unless it is older than any run lasts. */
const LEFT_BEHIND_MS = 15 * 60_000;

/** So that a run has one way out: what it has by then is in `harvest`. */
type Stop = OperatorError;

interface Run extends ProbeRun {
  readonly deps: ProvePacketsDeps;
  readonly tell: (change: Partial<ProbeProgress>) => void;
}

/**
 * Proves with packets: a server pod on each chosen node, a Service of each kind over them, then on each of these nodes one pod that tries the others from the pod
 * network and one that does from the host's. All of it is removed whatever happens, and what an earlier, killed run left is removed first.
 */
export async function provePackets(
  step: Pick<VerifyPackets, 'probe' | 'fingerprint' | 'failedBefore'>,
  deps: ProvePacketsDeps,
): Promise<Result<Connectivity, OperatorError>> {
  const { namespace, suffix, by } = deps;
  const run: Run = { namespace, suffix, by, plan: step.probe, deps, tell: teller(deps) };
  const at = new Date(deps.clock.now()).toISOString();
  await removeLeftOver(deps);
  try {
    const harvest = step.probe.nodes.length === 0 ? ok(nothingRun(NO_NODE)) : await gather(run);
    if (!harvest.ok) return harvest;
    return ok(
      summarize(harvest.value, {
        plan: step.probe,
        fingerprint: step.fingerprint,
        failedBefore: step.failedBefore,
        at,
      }),
    );
  } finally {
    await removeAll(deps, runSelector(suffix), () => true);
  }
}

const NO_NODE = 'No node is Ready, so nothing could be tried.';

async function gather(run: Run): Promise<Result<Harvest, Stop>> {
  const services = await createServices(run);
  if (!services.ok) return services;
  const started = await startServers(run);
  if (!started.ok) return started;
  const { podIPs, notStarted } = started.value;
  const targets = targetsOf(podIPs, services.value, run.namespace);
  const able = run.plan.nodes.filter(({ name }) => podIPs.has(name));
  let harvest: Harvest = { ...nothingRun(''), notRun: null, notStarted, targets };
  for (let first = 0; first < able.length; first += NODES_AT_ONCE) {
    const batch = await runBatch(run, able.slice(first, first + NODES_AT_ONCE), first, targets, (reported) =>
      run.tell({
        runners: [first * 2 + reported, able.length * 2],
      }),
    );
    if (!batch.ok) return batch;
    harvest = {
      ...harvest,
      probed: [...harvest.probed, ...batch.value.probed],
      unreported: [...harvest.unreported, ...batch.value.unreported],
      noReport: [...harvest.noReport, ...batch.value.noReport],
    };
    run.tell({ probed: harvest.probed });
  }
  return ok(harvest);
}

async function createServices(run: Run): Promise<Result<ProbeServices, Stop>> {
  const wanted = packetServices(run);
  const created: Record<string, KubeObject> = {};
  for (const [name, object] of Object.entries(wanted)) {
    const made = await run.deps.client.create(object);
    if (!made.ok) return stop(made.error);
    created[name] = made.value;
  }
  return ok({ ...wanted, ...created });
}

const isSettled = (state: PodState): boolean => state.is === 'Ended' || (state.is === 'Running' && state.ready);
const isEnded = (state: PodState): boolean => state.is === 'Ended';

interface Started {
  readonly podIPs: ReadonlyMap<string, readonly string[]>;
  readonly notStarted: readonly NodeTrouble[];
}

async function startServers(run: Run): Promise<Result<Started, Stop>> {
  const pods = run.plan.nodes.map(({ name }, index) => serverPod(run, name, index));
  const created = await createPods(run, pods);
  if (!created.ok) return created;
  const states = await awaitPods(run, serverSelector(run), created.value.made, STARTED_WITHIN_MS, isSettled, (done) =>
    run.tell({ servers: [done, run.plan.nodes.length] }),
  );
  if (!states.ok) return states;
  const podIPs = new Map<string, readonly string[]>();
  const notStarted: NodeTrouble[] = [...created.value.refused];
  for (const pod of created.value.made) {
    const state = states.value.get(pod.metadata.name) ?? { is: 'Waiting', why: 'it is gone' };
    const node = nodeOf(pod);
    if (state.is === 'Running') podIPs.set(node, state.podIPs);
    else notStarted.push({ node, why: state.why });
  }
  return ok({ podIPs, notStarted });
}

type Batch = Pick<Harvest, 'probed' | 'unreported' | 'noReport'>;

async function runBatch(
  run: Run,
  nodes: readonly ProbeNode[],
  first: number,
  targets: ProbeTargets,
  onReported: (count: number) => void,
): Promise<Result<Batch, Stop>> {
  const runners = nodes.flatMap((node, offset) => {
    const index = first + offset;
    const fromPod = checksFromPod(node, run.plan, targets);
    const fromHost = checksFromHost(node, run.plan, targets);
    return [
      { pod: runnerPod(run, node.name, index, 'pod', fromPod), checks: fromPod },
      { pod: runnerPod(run, node.name, index, 'host', fromHost), checks: fromHost },
    ];
  });
  const created = await createPods(
    run,
    runners.map(({ pod }) => pod),
  );
  if (!created.ok) return created;
  const states = await awaitPods(run, runnerSelector(run), created.value.made, REPORTED_WITHIN_MS, isEnded, onReported);
  if (!states.ok) return states;
  const batch = { probed: [] as ProbedCheck[], unreported: [] as ProbeCheck[], noReport: [...created.value.refused] };
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
  await deletePods(run.deps, created.value.made);
  return ok(batch);
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

/** A refusal of one pod is that node's trouble; when all are refused for the same reason the run cannot be made at all. */
async function createPods(
  { deps }: Run,
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
async function awaitPods(
  { deps, namespace }: Run,
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

/** What an earlier run left that was killed: nobody takes it up, since its results may be of another state of the cluster. */
export async function removeLeftOver(deps: LeftOverDeps): Promise<void> {
  await removeAll(deps, `${PROBE_LABEL}=${PACKETS}`, ({ metadata }) => {
    const isOwn = metadata.labels?.[PROBE_BY_LABEL] === deps.by && deps.by === 'operator';
    return isOwn || deps.clock.now() - Date.parse(metadata.creationTimestamp ?? '') > LEFT_BEHIND_MS;
  });
}

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

const nodeOf = (pod: KubeObject): string => (pod['spec'] as { readonly nodeName: string }).nodeName;

const BROKEN_OFF: OperatorError = {
  kind: 'Transient',
  message:
    'the proof with packets was broken off, because this program ends, the resource was changed or paused, or something else has to be done first',
};

const stop = (error: KubeError): Result<never, Stop> => err(toOperatorError(error));

/** Puts the parts of the progress together. */
function teller({ onProgress }: ProvePacketsDeps): Run['tell'] {
  let progress: ProbeProgress = { servers: [0, 0], runners: [0, 0], probed: [] };
  return (change) => {
    progress = { ...progress, ...change };
    onProgress?.(progress);
  };
}
