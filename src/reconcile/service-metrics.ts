import type { ServicesStatus } from '../api/cluster-status.ts';
import type { Metrics } from '../runtime/metrics.ts';

/** What the metrics tell of Services. */
export interface ServiceMetrics {
  /** As the last look found them; undefined: there is nothing to look at any more. */
  shown(services: ServicesStatus | undefined): void;
}

const STATES = {
  dual_stack: 'dualStack',
  single_stack: 'singleStack',
  trapped: 'trapped',
  blocked: 'blocked',
  pending: 'pending',
} as const satisfies Record<string, keyof ServicesStatus>;

export function serviceMetrics(metrics: Metrics): ServiceMetrics {
  const services = metrics.gauge({
    name: 'dualstack_services',
    help: 'Services by their families; those that are trapped, blocked or pending are also in another state',
    label: { name: 'state', values: Object.keys(STATES) },
  });
  return {
    shown(status) {
      for (const [state, field] of Object.entries(STATES)) services.set(state, status?.[field] ?? 0);
    },
  };
}
