import { expect, test } from '@jest/globals';
import { serviceMetrics } from '../../../src/reconcile/service-metrics.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const scene = () => {
  const metrics = createMetrics(fakeClock());
  const read = async (): Promise<readonly string[]> =>
    (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('dualstack_services'));
  return { services: serviceMetrics(metrics), read };
};

test('before a look there is nothing to tell', async () => {
  expect(await scene().read()).toEqual([]);
});

test('Services by state; all 0 when there is nothing to look at any more', async () => {
  const { services, read } = scene();
  services.shown({ total: 9, dualStack: 2, singleStack: 7, trapped: 3, blocked: 1, pending: 4 });
  expect(await read()).toEqual([
    'dualstack_services{state="dual_stack"} 2',
    'dualstack_services{state="single_stack"} 7',
    'dualstack_services{state="trapped"} 3',
    'dualstack_services{state="blocked"} 1',
    'dualstack_services{state="pending"} 4',
  ]);
  services.shown(undefined);
  expect(await read()).toContain('dualstack_services{state="pending"} 0');
});
