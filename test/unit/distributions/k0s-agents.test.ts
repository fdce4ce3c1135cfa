import { describe, expect, test } from '@jest/globals';
import type { NodeFacts } from '../../../src/model/facts.ts';
import type { AgentCondition, AgentFacts, HostReport, K0sReport, K0sWish } from '../../../src/model/host.ts';
import { known } from '../../../src/model/reader.ts';
import { editsKubelet, type Step } from '../../../src/model/step.ts';
import {
  APISERVER_DUAL,
  AT,
  before,
  type Deep,
  KCM_DUAL,
  merge,
  POD_RANGES,
  PODS,
  running,
  SERVICE_RANGES,
  SERVICES,
  wantedDual,
  wantedSingle,
} from '../../support/facts.ts';
import { ARGS, DUAL_SETTINGS, OLD_K0S_VERSION, SINGLE_SETTINGS } from '../../support/k0s.ts';
import { type Case, step, steps } from '../../support/k0s-steps.ts';

const ID = 'k0s-config/c1';

const edited = (scene: Case): Step & { readonly kind: 'EditHost' } => {
  const found = step({ byAgent: true, ...scene }, ID);
  if (found.kind !== 'EditHost') throw new Error(`${found.id} is ${found.kind}`);
  return found;
};

const WISH: K0sWish = {
  set: {
    'spec.network.podCIDR': PODS.IPv4,
    'spec.network.serviceCIDR': SERVICES.IPv4,
    'spec.network.dualStack.enabled': 'true',
    'spec.network.dualStack.IPv6podCIDR': PODS.IPv6,
    'spec.network.dualStack.IPv6serviceCIDR': SERVICES.IPv6,
    [`${ARGS}.node-cidr-mask-size-ipv6`]: '64',
  },
  absent: [`${ARGS}.node-cidr-mask-size`],
  shows: {
    'kube-apiserver': { 'service-cluster-ip-range': SERVICE_RANGES.dual },
    'kube-controller-manager': { 'cluster-cidr': POD_RANGES.dual },
  },
};

test('where an agent edits, the step is the settings and what the processes must show, and no command', () => {
  const found = edited({});
  expect(found).toMatchObject({ node: 'c1', phase: 'APIServer', state: { is: 'Pending' }, again: false });
  expect(found.settings).toEqual({ k0s: WISH });
  expect(found.diff.map(({ path }) => path)).toEqual([
    'spec.network.dualStack.enabled',
    'spec.network.dualStack.IPv6podCIDR',
    'spec.network.dualStack.IPv6serviceCIDR',
    `${ARGS}.node-cidr-mask-size-ipv6`,
  ]);
  expect(found.why).toContain('k0sctl.yaml');
});

test('the order that the Nodes need is asked for, and must show, where that of k0s is another', () => {
  const { k0s } = edited({ version: OLD_K0S_VERSION }).settings;
  expect(k0s?.set[`${ARGS}.cluster-cidr`]).toBe(POD_RANGES.dual);
  expect(k0s?.shows['kube-controller-manager']).toEqual({ 'cluster-cidr': POD_RANGES.dual });
});

test('with dynamic configuration the file has the Service networks, and the API server alone must show them', () => {
  const { k0s } = edited({ dynamic: true }).settings;
  expect(Object.keys(k0s?.shows ?? {})).toEqual(['kube-apiserver']);
  expect(Object.keys(k0s?.set ?? {}).filter((path) => path.startsWith(ARGS))).toEqual([]);
});

test('what k0s takes by itself is not written down', () => {
  const settings = { 'spec.network.podCIDR': '10.244.0.0/16', 'spec.api.address': '192.0.2.11' };
  const wanted = wantedDual({
    pods: { IPv4: '10.244.0.0/16', IPv6: PODS.IPv6 },
    services: { IPv4: '10.96.0.0/12', IPv6: SERVICES.IPv6 },
  });
  const found = edited({ wanted, report: {}, node: (node) => withSettings(node, settings) });
  expect(found.settings.k0s?.set).not.toHaveProperty(['spec.network.serviceCIDR']);
  expect(found.settings.k0s?.set).toHaveProperty(['spec.network.podCIDR'], '10.244.0.0/16');
});

const change = (node: NodeFacts, agent: Deep<AgentFacts>): NodeFacts => merge<NodeFacts>(node, { agent });
const withSettings = (node: NodeFacts, settings: Readonly<Record<string, string>>): NodeFacts => {
  const k0s = node.agent?.report?.k0s;
  if (node.agent?.report == null || k0s === undefined) return node;
  return { ...node, agent: { ...node.agent, report: { ...node.agent.report, k0s: { ...k0s, settings } } } };
};
const condition = (type: AgentCondition['type'], reason: string, message = ''): AgentCondition => ({
  type,
  status: type === 'RolledBack' ? 'True' : 'False',
  reason,
  message,
  observedGeneration: 7,
  lastTransitionTime: before(10),
});
const asked = { generation: 7, observedGeneration: 7, spec: { k0s: WISH } } as const;
const ofC1 =
  (agent: Deep<AgentFacts>, more: Partial<NodeFacts> = {}) =>
  (node: NodeFacts): NodeFacts =>
    node.name === 'c1' ? { ...change(node, agent), ...more } : node;
