import type { ClusterStatus } from '../api/cluster-status.ts';
import type { Memory } from '../model/memory.ts';
import { connectivityOf } from './connectivity.ts';
import { packetsOf } from './services.ts';

/** What the status of the last pass holds for this one. */
export function memoryOf(status: ClusterStatus, generation: number): Memory {
  const { plan, verified, rollBack, corrections, appliedGeneration, nodes } = status;
  const sameSpec = status.observedGeneration === generation;
  return {
    current:
      !sameSpec || plan?.current === undefined
        ? null
        : { id: plan.current.id, startedAt: Date.parse(plan.current.startedAt) },
    proof: verified ?? null,
    connectivity: connectivityOf(status.connectivity),
    servicePackets: packetsOf(status.services),
    // Another spec starts anew: latched failures end with the spec that failed.
    rollBack: rollBack?.generation === generation ? rollBack : null,
    corrections: sameSpec ? (corrections ?? []) : [],
    appliedGeneration: appliedGeneration ?? null,
    goneSince: Object.fromEntries(
      (nodes?.exceptions ?? []).flatMap(({ name, cause, since }) =>
        cause === 'AddressGone' && since !== undefined ? [[name, since]] : [],
      ),
    ),
  };
}
