import { describe } from '@jest/globals';
import { canRunHere, type Cni } from '../../cluster/index.ts';

/** Where real kubelets cannot run, the tests count as skipped, and stderr says what is missing. */
export const whereItRuns = (await canRunHere()) ? describe : describe.skip;

/** Calico comes with images that are given, or not at all. */
const calico: readonly Cni[] = process.env['E2E_CALICO_IMAGES'] === undefined ? [] : ['calico'];

export const CNIS: Readonly<Record<'converted' | 'guarded', readonly Cni[]>> = {
  converted: ['flannel', ...calico],
  guarded: ['bridge', ...calico],
};
