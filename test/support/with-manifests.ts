import { describe, test } from '@jest/globals';
import { whyMissing } from './real-manifests.ts';

/** What wants these released manifests counts as skipped where one of them is not on this machine, and stderr says which. */
export const testWith = (...files: readonly string[]) => (areHere(files) ? test : test.skip);

export const describeWith = (...files: readonly string[]) => (areHere(files) ? describe : describe.skip);

function areHere(files: readonly string[]): boolean {
  const missing = files.flatMap((file) => whyMissing(file) ?? []);
  for (const why of missing) console.warn(`skipped: ${why}`);
  return missing.length === 0;
}
