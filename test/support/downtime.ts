import type { TestCluster } from '../cluster/index.ts';

/** Restarts of one component, and how long it was away in all of them together. */
export interface Restarts {
  readonly component: string;
  readonly count: number;
  readonly ms: number;
}

const COMPONENTS = ['kube-apiserver', 'kube-controller-manager'] as const;

/**
 * The time that control-plane components were away for new arguments: for an API server until it answered again, for a controller
 * manager until its next process started.
 */
export function unavoidableRestarts(
  cluster: TestCluster,
  since: number,
): { readonly totalMs: number; readonly parts: readonly Restarts[] } {
  const parts = COMPONENTS.map((component): Restarts => {
    const gaps = cluster.controlPlanes.flatMap((node) => {
      const lives = cluster.history.of(component, node.name);
      return lives.slice(1).flatMap((life, index) => {
        const ended = lives[index]?.exitedAt;
        if (ended === undefined || ended < since) return [];
        const backAt = component === 'kube-apiserver' ? answeredAfter(cluster, node.name, ended) : life.startedAt;
        return [backAt - ended];
      });
    });
    return { component, count: gaps.length, ms: gaps.reduce((sum, gap) => sum + gap, 0) };
  });
  return { totalMs: parts.reduce((sum, part) => sum + part.ms, 0), parts };
}

function answeredAfter(cluster: TestCluster, node: string, time: number): number {
  const changes = cluster.balancer.backends.find((backend) => backend.node === node)?.changes ?? [];
  return changes.find((change) => change.up && change.at > time)?.at ?? Date.now();
}
