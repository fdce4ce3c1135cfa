import { expect, test } from '@jest/globals';
import { ROLLOUT_ANNOTATION } from '../../../src/cni/canal/facts.ts';
import { canal } from '../../../src/cni/canal/index.ts';
import { checkPodCIDRs } from '../../../src/plan/pod-cidrs.ts';
import { registry } from '../../../src/registry.ts';
import { PODS, wantedDual, wantedSingle } from '../../support/facts.ts';
import {
  CANAL_DUAL_NET_CONF,
  CANAL_DUAL_NETWORK,
  CANAL_NET_CONF,
  CANAL_NETWORK,
  type CanalParts,
} from '../../support/canal-facts.ts';
import { CanalModel } from '../../support/canal-model.ts';

const wanted = wantedDual({ nodes: { podCIDRs: 'Replace' } });
const back = (model: CanalModel) => wantedSingle({ restore: model.first });
const DUAL: CanalParts = {
  config: { flannel: CANAL_DUAL_NET_CONF, network: CANAL_DUAL_NETWORK },
  agent: {
    env: { FELIX_IPV6SUPPORT: { is: 'Value', value: 'true' }, CALICO_IPV6POOL_CIDR: { is: 'Value', value: PODS.IPv6 } },
  },
};

const knowEachOther = (model: CanalModel): boolean =>
  model.facts.nodes.every((node) => model.routes.get(node.name)?.size === model.facts.nodes.length - 1);
const isPublished = (model: CanalModel): boolean =>
  model.facts.nodes.some((node) => Object.keys(node.annotations).some((key) => key.includes('v6')));

function expectFirst(model: CanalModel): void {
  expect(model.config).toMatchObject({ flannel: CANAL_NET_CONF, network: CANAL_NETWORK });
  expect(model.agent.env).toEqual({ FELIX_IPV6SUPPORT: { is: 'Value', value: 'false' } });
  expect(model.agent.workload.templateAnnotations).toEqual({});
  expect(isPublished(model)).toBe(false);
}

test('configuration, then two roll-outs: only after the second every node has routes to every other', () => {
  const model = new CanalModel();
  let afterFirst = true;
  for (;;) {
    const step = model.steps(wanted).find(({ state }) => state.is !== 'Satisfied');
    if (step === undefined) break;
    if (step.id === 'canal/rollout-2' && step.state.is === 'Pending') afterFirst = knowEachOther(model);
    model.advance(wanted);
  }
  expect(afterFirst).toBe(false);
  expect(knowEachOther(model)).toBe(true);
  expect([model.assigning.size, model.guarding.size]).toEqual([3, 3]);
  expect(model.done).toEqual(['canal/config', 'canal/rollout-1', 'canal/rollout-2']);
  expect(model.config).toMatchObject({ flannel: CANAL_DUAL_NET_CONF, network: CANAL_DUAL_NETWORK });
  expect(model.agent.env).toEqual({
    FELIX_IPV6SUPPORT: { is: 'Value', value: 'true' },
    CALICO_IPV6POOL_CIDR: { is: 'Value', value: PODS.IPv6 },
  });
  expect(model.agent.workload.templateAnnotations).toEqual({ [ROLLOUT_ANNOTATION]: 'IPv6, roll-out 2 of 2' });
});

test('the configuration waits for the second podCIDR of every Node: without, no new pod would start there', () => {
  const model = new CanalModel({ podCIDRs: false, workers: 1 });
  expect(model.steps(wanted)[0]).toMatchObject({ id: 'canal/config', state: { is: 'InProgress' } });
  expect(model.steps(wantedDual())[0]?.state.is).toBe('Pending');
  const plugins = registry.bind({ ...model.facts, cni: { name: 'Canal', detectedBy: '', own: model.own } });
  expect(checkPodCIDRs(wantedDual(), model.facts, plugins, [])).toMatchObject([
    { reason: 'PodCIDRsMissing', blocks: expect.arrayContaining(['CNIConfig', 'CNIAgents']) },
  ]);
});

test('converted and back: the first bytes again, and nothing of IPv6 on the template or the Nodes', () => {
  const model = new CanalModel();
  model.run(wanted);
  expect(isPublished(model)).toBe(true);
  model.done.length = 0;
  model.run(back(model));
  expect(model.done).toEqual([
    'canal/config',
    'canal/rollout',
    'canal/node-address/cp-1',
    'canal/node-address/worker-1',
    'canal/node-address/worker-2',
  ]);
  expectFirst(model);
  expect([model.assigning.size, model.guarding.size]).toEqual([0, 0]);
});

