import { expect, test } from '@jest/globals';
import { kubeadm } from '../../../src/distributions/kubeadm/index.ts';
import { nodeIPSteps } from '../../../src/distributions/kubeadm/node-ips.ts';
import { chooseAddress } from '../../../src/distributions/kubeadm/node-address.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { AgentCondition, HostAddress, HostReport } from '../../../src/model/host.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { EditHost, Step, StepBase } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import {
  AT,
  before,
  clusterFacts,
  type Deep,
  hostAddress,
  hostIPv4,
  hostIPv6,
  KCM_DUAL,
  KCM_SINGLE,
  merge,
  nodeFacts,
  PODS,
  POD_RANGES,
  running,
  SERVICE_RANGES,
  wantedDual,
  wantedSingle,
} from '../../support/facts.ts';
import { kubeadmCluster, kubeadmFacts, mirrorPods, proxyConfigText } from '../../support/kubeadm.ts';

type Edit = StepBase & EditHost;
const editOf = (steps: readonly Step[], id: string): Edit => {
  const step = steps.find((candidate) => candidate.id === id);
  if (step?.kind !== 'EditHost') throw new Error(`no EditHost ${id}`);
  return step;
};
const stepOf = (steps: readonly Step[], id: string): Step => {
  const step = steps.find((candidate) => candidate.id === id);
  if (step === undefined) throw new Error(`no step ${id} among ${steps.map((one) => one.id).join(' ')}`);
  return step;
};

// ---- node addresses

const addresses = (list: readonly (Partial<HostAddress> & { readonly address: string })[]): Deep<HostReport> => ({
  addresses: [hostAddress({ address: hostIPv4(1) }), ...list.map(hostAddress)],
});
const A = '2001:db8::a';
const B = '2001:db8::b';

test.each<[string, readonly (Partial<HostAddress> & { readonly address: string })[], string | null]>([
  ['the only one', [{ address: A }], A],
  ['none', [], null],
  ['never link-local', [{ address: 'fe80::1', scope: 'LinkLocal' }], null],
  [
    'never temporary',
    [
      { address: A, flags: ['temporary'] },
      { address: B, flags: [] },
    ],
    B,
  ],
  ['never deprecated', [{ address: A, flags: ['deprecated'] }], null],
  ['never tentative', [{ address: A, flags: ['tentative', 'permanent'] }], null],
  ['never a duplicate', [{ address: A, flags: ['dadfailed', 'permanent'] }], null],
  [
    'never of a container network',
    [
      { address: A, interface: 'vxlan.calico' },
      { address: B, interface: 'cni0' },
    ],
    null,
  ],
  [
    'a virtual IP last',
    [
      { address: A, prefixLength: 128 },
      { address: B, since: before(10) },
    ],
    B,
  ],
  ['a virtual IP rather than none', [{ address: A, prefixLength: 128 }], A],
  [
    'the interface of the other family first',
    [
      { address: A, interface: 'eth1' },
      { address: B, flags: [] },
    ],
    B,
  ],
  ['static before learned', [{ address: A, flags: [] }, { address: B }], B],
  ['global before unique local', [{ address: 'fd00::a', scope: 'UniqueLocal' }, { address: B }], B],
  ['unique local rather than none', [{ address: 'fd00::a', scope: 'UniqueLocal' }], 'fd00::a'],
  [
    'the one that was there first',
    [
      { address: A, since: before(10) },
      { address: B, since: before(20) },
    ],
    B,
  ],
])('the second address of a node: %s', (_, list, expected) => {
  expect(chooseAddress(nodeFacts(1, {}, {}, addresses(list)), 'IPv6')).toBe(expected);
});

