import { expect, test } from '@jest/globals';
import { cilium } from '../../../src/cni/cilium/index.ts';
import { known } from '../../../src/model/reader.ts';
import { checkPodCIDRs } from '../../../src/plan/pod-cidrs.ts';
import { registry } from '../../../src/registry.ts';
import { PODS, wantedDual, wantedSingle } from '../../support/facts.ts';
import { ARGO, CILIUM_CONFIG, CILIUM_DUAL, HELM, withIPv6 } from '../../support/cilium-facts.ts';
import { CiliumModel } from '../../support/cilium-model.ts';

const wanted = wantedDual();
const back = (model: CiliumModel) => wantedSingle({ restore: model.first });
const WITHOUT_IPV6 = { internalIPs: ['192.0.2.12'] };
const marks = (model: CiliumModel) =>
  (['agent', 'operator'] as const).flatMap((which) => Object.values(model.workload(which).templateAnnotations));
const hasIPv6 = (texts: readonly string[]) => texts.some((text) => text.includes(':'));

test('configuration, operator, agents: each only when the one before shows its work', () => {
  const model = new CiliumModel();
  const met = model.run(wanted);
  expect(model.done).toEqual(['cilium/config', 'cilium/operator', 'cilium/agents']);
  expect(model.data).toEqual(CILIUM_DUAL);
  expect(model.nodes.every((node) => hasIPv6(node.podCIDRs) && hasIPv6(node.internalIPs))).toBe(true);
  expect(met.some(({ state }) => state.is === 'Failed')).toBe(false);
});

test('every agent that started found its pod CIDR at once: none has crashed', () => {
  const model = new CiliumModel();
  for (;;) {
    const step = model.advance(wanted);
    expect(model.workload('agent').pods.map(({ waiting }) => waiting)).not.toContain('CrashLoopBackOff');
    if (step === null) break;
  }
});

test('converted and back: the first keys again, no mark, and nothing of IPv6 in a CiliumNode', () => {
  const model = new CiliumModel();
  model.run(wanted);
  model.done.length = 0;
  model.run(back(model));
  expect(model.done).toEqual([
    'cilium/config',
    'cilium/agents',
    'cilium/pod-cidrs/cp-1',
    'cilium/pod-cidrs/worker-1',
    'cilium/pod-cidrs/worker-2',
    'cilium/operator',
  ]);
  expect(model.data).toEqual(CILIUM_CONFIG);
  expect(marks(model)).toEqual([]);
  expect(model.nodes.some((node) => hasIPv6([...node.podCIDRs, ...node.internalIPs]))).toBe(false);
  expect(model.nodes.map(({ operatorError }) => operatorError)).toEqual(['', '', '']);
});

test('a pod that has yet to start will read the configuration: it is not replaced once more', () => {
  const model = new CiliumModel();
  model.run(wanted);
  model.advance(back(model));
  expect(model.advance(back(model))?.id).toBe('cilium/agents');
  const { pods, newestHash } = model.workload('agent');
  const waiting = pods.map((pod) => ({ ...pod, hash: newestHash ?? '', startedAt: '', ready: false }));
  const { agent } = model.own;
  if (!agent.known || agent.value === null) throw new Error('the model always has the DaemonSet');
  const own = { ...model.own, agent: known({ ...agent.value, workload: { ...agent.value.workload, pods: waiting } }) };
  const step = cilium.steps(back(model), model.facts, own).find(({ id }) => id === 'cilium/agents');
  expect(step?.state.is).toBe('InProgress');
});

test('a conversion that stopped anywhere goes back as well', () => {
  for (let stop = 0; stop < 14; stop++) {
    const model = new CiliumModel();
    for (let pass = 0; pass < stop; pass++) model.advance(wanted);
    model.run(back(model));
    expect(model.data).toEqual(CILIUM_CONFIG);
    expect(model.nodes.some((node) => hasIPv6([...node.podCIDRs, ...node.internalIPs]))).toBe(false);
    expect(model.operatorHasIPv6).toBe(false);
  }
});

test('forward, back and forward again ends where forward ended', () => {
  const model = new CiliumModel();
  model.run(wanted);
  model.run(back(model));
  model.run(wanted);
  expect(model.data).toEqual(CILIUM_DUAL);
  expect(model.nodes.every((node) => hasIPv6(node.internalIPs))).toBe(true);
});

test('installed with both families: nothing is touched', () => {
  const model = new CiliumModel({}, { config: { data: CILIUM_DUAL }, nodes: withIPv6 });
  expect(model.run(wanted)).toEqual([]);
  expect(model.done).toEqual([]);
});