test('a conversion that stopped anywhere goes back to the first bytes as well', () => {
  for (let stop = 0; stop < 12; stop++) {
    const model = new CanalModel();
    for (let pass = 0; pass < stop; pass++) model.advance(wanted);
    model.run(back(model));
    expectFirst(model);
  }
});

test('forward, back and forward again ends where forward ended', () => {
  const model = new CanalModel();
  model.run(wanted);
  model.run(back(model));
  model.run(wanted);
  expect(model.config).toMatchObject({ flannel: CANAL_DUAL_NET_CONF, network: CANAL_DUAL_NETWORK });
  expect(knowEachOther(model)).toBe(true);
});

test('installed with both families: nothing is touched', () => {
  const model = new CanalModel({ published: true }, DUAL);
  expect(model.run(wanted)).toEqual([]);
});

test('back from a cluster that had both families at first', () => {
  const model = new CanalModel({ published: true }, DUAL);
  model.run(wantedSingle());
  expect(model.config).toMatchObject({
    flannel: CANAL_DUAL_NET_CONF.replace('"EnableIPv6": true', '"EnableIPv6": false'),
    network: CANAL_NETWORK,
  });
  expect(model.agent.env.FELIX_IPV6SUPPORT).toEqual({ is: 'Value', value: 'false' });
  expect(isPublished(model)).toBe(false);
});

test('what somebody else changed meanwhile in either configuration survives the way back', () => {
  const model = new CanalModel();
  model.run(wanted);
  const network = model.config.network!.replace('"snat": true', '"snat": false');
  const flannel = model.config.flannel!.replace('"vxlan"', '"host-gw"');
  model.own = { ...model.own, config: { known: true, value: { ...model.config, network, flannel } } };
  model.run(back(model));
  expect(model.config.network).toBe(CANAL_NETWORK.replace('"snat": true', '"snat": false'));
  expect(JSON.parse(model.config.flannel!)).toMatchObject({ EnableIPv6: false, Backend: { Type: 'host-gw' } });
});

test('an env that somebody put back is put right again, without a second mark', () => {
  const model = new CanalModel();
  model.run(wanted);
  model.own = { ...model.own, agent: { known: true, value: { ...model.agent, env: {} } } };
  const [, first] = model.steps(wanted);
  expect(first).toMatchObject({ id: 'canal/rollout-1', state: { is: 'Pending' } });
  model.done.length = 0;
  model.run(wanted);
  expect(model.done).toEqual(['canal/rollout-1']);
});

test('a pod that crashes is told with its node and the command that shows why', () => {
  const model = new CanalModel({ workers: 1 });
  model.advance(wanted);
  model.changeNode('worker-1', { podCIDRs: ['10.244.1.0/24'] });
  for (let pass = 0; pass < 20; pass++) model.advance(wanted);
  const failed = model.steps(wanted).find(({ state }) => state.is === 'Failed');
  expect(failed).toMatchObject({
    id: 'canal/rollout-1',
    state: { why: expect.stringContaining('canal on worker-1'), remedy: expect.stringContaining('canal-worker-1') },
  });
});

test('with OnDelete it says which pod to delete', () => {
  const model = new CanalModel({ workers: 1 }, { agent: { workload: { strategy: 'OnDelete' } } });
  for (let pass = 0; pass < 5; pass++) model.advance(wanted);
  expect(model.steps(wanted)[1]?.state).toMatchObject({
    is: 'InProgress',
    why: expect.stringContaining('kubectl -n kube-system delete pod canal-cp-1'),
  });
});

const proofs = (model: CanalModel) => {
  const read = canal.nodeProofs?.(wanted, model.facts, model.own);
  if (read?.known !== true) throw new Error('proofs are always known here');
  return { inForce: read.value.inForce, nodes: [...read.value.nodes.values()].map(({ is }) => is) };
};

test('what it shows of single nodes', () => {
  const model = new CanalModel({ workers: 1 });
  expect(proofs(model)).toEqual({ inForce: false, nodes: ['Pending', 'Pending'] });
  model.run(wanted);
  expect(proofs(model)).toEqual({ inForce: true, nodes: ['Proven', 'Proven'] });
  model.changeNode('worker-1', { podCIDRs: ['10.244.1.0/24'] });
  model.restart('worker-1');
  expect(proofs(model)).toEqual({ inForce: true, nodes: ['Proven', 'LostPrimary'] });
});
