import { asArray, asNumber, asString, asStrings, at, type KubeObject } from '../model/object.ts';

/**
 * The status of a DualStackCluster as a screen needs it. Read field by field rather than by the schema, because the operator in
 * the cluster may be older or newer than this command: what is not there is left out, never an error.
 */
export interface StatusView {
  readonly name: string;
  readonly createdAt: string;
  /** False: no controller has looked at this generation yet. */
  readonly current: boolean;
  readonly families: readonly string[];
  readonly conditions: readonly ConditionView[];
  readonly detected: Readonly<Record<string, string>>;
  readonly components: readonly ComponentView[];
  readonly plan: PlanView | null;
  readonly nodes: NodesView | null;
  readonly services: Readonly<Record<string, number>>;
  readonly workloads: { readonly counts: Readonly<Record<string, number>>; readonly restarting: string };
  readonly rollBack: { readonly state: string; readonly reason: string; readonly step: string } | null;
}

export interface ConditionView {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly since: string;
}

interface ComponentView {
  readonly component: string;
  readonly where: string;
  readonly settings: string;
}

export interface PlanView {
  readonly hash: string;
  readonly total: number;
  readonly done: number;
  readonly current: StepView | null;
  readonly steps: readonly StepView[];
  readonly blockers: readonly FindingView[];
  readonly warnings: readonly FindingView[];
}

export interface StepView {
  readonly phase: string;
  readonly target: string;
  readonly state: string;
  readonly message: string;
  readonly total: number;
  readonly done: number;
  /** When it was begun; empty: not told. */
  readonly startedAt: string;
}

export interface FindingView {
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
}

export interface NodesView {
  readonly total: number;
  readonly dualStack: number;
  readonly ipv4Only: number;
  readonly ipv6Only: number;
  readonly none: number;
  readonly delayed: number;
  readonly exceptions: readonly { readonly name: string; readonly cause: string; readonly message: string }[];
}

/** Whether work goes on, as kstatus judges it: first the generation, then Reconciling, Stalled and Ready. */
export type Standing = 'Unseen' | 'Working' | 'Stalled' | 'Ready' | 'NotReady';

export function standing(view: StatusView): Standing {
  const is = (type: string): boolean => condition(view, type)?.status === 'True';
  if (!view.current) return 'Unseen';
  if (is('Reconciling')) return 'Working';
  if (is('Stalled')) return 'Stalled';
  return is('Ready') ? 'Ready' : 'NotReady';
}

export const condition = (view: StatusView, type: string): ConditionView | undefined =>
  view.conditions.find((each) => each.type === type);

export function statusView(resource: KubeObject): StatusView {
  const status = at(resource, 'status');
  return {
    name: resource.metadata.name,
    createdAt: resource.metadata.creationTimestamp ?? '',
    current: (asNumber(at(status, 'observedGeneration')) ?? -1) >= (resource.metadata.generation ?? 0),
    families: asStrings(at(resource, 'spec', 'ipFamilies')),
    conditions: asArray(at(status, 'conditions')).map(conditionView),
    detected: record(at(status, 'detected'), asString),
    components: asArray(at(status, 'components')).map(componentView),
    plan: at(status, 'plan') === undefined ? null : planView(at(status, 'plan')),
    nodes: at(status, 'nodes') === undefined ? null : nodesView(at(status, 'nodes')),
    services: record(at(status, 'services'), asNumber),
    workloads: {
      counts: record(at(status, 'workloads'), asNumber),
      restarting: text(status, 'workloads', 'restarting'),
    },
    rollBack:
      at(status, 'rollBack') === undefined
        ? null
        : {
            state: text(status, 'rollBack', 'state'),
            reason: text(status, 'rollBack', 'reason'),
            step: text(status, 'rollBack', 'step'),
          },
  };
}

const text = (value: unknown, ...path: readonly string[]): string => asString(at(value, ...path)) ?? '';
const count = (value: unknown, ...path: readonly string[]): number => asNumber(at(value, ...path)) ?? 0;

function record<T>(value: unknown, as: (entry: unknown) => T | undefined): Readonly<Record<string, T>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, entry]) => {
      const known = as(entry);
      return known === undefined ? [] : [[key, known] as const];
    }),
  );
}

const conditionView = (value: unknown): ConditionView => ({
  type: text(value, 'type'),
  status: text(value, 'status'),
  reason: text(value, 'reason'),
  message: text(value, 'message'),
  since: text(value, 'lastTransitionTime'),
});

const componentView = (value: unknown): ComponentView => ({
  component: text(value, 'component'),
  where: text(value, 'where'),
  settings: Object.entries(record(at(value, 'settings'), asString))
    .map(([name, setting]) => `${name}=${setting}`)
    .join(' '),
});

const planView = (value: unknown): PlanView => ({
  hash: text(value, 'hash'),
  total: count(value, 'total'),
  done: count(value, 'done'),
  current: at(value, 'current', 'id') === undefined ? null : stepView(at(value, 'current')),
  steps: asArray(at(value, 'steps')).map(stepView),
  blockers: asArray(at(value, 'blockers')).map(findingView),
  warnings: asArray(at(value, 'warnings')).map(findingView),
});

const stepView = (value: unknown): StepView => ({
  phase: text(value, 'phase'),
  target: text(value, 'target'),
  state: text(value, 'state'),
  message: text(value, 'message'),
  total: count(value, 'total'),
  done: count(value, 'done'),
  startedAt: text(value, 'startedAt'),
});

const findingView = (value: unknown): FindingView => ({
  reason: text(value, 'reason'),
  message: text(value, 'message'),
  remedy: text(value, 'remedy'),
});

const nodesView = (value: unknown): NodesView => ({
  total: count(value, 'total'),
  dualStack: count(value, 'dualStack'),
  ipv4Only: count(value, 'ipv4Only'),
  ipv6Only: count(value, 'ipv6Only'),
  none: count(value, 'none'),
  delayed: count(value, 'delayed'),
  exceptions: asArray(at(value, 'exceptions')).map((each) => ({
    name: text(each, 'name'),
    cause: text(each, 'cause'),
    message: text(each, 'message'),
  })),
});
