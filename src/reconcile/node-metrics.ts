import type { NodesStatus } from '../api/cluster-status.ts';
import type { NodeChange } from '../report/node-changes.ts';
import type { Metrics } from '../runtime/metrics.ts';

/** What the metrics tell of nodes. */
export interface NodeMetrics {
  /** As the last look found them; undefined: there is nothing to look at any more. */
  shown(nodes: NodesStatus | undefined): void;
  changed(changes: readonly NodeChange[]): void;
}

const STATES = {
  dual_stack: 'dualStack',
  ipv4_only: 'ipv4Only',
  ipv6_only: 'ipv6Only',
  none: 'none',
  delayed: 'delayed',
} as const satisfies Record<string, keyof NodesStatus>;

const REMEDIES = { RestartKubelet: 'restart_kubelet', SetNodeIP: 'set_node_ip' } as const;

export function nodeMetrics(metrics: Metrics): NodeMetrics {
  const nodes = metrics.gauge({
    name: 'dualstack_nodes',
    help: 'Nodes by the families of their InternalIPs; those that are delayed are also in another state',
    label: { name: 'state', values: Object.keys(STATES) },
  });
  const oldest = metrics.age({
    name: 'dualstack_oldest_delayed_node_seconds',
    help: 'How long the node has lacked a wanted family that has for longest, of those beyond the grace period; 0: there is none',
  });
  const remedies = metrics.counter({
    name: 'dualstack_remedies_total',
    help: 'Remedies of single nodes that ended, by whether the node was whole then',
    label: { name: 'remedy', values: Object.values(REMEDIES) },
    second: { name: 'result', values: ['success', 'failure'] },
  });
  return {
    shown(status) {
      for (const [state, field] of Object.entries(STATES)) nodes.set(state, status?.[field] ?? 0);
      oldest.since(status?.delayedSince === undefined ? null : Date.parse(status.delayedSince));
    },
    changed(changes) {
      for (const { is, node } of changes) {
        if (node.tried === undefined) continue;
        if (is === 'NodeRemedied') remedies.add(REMEDIES[node.tried.remedy], 'success');
        if (is === 'NodeRemedyGivenUp') remedies.add(REMEDIES[node.tried.remedy], 'failure');
      }
    },
  };
}
