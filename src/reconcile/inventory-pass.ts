import { keepInventory } from '../apply/inventory.ts';
import { API_VERSION, CORDON_MARK } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { freeNodes } from './free-nodes.ts';
import { makeGood } from './make-good.ts';
import { backOff, listing, type Next, WHILE_MISSING_MS, WHILE_WAITING_MS } from './pass.ts';
import type { PassDeps } from './pass-deps.ts';

const MARKED_NODES = { apiVersion: 'v1', kind: 'Node', fields: ['metadata.annotations'] } as const;
const DUAL_STACK_NODES = { apiVersion: API_VERSION, kind: 'DualStackNode', fields: [] } as const;

/**
 * No Node stays deleted, and every Node has a DualStackNode to report in, also before there is a DualStackCluster: so the first plan that anybody looks at can
 * already say what each host shows.
 */
export async function inventoryPass(deps: PassDeps): Promise<Next> {
  const begun = await makeGood(deps);
  if (!begun.ok) return { is: 'BackOff', afterMs: WHILE_MISSING_MS };
  const watched = deps.nodes?.watched(deps.client) ?? null;
  if (watched !== null && begun.value.size === 0 && (await isInLine(watched))) return { is: 'Idle' };

  const client = listing(deps);
  const nodes = await client.list(MARKED_NODES);
  if (!nodes.ok) return backOff(nodes.error, deps);
  const freed = await freeNodes(deps, nodes.value.items);
  if (!freed.ok) return backOff(freed.error, deps);
  const names = nodes.value.items.map((node) => node.metadata.name);
  const kept = await keepInventory(client, names, begun.value);
  if (!kept.ok || kept.value > 0) deps.nodes?.forget();
  // What is still under way is looked at again soon; a Node that goes also wakes this up.
  if (kept.ok) return begun.value.size === 0 ? { is: 'Idle' } : { is: 'Again', afterMs: WHILE_WAITING_MS };
  deps.log.warn('the DualStackNodes could not be brought in line with the Nodes', { error: kept.error });
  return { is: 'BackOff' };
}

/** There is nothing to do for now: a DualStackNode of each Node and no other, and no Node that was cordoned for a drain. */
async function isInLine(watched: KubeClient): Promise<boolean> {
  const [nodes, dualStackNodes] = await Promise.all([watched.list(MARKED_NODES), watched.list(DUAL_STACK_NODES)]);
  if (!nodes.ok || !dualStackNodes.ok) return false;
  const names = new Set(dualStackNodes.value.items.map(({ metadata }) => metadata.name));
  return (
    names.size === nodes.value.items.length &&
    nodes.value.items.every(
      ({ metadata }) => names.has(metadata.name) && metadata.annotations?.[CORDON_MARK] === undefined,
    )
  );
}
