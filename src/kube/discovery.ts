import { asArray, asString, at } from '../model/object.ts';
import { err, ok, type Result } from '../result.ts';
import type { KubeError, Subject } from './errors.ts';

/** Where a kind is found in the API. */
interface ApiResource {
  readonly plural: string;
  readonly namespaced: boolean;
}

export interface Discovery {
  /** `NotFound` when the server does not serve the kind. */
  resource(apiVersion: string, kind: string, subject: Subject): Promise<Result<ApiResource, KubeError>>;
}

type GetJson = (path: string, subject: Subject) => Promise<Result<unknown, KubeError>>;
type Kinds = ReadonlyMap<string, ApiResource>;

/**
 * Plural names and scopes as the server itself tells them, so that custom resources need no table here. What was found is kept;
 * what was not found is asked for again each time, because a CRD may have come meanwhile.
 */
export function discovery(getJson: GetJson): Discovery {
  const groups = new Map<string, Promise<Result<Kinds, KubeError>>>();

  const load = (apiVersion: string): Promise<Result<Kinds, KubeError>> => {
    const loading = fetchKinds(getJson, apiVersion);
    groups.set(apiVersion, loading);
    // A failure is forgotten, unless a newer question has taken its place.
    const forget = (): void => {
      if (groups.get(apiVersion) === loading) groups.delete(apiVersion);
    };
    return loading.then((result) => {
      if (!result.ok) forget();
      return result;
    });
  };

  return {
    async resource(apiVersion, kind, subject) {
      const kept = await groups.get(apiVersion);
      const found = kept?.ok === true ? kept.value.get(kind) : undefined;
      if (found !== undefined) return ok(found);
      const fresh = await load(apiVersion);
      if (!fresh.ok)
        return fresh.error.kind === 'NotFound'
          ? err(notServed(apiVersion, kind, subject))
          : err({ ...fresh.error, ...subject });
      const resource = fresh.value.get(kind);
      return resource === undefined ? err(notServed(apiVersion, kind, subject)) : ok(resource);
    },
  };
}

/** `/api/v1` for the core group, `/apis/apps/v1` for the others. */
export const groupPath = (apiVersion: string): string =>
  apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

async function fetchKinds(getJson: GetJson, apiVersion: string): Promise<Result<Kinds, KubeError>> {
  const answer = await getJson(groupPath(apiVersion), { verb: 'discover', object: `API ${apiVersion}` });
  if (!answer.ok) return answer;
  const kinds = new Map<string, ApiResource>();
  for (const resource of asArray(at(answer.value, 'resources'))) {
    const plural = asString(at(resource, 'name'));
    const kind = asString(at(resource, 'kind'));
    // `pods/status` and the like are parts of an object, not kinds of their own.
    if (plural === undefined || kind === undefined || plural.includes('/')) continue;
    kinds.set(kind, { plural, namespaced: at(resource, 'namespaced') === true });
  }
  return ok(kinds);
}

const notServed = (apiVersion: string, kind: string, subject: Subject): KubeError => ({
  ...subject,
  kind: 'NotFound',
  message: `the server does not serve ${kind} of ${apiVersion}`,
});
