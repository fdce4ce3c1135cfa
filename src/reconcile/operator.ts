import { removeLeftOver } from '../apply/probe-pods.ts';
import type { Cluster } from '../kube/connect.ts';
import { errorText } from '../kube/errors.ts';
import { lead } from '../kube/lease.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { type HealthCheck, startStatusServer } from '../runtime/http.ts';
import type { Logger } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { workQueue } from '../runtime/queue.ts';
import { err, ok, type Result } from '../result.ts';
import { GATHER_MS, gathering } from './gather.ts';
import { inTime } from './in-time.ts';
import { inventoryPass } from './inventory-pass.ts';
import { makeGood } from './make-good.ts';
import { watchedPass } from './mishaps.ts';
import { nodeMetrics } from './node-metrics.ts';
import type { ImageHints } from './probe-image.ts';
import type { Next } from './pass.ts';
import { passDeps } from './pass-deps.ts';
import { serviceMetrics } from './service-metrics.ts';
import { triggers } from './triggers.ts';

export interface OperatorOptions {
  /** Who we are in the election: unique for each process. */
  readonly identity: string;
  readonly namespace: string;
  /** How the image for probe pods is found. */
  readonly image: ImageHints;
  /** Where metrics are served, and where probes are answered, such as `127.0.0.1:8080`. */
  readonly metricsAddress: string;
  readonly probeAddress: string;
  /** False: work at once, without a Lease; then there must be no other instance. */
  readonly leaderElect: boolean;
}

export interface OperatorDeps {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** A few random hexadecimal characters. */
  readonly newId: () => string;
}

const LEASE = 'dualstack-operator';
const CONTROLLER = 'dualstackcluster';
/** A key that no DualStackCluster can have as its name: see to the DualStackNodes. */
const INVENTORY = '';
/** How long work in flight may take to end. A request gives up before that, so only a mistake of ours takes longer. */
const END_WITHIN_MS = 30_000;
/** A look without any reason, in case that something was missed or cannot be watched. */
const RESYNC_MS = 60_000;

/**
 * The operator process: serves probes and metrics, waits to be the leader, then makes a pass over every DualStackCluster whenever something
 * changed. Ends in order when the signal aborts: workers, watches, HTTP, Lease. An error says why it ended otherwise; losing the
 * Lease is a normal one, after which the process should start anew.
 */
export async function runOperator(
  options: OperatorOptions,
  deps: OperatorDeps,
  signal: AbortSignal,
): Promise<Result<void, string>> {
  const health = { leading: false, synced: false };
  const servers = await serve(options, deps, {
    live: () => undefined,
    ready: () => (!health.leading || health.synced ? undefined : 'the first look at the cluster is not done'),
  });
  if (!servers.ok) return servers;
  const mustEnd = new AbortController();
  const leadWork = async (leading: AbortSignal): Promise<void> => {
    onAbort(leading, () => mustEnd.abort());
    health.leading = true;
    deps.metrics.leader(LEASE, true);
    await work(deps, options, leading, () => {
      health.synced = true;
    });
  };
  try {
    deps.metrics.leader(LEASE, false);
    void makeGoodEarly(deps, options, signal);
    const working = options.leaderElect
      ? elected(options, deps, signal, leadWork)
      : leadWork(signal).then(() => ok(undefined));
    const end = await inTime(deps.clock, END_WITHIN_MS, mustEnd.signal, working);
    return end === 'Stuck'
      ? err(`work in flight did not end within ${END_WITHIN_MS / 1000} s: the process ends without waiting for it`)
      : end;
  } finally {
    deps.metrics.leader(LEASE, false);
    await servers.value.close();
  }
}

/**
 * Also before it leads: the Lease of a leader that died in the middle of replacing a Node is held for some 15 s more, and the pods of a missing
 * Node are removed after 40 s. Several instances may do it at once.
 */
async function makeGoodEarly(deps: OperatorDeps, options: OperatorOptions, signal: AbortSignal): Promise<void> {
  try {
    await makeGood(passDeps(deps, options, signal));
  } catch (thrown) {
    deps.log.error('an unexpected error while looking for missing Nodes', { error: String(thrown) });
  }
}

