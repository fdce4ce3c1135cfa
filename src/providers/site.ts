import { cloudOf, type Place } from './expect.ts';
import type { Site } from './load-balancers.ts';

/** Where a cluster is: by the first of its nodes that tells. Clusters over several clouds have their load balancers in one. */
export function siteOf(nodes: readonly Place[], kubernetesVersion: string): Site {
  const minor = Number(/^v?1\.(\d+)/u.exec(kubernetesVersion)?.[1] ?? 0);
  for (const node of nodes) {
    const cloud = cloudOf(node);
    if (cloud !== null) return { cloud: cloud.id, minor };
  }
  return { cloud: null, minor };
}
