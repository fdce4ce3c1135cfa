import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from './clock.ts';
import type { QueueObserver } from './queue.ts';

/** How one reconcile ended, in the words of controller-runtime, so that dashboards made for it show this program too. */
type ReconcileResult = 'success' | 'requeue' | 'requeue_after' | 'error';

interface ControllerMetrics {
  /** Counts one reconcile and its duration. */
  reconciled(result: ReconcileResult, seconds: number): void;
  /** An error that no retry will mend. Counted besides `reconciled('error', …)`. */
  gaveUp(): void;
  /** A bug was caught. Counted besides `reconciled('error', …)`. */
  panicked(): void;
  workers(active: number): void;
  readonly queue: QueueObserver;
}

/** The metrics of one process. */
export interface Metrics {
  readonly registry: Registry;
  /** All series of the controller exist from now on, with the value 0: a rate over a series that appears late is wrong. */
  controller(name: string, maxConcurrent: number): ControllerMetrics;
  /** 1 while this process holds the Lease of that name. */
  leader(lease: string, isLeader: boolean): void;
  /** A figure of the program's own, by one label. A value that was never set has no series. */
  gauge(series: Series): { set(value: string, to: number): void };
  /** Every series exists from now on, with the value 0. */
  counter(series: Series & { readonly second: Label }): { add(first: string, second: string): void };
  /** Seconds since a moment, worked out when somebody asks; 0: there is none. */
  age(series: Omit<Series, 'label'>): { since(time: number | null): void };
}

interface Series {
  readonly name: string;
  readonly help: string;
  readonly label: Label;
}

interface Label {
  readonly name: string;
  readonly values: readonly string[];
}

const RESULTS: readonly ReconcileResult[] = ['success', 'requeue', 'requeue_after', 'error'];
/** Seconds; the same bounds as controller-runtime. */
const RECONCILE_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2,
  2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];
/** Seconds: 10 ns to 1000 s, as in other controllers. */
const QUEUE_BUCKETS = Array.from({ length: 12 }, (_, power) => 10 ** (power - 8));

export function createMetrics(clock: Pick<Clock, 'monotonic' | 'now'>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const ofController = { labelNames: ['controller'] as const, registers };
  const ofQueue = { labelNames: ['name', 'controller'] as const, registers };

  const total = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles, by result',
    labelNames: ['controller', 'result'],
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciles that failed',
    ...ofController,
  });
  const terminal = new Counter({
    name: 'controller_runtime_terminal_reconcile_errors_total',
    help: 'Reconciles that failed for a reason that no retry mends',
    ...ofController,
  });
  const panics = new Counter({
    name: 'controller_runtime_reconcile_panics_total',
    help: 'Reconciles that ended in an unexpected exception',
    ...ofController,
  });
  const time = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Duration of a reconcile',
    buckets: RECONCILE_BUCKETS,
    ...ofController,
  });
  const maximum = new Gauge({
    name: 'controller_runtime_max_concurrent_reconciles',
    help: 'Reconciles that may run at once',
    ...ofController,
  });
  const active = new Gauge({
    name: 'controller_runtime_active_workers',
    help: 'Reconciles that run now',
    ...ofController,
  });
  const depth = new Gauge({ name: 'workqueue_depth', help: 'Keys that wait', ...ofQueue });
  const adds = new Counter({ name: 'workqueue_adds_total', help: 'Keys added', ...ofQueue });
  const retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Keys added again after a failure',
    ...ofQueue,
  });
  const waited = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long a key waited before it was worked on',
    buckets: QUEUE_BUCKETS,
    ...ofQueue,
  });
  const worked = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long a key was worked on',
    buckets: QUEUE_BUCKETS,
    ...ofQueue,
  });
  /** When each piece of work that is not done yet was begun, by queue. */
  const begun = new Map<string, ReadonlySet<{ readonly at: number }>>();
  const ages = (name: string): readonly number[] =>
    [...(begun.get(name) ?? [])].map(({ at }) => (clock.monotonic() - at) / 1000);
  const unfinished = new Gauge({
    name: 'workqueue_unfinished_work_seconds',
    help: 'Sum of the ages of all work in progress; grows without end when something hangs',
    ...ofQueue,
    collect() {
      for (const name of begun.keys()) {
        const sum = ages(name).reduce((left, right) => left + right, 0);
        this.set({ name, controller: name }, sum);
      }
    },
  });
  const longest = new Gauge({
    name: 'workqueue_longest_running_processor_seconds',
    help: 'Age of the oldest work in progress',
    ...ofQueue,
    collect() {
      for (const name of begun.keys()) this.set({ name, controller: name }, Math.max(0, ...ages(name)));
    },
  });
  const master = new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process is the leader',
    labelNames: ['name'],
    registers,
  });

  return {
    registry,
    leader: (lease, isLeader) => master.set({ name: lease }, isLeader ? 1 : 0),
    gauge({ name, help, label }) {
      const gauge = new Gauge({ name, help, labelNames: [label.name], registers });
      return { set: (value, to) => gauge.set({ [label.name]: value }, to) };
    },
    counter({ name, help, label, second }) {
      const counter = new Counter({ name, help, labelNames: [label.name, second.name], registers });
      const labelsOf = (a: string, b: string): Record<string, string> => ({ [label.name]: a, [second.name]: b });
      for (const a of label.values) for (const b of second.values) counter.inc(labelsOf(a, b), 0);
      return { add: (a, b) => counter.inc(labelsOf(a, b)) };
    },
    age({ name, help }) {
      let from: number | null = null;
      const seconds = (): number => (from === null ? 0 : Math.max(0, (clock.now() - from) / 1000));
      const gauge = new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(seconds());
        },
      });
      return {
        since(time) {
          from = time;
          gauge.set(seconds());
        },
      };
    },
    controller(name, maxConcurrent) {
      const labels = { controller: name };
      const queueLabels = { name, controller: name };
      for (const result of RESULTS) total.inc({ ...labels, result }, 0);
      for (const counter of [errors, terminal, panics]) counter.inc(labels, 0);
      for (const counter of [adds, retries]) counter.inc(queueLabels, 0);
      for (const gauge of [depth, unfinished, longest]) gauge.set(queueLabels, 0);
      for (const histogram of [waited, worked]) histogram.zero(queueLabels);
      time.zero(labels);
      active.set(labels, 0);
      maximum.set(labels, maxConcurrent);
      const starts = new Set<{ readonly at: number }>();
      begun.set(name, starts);
      return {
        reconciled: (result, seconds) => {
          total.inc({ ...labels, result });
          if (result === 'error') errors.inc(labels);
          time.observe(labels, seconds);
        },
        gaveUp: () => terminal.inc(labels),
        panicked: () => panics.inc(labels),
        workers: (count) => active.set(labels, count),
        queue: {
          added: () => adds.inc(queueLabels),
          retried: () => retries.inc(queueLabels),
          depth: (waiting) => depth.set(queueLabels, waiting),
          started: (secondsWaited) => {
            waited.observe(queueLabels, secondsWaited);
            const start = { at: clock.monotonic() };
            starts.add(start);
            return (secondsWorked) => {
              starts.delete(start);
              worked.observe(queueLabels, secondsWorked);
            };
          },
        },
      };
    },
  };
}
