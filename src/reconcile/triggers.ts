import { hash } from 'node:crypto';
import { MIGRATE_LABEL } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorText, type KubeError } from '../kube/errors.ts';
import { type Reflector, reflector } from '../kube/reflector.ts';
import { asArray, asString, at, type KubeObject } from '../model/object.ts';
import type { ListQuery } from '../model/reader.ts';
import { DUAL_STACK_NODE_FIELDS, NODE_FIELDS } from '../observe/nodes.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { type NodeCache, nodeCache } from './node-cache.ts';

export interface TriggerDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface Trigger {
  readonly query: ListQuery;
  /** The part whose change is worth a new look. Heartbeats and counters must not be in it: idle means idle. */
  readonly fingerprint: (object: KubeObject) => string;
}

const byVersion = (object: KubeObject): string => object.metadata.resourceVersion ?? '';
const byGeneration = (object: KubeObject): string =>
  JSON.stringify([object.metadata.generation, object.metadata.deletionTimestamp, object.metadata.finalizers]);

const CONDITIONS = ['status.conditions.type', 'status.conditions.status'] as const;
const POD_FIELDS = [
  'metadata.deletionTimestamp',
  'status.phase',
  'status.podIPs',
  'status.containerStatuses.state.waiting.reason',
  ...CONDITIONS,
] as const;

