/** The API group of the custom resources. */
export const GROUP = 'dualstack.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** What names one kind in URLs, in screens and in `kubectl`. */
export interface ResourceNames {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
}

export const CLUSTER = {
  kind: 'DualStackCluster',
  plural: 'dualstackclusters',
  singular: 'dualstackcluster',
  shortName: 'dsc',
} as const satisfies ResourceNames;

export const NODE = {
  kind: 'DualStackNode',
  plural: 'dualstacknodes',
  singular: 'dualstacknode',
  shortName: 'dsn',
} as const satisfies ResourceNames;

/** `kubectl get dualstack` lists both kinds. */
export const CATEGORY = 'dualstack';

/** Namespace of the operator, its agents, its Lease and its records. */
export const NAMESPACE = 'dualstack-system';

/** Owner of every field that the operator writes by server-side apply. */
export const FIELD_MANAGER = 'dualstack-operator';

/** On a DualStackCluster: keeps it until `deletionPolicy` has been carried out. */
export const FINALIZER = 'dualstack.dev/revert';

/** On a Service, value `true`: give it both families (with `services.migration: Selected`); `false`: never do, and undo what was done. */
export const MIGRATE_LABEL = 'dualstack.dev/migrate';

/** Annotation of a Service: what it said of its families before this program changed that, as JSON. */
export const FIRST_STATE = 'dualstack.dev/first-state';

/** On a workload, value `true`: make its pods anew (with `workloads.restart: Selected`); `false`: never do. */
export const RESTART_LABEL = 'dualstack.dev/restart';

/** Annotation of a workload: for which networks it was restarted, so that it is not a second time. */
export const RESTART_MARK = 'dualstack.dev/restarted';

/**
 * Annotation of a Node: this program cordoned it, and when (RFC 3339). It is set and taken away in the very request that cordons and uncordons, so
 * a Node that somebody else cordoned never has it.
 */
export const CORDON_MARK = 'dualstack.dev/cordoned';

/** Effect NoSchedule, on Nodes whose second family is still missing (with `nodes.guard: Taint`). */
export const GUARD_TAINT = 'dualstack.dev/family-missing';
