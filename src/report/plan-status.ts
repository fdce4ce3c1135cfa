import type { FindingStatus, PlanCurrent, PlanStatus, PlanStepStatus } from '../api/cluster-status.ts';
import { clip, LIMITS } from '../api/fields.ts';
import type { Finding } from '../model/finding.ts';
import { isBlocker } from '../model/finding.ts';
import type { Memory } from '../model/memory.ts';
import { refText } from '../model/object.ts';
import type { Plan } from '../model/plan.ts';
import { byKind, isSatisfied, type Step, type StepState } from '../model/step.ts';
import type { Decision } from '../plan/next.ts';
import { unreachable } from '../result.ts';

/** The plan as the status tells it: steps that do the same to many nodes are one entry, and texts are cut to fit. */
export function planStatus(plan: Plan, decision: Decision, memory: Memory): PlanStatus {
  const current = currentOf(plan, decision, memory);
  return {
    hash: plan.hash,
    direction: plan.direction,
    total: plan.steps.length,
    done: plan.steps.filter(isSatisfied).length,
    ...(current === null ? {} : { current }),
    steps: grouped(plan.steps).slice(0, LIMITS.steps),
    blockers: plan.findings.filter(isBlocker).slice(0, LIMITS.findings).map(findingStatus),
    warnings: plan.findings
      .filter((finding) => !isBlocker(finding))
      .slice(0, LIMITS.findings)
      .map(findingStatus),
  };
}

/** The step in work. Kept with its time for as long as it is the one that decides, so that its time-out can be counted. */
function currentOf({ steps }: Plan, decision: Decision, memory: Memory): PlanCurrent | null {
  if (memory.current === null) return null;
  const step = steps.find(({ id }) => id === memory.current?.id);
  if (step === undefined || isSatisfied(step)) return null;
  const failed = decision.is === 'Failed' && decision.step.id === step.id;
  return {
    id: step.id,
    target: clip(step.target),
    startedAt: new Date(memory.current.startedAt).toISOString(),
    state: failed ? 'Failed' : step.state.is === 'Pending' ? 'Intended' : 'InProgress',
    message: clip(failed ? decision.why : messageOf(step)),
  };
}

const grouped = (steps: readonly Step[]): readonly PlanStepStatus[] => [...byKind(steps).values()].map(entryOf);

function entryOf(steps: readonly Step[]): PlanStepStatus {
  const telling = steps.find((step) => !isSatisfied(step)) ?? steps[0];
  if (telling === undefined) throw new Error('a group of steps is never empty');
  const diff = telling.diff.slice(0, LIMITS.changes).map(({ path, before, after }) => ({
    path: clip(path),
    ...(before === null ? {} : { before: clip(before, LIMITS.diff) }),
    ...(after === null ? {} : { after: clip(after, LIMITS.diff) }),
  }));
  return {
    id: steps.length === 1 ? telling.id : telling.group,
    group: telling.group,
    phase: telling.phase,
    target: clip(telling.target),
    total: steps.length,
    done: steps.filter(isSatisfied).length,
    state: telling.state.is,
    message: clip(messageOf(telling)),
    ...(telling.disrupts === null ? {} : { disruption: clip(disruptionText(telling.disrupts)) }),
    ...(diff.length === 0 || isSatisfied(telling) ? {} : { diff }),
  };
}

const disruptionText = ({ text, seconds: [from, to] }: NonNullable<Step['disrupts']>): string =>
  to === 0 ? text : `${text} (${from}–${to} s)`;

export const messageOf = (step: Step): string => stateText(step.state) ?? step.why;

function stateText(state: StepState): string | null {
  switch (state.is) {
    case 'Satisfied':
      return state.evidence;
    case 'InProgress':
    case 'Deferred':
    case 'Unknown':
      return state.why;
    case 'Failed':
      return `${state.why} ${state.remedy}`;
    case 'Pending':
      return null;
    default:
      return unreachable(state);
  }
}

const findingStatus = (finding: Finding): FindingStatus => ({
  reason: finding.reason,
  ...(finding.object === null ? {} : { object: clip(refText(finding.object)) }),
  message: clip(finding.message),
  remedy: clip(finding.remedy),
  blocks: [...finding.blocks],
});
