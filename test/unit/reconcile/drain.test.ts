import { expect, test } from '@jest/globals';
import type { KubeObject, ObjectRef } from '../../../src/model/object.ts';
import type { ListQuery, Reader } from '../../../src/model/reader.ts';
import { loadCache } from '../../../src/reconcile/node-loads.ts';
import { inventoryPass } from '../../../src/reconcile/inventory-pass.ts';
import { pass } from '../../../src/reconcile/pass.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { kubeadmObjects, resource, scene, SPEC } from './scene.ts';

const WORKER: ObjectRef = { apiVersion: 'v1', kind: 'Node', name: 'worker-9' };
const MARK = 'dualstack.dev/cordoned';

const cordoned = (annotations: Record<string, string> = { [MARK]: '2026-11-02T11:00:00Z' }): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: WORKER.name, uid: 'w9', annotations },
  spec: { podCIDR: '10.244.9.0/24', podCIDRs: ['10.244.9.0/24'], unschedulable: true },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
});

test.each<[string, readonly KubeObject[], 'Pass' | 'Inventory', boolean]>([
  ['it was deleted', [], 'Pass', true],
  ['it was deleted while no operator ran', [], 'Inventory', true],
  ['there is another', [resource(SPEC, { name: 'other' })], 'Pass', false],
  ['it is there', [resource()], 'Inventory', false],
])('a drain whose DualStackCluster is gone leaves no Node cordoned: %s', async (_name, resources, by, isFreed) => {
  const { kube, deps } = scene([...kubeadmObjects(), ...resources, cordoned()]);
  const next = by === 'Pass' ? await pass('cluster', deps) : await inventoryPass(deps);
  if (by === 'Pass') expect(next).toEqual({ is: 'Gone' });
  const node = kube.get(WORKER);
  expect(node?.metadata.annotations?.[MARK] === undefined).toBe(isFreed);
  expect((node?.['spec'] as object | undefined) ?? {}).toMatchObject(isFreed ? {} : { unschedulable: true });
  expect(Object.hasOwn(node?.['spec'] as object, 'unschedulable')).toBe(!isFreed);
});

test('what cannot be uncordoned now is tried again', async () => {
  const { kube, deps } = scene([...kubeadmObjects(), cordoned()]);
  kube.refuse = (verb, on) => (verb === 'mergePatch' && on === 'Node worker-9' ? 'ServerError' : null);
  expect(await pass('cluster', deps)).toMatchObject({ is: 'BackOff' });
  expect(await inventoryPass(deps)).toMatchObject({ is: 'BackOff' });
  kube.refuse = () => null;
  expect(await pass('cluster', deps)).toEqual({ is: 'Gone' });
  expect(kube.get(WORKER)?.metadata.annotations).toEqual({});
});

test('a Node that people cordoned is nobody’s matter', async () => {
  const { kube, deps } = scene([...kubeadmObjects(), cordoned({})]);
  await pass('cluster', deps);
  await inventoryPass(deps);
  expect(kube.get(WORKER)?.['spec']).toMatchObject({ unschedulable: true });
  expect(kube.writes.filter(({ on }) => on.startsWith('Node '))).toEqual([]);
});

test('the pods of the Node in turn are read each time, those of the next twenty twice a minute', async () => {
  const asked: string[] = [];
  const reader: Reader = {
    get: () => Promise.resolve({ is: 'Missing' }),
    list: ({ kind, fieldSelector = '' }: ListQuery) => {
      if (kind === 'Pod') asked.push(fieldSelector.replace('spec.nodeName=', ''));
      return Promise.resolve({ is: 'Found', value: [] });
    },
  };
  const clock = fakeClock(0);
  const cache = loadCache(reader, clock);
  const nodes = Array.from({ length: 30 }, (_, n) => `w${n}`);
  const read = async (): Promise<readonly string[]> => {
    asked.length = 0;
    expect(Object.keys(await cache.get(nodes)).length).toBe(21);
    return [...asked];
  };
  expect(await read()).toEqual([...nodes.slice(1, 21), 'w0']);
  expect(await read()).toEqual(['w0']);
  await clock.advance(30_000);
  expect((await read()).length).toBe(21);
  // Another is in turn: those after it are others.
  nodes.shift();
  expect((await read()).at(-1)).toBe('w1');
  expect(await cache.get([])).toEqual({});
});
