import { expect, test } from '@jest/globals';
import { ROLLOUT_ANNOTATION } from '../../../src/cni/flannel/facts.ts';
import { flannel } from '../../../src/cni/flannel/index.ts';
import { checkPodCIDRs } from '../../../src/plan/pod-cidrs.ts';
import { registry } from '../../../src/registry.ts';
import { wantedDual, wantedSingle } from '../../support/facts.ts';
import { DUAL_NET_CONF, NET_CONF } from '../../support/flannel-facts.ts';
import { FlannelModel } from '../../support/flannel-model.ts';

const wanted = wantedDual({ nodes: { podCIDRs: 'Replace' } });
const back = (model: FlannelModel) => wantedSingle({ restore: model.first });

const knowEachOther = (model: FlannelModel): boolean =>
  model.facts.nodes.every((node) => model.routes.get(node.name)?.size === model.facts.nodes.length - 1);

const isPublished = (model: FlannelModel): boolean =>
  model.facts.nodes.some((node) => Object.keys(node.annotations).some((key) => key.includes('v6')));

test('configuration, then two roll-outs: only after the second every node has routes to every other', () => {
  const model = new FlannelModel({ controlPlanes: 1, workers: 2 });
  let afterFirst = true;
  for (;;) {
    const step = model.steps(wanted).find(({ state }) => state.is !== 'Satisfied');
    if (step === undefined) break;
    if (step.id === 'flannel/rollout-2' && step.state.is === 'Pending') afterFirst = knowEachOther(model);
    model.advance(wanted);
  }
  expect(afterFirst).toBe(false);
  expect(knowEachOther(model)).toBe(true);
  expect(model.done).toEqual(['flannel/config', 'flannel/rollout-1', 'flannel/rollout-2']);
  expect(model.config.text).toBe(DUAL_NET_CONF);
  expect(model.agent.workload.templateAnnotations).toEqual({ [ROLLOUT_ANNOTATION]: 'IPv6, roll-out 2 of 2' });
});

test('the configuration waits for the second podCIDR of every Node, because flanneld would crash without', () => {
  const model = new FlannelModel({ podCIDRs: false, workers: 1 });
  expect(model.steps(wanted)[0]).toMatchObject({ id: 'flannel/config', state: { is: 'InProgress' } });
  const plugins = registry.bind({ ...model.facts, cni: { name: 'Flannel', detectedBy: '', own: model.own } });
  expect(model.steps(wantedDual())[0]?.state.is).toBe('Pending');
  expect(checkPodCIDRs(wantedDual(), model.facts, plugins, [])).toMatchObject([
    { reason: 'PodCIDRsMissing', blocks: expect.arrayContaining(['CNIConfig', 'CNIAgents']) },
  ]);
  for (const node of model.facts.nodes)
    model.changeNode(node.name, { podCIDRs: [...node.podCIDRs, 'fd00:10:244:5::/64'] });
  expect(model.steps(wanted)[0]).toMatchObject({ id: 'flannel/config', state: { is: 'Pending' } });
});

test('converted and back: the first bytes again, and nothing of IPv6 on the template or the Nodes', () => {
  const model = new FlannelModel();
  model.run(wanted);
  expect(isPublished(model)).toBe(true);
  model.done.length = 0;
  model.run(back(model));
  expect(model.done).toEqual([
    'flannel/config',
    'flannel/rollout',
    'flannel/node-address/cp-1',
    'flannel/node-address/worker-1',
    'flannel/node-address/worker-2',
  ]);
  expect(model.config.text).toBe(NET_CONF);
  expect(model.agent.workload.templateAnnotations).toEqual({});
  expect(isPublished(model)).toBe(false);
  expect(Object.keys(model.facts.nodes[0]!.annotations)).toContain('flannel.alpha.coreos.com/public-ip');
});

test('a conversion that stopped anywhere goes back to the first bytes as well', () => {
  for (let stop = 0; stop < 12; stop++) {
    const model = new FlannelModel();
    for (let pass = 0; pass < stop; pass++) model.advance(wanted);
    model.run(back(model));
    expect(model.config.text).toBe(NET_CONF);
    expect(model.agent.workload.templateAnnotations).toEqual({});
    expect(isPublished(model)).toBe(false);
  }
});

test('forward, back and forward again ends where forward ended', () => {
  const model = new FlannelModel();
  model.run(wanted);
  model.run(back(model));
  model.run(wanted);
  expect(model.config.text).toBe(DUAL_NET_CONF);
  expect(knowEachOther(model)).toBe(true);
});

