import type { Memory } from '../model/memory.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Plan } from '../model/plan.ts';
import type { Request } from '../model/request.ts';
import { isRemedy, isSatisfied } from '../model/step.ts';
import type { Decision } from '../plan/next.ts';
import type { Goal } from '../plan/wanted.ts';
import { unreachable } from '../result.ts';

interface Situation {
  readonly request: Request;
  readonly goal: Goal;
  readonly generation: number;
  readonly now: number;
  readonly plan: Plan;
}

/** What is to be remembered once it is decided what to do, and before it is done. */
export function afterDecision(memory: Memory, decision: Decision, situation: Situation): Memory {
  return {
    ...memory,
    current: currentAfter(memory, decision, situation),
    corrections: correctionsAfter(memory, decision, situation),
    rollBack: rollBackAfter(memory, decision, situation),
  };
}

/** A proof is kept; the rest shows in the cluster. */
export function afterAct(memory: Memory, outcome: Outcome): Memory {
  switch (outcome.is) {
    case 'Proven':
      return { ...memory, proof: outcome.proof };
    case 'Probed':
      return { ...memory, connectivity: outcome.connectivity };
    case 'Asked':
      return { ...memory, servicePackets: outcome.packets };
    case 'Changed':
    case 'Unchanged':
    case 'Refused':
      return memory;
    default:
      return unreachable(outcome);
  }
}

/** Time-outs count from the last act of a step, or from when it was first waited for; for a Lease, which is asked for repeatedly, from the first act. */
function currentAfter(memory: Memory, decision: Decision, { now, plan }: Situation): Memory['current'] {
  switch (decision.is) {
    case 'Act':
      // What it comes in between of goes on being timed.
      if (isRemedy(decision.step)) return memory.current;
      return decision.step.kind === 'TransferLease' && memory.current?.id === decision.step.id
        ? memory.current
        : { id: decision.step.id, startedAt: now };
    case 'Wait':
      return memory.current?.id === decision.step.id ? memory.current : { id: decision.step.id, startedAt: now };
    case 'Blocked':
    case 'Failed':
    case 'Paused':
    case 'PlanOnly':
    case 'AwaitingApproval':
    case 'WaitingForUser':
    case 'NodesPending':
    case 'Done': {
      const step = plan.steps.find(({ id }) => id === memory.current?.id);
      return step === undefined || isSatisfied(step) ? null : memory.current;
    }
    default:
      return unreachable(decision);
  }
}

function correctionsAfter(memory: Memory, decision: Decision, { now }: Situation): Memory['corrections'] {
  if (decision.is !== 'Act' || !decision.correction) return memory.corrections;
  const { id } = decision.step;
  const before = memory.corrections.find((entry) => entry.id === id);
  const entry = { id, count: (before?.count ?? 0) + 1, lastAt: new Date(now).toISOString() };
  return [entry, ...memory.corrections.filter((other) => other.id !== id)];
}

/** Latched for the generation of the spec: after a roll-back only a changed spec starts anew. */
function rollBackAfter(memory: Memory, decision: Decision, situation: Situation): Memory['rollBack'] {
  const { request, goal, generation, now, plan } = situation;
  if (memory.rollBack !== null) {
    const isOver = goal === 'FirstState' && decision.is === 'Done';
    return isOver ? { ...memory.rollBack, state: 'Done' } : memory.rollBack;
  }
  // A cluster that was converted once is mended, not undone: what fails there later, such as a new node, is no failed conversion.
  const isConverting = goal === 'Spec' && plan.direction === 'Forward' && memory.appliedGeneration !== generation;
  // A workload that does not stand its restart is put back by itself, and a Service only gained something: the cluster is none the worse.
  const isAddition = decision.is === 'Failed' && ['Services', 'Workloads'].includes(decision.step.phase);
  if (decision.is !== 'Failed' || request.onFailure !== 'RollBack' || !isConverting || isAddition) return null;
  return {
    generation,
    state: 'Running',
    reason: decision.why,
    step: decision.step.id,
    at: new Date(now).toISOString(),
  };
}