const CONVERTED: Deep<K0sReport> = {
  settings: DUAL_SETTINGS,
  running: { 'kube-apiserver': running(APISERVER_DUAL), 'kube-controller-manager': running(KCM_DUAL) },
};
const refused: HostReport['refused'] = [
  { component: 'k0s', flag: 'spec.network.dualStack.enabled', value: 'true', generation: 7, why: 'k0s ended' },
];

describe('how far it is', () => {
  test.each<[string, Case, string, RegExp]>([
    ['done', { report: CONVERTED }, 'Satisfied', /runs with 10\./u],
    ['done, and asked for', { report: CONVERTED, node: ofC1(asked) }, 'Satisfied', /runs with/u],
    [
      'asked for something else before',
      {
        report: CONVERTED,
        node: ofC1({ ...asked, spec: { k0s: { ...WISH, set: { 'spec.network.dualStack.enabled': 'false' } } } }),
      },
      'Pending',
      /^$/u,
    ],
    [
      'its Node is not back',
      { report: CONVERTED, node: ofC1(asked, { ready: false }) },
      'InProgress',
      /Node c1 is not ready/u,
    ],
    [
      'it does not answer yet',
      { report: { ...CONVERTED, healthy: false }, node: ofC1(asked) },
      'InProgress',
      /does not answer well/u,
    ],
    [
      'written, and not read by k0s',
      { report: { settings: DUAL_SETTINGS }, node: ofC1(asked) },
      'InProgress',
      /runs with --service-cluster-ip-range/u,
    ],
    [
      'the agent is at it',
      { node: ofC1({ ...asked, conditions: [condition('Applied', 'Applying', 'k0s is being restarted.')] }) },
      'InProgress',
      /k0s is being restarted/u,
    ],
    [
      'undone',
      { node: ofC1({ ...asked, report: { refused } }) },
      'Failed',
      /the agent put the old text back: k0s ended/u,
    ],
    [
      'undone for a spec of before',
      { node: ofC1({ ...asked, generation: 8, report: { refused } }) },
      'InProgress',
      /./u,
    ],
    [
      'not understood by the agent',
      { node: ofC1({ ...asked, conditions: [condition('Applied', 'NotAllowed', 'no such key')] }) },
      'Failed',
      /no such key/u,
    ],
    [
      'changed by another hand',
      { node: ofC1({ ...asked, conditions: [condition('Applied', 'Drifted')] }) },
      'Pending',
      /^$/u,
    ],
  ])('%s', (_name, scene, is, why) => {
    const { state } = edited(scene);
    expect(state.is).toBe(is);
    expect('why' in state ? state.why : 'evidence' in state ? state.evidence : '').toMatch(why);
  });

  test('an agent that saw the change taken out is asked once more', () => {
    expect(edited({ node: ofC1({ ...asked, conditions: [condition('Applied', 'Drifted')] }) }).again).toBe(true);
  });
});

test('handed over as ever, and it is told why an agent leaves it', () => {
  const found = step({ byAgent: true, report: { byHand: 'there is no /etc/k0s/k0s.yaml' } }, ID);
  expect(found.kind).toBe('Handoff');
  expect(found.why).toMatch(/The agent leaves it to you: there is no \/etc\/k0s\/k0s\.yaml\.$/u);
});

test('an agent that never edits says nothing about it', () => {
  const found = step({}, ID);
  expect(found.kind).toBe('Handoff');
  expect(found.why).not.toContain('The agent');
});

const fileOrder = (scene: Case): readonly string[] =>
  steps({ byAgent: true, ...scene }).flatMap(({ id }) =>
    /^k0s-config|transfer/u.test(id) ? [id.replace('k0s-config/', '')] : [],
  );
const leads = (name: string, seconds = 3500) => ({
  lease: known({ holder: `${name}_0f2e`, acquiredAt: before(seconds), renewedAt: before(1) }),
});

