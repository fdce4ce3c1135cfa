import type { KubeClient } from '../kube/client.ts';
import { errorText } from '../kube/errors.ts';
import { at } from '../model/object.ts';
import { imageOf, type ProbeImage } from '../model/probe.ts';
import { err, ok, type Result } from '../result.ts';

/** How the operator may come to know the image that it is of itself. */
export interface ImageHints {
  /** `--probe-image`; undefined: not given. */
  readonly flag: string | undefined;
  /** Its own pod, by the downward API; null: it does not run as one. */
  readonly ownPod: { readonly namespace: string; readonly name: string } | null;
}

/** The image for probe pods; null: not known, so no packets can be sent. An error: it could not be read just now. */
export type FindImage = () => Promise<Result<ProbeImage | null, string>>;

/** Looks once: the image of a running pod does not change. */
export function imageFinder(client: KubeClient, { flag, ownPod }: ImageHints): FindImage {
  let found: ProbeImage | null | undefined =
    flag !== undefined ? { image: flag, pullPolicy: null, pullSecrets: [] } : ownPod === null ? null : undefined;
  return async () => {
    if (found !== undefined || ownPod === null) return ok(found ?? null);
    const read = await client.get({ apiVersion: 'v1', kind: 'Pod', ...ownPod });
    if (!read.ok && read.error.kind !== 'NotFound') return err(errorText(read.error));
    found = read.ok ? imageOf(at(read.value, 'spec')) : null;
    return ok(found);
  };
}
