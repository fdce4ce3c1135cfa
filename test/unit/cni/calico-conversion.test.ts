import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import {
  calicoCluster,
  DUAL_ENV,
  DUAL_NETWORK_CONFIG,
  ipv4Pool,
  ipv6Pool,
  NETWORK_CONFIG,
} from '../../support/calico-facts.ts';
import { CalicoModel } from '../../support/calico-model.ts';
import { hostIPv4, hostIPv6, wantedDual, wantedSingle } from '../../support/facts.ts';

/** What each pass met, until everything is satisfied. */
function* passes(model: CalicoModel, wanted: Wanted): Generator<Step, undefined> {
  for (let pass = 0; pass < 500; pass++) {
    const step = model.advance(wanted);
    if (step === null) return undefined;
    yield step;
  }
  const open = model.steps(wanted).map(({ id, state }) => [id, state]);
  throw new Error(`not done after 500 passes: ${JSON.stringify(open)}`);
}

/** Runs to the end; checks after every pass what must never be. */
function run(model: CalicoModel, wanted: Wanted): void {
  for (const _ of passes(model, wanted)) expectNeverBroken(model);
}

function expectNeverBroken(model: CalicoModel): void {
  const lackIPv6 = model.facts.nodes.some((node) => !node.internalIPs.some((address) => address.includes(':')));
  const ip6 = model.agent.env['IP6'];
  expect(lackIPv6 && ip6?.is === 'Value' && ip6.value === 'autodetect').toBe(false);
  const assigns = model.configText.includes('"assign_ipv6": "true"');
  if (assigns) expect(model.pools).toContainEqual(expect.objectContaining({ family: 'IPv6', disabled: false }));
  for (const node of model.facts.nodes) expect(node.annotations).toHaveProperty(['projectcalico.org/IPv4Address']);
}

/** Nodes have both addresses; Calico knows of IPv4 alone. */
const nodesAreDual = { dual: true } as const;
const states = (model: CalicoModel, wanted = wantedDual()) =>
  Object.fromEntries(model.steps(wanted).map(({ id, state }) => [id, state.is]));

test('a stock installation is converted step by step, control-plane nodes last, and keeps its own update strategy', () => {
  const model = new CalicoModel({ ...nodesAreDual, controlPlanes: 3, workers: 2 });
  run(model, wantedDual());
  expect(model.done).toEqual([
    'calico/pool-ipv6',
    'calico/cni-config',
    'calico/env',
    ...Array.from({ length: 5 }, () => 'calico/rollout'),
    'calico/strategy',
  ]);
  expect(model.configText).toBe(DUAL_NETWORK_CONFIG);
  expect(model.agent.env).toEqual({ IP: { is: 'Value', value: 'autodetect' }, ...DUAL_ENV });
  expect(model.agent.updateStrategy).toEqual({
    type: 'RollingUpdate',
    rollingUpdate: { maxUnavailable: 1, maxSurge: 0 },
  });
  expect(model.pools[1]).toMatchObject({
    name: 'default-ipv6-ippool',
    cidr: 'fd00:10:244::/56',
    blockSize: 122,
    vxlanMode: 'Never',
    ipipMode: 'Never',
    natOutgoing: false,
    nodeSelector: 'all()',
  });
});

test('pods are replaced one node at a time, in the order of names, workers first', () => {
  const model = new CalicoModel({ ...nodesAreDual, controlPlanes: 2, workers: 2 });
  const replaced: string[] = [];
  for (const step of passes(model, wantedDual())) {
    if (step.kind !== 'RolloutWorkload' || step.next.is !== 'DeletePods') continue;
    expect(step.next.pods).toHaveLength(1);
    replaced.push(step.next.pods[0]!.name);
  }
  expect(replaced).toEqual(['calico-node-worker-1', 'calico-node-worker-2', 'calico-node-cp-1', 'calico-node-cp-2']);
});

