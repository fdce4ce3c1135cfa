import type { NodeFacts } from '../../model/facts.ts';

/**
 * The agent says that somebody changed its host after everything had been in force. It waits to be asked again, so that hosts are put
 * right one after another.
 */
export const hasDrifted = ({ agent }: NodeFacts): boolean =>
  agent?.conditions.some(
    (condition) =>
      condition.type === 'Applied' &&
      condition.reason === 'Drifted' &&
      condition.observedGeneration === agent.generation,
  ) ?? false;
