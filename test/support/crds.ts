import { asArray, at } from '../../src/model/object.ts';
import type { TestCluster } from '../cluster/index.ts';
import { eventually } from './eventually.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const DEADLINE_MS = 60_000;

/** Waits until every kind that is defined is served. `kubectl wait` gives up on a CRD that has no conditions yet, which is how each of them begins. */
export const crdsServed = ({ api }: Pick<TestCluster, 'api'>): Promise<void> =>
  eventually(
    'all CRDs are established',
    async () => asArray(at(await api.get(CRDS), 'items')).every(isEstablished),
    DEADLINE_MS,
  );

const isEstablished = (crd: unknown): boolean =>
  asArray(at(crd, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === 'Established' && at(condition, 'status') === 'True',
  );
