import { RealCluster } from './cluster.ts';
import type { RealClusterOptions } from './options.ts';

/** Starts a cluster of real kubelets. Check `canRunHere()` first. */
export const startRealCluster = (options: RealClusterOptions = {}): Promise<RealCluster> => RealCluster.start(options);

export { canRunHere, missingHere } from './requirements.ts';
export type { RealBalancer, RealCluster } from './cluster.ts';
export type { RealNode } from './node.ts';
export type { Cni, Family, HostOptions, RealClusterOptions } from './options.ts';
export type { Outcome, RunOptions } from './run.ts';
