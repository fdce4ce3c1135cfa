import type { Step } from '../../model/step.ts';
import { unreachable } from '../../result.ts';

/**
 * What has been begun comes before what has not: so one edit is always finished before the next begins, also when a node whose name sorts
 * first joins meanwhile. Otherwise the given order stays.
 */
export const startedFirst = <S extends Step>(steps: readonly S[]): readonly S[] =>
  RANKS.flatMap((wanted) => steps.filter((step) => rank(step) === wanted));

const RANKS = [0, 1, 2] as const;

function rank(step: Step): (typeof RANKS)[number] {
  switch (step.state.is) {
    case 'Satisfied':
      return 0;
    case 'InProgress':
    case 'Failed':
      return 1;
    case 'Pending':
    case 'Deferred':
    case 'Unknown':
      return 2;
    default:
      return unreachable(step.state);
  }
}

export const isBegun = (step: Step): boolean => rank(step) < 2;
