import { describe, expect, test } from '@jest/globals';
import { k0s } from '../../../src/distributions/k0s/index.ts';
import { isBlocker } from '../../../src/model/finding.ts';
import { phaseOrder } from '../../../src/model/phase.ts';
import { isSatisfied, type Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { decide } from '../../../src/plan/next.ts';
import { POD_RANGES, PODS, SERVICE_RANGES, SERVICES, wantedDual, wantedSingle } from '../../support/facts.ts';
import { K0sWorld, type K0sWorldOptions } from '../../support/k0s-player.ts';
import { K0S_VERSION, OLD_K0S_VERSION } from '../../support/k0s.ts';
import { mergePatch, type Plain } from '../../support/merge-patch.ts';
import { asked, NO_MEMORY, planScene } from '../../support/plan-scene.ts';

const WANTED = wantedDual();

/** The first that is open; what was done already and holds nothing up is gone past. */
function openStep(world: K0sWorld, wanted: Wanted, done: readonly string[]): Step | undefined {
  const { facts, own } = world.look();
  const order = phaseOrder(wanted.direction);
  const steps = k0s.steps(wanted, facts, own).toSorted((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase));
  const open = steps.filter((step) => !isSatisfied(step));
  const isPassed = (step: Step): boolean => step.kind === 'Handoff' && step.holdsUp !== true && done.includes(step.id);
  const next = open.find((step) => !isPassed(step));
  if (next === undefined) expect(open).toEqual([]);
  return next;
}

/** One thing after the other. Returns what was done, and whether a controller manager was down after any of it. */
function run(
  world: K0sWorld,
  wanted: Wanted = WANTED,
): { readonly done: readonly string[]; readonly wasDown: boolean } {
  const done: string[] = [];
  const waits: string[] = [];
  let wasDown = false;
  for (let turn = 0; turn < 100; turn += 1) {
    const open = openStep(world, wanted, done);
    if (open === undefined) return { done, wasDown };
    if (open.state.is === 'Failed' || open.state.is === 'Unknown') throw new Error(`${open.id}: ${open.state.why}`);
    const { facts, own } = world.look();
    const order = phaseOrder(wanted.direction);
    const upTo = new Set(order.slice(0, order.indexOf(open.phase) + 1));
    const inTheWay = k0s.check(wanted, facts, own).filter(({ blocks }) => blocks.some((phase) => upTo.has(phase)));
    expect(inTheWay).toEqual([]);
    if (open.state.is === 'InProgress') {
      world.elapse(10);
      continue;
    }
    if (open.kind === 'WaitFor') waits.push(open.id);
    else done.push(open.id);
    // What nobody has begun would be waited for in vain.
    expect(waits.filter((id) => id === open.id).length).toBeLessThan(10);
    world.carryOut(open);
    wasDown ||= world.hosts.some(({ manager }) => manager === null);
  }
  throw new Error(`not done after 100 turns: ${done.join(' ')}`);
}

function expectConverted(world: K0sWorld): void {
  for (const host of world.hosts) {
    expect(host.apiRange).toBe(SERVICE_RANGES.dual);
    expect(host.manager).toMatchObject({ 'node-cidr-mask-size-ipv6': '64' });
  }
  expect(world.serviceCIDR).toEqual([SERVICES.IPv4, SERVICES.IPv6]);
  const { facts, own } = world.look();
  expect(k0s.check(WANTED, facts, own).filter(isBlocker)).toEqual([]);
}

const IPV6_FIRST = ['fd00:10:244:1::/64', '10.244.1.0/24'];
const SWITCHED_ON = {
  network: { dualStack: { enabled: true, IPv6podCIDR: PODS.IPv6, IPv6serviceCIDR: SERVICES.IPv6 } },
  controllerManager: { extraArgs: { 'node-cidr-mask-size-ipv6': '64' } },
};
const sizes: readonly Pick<K0sWorldOptions, 'seen' | 'hidden' | 'byAgent'>[] = [
  { seen: 1, hidden: 0 },
  { seen: 3, hidden: 0 },
  { seen: 0, hidden: 1 },
  { seen: 0, hidden: 3 },
  { seen: 1, hidden: 2 },
  { seen: 1, hidden: 0, byAgent: true },
  { seen: 3, hidden: 0, byAgent: true },
  { seen: 1, hidden: 2, byAgent: true },
];

describe.each([K0S_VERSION, OLD_K0S_VERSION, 'v1.36.0+k0s'])('k0s %s', (version) => {
  describe.each([false, true])('dynamic configuration: %s', (dynamic) => {
    test.each(sizes)('$seen controllers with an agent (editing: $byAgent), $hidden without', (size) => {
      const world = new K0sWorld({ version, dynamic, ...size });
      const { done, wasDown } = run(world);
      expectConverted(world);
      expect(wasDown).toBe(false);
      expect(new Set(done).size).toBe(done.length);
      expect(done.filter((id) => id.startsWith('k0s-config/'))).toHaveLength(size.seen + size.hidden);
      expect(done.includes('cluster-config')).toBe(dynamic);
    });
  });

  test('dual-stack was switched on in the object by hand: what is broken is mended first, what is done is left', () => {
    const world = new K0sWorld({ version, dynamic: true, seen: 0, hidden: 3 });
    world.patchObject({ spec: SWITCHED_ON });
    world.elapse(300);
    const isBroken = world.hosts.every(({ manager }) => manager === null);
    expect(isBroken).toBe(version !== K0S_VERSION);
    const { done } = run(world);
    expectConverted(world);
    expect(done.indexOf('cluster-config/order')).toBe(isBroken ? 0 : -1);
    expect(done).not.toContain('cluster-config');
  });

  test('dual-stack was switched on in the file by hand', () => {
    const world = new K0sWorld({ version, dynamic: false, seen: 0, hidden: 1 });
    const [host] = world.hosts;
    if (host === undefined) throw new Error('no host');
    host.file = {
      spec: { ...SWITCHED_ON, network: { ...SWITCHED_ON.network, podCIDR: PODS.IPv4, serviceCIDR: SERVICES.IPv4 } },
    };
    world.restart('x1');
    world.elapse(300);
    const isBroken = host.manager === null;
    expect(isBroken).toBe(version !== K0S_VERSION);
    const { done } = run(world);
    expectConverted(world);
    expect(done.includes('k0s-config/x1')).toBe(isBroken);
  });
});

test.each([
  { dynamic: false, seen: 1, hidden: 0 },
  { dynamic: false, seen: 3, hidden: 0 },
  { dynamic: false, seen: 0, hidden: 1 },
  { dynamic: false, seen: 0, hidden: 3 },
  { dynamic: false, seen: 1, hidden: 2 },
  { dynamic: true, seen: 1, hidden: 0 },
  { dynamic: true, seen: 3, hidden: 0 },
  { dynamic: true, seen: 0, hidden: 1 },
  { dynamic: true, seen: 0, hidden: 3 },
  { dynamic: true, seen: 1, hidden: 2 },
  { dynamic: false, seen: 1, hidden: 0, byAgent: true },
  { dynamic: false, seen: 3, hidden: 0, byAgent: true },
  { dynamic: false, seen: 1, hidden: 2, byAgent: true },
  { dynamic: true, seen: 3, hidden: 0, byAgent: true },
])(
  'there and back: $seen controllers with an agent (editing: $byAgent), $hidden without, dynamic configuration: $dynamic',
  (size) => {
    const { dynamic } = size;
    const world = new K0sWorld({ version: K0S_VERSION, ...size });
    const first = world.hosts.map(({ manager }) => manager);
    run(world);
    const { done, wasDown } = run(world, wantedSingle());
    expect(wasDown).toBe(false);
    expect(world.hosts.map(({ apiRange }) => apiRange)).toEqual(world.hosts.map(() => SERVICES.IPv4));
    expect(world.hosts.map(({ manager }) => manager)).toEqual(first);
    expect(world.serviceCIDR).toEqual([SERVICES.IPv4]);
    // What a controller manager is told changes before the API servers lose the family.
    expect(done.includes('cluster-config')).toBe(dynamic);
    expect(done.at(-1)).toMatch(/^node-ips\//u);
  },
);

test('there and back with arguments, in files that nobody sees, that beat what k0s works out', () => {
  const world = new K0sWorld({ version: K0S_VERSION, dynamic: false, seen: 0, hidden: 1 });
  const [host] = world.hosts;
  if (host === undefined) throw new Error('no host');
  const services = { 'service-cluster-ip-range': SERVICES.IPv4 };
  const args = { 'cluster-cidr': PODS.IPv4, 'node-cidr-mask-size': '24', ...services };
  host.file = mergePatch(host.file, {
    spec: { api: { extraArgs: services }, controllerManager: { extraArgs: args } },
  }) as Plain;
  world.restart('x1');
  const first = host.manager;
  run(world);
  expectConverted(world);
  expect(host.manager).toMatchObject({ 'cluster-cidr': POD_RANGES.dual });
  expect(host.manager).toMatchObject({ 'service-cluster-ip-range': SERVICE_RANGES.dual });
  run(world, wantedSingle());
  expect(host.apiRange).toBe(SERVICES.IPv4);
  expect(host.manager).toEqual(first);
});

test('Nodes that hold both networks, IPv6 first, keep a newer k0s from its own order', () => {
  const world = new K0sWorld({ version: K0S_VERSION, dynamic: true, seen: 1, hidden: 0, podCIDRs: IPV6_FIRST });
  world.patchObject({ spec: SWITCHED_ON });
  world.elapse(300);
  expect(world.hosts[0]?.manager).toBeNull();
  run(world);
  expectConverted(world);
  expect(world.hosts[0]?.manager).toMatchObject({ 'cluster-cidr': `${PODS.IPv6},${PODS.IPv4}` });
});

test('in a whole plan nothing is in the way of what is asked of the user first, and nothing is begun before it', () => {
  const world = new K0sWorld({ version: OLD_K0S_VERSION, dynamic: true, seen: 1, hidden: 2 });
  const facts = { ...world.look().facts, cni: { name: 'Unmanaged', detectedBy: 'a test', own: null } };
  const { plan } = planScene(facts);
  expect(plan.findings.filter(isBlocker)).toEqual([]);
  const steps = plan.steps.filter(({ phase }) => phase !== 'Record');
  const first = decide({ ...plan, steps }, facts, asked(), NO_MEMORY, 1);
  expect(first).toMatchObject({ is: 'WaitingForUser', step: { id: 'node-ips/w1' } });
});
