import { mishap, type Next, pass } from './pass.ts';
import type { PassDeps } from './pass-deps.ts';

/** Makes passes, and counts for each resource how many in a row ended in an unexpected exception. Such a one is told in the status and thrown on. */
export function watchedPass(deps: PassDeps): (name: string) => Promise<Next> {
  const inARow = new Map<string, number>();
  return async (name) => {
    try {
      const next = await pass(name, deps);
      inARow.delete(name);
      return next;
    } catch (thrown) {
      const times = (inARow.get(name) ?? 0) + 1;
      inARow.set(name, times);
      await tell(name, thrown, times, deps);
      throw thrown;
    }
  };
}

/** Telling must not hide what is to be told: whatever goes wrong here is logged, and no more. */
async function tell(name: string, thrown: unknown, times: number, deps: PassDeps): Promise<void> {
  try {
    await mishap(name, thrown instanceof Error ? thrown.message : String(thrown), times, deps);
  } catch (second) {
    const error = second instanceof Error ? second.message : String(second);
    deps.log.error('an unexpected error could not be told in the status', { name, error });
  }
}
