import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeError, KubeErrorKind } from '../../src/kube/errors.ts';
import { at, type KubeObject } from '../../src/model/object.ts';
import { err, ok, type Result } from '../../src/result.ts';

/** One Lease as an API server keeps it: versions, conflicts, and times when it does not answer. */
export interface LeaseStore {
  client(): Pick<KubeClient, 'get' | 'create' | 'update'>;
  readonly holder: string | undefined;
  readonly stored: KubeObject | undefined;
  readonly writes: number;
  /** `Errors`: each call fails at once. `Hangs`: none ever ends. */
  mood: 'Works' | 'Errors' | 'Hangs';
  seize(holder: string): void;
}

const refused = (kind: KubeErrorKind): Result<never, KubeError> =>
  err({ kind, verb: 'test', object: 'Lease', message: kind });

export function leaseStore(): LeaseStore {
  let stored: KubeObject | undefined;
  let version = 0;
  let writes = 0;

  const save = (lease: KubeObject): Result<KubeObject, KubeError> => {
    writes++;
    stored = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(++version) } };
    return ok(stored);
  };
  const asMoodAllows = (run: () => Result<KubeObject, KubeError>): Promise<Result<KubeObject, KubeError>> => {
    if (store.mood === 'Hangs') return new Promise(() => {});
    return Promise.resolve(store.mood === 'Errors' ? refused('Network') : run());
  };
  const store: LeaseStore = {
    mood: 'Works',
    client: () => ({
      get: () => asMoodAllows(() => (stored === undefined ? refused('NotFound') : ok(stored))),
      create: (lease) => asMoodAllows(() => (stored === undefined ? save(lease) : refused('AlreadyExists'))),
      update: (lease) =>
        asMoodAllows(() => {
          if (stored === undefined) return refused('NotFound');
          return lease.metadata.resourceVersion === stored.metadata.resourceVersion ? save(lease) : refused('Conflict');
        }),
    }),
    get holder() {
      return at(stored, 'spec', 'holderIdentity') as string | undefined;
    },
    get stored() {
      return stored;
    },
    get writes() {
      return writes;
    },
    seize(holder) {
      if (stored === undefined) throw new Error('there is no Lease to seize');
      const spec = at(stored, 'spec') as object;
      save({ ...stored, spec: { ...spec, holderIdentity: holder, renewTime: `seized by ${holder} ${version}` } });
    },
  };
  return store;
}
