import { parse, type SemVer } from 'semver';
import { err, ok, type Result } from '../result.ts';
import type { Flag, FlagValues, Refusal } from './contract.ts';

export const first = (values: FlagValues, { name }: Flag): string | undefined => values[name]?.[0];
export const all = (values: FlagValues, { name }: Flag): readonly string[] => values[name] ?? [];

export const asked = (...problems: readonly string[]): Result<never, Refusal> => err({ is: 'Asked', problems });
export const impossible = (...problems: readonly string[]): Result<never, Refusal> =>
  err({ is: 'Impossible', problems });

/** The oldest release with dual-stack as it is now: Services with several clusterIPs, and `--node-ip` with a pair. */
const OLDEST = { major: 1, minor: 20 };

export const VERSION: Flag = {
  name: 'kubernetes-version',
  value: 'version',
  description: 'release of Kubernetes that the files are for, such as 1.33.2',
};

/** Reads a release; what stands behind `+` (as in v1.34.1+k0s.0) is kept in `build`. `where` begins what is told when it cannot be. */
export function parseVersion(text: string, where = `--${VERSION.name}`): Result<SemVer, string> {
  const version = parse(text);
  if (version === null) return err(`${where}: "${text}" is no release: write it like 1.33.2`);
  if (version.major !== OLDEST.major || version.minor < OLDEST.minor) {
    return err(`${where}: ${version.version} has no dual-stack to rely on: choose 1.20.0 or newer`);
  }
  return ok(version);
}

export const releaseText = ({ version, build }: SemVer): string =>
  `v${version}${build.length === 0 ? '' : `+${build.join('.')}`}`;

/** Earlier than `1.minor`. Its pre-releases count as `1.minor`: they have its API. */
export const isBefore = (version: SemVer, minor: number): boolean => version.minor < minor;
