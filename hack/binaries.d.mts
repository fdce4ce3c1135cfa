export { cacheFolder } from './cache.mjs';
export { BINARIES, linkFlags, REAL_KUBELET_BINARIES, recipe } from './recipes.mjs';
export declare const DEFAULT_KUBERNETES_VERSION: string;
export declare function kubernetesVersion(env?: NodeJS.ProcessEnv): string;
export declare function findBinaries(options?: {
  readonly names?: readonly string[];
  readonly version?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly log?: (line: string) => void;
}): Promise<Record<string, string>>;
