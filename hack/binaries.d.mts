export declare const DEFAULT_KUBERNETES_VERSION: string;
export declare const BINARIES: readonly string[];
export declare function kubernetesVersion(env?: NodeJS.ProcessEnv): string;
export declare function cacheFolder(env?: NodeJS.ProcessEnv): string;
export declare function recipe(name: string, version: string): { readonly family: string; readonly package: string };
export declare function linkFlags(version: string): string;
export declare function findBinaries(options?: {
  readonly names?: readonly string[];
  readonly version?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly log?: (line: string) => void;
}): Promise<Record<string, string>>;
