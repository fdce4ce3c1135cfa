import semver from 'semver';

/** Version of Cilium, from the tag of an image such as `quay.io/cilium/cilium:v1.18.4@sha256:…`; null: it has none that tells. */
export function versionOf(image: string): string | null {
  const tag = /:([^:/@]+)(?:@.*)?$/u.exec(image)?.[1] ?? '';
  return /^v?\d+\.\d+/u.test(tag) ? (semver.coerce(tag)?.version ?? null) : null;
}
