import type { ClusterStatus } from '../../src/api/cluster-status.ts';
import type { ClusterFacts } from '../../src/model/facts.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { Request } from '../../src/model/request.ts';
import type { Step } from '../../src/model/step.ts';
import type { Decision } from '../../src/plan/next.ts';
import type { Goal } from '../../src/plan/wanted.ts';
import { judge } from '../../src/reconcile/judge.ts';
import { afterAct } from '../../src/reconcile/memory.ts';
import { type Looked, makeStatus } from '../../src/report/status.ts';
import type { Told } from '../../src/report/event.ts';
import { transitions } from '../../src/report/transitions.ts';
import type { SimCluster } from './cluster.ts';

/** Where a pass ends before its end. */
export type Crash = 'BeforeIntent' | 'BeforeAct' | 'AfterAct' | null;

export interface PassResult {
  readonly plan: Plan;
  readonly goal: Goal;
  readonly decision: Decision;
  /** The step that was carried out in this pass. */
  readonly acted: Step | null;
}

/** The loop of the operator over a simulated cluster: it remembers nothing between two passes but what the status holds. */
export class SimOperator {
  status: ClusterStatus = { observedGeneration: -1 };
  generation = 1;
  deleting = false;
  writes = 0;
  readonly told: Told[] = [];
  readonly cluster: SimCluster;
  request: Request;

  constructor(cluster: SimCluster, request: Request) {
    this.cluster = cluster;
    this.request = request;
  }

  ask(request: Request): void {
    this.request = request;
    this.generation += 1;
  }

  pass(
    crash: Crash = null,
    facts: ClusterFacts = this.cluster.observe(),
    beforeAct?: (step: Step) => void,
  ): PassResult {
    const { request, generation } = this;
    const looked = judge({ request, facts, status: this.status, generation, deleting: this.deleting });
    const { plan, goal, decision } = looked;
    const result = { plan, goal, decision };
    if (crash === 'BeforeIntent') return { ...result, acted: null };
    this.#write(looked);
    if (decision.is !== 'Act' || crash === 'BeforeAct') return { ...result, acted: null };
    beforeAct?.(decision.step);
    const outcome = this.cluster.execute(decision.step);
    if (crash !== 'AfterAct') this.#write({ ...looked, memory: afterAct(looked.memory, outcome) });
    return { ...result, acted: decision.step };
  }

  #write(looked: Looked): void {
    const next = makeStatus(looked, this.status, this.generation, new Date(this.cluster.now).toISOString());
    if (JSON.stringify(next) === JSON.stringify(this.status)) return;
    this.told.push(...transitions(this.status, next));
    this.writes += 1;
    // As the server would hold it: plain JSON.
    this.status = JSON.parse(JSON.stringify(next)) as ClusterStatus;
  }
}