test('what was asked before is kept while the host has it', () => {
  const node = nodeFacts(1, {}, {}, addresses([{ address: A }, { address: B }]));
  const asked = (address: string): NodeFacts =>
    merge<NodeFacts>(node, { agent: { spec: { kubelet: { nodeIPs: [hostIPv4(1), address] } } } });
  expect(chooseAddress(node, 'IPv6')).toBe(A);
  expect(chooseAddress(asked(B), 'IPv6')).toBe(B);
  expect(chooseAddress(asked('2001:db8::c'), 'IPv6')).toBe(A);
});

// ---- NodeIPs

const oneNode = (node: NodeFacts, wanted: Wanted = wantedDual()): Edit =>
  editOf(nodeIPSteps(wanted, clusterFacts({ nodes: [node] })), `node-ips/${node.name}`);

test('a node gets its pair, primary first, and forwarding', () => {
  const step = oneNode(nodeFacts(1));
  expect(step.state).toEqual({ is: 'Pending' });
  expect(step.settings).toEqual({
    kubelet: { nodeIPs: [hostIPv4(1), hostIPv6(1)] },
    sysctls: { 'net.ipv6.conf.all.forwarding': '1' },
  });
  expect(step.diff).toEqual([
    { path: '--node-ip', before: hostIPv4(1), after: `${hostIPv4(1)},${hostIPv6(1)}` },
    { path: 'net.ipv6.conf.all.forwarding', before: '0', after: '1' },
  ]);
});

test('IPv6 primary: its address stays first', () => {
  const node = nodeFacts(1, {}, { internalIPs: [hostIPv6(1)] });
  expect(oneNode(node, wantedDual({ families: ['IPv6', 'IPv4'] })).settings.kubelet?.nodeIPs).toEqual([
    hostIPv6(1),
    hostIPv4(1),
  ]);
});

const learned = (acceptRA: string): Deep<HostReport> => ({
  network: { acceptRA: { eth0: acceptRA }, defaultRoutes: { IPv6: { interface: 'eth0', learned: true } } },
});

test('a default route learned by router advertisement is kept: accept_ra comes before forwarding', () => {
  const { settings } = oneNode(nodeFacts(1, {}, {}, learned('1')));
  expect(Object.entries(settings.sysctls ?? {})).toEqual([
    ['net.ipv6.conf.eth0.accept_ra', '2'],
    ['net.ipv6.conf.all.forwarding', '1'],
  ]);
});

test.each(['0', '2'])(
  'accept_ra=%s is left alone: then something else, or the kernel already, takes care of it',
  (value) => {
    expect(oneNode(nodeFacts(1, {}, {}, learned(value))).settings.sysctls).toEqual({
      'net.ipv6.conf.all.forwarding': '1',
    });
  },
);

test('a node with both addresses is not touched, but for forwarding', () => {
  expect(oneNode(nodeFacts(1, { dual: true })).state.is).toBe('Satisfied');
  const step = oneNode(nodeFacts(1, { dual: true }, {}, { network: { forwarding: { IPv6: false } } }));
  expect(step.state.is).toBe('Pending');
  expect(step.settings).toEqual({ sysctls: { 'net.ipv6.conf.all.forwarding': '1' } });
  expect(step.disrupts).toBeNull();
});

test('nodeIP: Leave touches no kubelet', () => {
  const step = oneNode(nodeFacts(1), wantedDual({ nodes: { nodeIP: 'Leave' } }));
  expect(step.settings).toEqual({ sysctls: { 'net.ipv6.conf.all.forwarding': '1' } });
});

test('a kubelet with an external cloud provider keeps its addresses', () => {
  const step = oneNode(
    nodeFacts(
      1,
      {},
      {},
      { network: { forwarding: { IPv6: true } }, kubelet: { running: { args: { 'cloud-provider': 'external' } } } },
    ),
  );
  expect(step.settings).toEqual({});
  expect(step.state.is).toBe('Deferred');
});

