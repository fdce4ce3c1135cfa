import type { ClusterStatus } from '../api/cluster-status.ts';
import { conditionOf } from '../api/conditions.ts';
import type { Decision } from '../plan/next.ts';
import { unreachable } from '../result.ts';

/** What could not be read for a moment is no reason to break anything off. */
export const isUnknown = (decision: Decision): boolean =>
  decision.is === 'Wait' && decision.step.state.is === 'Unknown';

/** An old list must neither restart anything, nor be what "all is done" is first said by. */
export const mustBeFresh = (decision: Decision, status: ClusterStatus): boolean =>
  isAboutPods(decision) || isFirstDone(decision, status);

export const isFirstDone = (decision: Decision, { conditions }: ClusterStatus): boolean =>
  decision.is === 'Done' && conditionOf(conditions ?? [], 'Ready')?.status !== 'True';

export const isAboutPods = (decision: Decision): boolean =>
  'step' in decision && ['Services', 'Workloads'].includes(decision.step.phase);

/** Nothing is done by it, so it may be told by what is a moment old. */
export function isOnlyTold(decision: Decision): boolean {
  switch (decision.is) {
    case 'Wait':
    case 'Blocked':
    case 'NodesPending':
    case 'WaitingForUser':
    case 'Paused':
    case 'PlanOnly':
    case 'AwaitingApproval':
    case 'Done':
      return true;
    case 'Act':
    // May begin a roll-back.
    case 'Failed':
      return false;
    default:
      return unreachable(decision);
  }
}