describe('the order of controllers', () => {
  test('what needs nobody, then what people do, the leader last; the first must lead before the second', () => {
    expect(fileOrder({ controllers: 3, hidden: 2, own: leads('c2') })).toEqual([
      'c1',
      'controller-manager/transfer-lease',
      'c3',
      'x1',
      'x2',
      'c2',
    ]);
    expect(fileOrder({ controllers: 2, hidden: 1, own: leads('x1') })).toEqual([
      'c1',
      'controller-manager/transfer-lease',
      'c2',
      'x1',
    ]);
  });
  test('what has been begun is finished first', () => {
    expect(
      fileOrder({
        controllers: 3,
        own: leads('c3'),
        node: (node) => (node.name === 'c2' ? change(node, asked) : node),
      }).slice(0, 2),
    ).toEqual(['c2', 'controller-manager/transfer-lease']);
  });
  test('one controller, dynamic configuration or no policy: nothing is passed on', () => {
    for (const scene of [
      { controllers: 1 },
      { controllers: 3, dynamic: true },
      { controllers: 3, facts: { leaseTransfer: false } },
    ]) {
      expect(fileOrder(scene)).not.toContain('controller-manager/transfer-lease');
    }
  });
});

/** The first controller has what it shall have. */
const isFirstDone = (node: NodeFacts): NodeFacts => {
  if (node.name !== 'c1' || node.agent?.report == null) return node;
  const k0s = merge<K0sReport>(node.agent.report.k0s as K0sReport, CONVERTED);
  return { ...node, agent: { ...node.agent, report: { ...node.agent.report, k0s } } };
};
const transfer = (own: Case['own']): Step =>
  step({ byAgent: true, controllers: 3, node: isFirstDone, own: { ...own } }, 'controller-manager/transfer-lease');

const notReady =
  (name: string) =>
  (node: NodeFacts): NodeFacts =>
    node.name === name ? { ...node, ready: false } : node;

test('no controller is restarted while the host of another is not back', () => {
  const { state } = edited({ controllers: 3, node: notReady('c2') });
  expect(state).toEqual({ is: 'Unknown', why: expect.stringContaining('Node c2') });
  expect(edited({ controllers: 3, node: notReady('w1') }).state.is).toBe('Pending');
});

describe('the Lease', () => {
  test.each<[string, Case['own'], string]>([
    ['another leads', leads('c2'), 'Pending'],
    [
      'it was asked to pass',
      { ...leads('c2'), transfer: { holderPrefix: 'c1_', until: new Date(AT + 30_000).toISOString() } },
      'InProgress',
    ],
    ['it was asked in vain', { ...leads('c2'), transfer: { holderPrefix: 'c1_', until: before(5) } }, 'Pending'],
    ['the first has it for a moment', leads('c1', 10), 'InProgress'],
    ['the first has held it long enough', leads('c1', 45), 'Satisfied'],
    ['somebody who is none of the hosts', leads('elsewhere'), 'InProgress'],
  ])('%s', (_name, own, is) => expect(transfer(own).state.is).toBe(is));

  test('it passes to the host that was changed', () => {
    expect(transfer(leads('c2'))).toMatchObject({ kind: 'TransferLease', holderPrefix: 'c1_' });
  });
});

const back = (recorded: Readonly<Record<string, string | null>>): K0sWish | undefined =>
  edited({ wanted: wantedSingle(), dual: true, node: ofC1({ report: { recorded: { k0s: recorded } } }) }).settings.k0s;
const FIRST = Object.fromEntries(Object.keys(WISH.set).map((path) => [path, SINGLE_SETTINGS[path] ?? null]));

describe('the way back', () => {
  test('first values, as far as they were those of one family', () => {
    const wish = back({ ...FIRST, [`${ARGS}.node-cidr-mask-size`]: '25' });
    expect(wish?.absent).toContain('spec.network.dualStack.enabled');
    expect(wish?.set[`${ARGS}.node-cidr-mask-size`]).toBe('25');
    expect(wish?.shows).toEqual({
      'kube-apiserver': { 'service-cluster-ip-range': SERVICES.IPv4 },
      'kube-controller-manager': { 'cluster-cidr': PODS.IPv4 },
    });
  });
  test.each([
    ['dual-stack was on', { ...FIRST, 'spec.network.dualStack.enabled': 'true' }],
    ['another network', { ...FIRST, 'spec.network.podCIDR': '10.9.0.0/16' }],
    ['two networks in an argument', { ...FIRST, [`${ARGS}.cluster-cidr`]: POD_RANGES.dual }],
  ])('not of a cluster in which %s', (_name, first) => {
    const wish = back(first);
    expect(wish?.set['spec.network.dualStack.enabled']).toBe('false');
    expect(wish?.set['spec.network.podCIDR']).toBe(PODS.IPv4);
    expect(wish?.absent).toContain(`${ARGS}.cluster-cidr`);
  });
});

test('an agent that edits k0s’ file is not one that can restart a kubelet for a single node', () => {
  expect(steps({ byAgent: true }).some(editsKubelet)).toBe(false);
});