const condition = (change: Partial<AgentCondition>): AgentCondition => ({
  type: 'Applied',
  status: 'False',
  reason: 'Applying',
  message: 'the kubelet restarts',
  observedGeneration: 3,
  lastTransitionTime: before(10),
  ...change,
});
const asked = (change: Deep<NodeFacts['agent']> = {}): NodeFacts =>
  merge<NodeFacts>(nodeFacts(1), {
    agent: {
      generation: 3,
      spec: {
        kubelet: { nodeIPs: [hostIPv4(1), hostIPv6(1)] },
        sysctls: { 'net.ipv6.conf.all.forwarding': '1' },
      },
      ...change,
    },
  });

test.each<[string, NodeFacts, string, RegExp | null]>([
  ['asked, nothing seen yet', asked(), 'InProgress', /does not show it yet/],
  ['the agent is at it', asked({ conditions: [condition({})] }), 'InProgress', /the kubelet restarts/],
  [
    'the agent will not',
    asked({ conditions: [condition({ reason: 'NotAllowed', message: 'not allowed' })] }),
    'Failed',
    /not allowed/,
  ],
  [
    'the agent undid it',
    asked({ conditions: [condition({ type: 'RolledBack', status: 'True', message: 'undone' })] }),
    'Failed',
    /undone/,
  ],
  [
    'an older undoing',
    asked({ conditions: [condition({ type: 'RolledBack', status: 'True', observedGeneration: 2 })] }),
    'InProgress',
    null,
  ],
  ['no agent', nodeFacts(1, { agent: false }), 'Pending', null],
  ['no agent, both addresses there', nodeFacts(1, { agent: false, dual: true }), 'Satisfied', null],
  ['no report yet', merge<NodeFacts>(nodeFacts(1), { agent: { report: null } }), 'Unknown', /has not reported/],
  [
    'no address, forwarding on',
    nodeFacts(1, { ipv6: false }, {}, { network: { forwarding: { IPv6: true } } }),
    'Deferred',
    /no usable IPv6 address/,
  ],
])('state of a node: %s', (_, node, is, why) => {
  const { state } = oneNode(node);
  expect(state.is).toBe(is);
  if (why !== null) expect('why' in state ? state.why : '').toMatch(why);
});

test('a node that is away is deferred when that is tolerated, and what has begun comes first', () => {
  const nodes = [nodeFacts(1, { name: 'a' }, { ready: false }), nodeFacts(2, { name: 'b' })];
  const states = (tolerateUnavailable: number) =>
    nodeIPSteps(wantedDual({ tolerateUnavailable }), clusterFacts({ nodes })).map((step) => step.state.is);
  expect(states(1)).toEqual(['Deferred', 'Pending']);
  expect(states(0)).toEqual(['Pending', 'Pending']);
  const begun = nodeIPSteps(
    wantedDual(),
    clusterFacts({ nodes: [nodeFacts(2, { name: 'a' }), { ...asked(), name: 'z' }] }),
  );
  expect(begun.map((step) => step.id)).toEqual(['node-ips/z', 'node-ips/a']);
});

test.each<[string, Deep<HostReport>, Deep<Wanted>, unknown]>([
  ['recorded address', { recorded: { kubelet: { nodeIP: hostIPv4(1) } } }, {}, { kubelet: { nodeIPs: [hostIPv4(1)] } }],
  ['recorded absence', { recorded: { kubelet: { nodeIP: null } } }, {}, { absent: { kubelet: ['node-ip'] } }],
  [
    'a pair from before',
    { recorded: { kubelet: { nodeIP: `${hostIPv4(1)},${hostIPv6(1)}` } } },
    {},
    { kubelet: { nodeIPs: [hostIPv4(1)] } },
  ],
  ['no record', {}, {}, { kubelet: { nodeIPs: [hostIPv4(1)] } }],
  [
    'recorded sysctl',
    { recorded: { sysctls: { 'net.ipv6.conf.all.forwarding': '0' } } },
    { nodes: { nodeIP: 'Leave' } },
    { sysctls: { 'net.ipv6.conf.all.forwarding': '0' } },
  ],
])('back: %s', (_, report, wanted, settings) => {
  expect(oneNode(nodeFacts(1, { dual: true }, {}, report), wantedSingle(wanted)).settings).toEqual(settings);
});

