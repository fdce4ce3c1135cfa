import type { Connectivity } from '../model/connectivity.ts';
import type { KubeObject } from '../model/object.ts';
import type { OperatorError } from '../model/outcome.ts';
import type { ProbeProgress } from '../model/probe.ts';
import type { ProbeNode, VerifyPackets } from '../model/step.ts';
import { ok, type Result } from '../result.ts';
import {
  checksFromHost,
  checksFromPod,
  packetServices,
  type PodState,
  type ProbeRun,
  type ProbeServices,
  type ProbeTargets,
  runnerPod,
  serverPod,
  serverSelector,
  targetsOf,
} from '../verify/packets.ts';
import { type Harvest, type NodeTrouble, nothingRun, summarize } from '../verify/summary.ts';
import {
  awaitPods,
  type Batch,
  createPods,
  nodeOf,
  type ProvePacketsDeps,
  removeLeftOver,
  removeRun,
  runRunners,
  stop,
  type Stop,
} from './probe-pods.ts';

/** A pod has so long to be pulled and started. Milliseconds. */
const STARTED_WITHIN_MS = 45_000;
/** Nodes whose runners are at work at the same time: enough to be done soon, few enough for an API server to not notice. */
const NODES_AT_ONCE = 20;

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
    await removeRun(deps);
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
  return runRunners(run, runners, onReported);
}

/** Puts the parts of the progress together. */
function teller({ onProgress }: ProvePacketsDeps): Run['tell'] {
  let progress: ProbeProgress = { servers: [0, 0], runners: [0, 0], probed: [] };
  return (change) => {
    progress = { ...progress, ...change };
    onProgress?.(progress);
  };
}
