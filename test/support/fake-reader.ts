import type { KubeObject } from '../../src/model/object.ts';
import type { Reader } from '../../src/model/reader.ts';

/** A `Reader` over objects in memory. Kinds that none of them has are not served, unless named. */
export function fakeReader(objects: readonly KubeObject[], served: readonly string[] = []): Reader {
  return {
    get: ({ apiVersion, kind, namespace, name }) => {
      const value = objects.find(
        (object) =>
          object.apiVersion === apiVersion &&
          object.kind === kind &&
          object.metadata.name === name &&
          (namespace === undefined || object.metadata.namespace === namespace),
      );
      return Promise.resolve(value === undefined ? { is: 'Missing' } : { is: 'Found', value });
    },
    list: ({ apiVersion, kind, namespace, labelSelector }) => {
      const ofKind = objects.filter((object) => object.apiVersion === apiVersion && object.kind === kind);
      if (ofKind.length === 0 && !BUILT_IN.includes(kind) && !served.includes(kind))
        return Promise.resolve({ is: 'Missing' });
      const wanted = (labelSelector ?? '').split(',').filter((each) => each !== '');
      const value = ofKind.filter(
        ({ metadata }) =>
          (namespace === undefined || metadata.namespace === namespace) &&
          wanted.every((each) => `${each.split('=')[0]}=${metadata.labels?.[each.split('=')[0] ?? ''] ?? ''}` === each),
      );
      return Promise.resolve({ is: 'Found', value });
    },
  };
}

const BUILT_IN = ['Pod', 'ConfigMap', 'DaemonSet', 'Deployment', 'ReplicaSet', 'ControllerRevision', 'Node', 'Service'];