test('what somebody else changed meanwhile in the configuration survives the way back', () => {
  const model = new FlannelModel();
  model.run(wanted);
  const text = model.config.text!.replace('"EnableNFTables": false', '"EnableNFTables": true');
  model.own = { ...model.own, config: { known: true, value: { ...model.config, text } } };
  model.run(back(model));
  expect(JSON.parse(model.config.text!)).toMatchObject({ EnableNFTables: true, EnableIPv6: false });
});

test('installed with both families: nothing is touched', () => {
  const model = new FlannelModel({ published: true }, { config: { text: DUAL_NET_CONF } });
  expect(model.run(wanted)).toEqual([]);
});

test('converted by hand with one roll-out: both are made, because nobody can tell that one was enough', () => {
  const model = new FlannelModel({ published: true }, { config: { text: DUAL_NET_CONF, untouched: false } });
  model.run(wanted);
  expect(model.done).toEqual(['flannel/rollout-1', 'flannel/rollout-2']);
  expect(knowEachOther(model)).toBe(true);
});

test('back from a cluster that had both families at first: IPv6 is switched off, its network stays written down', () => {
  const model = new FlannelModel({ published: true }, { config: { text: DUAL_NET_CONF } });
  model.run(wantedSingle());
  expect(model.config.text).toBe(DUAL_NET_CONF.replace('"EnableIPv6": true', '"EnableIPv6": false'));
  expect(isPublished(model)).toBe(false);
});

test('the roll-out is not done while a node has not told of IPv6', () => {
  const model = new FlannelModel({ workers: 1 });
  model.run(wanted);
  model.changeNode('worker-1', { annotations: {} });
  const [, first, second] = model.steps(wanted);
  expect([first?.state.is, second?.state.is]).toEqual(['InProgress', 'InProgress']);
  expect(first?.state).toMatchObject({ why: expect.stringContaining('worker-1') });
});

test('a flanneld that crashes is told with its node and the command that shows why', () => {
  const model = new FlannelModel({ workers: 1 });
  model.advance(wanted);
  model.changeNode('worker-1', { podCIDRs: ['10.244.1.0/24'] });
  for (let pass = 0; pass < 20; pass++) model.advance(wanted);
  const failed = model.steps(wanted).find(({ state }) => state.is === 'Failed');
  expect(failed).toMatchObject({
    id: 'flannel/rollout-1',
    state: {
      why: expect.stringContaining('flanneld on worker-1'),
      remedy: expect.stringContaining('kubectl -n kube-flannel logs kube-flannel-ds-worker-1 --previous'),
    },
  });
});

test('with OnDelete it says which pod to delete, and goes on when somebody did', () => {
  const model = new FlannelModel({ workers: 1 }, { agent: { workload: { strategy: 'OnDelete' } } });
  for (let pass = 0; pass < 5; pass++) model.advance(wanted);
  expect(model.steps(wanted)[1]?.state).toMatchObject({
    is: 'InProgress',
    why: expect.stringContaining('kubectl -n kube-flannel delete pod kube-flannel-ds-cp-1'),
  });
  for (const round of [1, 2]) {
    for (const node of model.facts.nodes) model.restart(node.name);
    if (round === 1) model.advance(wanted);
  }
  expect(model.steps(wanted).map(({ state }) => state.is)).toEqual(['Satisfied', 'Satisfied', 'Satisfied']);
});

const proofs = (model: FlannelModel) => {
  const read = flannel.nodeProofs?.(wanted, model.facts, model.own);
  if (read?.known !== true) throw new Error('proofs are always known here');
  return { inForce: read.value.inForce, nodes: [...read.value.nodes.values()].map(({ is }) => is) };
};

test('what it shows of single nodes: in force only after both roll-outs, and a flanneld that ends has lost its node', () => {
  const model = new FlannelModel({ workers: 1 });
  expect(proofs(model)).toEqual({ inForce: false, nodes: ['Pending', 'Pending'] });
  model.advance(wanted);
  model.advance(wanted);
  expect(proofs(model).inForce).toBe(false);
  model.run(wanted);
  expect(proofs(model)).toEqual({ inForce: true, nodes: ['Proven', 'Proven'] });
  model.changeNode('worker-1', { podCIDRs: ['10.244.1.0/24'] });
  model.restart('worker-1');
  expect(proofs(model)).toEqual({ inForce: true, nodes: ['Proven', 'LostPrimary'] });
});
