import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import { type KStatus, kstatus } from '../../../src/api/conditions.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import type { FindingReason } from '../../../src/model/finding-reasons.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { Memory } from '../../../src/model/memory.ts';
import type { Plan } from '../../../src/model/plan.ts';
import type { Decision } from '../../../src/plan/next.ts';
import { type Looked, makeStatus, type Said } from '../../../src/report/status.ts';
import { registry } from '../../../src/registry.ts';
import { asked, clusterScene, NO_MEMORY, somePlan, someStep } from '../../support/plan-scene.ts';

export const GENERATION = 4;
export const NOW = '2026-11-02T12:00:00Z';
export const LATER = '2026-11-02T13:00:00Z';
export const NOTHING_YET: ClusterStatus = { observedGeneration: -1 };

export const DONE = someStep('done', { is: 'Satisfied', evidence: 'seen' });
export const OPEN = someStep('open', { is: 'Pending' });

export const blocking = (reason: FindingReason): Finding => ({
  reason,
  object: { apiVersion: 'v1', kind: 'Node', name: 'worker-1' },
  message: `${reason} is so.`,
  remedy: 'Change it.',
  blocks: ['NodeIPs'],
});

export interface Given {
  readonly decision: Decision;
  readonly plan?: Partial<Plan>;
  readonly facts?: ClusterFacts;
  readonly request?: Record<string, unknown>;
  readonly memory?: Partial<Memory>;
  readonly looked?: Partial<Looked>;
}

/** A pass that looked at a cluster and decided this. */
export function looked({ decision, plan, facts = clusterScene(), request, memory, looked: change }: Given): Looked {
  return {
    is: 'Looked',
    request: asked(request),
    facts,
    plugins: registry.bind(facts),
    plan: somePlan([DONE, OPEN], plan),
    decision,
    goal: 'Spec',
    deleting: false,
    memory: { ...NO_MEMORY, ...memory },
    refused: null,
    ...change,
  };
}

export const statusOf = (said: Said, previous: ClusterStatus = NOTHING_YET, now = NOW): ClusterStatus =>
  makeStatus(said, previous, GENERATION, now);

export const conditionOf = (status: ClusterStatus, type: string) =>
  status.conditions?.find((condition) => condition.type === type);

export const judged = ({ observedGeneration, conditions }: ClusterStatus): KStatus =>
  kstatus({ deleting: false, generation: GENERATION, observedGeneration, conditions: conditions ?? [] });
