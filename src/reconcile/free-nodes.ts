import { uncordonAll } from '../apply/drain-node.ts';
import { API_VERSION, CLUSTER } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeError } from '../kube/errors.ts';
import { ok, type Result } from '../result.ts';
import type { Logger } from '../runtime/log.ts';

/** A DualStackCluster that is deleted in the middle of a drain leaves no Node cordoned. As long as there is one, its plan sees to that. */
export async function freeNodes(deps: {
  readonly client: KubeClient;
  readonly log: Logger;
}): Promise<Result<void, KubeError>> {
  const clusters = await deps.client.list({ apiVersion: API_VERSION, kind: CLUSTER.kind, fields: [] });
  if (!clusters.ok) return clusters;
  if (clusters.value.items.length > 0) return ok(undefined);
  const freed = await uncordonAll(deps.client);
  if (!freed.ok) return freed;
  if (freed.value.length > 0)
    deps.log.info('uncordoned Nodes that nobody asks to be drained', { nodes: freed.value.join(', ') });
  return ok(undefined);
}
