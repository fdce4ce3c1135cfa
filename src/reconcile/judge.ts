import type { ClusterStatus } from '../api/cluster-status.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { Request } from '../model/request.ts';
import { decide, type Decision } from '../plan/next.ts';
import { makePlan } from '../plan/plan.ts';
import type { Goal } from '../plan/wanted.ts';
import { registry } from '../registry.ts';
import { memoryOf } from '../report/memory.ts';
import type { Looked } from '../report/status.ts';
import { afterDecision } from './memory.ts';

/** What one pass begins with. */
export interface Seen {
  readonly request: Request;
  readonly facts: ClusterFacts;
  /** As the last pass left it. */
  readonly status: ClusterStatus;
  readonly generation: number;
  readonly deleting: boolean;
}

/** Plans and decides; nothing is done yet. Pure, so that the simulation goes exactly the way of the operator. */
export function judge({ request, facts, status, generation, deleting }: Seen): Looked {
  const memory = memoryOf(status, generation);
  const goal: Goal = deleting || memory.rollBack !== null ? 'FirstState' : 'Spec';
  const plugins = registry.bind(facts);
  const plan = makePlan(request, facts, plugins, memory, goal);
  const decision: Decision =
    memory.rollBack?.state === 'Done' && !deleting ? { is: 'Done' } : decide(plan, facts, request, memory, generation);
  return {
    is: 'Looked',
    request,
    facts,
    plugins,
    plan,
    decision,
    goal,
    deleting,
    memory: afterDecision(memory, decision, { request, goal, generation, now: facts.at, plan }),
    refused: null,
  };
}