test('back from a cluster that had both families at first: off, and its pool goes, because the operator would not start with it', () => {
  const model = new CiliumModel({}, { config: { data: CILIUM_DUAL }, nodes: withIPv6 });
  model.run(wantedSingle());
  expect(model.data).toEqual(CILIUM_CONFIG);
  expect(model.operatorHasIPv6).toBe(false);
  expect(marks(model)).toEqual(['without IPv6', 'without IPv6']);
});

test('an agent restarted by hand counts as restarted', () => {
  const model = new CiliumModel();
  model.advance(wanted);
  for (const pod of model.workload('operator').pods) model.restart('operator', pod.node);
  model.pass(10);
  for (const pod of model.workload('agent').pods) model.restart('agent', pod.node);
  model.run(wanted);
  expect(model.done).toEqual(['cilium/config']);
});

test('the configuration waits for an IPv6 address of every Node, without which an agent ends', () => {
  const model = new CiliumModel();
  model.changeNode('worker-1', WITHOUT_IPV6);
  expect(model.steps(wanted)[0]).toMatchObject({
    id: 'cilium/config',
    state: { is: 'InProgress', why: expect.stringContaining('worker-1') },
  });
});

test('a tunnel needs no native routing CIDR; without one it is the pod network, and it goes again', () => {
  const data = { ...CILIUM_CONFIG, 'routing-mode': 'native' };
  const model = new CiliumModel({}, { config: { data } });
  model.run(wanted);
  expect(model.data).toEqual({ ...CILIUM_DUAL, 'routing-mode': 'native', 'ipv6-native-routing-cidr': PODS.IPv6 });
  expect(model.steps(wanted).every(({ state }) => state.is === 'Satisfied')).toBe(true);
  model.run(back(model));
  expect(model.data).toEqual(data);
  for (const unneeded of [{ 'enable-ipv6-masquerade': 'false' }, { 'enable-ip-masq-agent': 'true' }]) {
    const other = new CiliumModel({}, { config: { data: { ...data, ...unneeded } } });
    other.run(wanted);
    expect(other.data).not.toHaveProperty('ipv6-native-routing-cidr');
  }
});

test('with podCIDRs of Kubernetes: no pool of its own, and it waits for those of the Nodes', () => {
  const data = { 'enable-ipv4': 'true', 'enable-ipv6': 'false', ipam: 'kubernetes' };
  const waiting = new CiliumModel({}, { config: { data } });
  const replace = wantedDual({ nodes: { podCIDRs: 'Replace' } });
  expect(waiting.steps(replace)[0]?.state).toMatchObject({
    is: 'InProgress',
    why: expect.stringContaining('an IPv6 podCIDR'),
  });
  expect(waiting.steps(wanted)[0]?.state.is).toBe('Pending');
  const plugins = registry.bind({ ...waiting.facts, cni: { name: 'Cilium', detectedBy: '', own: waiting.own } });
  expect(plugins.cni.usesNodeIPAM).toBe(true);
  expect(checkPodCIDRs(wanted, waiting.facts, plugins, [])).toMatchObject([{ reason: 'PodCIDRsMissing' }]);

  const model = new CiliumModel({ podCIDRs: true }, { config: { data } });
  model.run(wanted);
  expect(model.data).toEqual({ ...data, 'enable-ipv6': 'true' });
  expect(model.nodes.every((node) => hasIPv6(node.internalIPs))).toBe(true);
  model.run(back(model));
  expect(model.data).toEqual(data);
  expect(model.done.filter((id) => id.startsWith('cilium/pod-cidrs'))).toEqual([]);
});

test('its own pools need no podCIDRs of Nodes', () => {
  const model = new CiliumModel();
  const plugins = registry.bind({ ...model.facts, cni: { name: 'Cilium', detectedBy: '', own: model.own } });
  expect(plugins.cni.usesNodeIPAM).toBe(false);
  expect(plugins.cni.podCIDRs()).toEqual([PODS.IPv4]);
  model.run(wanted);
  expect(cilium.podCIDRs(model.own)).toEqual([PODS.IPv4, PODS.IPv6]);
});

test('what Helm owns is handed over with exact values; the restarts that follow are made here', () => {
  const config = { owner: HELM, release: { name: 'cilium', namespace: 'kube-system' } };
  const model = new CiliumModel({}, { config });
  const [step] = model.steps(wanted);
  expect(step).toMatchObject({ kind: 'Handoff', id: 'cilium/config', state: { is: 'Pending' } });
  expect(step).toMatchObject({
    command:
      'helm upgrade cilium cilium --repo https://helm.cilium.io --namespace kube-system --version 1.18.4 --reuse-values ' +
      `--set 'ipv6.enabled=true' --set 'ipam.operator.clusterPoolIPv6PodCIDRList={${PODS.IPv6}}' ` +
      "--set 'ipam.operator.clusterPoolIPv6MaskSize=64'",
  });
  expect(cilium.check(wanted, model.facts, model.own)).toMatchObject([
    { reason: 'AnotherOwner', blocks: ['Pools', 'CNIConfig', 'CNIAgents'] },
  ]);
  model.configure(CILIUM_DUAL);
  expect(cilium.check(wanted, model.facts, model.own)).toEqual([]);
  model.run(wanted);
  expect(model.done).toEqual(['cilium/operator', 'cilium/agents']);

  expect(model.steps(back(model))[0]).toMatchObject({
    kind: 'Handoff',
    command: expect.stringContaining("'ipv6.enabled=false'"),
  });
  expect(cilium.check(back(model), model.facts, model.own)).toMatchObject([{ reason: 'AnotherOwner' }]);
});

