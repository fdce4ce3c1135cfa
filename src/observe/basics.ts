import type { Basics, NodeFacts } from '../model/facts.ts';
import { asString, at, type KubeObject } from '../model/object.ts';
import { known, type Known, unknown, type Read, type Reader, type ServerInfo } from '../model/reader.ts';
import { pluginNamespaces } from '../registry.ts';
import { err, ok, type Result } from '../result.ts';
import { DUAL_STACK_NODE_FIELDS, isToBeSeen, mayBeToBeSeen, NODE_FIELDS, type Renewals, toNodes } from './nodes.ts';

const NAMESPACES = [...new Set(['kube-system', ...pluginNamespaces])];

const KINDS = [
  { kind: 'ConfigMap', apiVersion: 'v1' },
  { kind: 'DaemonSet', apiVersion: 'apps/v1' },
  { kind: 'Deployment', apiVersion: 'apps/v1' },
  { kind: 'Pod', apiVersion: 'v1' },
] as const;

/** @param now Milliseconds since the epoch. */
export async function readBasics(reader: Reader, server: ServerInfo, now: number): Promise<Result<Basics, string>> {
  const nodes = await readNodes(reader, now);
  if (!nodes.ok) return nodes;

  const listed = await Promise.all(
    KINDS.flatMap(({ kind, apiVersion }) =>
      NAMESPACES.map(async (namespace) => ({
        kind,
        namespace,
        // Their names are all: thousands of pods whole would be more than all else that is read.
        read: await reader.list({ apiVersion, kind, namespace, fields: [] }),
      })),
    ),
  );
  const objects: Record<(typeof KINDS)[number]['kind'], string[]> = {
    ConfigMap: [],
    DaemonSet: [],
    Deployment: [],
    Pod: [],
  };
  for (const { kind, namespace, read } of listed) {
    if (read.is === 'Unreadable') return err(`${kind}s in namespace ${namespace} cannot be listed: ${read.why}`);
    if (read.is === 'Found') objects[kind].push(...read.value.map((object) => `${namespace}/${object.metadata.name}`));
  }
  return ok({ ...server, objects, nodes: nodes.value });
}

async function readNodes(reader: Reader, now: number): Promise<Result<readonly NodeFacts[], string>> {
  const nodes = await reader.list({ apiVersion: 'v1', kind: 'Node', fields: NODE_FIELDS });
  if (nodes.is !== 'Found') return err(`Nodes cannot be listed: ${whyNot(nodes)}`);

  // Missing: the CRD is not installed, as when a preflight looks at a cluster that has nothing of ours yet.
  const agents = await reader.list({
    apiVersion: 'dualstack.dev/v1alpha1',
    kind: 'DualStackNode',
    fields: DUAL_STACK_NODE_FIELDS,
  });
  if (agents.is === 'Unreadable') return err(`DualStackNodes cannot be listed: ${agents.why}`);
  const renewals = await readRenewals(reader, nodes.value, now);
  return ok(toNodes(nodes.value, agents.is === 'Found' ? agents.value : [], renewals));
}

/** Of the few Nodes where it matters; a list of all Leases would be as long as that of the Nodes, and changes all the time. */
async function readRenewals(reader: Reader, nodes: readonly KubeObject[], now: number): Promise<Renewals> {
  const asked = nodes.filter((node) => mayBeToBeSeen(node, now)).map((node) => readRenewal(reader, node, now));
  return new Map((await Promise.all(asked)).flatMap((renewal) => (renewal === null ? [] : [renewal])));
}

/** Null: this Node need not be asked about, or is gone. */
async function readRenewal(
  reader: Reader,
  { apiVersion, kind, metadata: { name } }: KubeObject,
  now: number,
): Promise<readonly [string, Known<string | null>] | null> {
  const node = await reader.get({ apiVersion, kind, name });
  if (node.is === 'Unreadable') return [name, unknown(node.why)];
  if (node.is === 'Missing' || !isToBeSeen(node.value, now)) return null;
  const lease = await reader.get({ ...NODE_LEASE, name });
  if (lease.is === 'Unreadable') return [name, unknown(lease.why)];
  const renewedAt = lease.is === 'Found' ? asString(at(lease.value, 'spec', 'renewTime')) : undefined;
  return [name, known(renewedAt ?? null)];
}

const NODE_LEASE = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace: 'kube-node-lease' } as const;

const whyNot = (read: Read<readonly KubeObject[]>): string =>
  read.is === 'Unreadable' ? read.why : 'the server does not know the kind';
