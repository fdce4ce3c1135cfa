import { uncordonAll } from '../apply/drain-node.ts';
import { API_VERSION, CLUSTER, CORDON_MARK } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeError } from '../kube/errors.ts';
import type { KubeObject } from '../model/object.ts';
import { ok, type Result } from '../result.ts';
import type { Logger } from '../runtime/log.ts';

/**
 * A DualStackCluster that is deleted in the middle of a drain leaves no Node cordoned. As long as there is one, its plan sees to that.
 *
 * @param nodes All Nodes, where they have been listed already: if none of them is marked there is nothing to ask.
 */
export async function freeNodes(
  { client, log }: { readonly client: KubeClient; readonly log: Logger },
  nodes?: readonly KubeObject[],
): Promise<Result<void, KubeError>> {
  if (nodes?.some(({ metadata }) => metadata.annotations?.[CORDON_MARK] !== undefined) === false) return ok(undefined);
  const clusters = await client.list({ apiVersion: API_VERSION, kind: CLUSTER.kind, fields: [] });
  if (!clusters.ok) return clusters;
  if (clusters.value.items.length > 0) return ok(undefined);
  const freed = await uncordonAll(client);
  if (!freed.ok) return freed;
  const names = freed.value.join(', ');
  if (names !== '') log.info('uncordoned Nodes that nobody asks to be drained', { nodes: names });
  return ok(undefined);
}