// ---- static pods

const controlPlane = (
  report: Deep<HostReport> = {},
  change: Deep<NodeFacts> = {},
): { facts: ClusterFacts; node: NodeFacts } => {
  const node = nodeFacts(1, { controlPlane: true }, change, report);
  return { facts: clusterFacts({ nodes: [node] }), node };
};
const stepsFor = (node: NodeFacts, wanted: Wanted = wantedDual(), ready = true): readonly Step[] => {
  const mirrors = mirrorPods(node, false).map((pod) => ({ ...pod, ready }));
  return kubeadm.steps(wanted, clusterFacts({ nodes: [node] }), kubeadmFacts([node], { mirrors }));
};
const spec = { 'kube-apiserver': { 'service-cluster-ip-range': SERVICE_RANGES.dual } };
const api = (name: string): Deep<HostReport> => ({
  staticPods: {
    'kube-apiserver': {
      running: running({ 'service-cluster-ip-range': name }),
      args: { 'service-cluster-ip-range': name },
    },
  },
});

test.each<[string, NodeFacts, boolean, string]>([
  ['one family', controlPlane().node, true, 'Pending'],
  ['both families, healthy and ready', controlPlane(api(SERVICE_RANGES.dual)).node, true, 'Satisfied'],
  ['both, spelt long', controlPlane(api('10.96.0.0/16,fd00:10:96:0::/112')).node, true, 'Satisfied'],
  ['both, not ready yet', controlPlane(api(SERVICE_RANGES.dual)).node, false, 'InProgress'],
  [
    'both, not healthy yet',
    controlPlane(merge(api(SERVICE_RANGES.dual), { staticPods: { 'kube-apiserver': { healthy: false } } })).node,
    true,
    'InProgress',
  ],
  ['asked', controlPlane({}, { agent: { spec: { staticPods: spec } } }).node, true, 'InProgress'],
  [
    'refused',
    controlPlane(
      {
        refused: [
          {
            component: 'kube-apiserver',
            flag: 'service-cluster-ip-range',
            value: SERVICE_RANGES.dual,
            generation: 2,
            why: 'it ended three times',
          },
        ],
      },
      { agent: { generation: 2, spec: { staticPods: spec } } },
    ).node,
    true,
    'Failed',
  ],
  [
    'another value was refused',
    controlPlane(
      {
        refused: [
          {
            component: 'kube-apiserver',
            flag: 'service-cluster-ip-range',
            value: '10.96.0.0/16,fd00::/64',
            generation: 1,
            why: 'it ended three times',
          },
        ],
      },
      { agent: { generation: 2 } },
    ).node,
    true,
    'Pending',
  ],
])('state of an API server: %s', (_, node, ready, is) => {
  const step = editOf(stepsFor(node, wantedDual(), ready), `api-server/${node.name}`);
  expect(step.state.is).toBe(is);
});

test('a mirror Pod of the process before proves nothing', () => {
  const node = nodeFacts(1, { controlPlane: true }, {}, api(SERVICE_RANGES.dual));
  const mirrors = mirrorPods(nodeFacts(1, { controlPlane: true }), false);
  const steps = kubeadm.steps(wantedDual(), clusterFacts({ nodes: [node] }), kubeadmFacts([node], { mirrors }));
  expect(editOf(steps, `api-server/${node.name}`).state).toMatchObject({
    is: 'InProgress',
    why: expect.stringMatching(/mirror Pod/),
  });
});

test('without agents the mirror Pods tell', () => {
  const { facts, own } = kubeadmCluster({ controlPlanes: 3, agents: false, dual: true });
  const open = kubeadm.steps(wantedDual(), facts, own).filter((step) => step.state.is !== 'Satisfied');
  expect(open.map((step) => step.id)).toEqual([]);
});

