import type { ClusterStatus } from '../api/cluster-status.ts';
import type { Condition } from '../api/conditions.ts';
import type { ConditionReason } from '../api/reasons.ts';
import { clip } from '../api/fields.ts';
import type { Told } from './event.ts';

const WARNINGS: ReadonlySet<string> = new Set<ConditionReason>([
  'Blocked',
  'StepFailed',
  'Invalid',
  'AnotherGoverns',
  'InternalError',
  'RollingBack',
  'RolledBack',
  'WaitingForUser',
]);

/** Progress is told step by step; these would repeat it. */
const SILENT: ReadonlySet<string> = new Set<ConditionReason>(['TransientError', 'ObservationFailed']);

/**
 * What became otherwise between two statuses, but for what became of single nodes (`nodeChanges`).
 * @param isThere Whether there is a Node of that name: of one that was deleted there is nothing to tell.
 */
export function transitions(
  before: ClusterStatus,
  after: ClusterStatus,
  isThere: (node: string) => boolean = () => true,
): readonly Told[] {
  return [
    ...verdictChange(before, after),
    ...stepChanges(before, after),
    ...correctionsMade(before, after),
    ...guardChanges(before, after, isThere),
    ...lostFamilies(before, after),
  ];
}

function verdictChange(before: ClusterStatus, after: ClusterStatus): readonly Told[] {
  const [was, is] = [ready(before), ready(after)];
  if (is === undefined || SILENT.has(is.reason) || was?.reason === is.reason) return [];
  return [
    {
      type: WARNINGS.has(is.reason) ? 'Warning' : 'Normal',
      reason: is.reason,
      action: 'Reconcile',
      note: clip(is.message),
    },
  ];
}

function stepChanges(before: ClusterStatus, after: ClusterStatus): readonly Told[] {
  const was = before.plan?.current;
  const is = after.plan?.current;
  const finished = was !== undefined && was.id !== is?.id && was.state !== 'Failed' && isDone(after, was.id);
  return [
    ...(finished
      ? [{ type: 'Normal', reason: 'StepDone', action: 'Verify', note: `${was.target}: done` } as const]
      : []),
    ...(is !== undefined && is.id !== was?.id
      ? [{ type: 'Normal', reason: 'StepBegun', action: 'Apply', note: is.target } as const]
      : []),
  ];
}

/** Of a group of steps the entry tells only counts: there a step that is no longer current was done. */
const isDone = (status: ClusterStatus, id: string): boolean =>
  (status.plan?.steps.find((step) => step.id === id)?.state ?? 'Satisfied') === 'Satisfied';

function correctionsMade(before: ClusterStatus, after: ClusterStatus): readonly Told[] {
  const counts = new Map((before.corrections ?? []).map(({ id, count }) => [id, count]));
  return (after.corrections ?? [])
    .filter(({ id, count }) => count > (counts.get(id) ?? 0))
    .map(({ id, count }) => ({
      type: 'Warning',
      reason: 'Corrected',
      action: 'Apply',
      note: clip(
        `${targetOf(after, id)} was changed from outside and is put right (${count === 1 ? 'the first time' : `${count} times so far`})`,
      ),
    }));
}

function guardChanges(
  before: ClusterStatus,
  after: ClusterStatus,
  isThere: (node: string) => boolean,
): readonly Told[] {
  const was = new Set(before.nodes?.exceptions.filter(({ guarded }) => guarded === true).map(({ name }) => name));
  const is = after.nodes?.exceptions.filter(({ guarded }) => guarded === true) ?? [];
  const still = new Set(is.map(({ name }) => name));
  return [
    ...is
      .filter(({ name }) => !was.has(name))
      .map(
        ({ name, message }): Told => ({
          type: 'Warning',
          reason: 'NodeGuarded',
          action: 'Guard',
          note: clip(`Node ${name}: ${message}`),
        }),
      ),
    ...[...was]
      .filter((name) => !still.has(name) && isThere(name))
      .map(
        (name): Told => ({
          type: 'Normal',
          reason: 'NodeFreed',
          action: 'Guard',
          note: `Node ${name}: the taint that kept new pods off it is gone.`,
        }),
      ),
  ];
}

const lostIn = ({ nodes }: ClusterStatus) => nodes?.exceptions.filter(({ cause }) => cause === 'CNILostPrimary') ?? [];

/** A node that loses what it had stays Ready, so nothing else would tell. */
function lostFamilies(before: ClusterStatus, after: ClusterStatus): readonly Told[] {
  const known = new Set(lostIn(before).map(({ name }) => name));
  return lostIn(after)
    .filter(({ name }) => !known.has(name))
    .map(({ message, remedy, command }) => ({
      type: 'Warning',
      reason: 'CNILostPrimary',
      action: 'Observe',
      note: clip(
        [
          message,
          ...(remedy === undefined ? [] : [`What to do: ${remedy}${command === undefined ? '' : `: ${command}`}.`]),
        ].join(' '),
      ),
    }));
}

/** The step that puts it right is the current one at that moment. */
const targetOf = ({ plan }: ClusterStatus, id: string): string =>
  plan?.current?.id === id ? `${plan.current.target} (${pathsOf(plan, id)})` : id;

function pathsOf({ steps }: NonNullable<ClusterStatus['plan']>, id: string): string {
  const entry = steps.find((step) => step.id === id || id.startsWith(`${step.id}/`));
  return (entry?.diff ?? []).map(({ path }) => path).join(', ') || id;
}

const ready = (status: ClusterStatus): Condition | undefined =>
  status.conditions?.find((condition) => condition.type === 'Ready');
