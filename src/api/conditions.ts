/** Conditions of a DualStackCluster. The first three follow kstatus: tools such as `kubectl wait`, Flux and Argo CD judge by them. */
export const CLUSTER_CONDITIONS = [
  'Ready',
  'Reconciling',
  'Stalled',
  'SpecValid',
  'PreflightPassed',
  'NodesDualStack',
  'ControlPlaneDualStack',
  'KubeProxyDualStack',
  'NetworkPluginDualStack',
  'ServicesDualStack',
  'ConnectivityVerified',
] as const;
export type ClusterConditionType = (typeof CLUSTER_CONDITIONS)[number];

/** Conditions of a DualStackNode, written by the agent on that node. */
export const NODE_CONDITIONS = ['Applied', 'Healthy', 'RolledBack'] as const;

export const CONDITION_STATUSES = ['True', 'False', 'Unknown'] as const;
export type ConditionStatus = (typeof CONDITION_STATUSES)[number];

/** `metav1.Condition`. `lastTransitionTime` is RFC 3339. */
export interface Condition<Type extends string = string> {
  readonly type: Type;
  readonly status: ConditionStatus;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
  readonly reason: string;
  readonly message: string;
}

/** What is to be said now; the time is added by `setCondition`. */
export type ConditionUpdate<Type extends string> = Omit<Condition<Type>, 'lastTransitionTime'>;

/**
 * The list with one condition set. `lastTransitionTime` moves only when `status` does, so saying the same twice gives the same list.
 * @param now RFC 3339; used only when the status changes.
 */
export function setCondition<Type extends string>(
  conditions: readonly Condition<Type>[],
  update: ConditionUpdate<Type>,
  now: string,
): readonly Condition<Type>[] {
  const before = conditions.find((condition) => condition.type === update.type);
  const lastTransitionTime = before !== undefined && before.status === update.status ? before.lastTransitionTime : now;
  const after: Condition<Type> = { ...update, lastTransitionTime };
  return before === undefined
    ? [...conditions, after]
    : conditions.map((condition) => (condition.type === update.type ? after : condition));
}

/** All updates, in their order, on what was there; conditions that are no longer told are dropped. */
export const setConditions = <Type extends string>(
  before: readonly Condition<Type>[],
  updates: readonly ConditionUpdate<Type>[],
  now: string,
): readonly Condition<Type>[] =>
  updates.flatMap((update) =>
    setCondition(
      before.filter((condition) => condition.type === update.type),
      update,
      now,
    ),
  );

export const conditionOf = <Type extends string>(
  conditions: readonly Condition<Type>[],
  type: Type,
): Condition<Type> | null => conditions.find((condition) => condition.type === type) ?? null;

/** What tools conclude from a resource by the kstatus rules. */
export type KStatus = 'Terminating' | 'InProgress' | 'Failed' | 'Current';

/**
 * Judges in the order of kstatus: deletion, generation, `Reconciling`, `Stalled`, `Ready`. A resource without any of the three conditions
 * counts as current, as kstatus does; the status default `observedGeneration: -1` keeps a new one from it.
 */
export function kstatus(resource: {
  readonly deleting: boolean;
  readonly generation: number;
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
}): KStatus {
  const statusOf = (type: string) => conditionOf(resource.conditions, type)?.status;
  if (resource.deleting) return 'Terminating';
  if (resource.observedGeneration !== resource.generation) return 'InProgress';
  if (statusOf('Reconciling') === 'True') return 'InProgress';
  if (statusOf('Stalled') === 'True') return 'Failed';
  const ready = statusOf('Ready');
  return ready === undefined || ready === 'True' ? 'Current' : 'InProgress';
}
