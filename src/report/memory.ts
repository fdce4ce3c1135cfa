import type { ClusterStatus } from '../api/cluster-status.ts';
import type { Memory } from '../model/memory.ts';

/** What the status of the last pass holds for this one. */
export function memoryOf(status: ClusterStatus): Memory {
  const { plan, verified, rollBack, corrections, appliedGeneration } = status;
  return {
    current:
      plan?.current === undefined ? null : { id: plan.current.id, startedAt: Date.parse(plan.current.startedAt) },
    proof: verified ?? null,
    rollBack: rollBack ?? null,
    corrections: corrections ?? [],
    appliedGeneration: appliedGeneration ?? null,
  };
}