test('maxUnavailable lets more workers go at once, but never more than one control-plane node', () => {
  const model = new CalicoModel({ ...nodesAreDual, controlPlanes: 2, workers: 3 });
  const wanted = wantedDual({ nodes: { maxUnavailable: 2 } });
  const batches: number[] = [];
  for (const step of passes(model, wanted)) {
    if (step.kind === 'RolloutWorkload' && step.next.is === 'DeletePods') batches.push(step.next.pods.length);
  }
  expect(batches).toEqual([2, 1, 1, 1]);
});

test('converted and back: first state again, the pool disabled, nothing of IPv6 on the Nodes', () => {
  const model = new CalicoModel({ ...nodesAreDual, controlPlanes: 1, workers: 2 });
  const first = model.agent;
  const restore = model.first;
  run(model, wantedDual());
  model.done.length = 0;
  run(model, wantedSingle({ restore }));
  expect([...new Set(model.done)]).toEqual([
    'calico/cni-config',
    'calico/env',
    'calico/rollout',
    'calico/strategy',
    'calico/pool-ipv6',
    'calico/node-address/cp-1',
    'calico/node-address/worker-1',
    'calico/node-address/worker-2',
  ]);
  expect(model.configText).toBe(NETWORK_CONFIG);
  expect(model.agent.env).toEqual(first.env);
  expect(model.agent.updateStrategy).toEqual(first.updateStrategy);
  expect(model.agent.workload.templateAnnotations).toEqual({});
  expect(model.pools[1]).toMatchObject({ disabled: true });
  expect(Object.keys(model.facts.nodes[0]!.annotations)).toEqual(['projectcalico.org/IPv4Address']);
});

test('back from a cluster that was dual before anything was recorded', () => {
  const model = new CalicoModel(
    { ...nodesAreDual, proven: true },
    { config: { text: DUAL_NETWORK_CONFIG }, agent: { env: DUAL_ENV }, pools: [ipv4Pool(), ipv6Pool()] },
  );
  run(model, wantedSingle());
  expect(model.configText).toBe(DUAL_NETWORK_CONFIG.replace('"assign_ipv6": "true"', '"assign_ipv6": "false"'));
  expect(model.agent.env).toMatchObject({ IP6: { value: 'none' }, FELIX_IPV6SUPPORT: { value: 'false' } });
  expect(model.pools[1]).toMatchObject({ disabled: true });
});

test('a conversion that stopped anywhere goes back as well', () => {
  for (let stop = 0; stop < 8; stop++) {
    const model = new CalicoModel(nodesAreDual);
    const env = model.agent.env;
    const restore = model.first;
    for (let pass = 0; pass < stop; pass++) model.advance(wantedDual());
    run(model, wantedSingle({ restore }));
    expect(model.configText).toBe(NETWORK_CONFIG);
    expect(model.agent.env).toEqual(env);
    expect(model.agent.updateStrategy).toMatchObject({ type: 'RollingUpdate' });
  }
});

/** What somebody may have done by hand before. */
const byHand = fc.record({
  pool: fc.constantFrom('none', 'enabled', 'disabled', 'other name'),
  config: fc.boolean(),
  env: fc.subarray(['IP6', 'IP6_AUTODETECTION_METHOD', 'FELIX_IPV6SUPPORT'] as const),
  changedAt: fc.constantFrom(null, '2026-11-01T12:00:00Z', '2026-11-02T11:59:00Z'),
  proven: fc.boolean(),
  strategy: fc.constantFrom('RollingUpdate', 'OnDelete'),
});

function halfConverted({
  pool,
  config,
  env,
  changedAt,
  proven,
  strategy,
}: typeof byHand extends fc.Arbitrary<infer T> ? T : never): CalicoModel {
  const pools = {
    none: [],
    enabled: [ipv6Pool()],
    disabled: [ipv6Pool({ disabled: true })],
    'other name': [ipv6Pool({ name: 'pods-v6' })],
  }[pool];
  return new CalicoModel(
    { ...nodesAreDual, controlPlanes: 1, workers: 2, proven },
    {
      config: { text: config ? DUAL_NETWORK_CONFIG : NETWORK_CONFIG, changedAt },
      agent: { env: Object.fromEntries(env.map((name) => [name, DUAL_ENV[name]])), updateStrategy: { type: strategy } },
      pools: [ipv4Pool(), ...pools],
    },
  );
}