async function elected(
  options: OperatorOptions,
  deps: OperatorDeps,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<Result<void, string>> {
  deps.log.info('waiting for the Lease', { lease: LEASE, identity: options.identity });
  const end = await lead(
    {
      client: deps.cluster.leaseClient,
      clock: deps.clock,
      random: deps.random,
      namespace: options.namespace,
      name: LEASE,
      identity: options.identity,
      onError: (error) => deps.log.warn('the Lease could not be renewed', { error: errorText(error) }),
      onLeader: (identity) => deps.log.info('a leader was elected', { identity }),
    },
    signal,
    work,
  );
  return end === 'Lost'
    ? err('the Lease was lost: another instance may lead now, so this one ends and starts anew')
    : ok(undefined);
}

/** Metrics and probes each on their own address: the one is for Prometheus, the other for the kubelet. */
async function serve(
  options: OperatorOptions,
  deps: OperatorDeps,
  checks: { readonly live: HealthCheck; readonly ready: HealthCheck },
): Promise<Result<{ close(): Promise<void> }, string>> {
  const common = { registry: deps.metrics.registry, live: { process: checks.live }, ready: { watches: checks.ready } };
  const metrics = await startStatusServer({ ...common, listen: options.metricsAddress });
  if (!metrics.ok) return metrics;
  const probes = await startStatusServer({ ...common, listen: options.probeAddress });
  if (!probes.ok) {
    await metrics.value.close();
    return probes;
  }
  deps.log.info('serving', { metricsPort: metrics.value.port, probePort: probes.value.port });
  return ok({
    close: async () => {
      await Promise.all([metrics.value.close(), probes.value.close()]);
    },
  });
}

async function work(
  deps: OperatorDeps,
  options: OperatorOptions,
  signal: AbortSignal,
  onSynced: () => void,
): Promise<void> {
  const gather = gathering(deps.clock);
  const watching = triggers(
    { client: deps.cluster.client, clock: deps.clock, random: deps.random, log: deps.log },
    {
      asked: (name) => queue.add(name),
      around: (name) => queue.addAfter(name, gather.delay(name)),
      nodes: () => queue.addAfter(INVENTORY, gather.delay(INVENTORY)),
    },
  );
  const forPass = {
    ...passDeps(deps, options, signal),
    nodes: watching.nodes,
    nodeMetrics: nodeMetrics(deps.metrics),
    serviceMetrics: serviceMetrics(deps.metrics),
  };
  const pass = watchedPass(forPass);
  const metrics = deps.metrics.controller(CONTROLLER, 1);
  const queue = workQueue({
    concurrency: 1,
    clock: deps.clock,
    random: deps.random,
    observer: metrics.queue,
    work: (name) => workOn(name),
    onError: (name, thrown) => {
      metrics.panicked();
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      deps.log.error('a pass ended in an unexpected error', { name, error: error.message, stack: error.stack });
    },
  });

  const workOn = async (name: string): Promise<void> => {
    const started = deps.clock.monotonic();
    gather.begins(name);
    metrics.workers(1);
    try {
      const next = name === INVENTORY ? await inventoryPass(forPass) : await pass(name);
      const seconds = (deps.clock.monotonic() - started) / 1000;
      gather.looked(name, started, isAtRest(next) ? 'Nothing' : 'Work');
      switch (next.is) {
        case 'Again':
          metrics.reconciled('requeue_after', seconds);
          queue.forget(name);
          queue.addAfter(name, next.afterMs);
          return;
        case 'Idle':
          metrics.reconciled('success', seconds);
          queue.forget(name);
          queue.addAfter(name, RESYNC_MS);
          return;
        case 'Gone':
          metrics.reconciled('success', seconds);
          queue.forget(name);
          return;
        case 'BackOff':
          metrics.reconciled('error', seconds);
          if (next.afterMs === undefined) queue.addRateLimited(name);
          else queue.addAfter(name, next.afterMs);
          return;
      }
    } catch (thrown) {
      metrics.reconciled('error', (deps.clock.monotonic() - started) / 1000);
      throw thrown;
    } finally {
      metrics.workers(0);
    }
  };

  // Before any pass: a Node that the last leader was replacing may be missing, and its pods are removed after 40 s.
  const madeGood = makeGood(forPass);
  const cleaned = removeLeftOver({ ...forPass, by: 'operator' });
  const watches = watching.run(signal);
  if (await watching.whenSynced(signal)) {
    await madeGood;
    await cleaned;
    onSynced();
    for (const name of [INVENTORY, ...watching.names()]) queue.add(name);
  }
  await new Promise<void>((resolve) => onAbort(signal, resolve));
  await queue.shutdown();
  await forPass.proofs.idle();
  await watches;
}

/** Nobody waits for the next look: it is due later than what is gathered. */
const isAtRest = (next: Next): boolean => next.is === 'Idle' || (next.is === 'Again' && next.afterMs > GATHER_MS);

function onAbort(signal: AbortSignal, run: () => void): void {
  if (signal.aborted) run();
  else signal.addEventListener('abort', () => run(), { once: true });
}
