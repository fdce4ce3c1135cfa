import { expect, test } from '@jest/globals';
import { nodeIPSteps } from '../../../src/distributions/kubeadm/node-ips.ts';
import { chooseAddress } from '../../../src/model/node-address.ts';
import type { NodeFacts } from '../../../src/model/facts.ts';
import type { AgentCondition, HostAddress, HostReport } from '../../../src/model/host.ts';
import type { EditHost, Step, StepBase } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import {
  before,
  clusterFacts,
  type Deep,
  hostAddress,
  hostIPv4,
  hostIPv6,
  merge,
  nodeFacts,
  wantedDual,
  wantedSingle,
} from '../../support/facts.ts';

type Edit = StepBase & EditHost;
const editOf = (steps: readonly Step[], id: string): Edit => {
  const step = steps.find((candidate) => candidate.id === id);
  if (step?.kind !== 'EditHost') throw new Error(`no EditHost ${id}`);
  return step;
};

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
    'the lowest of equals, whenever they came',
    [
      { address: B, since: before(20) },
      { address: A, since: before(10) },
    ],
    A,
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