test('Helm without a tunnel, back: the native routing CIDR is told to go, and where it stays the agents restart all the same', () => {
  const data = { ...CILIUM_CONFIG, 'routing-mode': 'native' };
  const config = { data, owner: HELM, release: { name: 'cilium', namespace: 'kube-system' } };
  const converted = { ...data, ...CILIUM_DUAL, 'ipv6-native-routing-cidr': PODS.IPv6 };
  const chartOff = {
    'enable-ipv6': 'false',
    'cluster-pool-ipv6-cidr': null,
    'cluster-pool-ipv6-mask-size': null,
  };
  for (const leftover of [null, PODS.IPv6]) {
    const model = new CiliumModel({}, { config });
    model.configure(converted);
    model.run(wanted);
    model.done.length = 0;
    expect(model.steps(back(model))[0]).toMatchObject({
      command: expect.stringMatching(/--set 'ipv6\.enabled=false' --set 'ipv6NativeRoutingCIDR='$/u),
      state: { is: 'Pending' },
    });
    expect(cilium.check(back(model), model.facts, model.own)).toMatchObject([
      { reason: 'AnotherOwner', remedy: expect.stringContaining('--repo https://helm.cilium.io') },
    ]);
    model.configure({ ...chartOff, 'ipv6-native-routing-cidr': leftover });
    expect(cilium.check(back(model), model.facts, model.own)).toEqual([]);
    expect(model.steps(back(model))[0]).toMatchObject({ state: { is: 'Satisfied' }, diff: [] });
    model.run(back(model));
    expect(model.done[0]).toBe('cilium/agents');
    expect(model.nodes.some((node) => hasIPv6([...node.podCIDRs, ...node.internalIPs]))).toBe(false);
  }
  const tunnel = new CiliumModel({}, { config: { owner: HELM, release: config.release } });
  tunnel.configure(CILIUM_DUAL);
  expect(JSON.stringify(tunnel.steps(back(tunnel))[0])).not.toContain('ipv6NativeRoutingCIDR');
});

test('what GitOps keeps is told as values, not as a command that would be undone', () => {
  const model = new CiliumModel({}, { config: { owner: ARGO } });
  const [step] = model.steps(wanted);
  expect(step).toMatchObject({
    command: expect.stringContaining(`ipam.operator.clusterPoolIPv6PodCIDRList: [${PODS.IPv6}]`),
  });
  expect(JSON.stringify(step)).not.toContain('helm upgrade');
});

test('a CiliumNode that the operator refuses is told with its error', () => {
  const model = new CiliumModel();
  model.advance(wanted);
  model.advance(wanted);
  const nodes = model.own.nodes.known ? model.own.nodes.value : {};
  const refused = { ...model.node('worker-1'), podCIDRs: ['10.244.2.0/24'], operatorError: 'allocator full' };
  model.own = { ...model.own, nodes: { known: true, value: { ...nodes, 'worker-1': refused } } };
  const failed = model.steps(wanted).find(({ id }) => id === 'cilium/operator');
  expect(failed?.state).toMatchObject({ is: 'Failed', why: expect.stringContaining('worker-1') });
  expect(failed?.state).toMatchObject({ why: expect.stringContaining('allocator full') });
});

const proofs = (model: CiliumModel) => {
  const read = cilium.nodeProofs?.(wanted, model.facts, model.own);
  if (read?.known !== true) throw new Error('proofs are always known here');
  return { inForce: read.value.inForce, nodes: [...read.value.nodes.values()].map(({ is }) => is) };
};

test('what it shows of single nodes: proven by its own address, and an agent that ends has lost its node', () => {
  const model = new CiliumModel({ workers: 1 });
  expect(proofs(model)).toEqual({ inForce: false, nodes: ['Pending', 'Pending'] });
  model.run(wanted);
  expect(proofs(model)).toEqual({ inForce: true, nodes: ['Proven', 'Proven'] });
  model.changeNode('worker-1', WITHOUT_IPV6);
  model.restart('agent', 'worker-1');
  expect(proofs(model)).toEqual({ inForce: true, nodes: ['Proven', 'LostPrimary'] });
});