const isReady = (object: KubeObject): boolean =>
  asArray(at(object, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
  );

/** What the agents of a network plug-in and of the control plane are made of. */
const agentTriggers = (namespace: string): readonly Trigger[] => [
  {
    query: { apiVersion: 'v1', kind: 'Pod', namespace, fields: POD_FIELDS },
    fingerprint: (pod) =>
      JSON.stringify([
        pod.metadata.deletionTimestamp,
        at(pod, 'status', 'phase'),
        at(pod, 'status', 'podIPs'),
        isReady(pod),
        asArray(at(pod, 'status', 'containerStatuses')).map((status) =>
          asString(at(status, 'state', 'waiting', 'reason')),
        ),
      ]),
  },
  {
    query: { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace },
    fingerprint: (workload) =>
      JSON.stringify([byGeneration(workload), at(workload, 'status', 'updatedNumberScheduled')]),
  },
  { query: { apiVersion: 'v1', kind: 'ConfigMap', namespace }, fingerprint: byVersion },
];

/** A trigger whose objects are kept, for passes to be made with. */
interface KeptTrigger extends Trigger {
  readonly query: ListQuery & { readonly fields: readonly string[] };
  /** The part that is kept. */
  readonly keep: (object: KubeObject) => KubeObject;
}

/** What of a Node's spec may change. */
const NODE_SPEC = ['podCIDRs', 'providerID', 'unschedulable', 'taints'] as const;

export const NODE_TRIGGERS: readonly KeptTrigger[] = [
  {
    query: { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode', fields: DUAL_STACK_NODE_FIELDS },
    fingerprint: byVersion,
    // It comes whole, and who wrote what takes as much room as all else.
    keep: (object) => ({ ...object, metadata: { ...object.metadata, managedFields: [] } }),
  },
  {
    query: { apiVersion: 'v1', kind: 'Node', fields: NODE_FIELDS },
    fingerprint: (node) =>
      JSON.stringify([
        node.metadata.labels,
        node.metadata.annotations,
        NODE_SPEC.map((field) => at(node, 'spec', field)),
        at(node, 'status', 'addresses'),
        isReady(node),
      ]),
    keep: (node) => node,
  },
];

/** All else that a pass looks at, by the part of it that counts. */
export const TRIGGERS: readonly Trigger[] = [
  ...['kube-system', 'kube-flannel'].flatMap(agentTriggers),
  {
    query: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-system' },
    fingerprint: (workload) => JSON.stringify([byGeneration(workload), at(workload, 'status', 'updatedReplicas')]),
  },
  {
    query: { apiVersion: 'v1', kind: 'Service', fields: ['metadata.labels', 'spec.ipFamilies', 'spec.ipFamilyPolicy'] },
    fingerprint: (service) =>
      JSON.stringify([
        service.metadata.labels?.[MIGRATE_LABEL],
        at(service, 'spec', 'ipFamilies'),
        at(service, 'spec', 'ipFamilyPolicy'),
      ]),
  },
  { query: { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' }, fingerprint: byVersion },
  {
    query: { apiVersion: 'crd.projectcalico.org/v1', kind: 'IPPool' },
    fingerprint: (pool) => JSON.stringify(pool['spec']),
  },
  {
    query: { apiVersion: 'projectcalico.org/v3', kind: 'IPPool' },
    fingerprint: (pool) => JSON.stringify(pool['spec']),
  },
];

/** What a DualStackCluster's own change is: its spec and its life, not its status, which this program writes. */
const RESOURCE: Trigger = {
  query: { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackCluster' },
  fingerprint: byGeneration,
};

export interface Triggers {
  /** Names of the DualStackClusters there are. */
  names(): readonly string[];
  /** The Nodes and DualStackNodes that are watched. */
  readonly nodes: NodeCache;
  whenSynced(signal: AbortSignal): Promise<boolean>;
  run(signal: AbortSignal): Promise<void>;
}

export interface Wakers {
  /** A DualStackCluster itself has changed. */
  readonly asked: (name: string) => void;
  /** Something has changed that a pass over that DualStackCluster would look at. */
  readonly around: (name: string) => void;
  /** The Nodes and the DualStackNodes may no longer match. */
  readonly nodes: () => void;
}

/** Watches all that a pass looks at, and wakes whom it may concern. */
export function triggers(deps: TriggerDeps, wake: Wakers): Triggers {
  const toldOf = (kind: string) => ({
    onError: (error: KubeError | Error): void =>
      deps.log.debug('a watch was interrupted and goes on', {
        kind,
        error: error instanceof Error ? error.message : errorText(error),
      }),
  });
  const watch = ({ query, fingerprint }: Trigger, changed: (key: string) => void): Reflector<string> =>
    reflector<string>({
      ...deps,
      ...toldOf(query.kind),
      query,
      // Only to tell whether it changed: thousands of them whole would take more room than all else.
      trim: (object) => hash('sha256', fingerprint(object), 'base64'),
      onChange: (change) => {
        if (change.type !== 'Updated' || change.item !== change.before) changed(change.key);
      },
    });
  const watchKept = ({ query, fingerprint, keep }: KeptTrigger, changed: () => void): Reflector<KubeObject> =>
    reflector<KubeObject>({
      ...deps,
      ...toldOf(query.kind),
      query,
      trim: keep,
      onChange: (change) => {
        if (change.type !== 'Updated' || fingerprint(change.item) !== fingerprint(change.before)) changed();
      },
    });
  const resources = watch(RESOURCE, wake.asked);
  const wakeAll = (): void => resources.keys().forEach(wake.around);
  const kept = NODE_TRIGGERS.map((trigger) => ({
    query: trigger.query,
    cache: watchKept(trigger, () => {
      wakeAll();
      wake.nodes();
    }),
  }));
  const others = TRIGGERS.map((trigger) => ({ query: trigger.query, cache: watch(trigger, wakeAll) }));

  return {
    names: () => resources.keys(),
    nodes: nodeCache(
      kept.map(({ query: { apiVersion, kind, fields }, cache }) => ({ apiVersion, kind, fields, objects: cache })),
      deps.clock,
    ),
    whenSynced: (signal) => resources.whenSynced(signal),
    async run(signal) {
      const served = await Promise.all(
        [...kept, ...others].map(async ({ query, cache }) => {
          const answer = await deps.client.serves(query.apiVersion, query.kind);
          // A kind that cannot be asked about now is watched all the same: the watch comes back by itself.
          return answer.ok && !answer.value ? [] : [cache.run(signal)];
        }),
      );
      await Promise.all([resources.run(signal), ...served.flat()]);
    },
  };
}
