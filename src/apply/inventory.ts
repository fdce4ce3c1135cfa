import type { KubeClient } from '../kube/client.ts';
import { errorText } from '../kube/errors.ts';
import { err, ok, type Result } from '../result.ts';
import { FIELD_MANAGER } from '../api/names.ts';

const DUAL_STACK_NODE = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode' } as const;

/**
 * Sees to it that every Node has a DualStackNode to report in, and that none is left of Nodes that are gone. These objects are the
 * program's own, so this is no step of a plan. They have no owner reference: replacing a Node must not take its record away; those of
 * `absent`, which are being replaced, stay too. Says how many were made or removed.
 */
export async function keepInventory(
  client: KubeClient,
  nodes: readonly string[],
  absent: ReadonlySet<string> = new Set(),
): Promise<Result<number, string>> {
  const existing = await client.list(DUAL_STACK_NODE);
  if (!existing.ok) return err(errorText(existing.error));
  const have = new Set(existing.value.items.map((item) => item.metadata.name));
  const want = new Set(nodes);
  let changed = 0;
  for (const name of want) {
    if (have.has(name)) continue;
    const created = await client.create(
      { ...DUAL_STACK_NODE, metadata: { name }, spec: {} },
      { fieldManager: FIELD_MANAGER },
    );
    if (!created.ok && created.error.kind !== 'AlreadyExists') return err(errorText(created.error));
    changed += 1;
  }
  for (const name of have) {
    if (want.has(name) || absent.has(name) || (await nodeExists(client, name))) continue;
    const deleted = await client.delete({ ...DUAL_STACK_NODE, name });
    if (!deleted.ok && deleted.error.kind !== 'NotFound') return err(errorText(deleted.error));
    changed += 1;
  }
  return ok(changed);
}

/** Asked again right before a record is thrown away: the list may be older than the Node. Unreadable counts as there. */
async function nodeExists(client: KubeClient, name: string): Promise<boolean> {
  const node = await client.get({ apiVersion: 'v1', kind: 'Node', name });
  return node.ok || node.error.kind !== 'NotFound';
}
