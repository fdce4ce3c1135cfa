import { clusterStatusOf } from '../api/cluster-status.ts';
import { resolve } from '../api/resolve.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorText } from '../kube/errors.ts';
import { clientReader, pagedReader, readServerInfo, snapshotReader } from '../kube/reader.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { KubeObject } from '../model/object.ts';
import type { Request } from '../model/request.ts';
import { diagnose } from '../nodes/diagnose.ts';
import { outlookOf } from '../nodes/outlook.ts';
import { type PodSurvey, surveyPods } from '../observe/backends.ts';
import { readNodeLoads } from '../observe/node-loads.ts';
import { observe, type ReadBackends, type ReadWorkloads } from '../observe/observe.ts';
import { readTrafficRules } from '../observe/traffic-rules.ts';
import { nodesToDrain } from '../plan/drain.ts';
import { makePlan } from '../plan/plan.ts';
import { registry, vocabulary } from '../registry.ts';
import { memoryOf } from '../report/memory.ts';
import { knownOf, sinceWhen } from '../report/nodes.ts';
import { refusalsIn } from '../report/services.ts';
import { err, ok, type Result } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Observation, ObserveError } from './session.ts';

/** What was wanted, and what was there. */
export interface Sight {
  readonly resource: KubeObject;
  readonly request: Request;
  readonly facts: ClusterFacts;
}

export interface SightDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Absent: all pods are listed. */
  readonly readWorkloads?: ReadWorkloads;
}

/** One look at everything that decides on the way from here to what the resource asks for. */
export async function takeSight(resource: KubeObject, deps: SightDeps): Promise<Result<Sight, ObserveError>> {
  const { client, clock, signal } = deps;
  const request = resolve(resource['spec'], vocabulary);
  if (!request.ok) return err({ kind: 'Invalid', problems: request.error });
  const server = await readServerInfo(client, signal);
  if (!server.ok) return err({ kind: 'Unreadable', message: errorText(server.error) });
  const reader = snapshotReader(clientReader(client, signal));
  const now = clock.now();
  const facts =
    deps.readWorkloads === undefined
      ? await observe(reader, server.value, registry, request.value, now, ...podReads(client, signal))
      : await observe(reader, server.value, registry, request.value, now, deps.readWorkloads);
  if (!facts.ok) return err({ kind: 'Unreadable', message: facts.error });
  const refusals = refusalsIn(clusterStatusOf(resource).services);
  // A command that goes on has no room for what is no matter of nodes.
  const rules = deps.readWorkloads === undefined ? await readTrafficRules(pagedReader(client, signal)) : undefined;
  const more = { refusals, ...(rules === undefined ? {} : { trafficRules: rules }) };
  return ok({ resource, request: request.value, facts: { ...facts.value, ...more } });
}

/** Two questions, and one list of all pods for both. */
function podReads(client: KubeClient, signal: AbortSignal): readonly [ReadWorkloads, ReadBackends] {
  let survey: Promise<PodSurvey> | null = null;
  const once = (): Promise<PodSurvey> => (survey ??= surveyPods(pagedReader(client, signal)));
  return [async () => (await once()).workloads, async () => (await once()).backends];
}

/** What follows from it. */
export function observationOf({ resource, request, facts }: Sight): Observation {
  const status = clusterStatusOf(resource);
  const memory = memoryOf(status, resource.metadata.generation ?? 0);
  const plugins = registry.bind(facts);
  const plan = makePlan(request, facts, plugins, memory);
  const proofs = plugins.cni.nodeProofs(plan.wanted, facts);
  const outlook = outlookOf(plan, plugins, request, facts.at);
  const since = sinceWhen(status.nodes, facts.at);
  return { facts, plan, diagnose: (node) => diagnose(node, outlook, knownOf(node, proofs, since(node))) };
}

/** Whose pods are looked at. Of those after them a plan tells that they will be drained, and not of what. */
const MOST_DRAINED = 50;

/** The same; where Nodes are to be drained, with what is on them. */
export async function observationWithLoads(
  sight: Sight,
  client: KubeClient,
  signal: AbortSignal,
): Promise<Observation> {
  const first = observationOf(sight);
  const nodes = nodesToDrain(first.plan.steps).slice(0, MOST_DRAINED);
  if (nodes.length === 0) return first;
  const loads = await readNodeLoads(clientReader(client, signal), nodes);
  return observationOf({ ...sight, facts: { ...sight.facts, loads } });
}