test('any subset done by hand is completed, and what was done is not done again', () => {
  fc.assert(
    fc.property(byHand, (hand) => {
      const model = halfConverted(hand);
      // Proof that is missing although everything is set cannot come without new pods: the player here starts none by itself.
      const allSet = hand.config && hand.env.length === 3;
      fc.pre(!(allSet && !hand.proven));
      for (let pass = 0; pass < 100; pass++) if (model.advance(wantedDual()) === null) break;
      expect(Object.values(states(model)).filter((state) => state !== 'Satisfied')).toEqual([]);
      expect(model.done.includes('calico/pool-ipv6')).toBe(hand.pool === 'none' || hand.pool === 'disabled');
      expect(model.done.includes('calico/cni-config')).toBe(!hand.config);
      expect(model.pools.filter((pool) => pool.family === 'IPv6' && !pool.disabled)).toHaveLength(1);
      expect(model.agent.updateStrategy['type']).toBe(hand.strategy);
      const writes = model.done.filter((id) => id !== 'calico/rollout');
      expect(new Set(writes).size).toBe(writes.length);
    }),
    { numRuns: 300 },
  );
});

test('everything done by hand and proven: nothing to do', () => {
  const model = new CalicoModel(
    { ...nodesAreDual, proven: true },
    { config: { text: DUAL_NETWORK_CONFIG }, agent: { env: DUAL_ENV }, pools: [ipv4Pool(), ipv6Pool()] },
  );
  expect(new Set(Object.values(states(model)))).toEqual(new Set(['Satisfied']));
});

test('configuration changed after the pods started: they are made anew though the environment is right', () => {
  const model = new CalicoModel(
    { ...nodesAreDual, proven: true },
    {
      config: { text: DUAL_NETWORK_CONFIG, changedAt: '2026-11-02T11:59:00Z' },
      agent: { env: DUAL_ENV },
      pools: [ipv4Pool(), ipv6Pool()],
    },
  );
  run(model, wantedDual());
  expect(model.done).toEqual(['calico/env', 'calico/rollout', 'calico/rollout', 'calico/rollout', 'calico/strategy']);
});

test('the first node without proof stops the roll-out, is named, and the others keep IPv4', () => {
  const model = new CalicoModel({ ...nodesAreDual, controlPlanes: 1, workers: 3 });
  model.broken.add('worker-2');
  let last: Step | undefined;
  for (last of passes(model, wantedDual())) if (last.state.is === 'Failed') break;
  expect(last?.id).toBe('calico/rollout');
  expect(last?.state).toMatchObject({
    is: 'Failed',
    why: expect.stringContaining('calico-node on node worker-2 did not prove itself within 300 s'),
    remedy: expect.stringContaining('failed to autodetect'),
  });
  expect(
    model.facts.nodes
      .filter((node) => node.annotations['projectcalico.org/IPv4Address'] === undefined)
      .map((node) => node.name),
  ).toEqual(['worker-2']);
  expect(model.done.filter((id) => id === 'calico/rollout')).toHaveLength(2);
});

test('IP6=autodetect is never written while a Node has no IPv6, also when one joins in between', () => {
  const model = new CalicoModel({ controlPlanes: 1, workers: 1 });
  for (let pass = 0; pass < 20; pass++) model.advance(wantedDual());
  expect(model.done).toEqual(['calico/pool-ipv6', 'calico/cni-config']);
  expect(states(model)).toMatchObject({ 'calico/env': 'InProgress', 'calico/rollout': 'Pending' });

  model.changeNode('cp-1', { internalIPs: [hostIPv4(1), hostIPv6(1)] });
  for (let pass = 0; pass < 20; pass++) model.advance(wantedDual());
  expect(model.done).toHaveLength(2);
  model.changeNode('worker-1', { internalIPs: [hostIPv4(2), hostIPv6(2)] });
  run(model, wantedDual());
  expect(model.agent.env).toMatchObject(DUAL_ENV);
});

