import { asString, asStrings, at, type KubeObject, type ObjectRef } from './object.ts';

/**
 * The Secret that holds each Node, whole, for as long as it is being replaced: written before the old object is deleted, dropped when the
 * new one was seen. A key is the name of a Node.
 */
export const REPLACED_NODES_SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  namespace: 'dualstack-system',
  name: 'dualstack-replaced-node',
} as const satisfies ObjectRef;

/** A Node that is being replaced. */
export interface ReplacedNode {
  /** RFC 3339. */
  readonly at: string;
  /** Of the object that is deleted. */
  readonly uid: string;
  /** What is created in its place. */
  readonly node: KubeObject;
}

/**
 * The Node to create in place of that one: the same name, labels, annotations, spec and status, with these podCIDRs. What the server gives to
 * each object anew is left out. The server takes the status too when a Node is created, so the node is ready from its first moment.
 */
export function successorOf(node: KubeObject, podCIDRs: readonly string[]): KubeObject {
  const { name, labels, annotations } = node.metadata;
  const spec = at(node, 'spec') as object | undefined;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: { ...spec, podCIDR: podCIDRs[0], podCIDRs },
    status: at(node, 'status'),
  };
}

export const podCIDRsOf = (node: KubeObject): readonly string[] => asStrings(at(node, 'spec', 'podCIDRs'));

export const toReplacedEntry = (entry: ReplacedNode): string =>
  Buffer.from(JSON.stringify(entry), 'utf8').toString('base64');

/** Null: this program did not write it. */
export function fromReplacedEntry(encoded: string): ReplacedNode | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
    const [time, uid, name] = [at(parsed, 'at'), at(parsed, 'uid'), at(parsed, 'node', 'metadata', 'name')];
    const isWhole = [time, uid, name].every((value) => asString(value) !== undefined);
    return isWhole ? (parsed as ReplacedNode) : null;
  } catch {
    return null;
  }
}
