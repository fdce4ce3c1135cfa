import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterStatus } from '../../../../src/api/cluster-status.ts';
import { type RealCluster, type RealClusterOptions, startRealCluster } from '../../cluster/index.ts';
import { applyResource, dualStackCluster, isReady, stepsDone, untilStatus } from './conversion.ts';
import { type Span, spansOf, timelineText } from './timeline.ts';
import { type Failure, lossText, startTraffic, type Stream, type Traffic } from './traffic.ts';
import { type Gap, watchComponents } from './watch-components.ts';

const CONVERTED_WITHIN_MS = 600_000;
/** The prober waits ten seconds for each answer (`podtool/probe.go`). */
const PATIENCE_MS = 12_000;

/** A cluster with the operator installed, and requests under way. */
export interface Scene {
  readonly cluster: RealCluster;
  readonly traffic: Traffic;
  stop(): Promise<void>;
}

export async function startScene(options: RealClusterOptions): Promise<Scene> {
  const cluster = await startRealCluster(options);
  try {
    const kubectl = async (args: readonly string[], input?: string): Promise<string> =>
      (await cluster.kubectl(args, input)).stdout;
    await cluster.installOperator();
    const traffic = await startTraffic(
      kubectl,
      cluster.nodes.map(({ name }) => name),
    );
    return { cluster, traffic, stop: () => cluster.stop() };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** What a change of the cluster came to. */
export interface Change {
  readonly status: ClusterStatus;
  readonly ms: number;
  readonly spans: readonly Span[];
  readonly gaps: readonly Gap[];
  readonly streams: readonly Stream[];
  readonly failures: readonly Failure[];
}

/** Applies the resource with kubectl, and watches from outside until it is Ready. */
export async function change(
  { cluster, traffic }: Scene,
  spec: Readonly<Record<string, unknown>> = {},
  until: (status: ClusterStatus) => boolean = isReady,
): Promise<Change> {
  const watched = watchComponents(cluster);
  const begun = Date.now();
  await applyResource(cluster, dualStackCluster(cluster, spec));
  const wanted = await generationOf(cluster);
  const status = await untilStatus(
    cluster,
    'the change is through',
    (now) => now.observedGeneration === wanted && until(now),
    CONVERTED_WITHIN_MS,
  );
  const ended = Date.now();
  const gaps = await watched.stop();
  const done = stepsDone(cluster).filter(({ at }) => at >= begun);
  const spans = spansOf(done, ended);
  // A request that hangs is counted when the prober's patience ends.
  await sleep(PATIENCE_MS);
  const [streams, failures] = await Promise.all([traffic.streams(), traffic.failures()]);
  const sinceBegun = failures.filter(({ at }) => at >= begun);
  console.log(
    [
      `${cluster.settings.families.join(',')}: ${cluster.controlPlanes.length}+${cluster.workers.length} nodes, ${cluster.settings.cni}: through in ${((ended - begun) / 1000).toFixed(1)} s`,
      timelineText(spans, begun, gaps, sinceBegun),
      restartsText(gaps, ended - begun),
      gaps
        .map(
          ({ what, from, to }) =>
            `  ${((from - begun) / 1000).toFixed(1).padStart(6)} ${what} ${((to - from) / 1000).toFixed(1)} s`,
        )
        .join('\n'),
      lossText(streams),
    ].join('\n'),
  );
  return { status, ms: ended - begun, spans, gaps, streams, failures: sinceBegun };
}

async function generationOf(cluster: RealCluster): Promise<number> {
  const read = await cluster.tryKubectl(['get', 'dsc', 'cluster', '-o', 'jsonpath={.metadata.generation}']);
  return Number(read.stdout) || 0;
}

/** The restarts that nobody can spare: API servers until they are ready again, controllers until one leads, kubelets until they answer. */
function restartsText(gaps: readonly Gap[], ms: number): string {
  const byKind = Map.groupBy(gaps, ({ what }) => what.split(' ')[0] ?? what);
  const sum = gaps.reduce((total, gap) => total + gap.to - gap.from, 0);
  const parts = [...byKind].map(
    ([kind, each]) =>
      `${each.length} × ${kind} ${(each.reduce((total, gap) => total + gap.to - gap.from, 0) / 1000).toFixed(1)} s`,
  );
  return `restarts: ${parts.join(', ')}; together ${(sum / 1000).toFixed(1)} s; whole change to restarts ${(ms / sum).toFixed(2)}`;
}

/** After its kubelet's restart a node may count as not ready for a moment, and Services then leave out its pods. */
const AFTER_RESTART_MS = 5_000;

/** Requests lost while nothing was going on of which the plan says that it interrupts them: their target's kubelet was not being restarted. */
export const unannounced = ({ failures, spans }: Pick<Change, 'failures' | 'spans'>): readonly Failure[] =>
  failures.filter(
    ({ at, to }) =>
      !spans.some((span) => span.step === `node-ips/${to}` && at >= span.from && at < span.to + AFTER_RESTART_MS),
  );

/** The longest time that one API server was away. */
export const longestAway = (gaps: readonly Gap[], component: string): number =>
  Math.max(0, ...gaps.filter(({ what }) => what.startsWith(component)).map(({ from, to }) => to - from));
