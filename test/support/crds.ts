import { setTimeout as sleep } from 'node:timers/promises';
import { asArray, at } from '../../src/model/object.ts';
import type { TestCluster } from '../cluster/index.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const DEADLINE_MS = 60_000;
/** Their schemas are long. */
const TURN_MS = 200;

/** Waits until every kind that is defined is served. `kubectl wait` gives up on a CRD that has no conditions yet, which is how each of them begins. */
export async function crdsServed({ api }: Pick<TestCluster, 'api'>): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const left = asArray(at(await api.get(CRDS), 'items')).filter((crd) => !isEstablished(crd));
    if (left.length === 0) return;
    const names = left.map((crd) => String(at(crd, 'metadata', 'name')));
    if (performance.now() > end) throw new Error(`not established within ${DEADLINE_MS} ms: ${names.join(', ')}`);
    await sleep(TURN_MS);
  }
}

const isEstablished = (crd: unknown): boolean =>
  asArray(at(crd, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === 'Established' && at(condition, 'status') === 'True',
  );
