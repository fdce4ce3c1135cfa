import { FIELD_MANAGER } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeError } from '../kube/errors.ts';
import { at, refText } from '../model/object.ts';
import {
  fromReplacedEntry,
  REPLACED_NODES_SECRET as SECRET,
  type ReplacedNode,
  toReplacedEntry,
} from '../model/replaced-node.ts';
import { err, ok, type Result } from '../result.ts';

const MANAGER = { fieldManager: FIELD_MANAGER };

/** Every Node whose replacement has begun and was not seen to its end. What this program did not write is passed over. */
export async function readReplaced(client: KubeClient): Promise<Result<readonly ReplacedNode[], KubeError>> {
  const read = await client.get(SECRET);
  if (!read.ok) return read.error.kind === 'NotFound' ? ok([]) : read;
  const data = Object.values((at(read.value, 'data') as Readonly<Record<string, string>> | undefined) ?? {});
  return ok(data.flatMap((encoded) => fromReplacedEntry(encoded) ?? []));
}

/** Stores it beside the others, and reads it back: only then may the Node be deleted. */
export async function keepReplaced(client: KubeClient, entry: ReplacedNode): Promise<Result<void, KubeError>> {
  const { name } = entry.node.metadata;
  const data = { [name]: toReplacedEntry(entry) };
  const patched = await client.mergePatch(SECRET, { data }, MANAGER);
  if (!patched.ok) {
    if (patched.error.kind !== 'NotFound') return patched;
    const { apiVersion, kind, namespace } = SECRET;
    const metadata = { name: SECRET.name, namespace };
    const created = await client.create({ apiVersion, kind, metadata, type: 'Opaque', data }, MANAGER);
    if (!created.ok) return created;
  }
  const read = await client.get(SECRET);
  if (!read.ok) return read;
  if (at(read.value, 'data', name) === data[name]) return ok(undefined);
  const message = `it does not hold Node ${name} as it was written`;
  return err({ verb: 'store', object: refText(SECRET), kind: 'Unknown', message });
}

/** Nothing to drop counts as dropped. */
export async function dropReplaced(client: KubeClient, node: string): Promise<Result<void, KubeError>> {
  const patched = await client.mergePatch(SECRET, { data: { [node]: null } }, MANAGER);
  return patched.ok || patched.error.kind === 'NotFound' ? ok(undefined) : patched;
}
