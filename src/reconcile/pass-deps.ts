import type { KubeClient } from '../kube/client.ts';
import type { Cluster } from '../kube/connect.ts';
import { errorText } from '../kube/errors.ts';
import { type EventRecorder, eventRecorder } from '../kube/events.ts';
import { clientReader, pagedReader } from '../kube/reader.ts';
import type { TrafficRules } from '../model/traffic-rules.ts';
import { surveyPods } from '../observe/backends.ts';
import { readTrafficRules } from '../observe/traffic-rules.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { type LoadCache, loadCache } from './node-loads.ts';
import type { NodeCache } from './node-cache.ts';
import type { NodeMetrics } from './node-metrics.ts';
import { type FindImage, type ImageHints, imageFinder } from './probe-image.ts';
import { proofRuns, type ProofRuns } from './proof-runs.ts';
import { type RefusalBook, refusalBook } from './refusals.ts';
import type { ServiceMetrics } from './service-metrics.ts';
import { everySoOften, type WorkloadCache, workloadCache } from './workload-cache.ts';

/** How old policies may be that the status tells of: nothing is decided by them. */
const TRAFFIC_RULES_MS = 300_000;
/** The same of what could not be read in full. */
const RETRY_MS = 30_000;

/** What a pass works with. */
export interface PassDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly namespace: string;
  readonly newId: () => string;
  readonly workloads: WorkloadCache;
  readonly loads: LoadCache;
  readonly proofs: ProofRuns;
  readonly refusals: RefusalBook;
  readonly trafficRules: () => Promise<TrafficRules>;
  /** Absent: nothing is watched, and Nodes are listed in every pass. */
  readonly nodes?: NodeCache;
  /** Absent: nobody counts. */
  readonly nodeMetrics?: NodeMetrics;
  readonly serviceMetrics?: ServiceMetrics;
  /** What probe pods are made of; absent: nothing is known of it, and no packets are sent. */
  readonly probeImage?: FindImage;
  /** Aborts when this instance no longer leads. */
  readonly signal: AbortSignal;
}

export const passDeps = (
  deps: { readonly cluster: Cluster; readonly clock: Clock; readonly log: Logger; readonly newId: () => string },
  options: { readonly namespace: string; readonly identity: string; readonly image: ImageHints },
  signal: AbortSignal,
): PassDeps => ({
  signal,
  client: deps.cluster.client,
  clock: deps.clock,
  log: deps.log,
  namespace: options.namespace,
  newId: deps.newId,
  proofs: proofRuns(signal),
  refusals: refusalBook(deps.clock),
  trafficRules: everySoOften(
    () => readTrafficRules(pagedReader(deps.cluster.client)),
    // What could not be read is seldom so for long: an API server that was being restarted.
    ({ unread }) => (unread.length === 0 ? TRAFFIC_RULES_MS : RETRY_MS),
    deps.clock,
  ),
  probeImage: imageFinder(deps.cluster.client, options.image),
  workloads: workloadCache(() => surveyPods(pagedReader(deps.cluster.client)), deps.clock),
  loads: loadCache(clientReader(deps.cluster.client), deps.clock),
  events: eventRecorder({
    client: deps.cluster.client,
    clock: deps.clock,
    newId: deps.newId,
    controller: 'dualstack.dev/operator',
    instance: options.identity,
    signal,
    onError: (error) => deps.log.warn('an Event could not be written', { error: errorText(error) }),
  }),
});
