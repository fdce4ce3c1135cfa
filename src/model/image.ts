import semver from 'semver';

/** What stands behind the colon, without a digest; empty: nothing does. */
export const tagOf = (image: string): string => /:([^:/@]+)(?:@.*)?$/u.exec(image)?.[1] ?? '';

/** The release that the tag begins with, such as `3.30.3`; null: it begins with none. */
export function imageVersion(image: string): string | null {
  const tag = tagOf(image);
  return /^v?\d+\.\d+/u.test(tag) ? (semver.coerce(tag)?.version ?? null) : null;
}
