export declare const KUBERNETES: readonly string[];
export declare const BINARIES: readonly string[];
export declare const REAL_KUBELET_BINARIES: readonly string[];
export interface Recipe {
  readonly family: string;
  readonly package: string;
  readonly module?: string;
  readonly versionVariable?: string;
  readonly cgo?: boolean;
  /** C libraries by the names that pkg-config knows. */
  readonly libraries?: readonly string[];
  readonly tags?: readonly string[];
  /** Where its Go module is, from the root of the project; absent: hack/tools and its family. */
  readonly folder?: string;
}
export declare function isKubernetes(name: string): boolean;
export declare function recipe(name: string, version: string): Recipe;
export declare function linkFlags(version: string): string;
export declare function requiredVersion(goMod: string, module: string): string;
export declare function buildArguments(
  name: string,
  version: string,
  goMod: string,
): { readonly cgo: boolean; readonly args: readonly string[] };
