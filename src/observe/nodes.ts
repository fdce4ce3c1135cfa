import type { NodeFacts } from '../model/facts.ts';
import type { AgentCondition, AgentFacts, HostReport } from '../model/host.ts';
import { nodeHolders } from '../model/node-holders.ts';
import { FIELD_MANAGER } from '../api/names.ts';
import { asArray, asNumber, asString, asStrings, at, type JsonObject, type KubeObject } from '../model/object.ts';

const CONTROL_PLANE_LABEL = 'node-role.kubernetes.io/control-plane';

/** All that is read of a Node here. A cluster has thousands, and most of each is lists of images. */
export const NODE_FIELDS = [
  'metadata.creationTimestamp',
  'metadata.labels',
  'metadata.annotations',
  'metadata.ownerReferences.kind',
  'metadata.ownerReferences.name',
  'metadata.finalizers',
  'metadata.managedFields.manager',
  'metadata.managedFields.subresource',
  'spec.podCIDRs',
  'spec.providerID',
  'spec.unschedulable',
  'spec.taints',
  'status.addresses',
  'status.conditions.type',
  'status.conditions.status',
  'status.nodeInfo.osImage',
  'status.nodeInfo.kubeletVersion',
  'status.volumesAttached.name',
  'status.volumesInUse',
] as const;

/** All that is read of a DualStackNode here. */
export const DUAL_STACK_NODE_FIELDS = ['metadata.generation', 'spec', 'status'] as const;

/** By the name of a Node: when its kubelet renewed its Lease last. */
export type Renewals = ReadonlyMap<string, NonNullable<NodeFacts['renewedAt']>>;

/** Joins each Node with what its agent says about the host. */
export function toNodes(
  nodes: readonly KubeObject[],
  dualStackNodes: readonly KubeObject[],
  renewals: Renewals = new Map(),
): readonly NodeFacts[] {
  const agents = new Map(dualStackNodes.map((object) => [object.metadata.name, object]));
  return nodes
    .map((node) => {
      const renewedAt = renewals.get(node.metadata.name);
      const facts = factsOf(node, agents.get(node.metadata.name) ?? null);
      return renewedAt === undefined ? facts : { ...facts, renewedAt };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Of objects that are kept from one look to the next the facts are made once: a change of one Node does not ask for those of thousands anew. */
const made = new WeakMap<KubeObject, { readonly agent: KubeObject | null; readonly facts: NodeFacts }>();

function factsOf(node: KubeObject, agent: KubeObject | null): NodeFacts {
  const before = made.get(node);
  if (before !== undefined && before.agent === agent) return before.facts;
  const facts = toNodeFacts(node, agent === null ? null : toAgentFacts(agent));
  made.set(node, { agent, facts });
  return facts;
}

function toNodeFacts(node: KubeObject, agent: AgentFacts | null): NodeFacts {
  const labels = node.metadata.labels ?? {};
  return {
    name: node.metadata.name,
    uid: node.metadata.uid ?? '',
    resourceVersion: node.metadata.resourceVersion ?? '',
    createdAt: node.metadata.creationTimestamp ?? '',
    ready: asArray(at(node, 'status', 'conditions')).some(
      (condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
    ),
    controlPlane: CONTROL_PLANE_LABEL in labels,
    labels,
    annotations: node.metadata.annotations ?? {},
    internalIPs: addressesOf(node, 'InternalIP'),
    externalIPs: addressesOf(node, 'ExternalIP'),
    podCIDRs: asStrings(at(node, 'spec', 'podCIDRs')),
    providerID: asString(at(node, 'spec', 'providerID')) ?? '',
    osImage: asString(at(node, 'status', 'nodeInfo', 'osImage')) ?? '',
    kubeletVersion: asString(at(node, 'status', 'nodeInfo', 'kubeletVersion')) ?? '',
    unschedulable: at(node, 'spec', 'unschedulable') === true,
    holders: nodeHolders(node),
    taints: asArray(at(node, 'spec', 'taints')) as readonly JsonObject[],
    agent,
  };
}

/** The server's schema guarantees the shape of what an agent reports, so it is not parsed a second time here. */
function toAgentFacts(object: KubeObject): AgentFacts {
  const status = at(object, 'status');
  const reported = asString(at(status, 'hostname')) !== undefined;
  return {
    generation: object.metadata.generation ?? 0,
    observedGeneration: asNumber(at(status, 'observedGeneration')) ?? -1,
    spec: at(object, 'spec') ?? {},
    report: reported ? (status as HostReport) : null,
    conditions: asArray(at(status, 'conditions')) as readonly AgentCondition[],
  };
}

const addressesOf = (node: KubeObject, type: string): readonly string[] =>
  asArray(at(node, 'status', 'addresses')).flatMap((entry) =>
    at(entry, 'type') === type ? (asString(at(entry, 'address')) ?? []) : [],
  );

/** A kubelet renews its Lease every 10 s; who has done so in this time, or never will, need not be asked for any longer once its status is there. */
const ASKED_FOR_MS = 120_000;

/**
 * This program created it in place of an older object, with that one's status: so what the status says need not be true. Asked of the object
 * itself, so that it is known after a crash too.
 */
export const isToBeSeen = (node: KubeObject, now: number): boolean =>
  mayBeToBeSeen(node, now) &&
  (node.metadata.managedFields ?? []).some(
    (entry) => entry['manager'] === FIELD_MANAGER && at(entry, 'fieldsV1', 'f:spec', 'f:podCIDRs') !== undefined,
  );

/** Whether `isToBeSeen` is worth being asked of the whole object: lists say who wrote to a Node, but not what. */
export function mayBeToBeSeen({ metadata }: KubeObject, now: number): boolean {
  const writes = metadata.managedFields ?? [];
  if (!writes.some((entry) => entry['manager'] === FIELD_MANAGER)) return false;
  const hasReported = writes.some((entry) => entry['manager'] === 'kubelet' && entry['subresource'] === 'status');
  return !hasReported || now - Date.parse(metadata.creationTimestamp ?? '') < ASKED_FOR_MS;
}