function withManager(args: Readonly<Record<string, string>>): NodeFacts {
  const node = nodeFacts(1, { controlPlane: true, name: 'cp-1' });
  const { report } = node.agent!;
  const pod = { ...report!.staticPods['kube-controller-manager']!, args, running: running(args) };
  return {
    ...node,
    agent: {
      ...node.agent!,
      report: { ...report!, staticPods: { ...report!.staticPods, 'kube-controller-manager': pod } },
    },
  };
}

const { 'allocate-node-cidrs': _ipam, ...WITHOUT_IPAM } = KCM_SINGLE;

test.each<[string, Readonly<Record<string, string>>, Wanted, unknown]>([
  [
    'networks and both masks at once, the old mask gone',
    { ...KCM_SINGLE, 'node-cidr-mask-size': '24' },
    wantedDual(),
    {
      staticPods: {
        'kube-controller-manager': {
          'cluster-cidr': POD_RANGES.dual,
          'service-cluster-ip-range': SERVICE_RANGES.dual,
          'node-cidr-mask-size-ipv4': '24',
          'node-cidr-mask-size-ipv6': '64',
        },
      },
      absent: { 'kube-controller-manager': ['node-cidr-mask-size'] },
    },
  ],
  [
    'without Node IPAM only the flags that are there',
    { 'service-cluster-ip-range': WITHOUT_IPAM['service-cluster-ip-range'] },
    wantedDual(),
    { staticPods: { 'kube-controller-manager': { 'service-cluster-ip-range': SERVICE_RANGES.dual } } },
  ],
  [
    'back without a record: one family, no mask of the other',
    KCM_DUAL,
    wantedSingle(),
    {
      staticPods: {
        'kube-controller-manager': { 'cluster-cidr': PODS.IPv4, 'service-cluster-ip-range': SERVICE_RANGES.single },
      },
      absent: { 'kube-controller-manager': ['node-cidr-mask-size-ipv6'] },
    },
  ],
])('controller manager: %s', (_, args, wanted, settings) => {
  expect(editOf(stepsFor(withManager(args), wanted), 'controller-manager/cp-1').settings).toEqual(settings);
});

