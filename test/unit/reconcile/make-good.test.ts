import { expect, test } from '@jest/globals';
import { keepInventory } from '../../../src/apply/inventory.ts';
import type { KubeObject, ObjectRef } from '../../../src/model/object.ts';
import { REPLACED_NODES_SECRET, successorOf, toReplacedEntry } from '../../../src/model/replaced-node.ts';
import { inventoryPass } from '../../../src/reconcile/inventory-pass.ts';
import { pass } from '../../../src/reconcile/pass.ts';
import { before } from '../../support/facts.ts';
import { kubeadmObjects, resource, scene, SPEC } from './scene.ts';

const WORKER: ObjectRef = { apiVersion: 'v1', kind: 'Node', name: 'worker-1' };
const AGENT: ObjectRef = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode', name: 'worker-1' };
const BOTH = ['10.244.1.0/24', 'fd00:10:244::/64'];

const worker = (
  uid: string,
  podCIDRs: readonly string[],
  metadata: Partial<KubeObject['metadata']> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'worker-1', uid, ...metadata },
  spec: { podCIDR: podCIDRs[0], podCIDRs, unschedulable: true },
});

/** What is left when the operator died after it had stored that Node. */
const stored = (secondsAgo = 5): KubeObject => {
  const node = successorOf(worker('old', BOTH.slice(0, 1), { labels: { rack: 'r1' } }), BOTH);
  const { apiVersion, kind, name, namespace } = REPLACED_NODES_SECRET;
  const data = { 'worker-1': toReplacedEntry({ at: before(secondsAgo), uid: 'old', node }) };
  return { apiVersion, kind, metadata: { name, namespace }, data };
};
const agent: KubeObject = {
  apiVersion: AGENT.apiVersion,
  kind: AGENT.kind,
  metadata: { name: 'worker-1', uid: 'a' },
  spec: {},
};

test.each<[string, readonly KubeObject[], 'Inventory' | 'Pass']>([
  ['there is no DualStackCluster', [], 'Inventory'],
  ['it is paused', [resource({ ...SPEC, paused: true })], 'Pass'],
  ['it only plans', [resource({ ...SPEC, mode: 'Plan' })], 'Pass'],
  ['it asks for nothing of the kind', [resource()], 'Pass'],
])('a Node that is missing is brought back first, and told: %s', async (_name, resources, by) => {
  const { kube, deps, events } = scene([...kubeadmObjects(), ...resources, stored(), agent]);
  await (by === 'Inventory' ? inventoryPass(deps) : pass('cluster', deps));
  expect(kube.get(WORKER)).toMatchObject({
    metadata: { labels: { rack: 'r1' } },
    spec: { podCIDRs: BOTH, unschedulable: true },
  });
  expect(kube.get(AGENT)?.metadata.uid).toBe('a');
  expect(events).toContain('NodeBroughtBack');
});

test('while a Node cannot be created again it is told and soon tried again, nothing else is done, and its DualStackNode stays', async () => {
  const { kube, deps, events, status } = scene([...kubeadmObjects(), resource(), stored(), agent]);
  kube.refuse = (verb, on) => (verb === 'create' && on.includes('Node worker-1') ? 'Forbidden' : null);
  expect(await inventoryPass(deps)).toEqual({ is: 'BackOff', afterMs: 2000 });
  expect(await pass('cluster', deps)).toEqual({ is: 'BackOff', afterMs: 2000 });
  expect(kube.get(AGENT)?.metadata.uid).toBe('a');
  expect(events).toEqual(['NodeMissing', 'NodeMissing']);
  const ready = status().conditions?.find(({ type }) => type === 'Ready');
  expect(ready).toMatchObject({ status: 'False', reason: 'ObservationFailed' });
  expect(ready?.message).toContain('Node worker-1 was deleted to be replaced and cannot be created again');
});

test('what was stored of a Node that was never deleted is forgotten, but not at once', async () => {
  for (const [secondsAgo, isKept] of [
    [5, true],
    [120, false],
  ] as const) {
    const alive = worker('old', BOTH.slice(0, 1));
    const { kube, deps } = scene([...kubeadmObjects(), alive, stored(secondsAgo), agent]);
    expect(await inventoryPass(deps)).toEqual({ is: 'Again', afterMs: 1000 });
    expect(kube.get(WORKER)?.metadata.uid).toBe('old');
    const drops = kube.writes.filter((write) => JSON.stringify(write).includes('dualstack-replaced-node'));
    expect(drops).toHaveLength(isKept ? 0 : 1);
  }
});

test('the DualStackNode of a Node that is being replaced is kept, that of one that is gone is not', async () => {
  const other: KubeObject = { ...agent, metadata: { name: 'worker-2', uid: 'b' } };
  const { kube } = scene([agent, other]);
  await keepInventory(kube.client, [], new Set(['worker-1']));
  expect([kube.get(AGENT)?.metadata.uid, kube.get({ ...AGENT, name: 'worker-2' })]).toEqual(['a', undefined]);
});