test.each([
  ['tolerated: the rest goes on and its node is done later', 1, 'Deferred'],
  ['not tolerated: nothing is replaced', 0, 'InProgress'],
])('a node that is not Ready, %s', (_name, tolerateUnavailable, state) => {
  const model = new CalicoModel({ ...nodesAreDual, controlPlanes: 1, workers: 2 });
  model.changeNode('worker-1', { ready: false });
  const wanted = wantedDual({ tolerateUnavailable });
  for (let pass = 0; pass < 30; pass++) model.advance(wanted);
  expect(states(model, wanted)['calico/rollout']).toBe(state);
  expect(model.done.filter((id) => id === 'calico/rollout')).toHaveLength(tolerateUnavailable === 1 ? 2 : 0);

  model.changeNode('worker-1', { ready: true });
  run(model, wanted);
  expect(states(model, wanted)['calico/strategy']).toBe('Satisfied');
});

test('a node that goes down after its proof holds up nothing', () => {
  const model = new CalicoModel(nodesAreDual);
  run(model, wantedDual());
  model.changeNode('worker-1', { ready: false });
  expect(new Set(Object.values(states(model)))).toEqual(new Set(['Satisfied']));
});

test('a calico-node that is not ready for a while after the conversion is waited for, not failed', () => {
  const model = new CalicoModel(nodesAreDual);
  run(model, wantedDual());
  model.pass(86_400);
  const { agent } = model.own;
  if (!agent.known || agent.value === null) throw new Error('calico-node is there');
  const pods = agent.value.workload.pods.map((pod, index) => ({ ...pod, ready: index > 0 }));
  model.own = {
    ...model.own,
    agent: { known: true, value: { ...agent.value, workload: { ...agent.value.workload, pods } } },
  };
  expect(states(model)).toMatchObject({ 'calico/env': 'Satisfied', 'calico/rollout': 'InProgress' });
});

test('an upgrade of Calico after the conversion is left to its own DaemonSet', () => {
  const model = new CalicoModel(nodesAreDual);
  run(model, wantedDual());
  model.done.length = 0;
  const { agent } = model.own;
  if (!agent.known || agent.value === null) throw new Error('calico-node is there');
  model.own = {
    ...model.own,
    agent: { known: true, value: { ...agent.value, workload: { ...agent.value.workload, newestHash: 'upgrade' } } },
  };
  for (let pass = 0; pass < 5; pass++) model.advance(wantedDual());
  expect(model.done).toEqual([]);
  expect(states(model)['calico/rollout']).toBe('InProgress');
});

test('the original manifest applied again: environment and configuration are put right, IPv4 stays', () => {
  const model = new CalicoModel(nodesAreDual);
  run(model, wantedDual());
  model.done.length = 0;
  const own = model.own;
  if (!own.agent.known || own.agent.value === null || !own.config.known || own.config.value === null)
    throw new Error('there');
  model.own = {
    ...own,
    config: { known: true, value: { ...own.config.value, text: NETWORK_CONFIG } },
    agent: {
      known: true,
      value: {
        ...own.agent.value,
        env: { ...own.agent.value.env, FELIX_IPV6SUPPORT: { is: 'Value', value: 'false' } },
      },
    },
  };
  run(model, wantedDual());
  expect(model.done.slice(0, 2)).toEqual(['calico/cni-config', 'calico/env']);
  expect(model.agent.env).toMatchObject(DUAL_ENV);
});

test('nothing is planned where IPv6 is neither asked for nor to go', () => {
  const model = new CalicoModel(nodesAreDual);
  expect(model.steps(wantedDual({ families: ['IPv4'] }))).toEqual([]);
  expect(calicoCluster().nodes[0]!.annotations).toHaveProperty(['projectcalico.org/IPv4Address']);
});