test.each([
  [
    'default masks need not be written',
    { ...KCM_DUAL, 'node-cidr-mask-size-ipv4': undefined, 'node-cidr-mask-size-ipv6': undefined },
    'Satisfied',
  ],
  ['another mask is not enough', { ...KCM_DUAL, 'node-cidr-mask-size-ipv6': '80' }, 'Pending'],
  ['nothing that it uses', {}, 'Satisfied'],
])('state of a controller manager: %s', (_, args, is) => {
  const set = Object.fromEntries(
    Object.entries(args).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  expect(editOf(stepsFor(withManager(set)), 'controller-manager/cp-1').state.is).toBe(is);
});

// ---- the Lease

const lease = (holder: string, held: number, ago = 2) =>
  known({ holder, acquiredAt: before(held + ago), renewedAt: before(ago) });
/** Three nodes; those of `edited` run with the new flags since ten minutes less. */
function threeManagers(edited: readonly number[], change: Parameters<typeof kubeadmFacts>[2], leaseTransfer = true) {
  const nodes = [1, 2, 3].map((n) => {
    const node = nodeFacts(n, { controlPlane: true, name: `cp-${n}` });
    if (!edited.includes(n)) return node;
    return merge<NodeFacts>(node, {
      agent: {
        report: {
          staticPods: { 'kube-controller-manager': { args: KCM_DUAL, running: running(KCM_DUAL, before(100)) } },
        },
      },
    });
  });
  const facts = clusterFacts({ nodes }, { leaseTransfer });
  return kubeadm
    .steps(wantedDual(), facts, kubeadmFacts(nodes, {}, change))
    .filter((step) => step.phase === 'ControllerManager');
}
const shape = (steps: readonly Step[]) =>
  steps.map((step) => `${step.id.replace('controller-manager/', '')} ${step.state.is}`);

test.each<[string, readonly number[], Parameters<typeof kubeadmFacts>[2], readonly string[]]>([
  [
    'nothing done',
    [],
    { lease: lease('cp-1_x', 3000) },
    ['cp-2 Pending', 'transfer-lease Pending', 'cp-3 Pending', 'cp-1 Pending', 'lease Pending'],
  ],
  [
    'first standby done',
    [2],
    { lease: lease('cp-1_x', 3000) },
    ['cp-2 Satisfied', 'transfer-lease Pending', 'cp-3 Pending', 'cp-1 Pending', 'lease Pending'],
  ],
  [
    'transfer asked for',
    [2],
    { lease: lease('cp-1_x', 3000), transfer: { holderPrefix: 'cp-2_', until: before(-30) } },
    ['cp-2 Satisfied', 'transfer-lease InProgress', 'cp-3 Pending', 'cp-1 Pending', 'lease Pending'],
  ],
  [
    'transfer ran out without effect',
    [2],
    { lease: lease('cp-1_x', 3000), transfer: { holderPrefix: 'cp-2_', until: before(30) } },
    ['cp-2 Satisfied', 'transfer-lease Pending', 'cp-3 Pending', 'cp-1 Pending', 'lease Pending'],
  ],
  [
    'leads, not long enough',
    [2],
    { lease: lease('cp-2_x', 12) },
    ['cp-2 Satisfied', 'transfer-lease InProgress', 'cp-1 Pending', 'cp-3 Pending', 'lease Pending'],
  ],
  [
    'leads long enough',
    [2],
    { lease: lease('cp-2_x', 31) },
    ['cp-2 Satisfied', 'transfer-lease Satisfied', 'cp-1 Pending', 'cp-3 Pending', 'lease Pending'],
  ],
  [
    'led before its process of now',
    [2],
    { lease: lease('cp-2_x', 300) },
    ['cp-2 Satisfied', 'transfer-lease InProgress', 'cp-1 Pending', 'cp-3 Pending', 'lease Pending'],
  ],
  [
    'an old one leads again',
    [2, 3],
    { lease: lease('cp-1_x', 50) },
    ['cp-2 Satisfied', 'cp-3 Satisfied', 'transfer-lease Pending', 'cp-1 Pending', 'lease Pending'],
  ],
  [
    'all done, leads',
    [1, 2, 3],
    { lease: lease('cp-3_x', 40) },
    ['cp-1 Satisfied', 'cp-2 Satisfied', 'cp-3 Satisfied', 'transfer-lease Satisfied', 'lease Satisfied'],
  ],
  [
    'all done, leader is new',
    [1, 2, 3],
    { lease: lease('cp-3_x', 4) },
    ['cp-1 Satisfied', 'cp-2 Satisfied', 'cp-3 Satisfied', 'transfer-lease InProgress', 'lease InProgress'],
  ],
  [
    'no Lease to be read',
    [2],
    { lease: unknown('forbidden') },
    ['cp-2 Satisfied', 'transfer-lease Unknown', 'cp-1 Pending', 'cp-3 Pending', 'lease Unknown'],
  ],
])('three controller managers: %s', (_, edited, change, expected) => {
  expect(shape(threeManagers(edited, change))).toEqual(expected);
});

test('without the admission policy the leader comes last and is waited for', () => {
  expect(shape(threeManagers([], { lease: lease('cp-2_x', 3000) }, false))).toEqual([
    'cp-1 Pending',
    'cp-3 Pending',
    'cp-2 Pending',
    'lease Pending',
  ]);
});

test('the transfer names the changed instance by its hostname', () => {
  const transfer = stepOf(threeManagers([2], { lease: lease('cp-1_x', 3000) }), 'controller-manager/transfer-lease');
  expect(transfer).toMatchObject({
    kind: 'TransferLease',
    holderPrefix: 'cp-2_',
    lease: { kind: 'Lease', name: 'kube-controller-manager' },
  });
});

// ---- kube-proxy

const DUAL_TEXT = proxyConfigText(POD_RANGES.dual);
const proxyCluster = (change: Parameters<typeof kubeadmCluster>[1]) => kubeadmCluster({ dual: true }, change);

test('pods from before the configuration are not enough, whatever their template says', () => {
  const config = known({ text: DUAL_TEXT, resourceVersion: '9', changedAt: before(60) });
  const { facts, own } = proxyCluster({ proxyConfig: config });
  const step = stepOf(kubeadm.steps(wantedDual(), facts, own), 'kube-proxy/rollout');
  expect(step.state.is).toBe('Pending');
  expect(step).toMatchObject({ next: { is: 'Annotate', annotation: 'dualstack.dev/config-hash' } });
});

test('pods that started after the configuration are, also when nobody annotated them', () => {
  const { facts, own } = proxyCluster({});
  expect(stepOf(kubeadm.steps(wantedDual(), facts, own), 'kube-proxy/rollout').state.is).toBe('Satisfied');
});

test('a node that is down holds the DaemonSet up: the stale pods are replaced one by one', () => {
  const { facts, own } = proxyCluster({});
  const hash = stepOf(
    kubeadm.steps(
      wantedDual(),
      facts,
      proxyCluster({ proxyConfig: known({ text: DUAL_TEXT, resourceVersion: '9', changedAt: before(60) }) }).own,
    ),
    'kube-proxy/rollout',
  );
  const value = hash.kind === 'RolloutWorkload' && hash.next.is === 'Annotate' ? hash.next.value : null;
  const nodes = facts.nodes.map((node) => (node.name === 'worker-2' ? { ...node, ready: false } : node));
  if (!own.proxy.known || own.proxy.value === null || value === null) throw new Error('no kube-proxy');
  const stuck = {
    ...own.proxy.value,
    newestHash: 'rev-2',
    templateAnnotations: { 'dualstack.dev/config-hash': value },
  };
  const step = stepOf(
    kubeadm.steps(wantedDual({ tolerateUnavailable: 1 }), { ...facts, nodes }, { ...own, proxy: known(stuck) }),
    'kube-proxy/rollout',
  );
  expect(step).toMatchObject({
    state: { is: 'Pending' },
    next: { is: 'DeletePods', pods: [{ name: 'kube-proxy-cp-1' }] },
  });
  const renewed = {
    ...stuck,
    pods: stuck.pods.map((pod) => (pod.node === 'worker-2' ? pod : { ...pod, hash: 'rev-2', startedAt: before(5) })),
  };
  const rest = stepOf(
    kubeadm.steps(wantedDual({ tolerateUnavailable: 1 }), { ...facts, nodes }, { ...own, proxy: known(renewed) }),
    'kube-proxy/rollout',
  );
  expect(rest.state.is).toBe('Deferred');
});

test('no kube-proxy, no steps for it', () => {
  const { facts, own } = kubeadmCluster({}, { proxy: known(null) });
  expect(kubeadm.steps(wantedDual(), facts, own).filter((step) => step.phase === 'Proxy')).toEqual([]);
});

test('before 1.33 there is no ServiceCIDR to wait for', () => {
  const { facts, own } = kubeadmCluster();
  const old = { ...facts, basics: { ...facts.basics, kubernetesVersion: 'v1.32.9' } };
  const ids = (one: ClusterFacts) => kubeadm.steps(wantedDual(), one, own).map((step) => step.id);
  expect(ids(facts)).toContain('service-cidr');
  expect(ids(old)).not.toContain('service-cidr');
  expect(facts.at).toBe(AT);
});
