import { expect, test } from '@jest/globals';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { workQueue } from '../../../src/runtime/queue.ts';
import { fakeClock, settle } from '../../support/fake-clock.ts';

const series = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('every series exists from the start with the value 0', async () => {
  const metrics = createMetrics(fakeClock());
  metrics.controller('cluster', 1);
  const lines = series(await metrics.registry.metrics());
  for (const expected of [
    'controller_runtime_reconcile_total{controller="cluster",result="success"} 0',
    'controller_runtime_reconcile_total{controller="cluster",result="requeue"} 0',
    'controller_runtime_reconcile_total{controller="cluster",result="requeue_after"} 0',
    'controller_runtime_reconcile_total{controller="cluster",result="error"} 0',
    'controller_runtime_reconcile_errors_total{controller="cluster"} 0',
    'controller_runtime_terminal_reconcile_errors_total{controller="cluster"} 0',
    'controller_runtime_reconcile_panics_total{controller="cluster"} 0',
    'controller_runtime_reconcile_time_seconds_count{controller="cluster"} 0',
    'controller_runtime_max_concurrent_reconciles{controller="cluster"} 1',
    'controller_runtime_active_workers{controller="cluster"} 0',
    'workqueue_depth{name="cluster",controller="cluster"} 0',
    'workqueue_adds_total{name="cluster",controller="cluster"} 0',
    'workqueue_retries_total{name="cluster",controller="cluster"} 0',
    'workqueue_queue_duration_seconds_count{name="cluster",controller="cluster"} 0',
    'workqueue_work_duration_seconds_count{name="cluster",controller="cluster"} 0',
    'workqueue_unfinished_work_seconds{name="cluster",controller="cluster"} 0',
    'workqueue_longest_running_processor_seconds{name="cluster",controller="cluster"} 0',
  ]) {
    expect(lines).toContain(expected);
  }
});

test('reconciles are counted by result, failures also as errors', async () => {
  const metrics = createMetrics(fakeClock());
  const controller = metrics.controller('cluster', 1);
  controller.reconciled('success', 0.2);
  controller.reconciled('error', 3);
  controller.gaveUp();
  controller.panicked();
  controller.workers(1);
  metrics.leader('the-lease', true);
  const lines = series(await metrics.registry.metrics());
  for (const expected of [
    'controller_runtime_reconcile_total{controller="cluster",result="success"} 1',
    'controller_runtime_reconcile_errors_total{controller="cluster"} 1',
    'controller_runtime_terminal_reconcile_errors_total{controller="cluster"} 1',
    'controller_runtime_reconcile_panics_total{controller="cluster"} 1',
    'controller_runtime_reconcile_time_seconds_sum{controller="cluster"} 3.2',
    'controller_runtime_reconcile_time_seconds_bucket{le="0.2",controller="cluster"} 1',
    'controller_runtime_active_workers{controller="cluster"} 1',
    'leader_election_master_status{name="the-lease"} 1',
  ]) {
    expect(lines).toContain(expected);
  }
});

test('work that hangs can be seen growing', async () => {
  const clock = fakeClock();
  const metrics = createMetrics(clock);
  const slow = Promise.withResolvers<void>();
  const queue = workQueue({
    concurrency: 2,
    clock,
    random: () => 0,
    work: (key) => (key === 'quick' ? Promise.resolve() : slow.promise),
    observer: metrics.controller('cluster', 2).queue,
  });
  queue.add('slow');
  await clock.advance(30_000);
  queue.add('quick');
  await clock.advance(10_000);
  const during = series(await metrics.registry.metrics());
  expect(during).toContain('workqueue_unfinished_work_seconds{name="cluster",controller="cluster"} 40');
  expect(during).toContain('workqueue_longest_running_processor_seconds{name="cluster",controller="cluster"} 40');
  expect(during).toContain('workqueue_work_duration_seconds_count{name="cluster",controller="cluster"} 1');
  slow.resolve();
  await settle();
  const after = series(await metrics.registry.metrics());
  expect(after).toContain('workqueue_unfinished_work_seconds{name="cluster",controller="cluster"} 0');
  expect(after).toContain('workqueue_adds_total{name="cluster",controller="cluster"} 2');
});
