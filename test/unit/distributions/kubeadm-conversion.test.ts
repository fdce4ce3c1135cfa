import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { kubeadm } from '../../../src/distributions/kubeadm/index.ts';
import { isBlocker } from '../../../src/model/finding.ts';
import { phaseOrder } from '../../../src/model/phase.ts';
import type { Recorded } from '../../../src/model/record.ts';
import { isSatisfied, type Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { wantedDual, wantedSingle } from '../../support/facts.ts';
import { kubeadmCluster } from '../../support/kubeadm.ts';
import { carryOut, wait, type World } from '../../support/kubeadm-player.ts';

/** All steps in the order in which they are done. */
function stepsOf(wanted: Wanted, world: World): readonly Step[] {
  const order = phaseOrder(wanted.direction);
  return kubeadm
    .steps(wanted, world.facts, world.own)
    .toSorted((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase));
}

/** One change after the other, each of the first step that is not yet true. Returns what was done. */
function run(wanted: Wanted, start: World, limit = 100): { world: World; done: readonly string[] } {
  let world = start;
  const done: string[] = [];
  for (let turn = 0; turn < limit; turn += 1) {
    const open = stepsOf(wanted, world).find((step) => !isSatisfied(step) && step.state.is !== 'Deferred');
    if (open === undefined) return { world, done };
    if (open.state.is === 'Failed' || open.state.is === 'Unknown') throw new Error(`${open.id}: ${open.state.why}`);
    const blockers = kubeadm
      .check(wanted, world.facts, world.own)
      .filter((finding) => finding.blocks.includes(open.phase));
    expect(blockers).toEqual([]);
    if (open.state.is === 'InProgress') {
      world = wait(world, 10);
      continue;
    }
    if (open.kind !== 'WaitFor') done.push(open.id);
    world = carryOut(world, open);
  }
  throw new Error(`not done after ${limit} turns: ${done.join(' ')}`);
}

const recordsOf = (world: World): Recorded =>
  Object.fromEntries(kubeadm.records(world.facts, world.own).map(({ key, value }) => [key, value]));

test('one control-plane node: workers first, each thing once, in the order of the phases', () => {
  const { done } = run(wantedDual(), kubeadmCluster({ controlPlanes: 1, workers: 2 }));
  expect(done).toEqual([
    'node-ips/worker-1',
    'node-ips/worker-2',
    'node-ips/cp-1',
    'api-server/cp-1',
    'controller-manager/cp-1',
    'kubeadm-config',
    'kube-proxy/config',
    'kube-proxy/rollout',
  ]);
});

test('three control-plane nodes: the first changed controller manager leads before the second is touched, the old leader last', () => {
  const { done, world } = run(wantedDual(), kubeadmCluster({ controlPlanes: 3, workers: 0 }));
  expect(done.filter((id) => id.startsWith('controller-manager'))).toEqual([
    'controller-manager/cp-2',
    'controller-manager/transfer-lease',
    'controller-manager/cp-1',
    'controller-manager/cp-3',
  ]);
  expect(kubeadm.check(wantedDual(), world.facts, world.own).filter(isBlocker)).toEqual([]);
});

test('there and back again: every value as it was, byte for byte', () => {
  for (const controlPlanes of [1, 3]) {
    const start = kubeadmCluster({ controlPlanes, workers: 1 });
    const there = run(wantedDual(), start).world;
    const back = run(wantedSingle({ restore: recordsOf(start) }), there).world;
    expect(flagsOf(back)).toEqual(flagsOf(start));
    expect(textsOf(back)).toEqual(textsOf(start));
    expect(back.facts.nodes.map((node) => node.internalIPs)).toEqual(start.facts.nodes.map((node) => node.internalIPs));
    expect(back.facts.serviceCIDR).toEqual(start.facts.serviceCIDR);
    expect(back.own.proxy).toMatchObject({ value: { templateAnnotations: {} } });
  }
});

test('on the way back the ServiceCIDR goes after the last API server and the controller managers before the first', () => {
  const start = kubeadmCluster({ controlPlanes: 3, workers: 1 });
  const there = run(wantedDual(), start).world;
  const { done } = run(wantedSingle({ restore: recordsOf(start) }), there);
  const place = (prefix: string): readonly number[] =>
    done.flatMap((id, index) => (id.startsWith(prefix) ? [index] : []));
  expect(Math.max(...place('controller-manager/'))).toBeLessThan(Math.min(...place('api-server/')));
  const last = Math.max(...place('api-server/'));
  expect(done.slice(last + 1, last + 4)).toEqual(['service-cidr/keep', 'service-cidr/delete', 'service-cidr/release']);
  expect(Math.min(...place('node-ips/'))).toBeGreaterThan(Math.max(...place('service-cidr/delete')));
});

test('without records the way back takes the second family out', () => {
  const there = kubeadmCluster({ controlPlanes: 1, workers: 1, dual: true });
  const { world } = run(wantedSingle(), there);
  expect(JSON.stringify([flagsOf(world), textsOf(world)])).not.toMatch(/fd00|ipv6/);
});

test('whatever part was done by hand before, it is completed, and nothing that was done is done again', () => {
  const all = run(wantedDual(), kubeadmCluster({ controlPlanes: 3, workers: 2 })).done;
  fc.assert(
    fc.property(fc.subarray([...new Set(all)].filter(isHandmade)), (byHand) => {
      let world: World = kubeadmCluster({ controlPlanes: 3, workers: 2 });
      for (const id of byHand) {
        const step = stepsOf(wantedDual(), world).find((candidate) => candidate.id === id);
        if (step !== undefined && !isSatisfied(step)) world = carryOut(world, step);
      }
      const { done } = run(wantedDual(), wait(world, 3600));
      expect(new Set(done).size).toBe(done.length);
      expect(done.filter((id) => byHand.includes(id))).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

test('a converted cluster stays satisfied when the leader changes', () => {
  const { world } = run(wantedDual(), kubeadmCluster({ controlPlanes: 3, workers: 0 }));
  const settled = wait(world, 3600);
  const lease = {
    holder: 'cp-3_new',
    acquiredAt: new Date(settled.facts.at).toISOString(),
    renewedAt: new Date(settled.facts.at).toISOString(),
  };
  const moved = { ...settled.own, lease: { known: true as const, value: lease } };
  expect(stepsOf(wantedDual(), { ...settled, own: moved }).filter((step) => !isSatisfied(step))).toEqual([]);
});

test('ids and kinds are the same before, during and after', () => {
  let world: World = kubeadmCluster({ controlPlanes: 3, workers: 1 });
  const first = shape(world);
  for (let turn = 0; turn < 40; turn += 1) {
    expect(shape(world)).toEqual(first);
    const ids = stepsOf(wantedDual(), world).map((step) => step.id);
    expect(new Set(ids).size).toBe(ids.length);
    const open = stepsOf(wantedDual(), world).find((step) => !isSatisfied(step));
    if (open === undefined) break;
    world = open.state.is === 'InProgress' ? wait(world, 10) : carryOut(world, open);
  }
});

/** Who rolls out kube-proxy before its configuration is written has done nothing towards the goal. */
const isHandmade = (id: string): boolean => !id.endsWith('transfer-lease') && id !== 'kube-proxy/rollout';

const shape = (world: World): readonly string[] =>
  [...new Set(stepsOf(wantedDual(), world).map((step) => `${step.phase}/${step.group}/${step.kind}`))].toSorted();
const flagsOf = (world: World): unknown =>
  world.own.instances.map(({ component, node, flags }) => ({ component, node, flags }));
const textsOf = ({ own }: World): readonly (string | undefined)[] =>
  [own.clusterConfig, own.proxyConfig].map((text) => (text.known ? text.value?.text : undefined));
