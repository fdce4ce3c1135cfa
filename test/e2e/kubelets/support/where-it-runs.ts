import { describe } from '@jest/globals';
import { canRunHere } from '../../cluster/index.ts';

/** Where real kubelets cannot run, the tests count as skipped, and stderr says what is missing. */
export const whereItRuns = (await canRunHere()) ? describe : describe.skip;
