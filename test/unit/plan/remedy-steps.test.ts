import { expect, test } from '@jest/globals';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { AgentFacts } from '../../../src/model/host.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { tokenOf } from '../../../src/nodes/attempt.ts';
import { decide } from '../../../src/plan/next.ts';
import { remedySteps } from '../../../src/plan/remedy-steps.ts';
import {
  AT,
  before,
  clusterFacts,
  type Deep,
  hostAddress,
  hostIPv4,
  hostIPv6,
  nodeFacts,
  running,
  wantedDual,
  wantedSingle,
} from '../../support/facts.ts';
import { asked, clusterScene, NO_MEMORY, planScene } from '../../support/plan-scene.ts';
import { unmanagedFacts } from '../../support/unmanaged.ts';

const CAME = 1000;
/** A node whose kubelet a script started before its IPv6 had come. */
const late = (n: number, change: Deep<NodeFacts> = {}, agent: Deep<AgentFacts> = {}): NodeFacts =>
  nodeFacts(
    n,
    { controlPlane: n === 1 },
    { ...change, agent },
    {
      addresses: [hostAddress({ address: hostIPv4(n) }), hostAddress({ address: hostIPv6(n), since: before(CAME) })],
      kubelet: { running: running({ 'node-ip': hostIPv4(n) }, before(9000)), nodeIPFrom: 'KUBELET_NODE_IP' },
    },
  );
const tokenFor = (n: number, ago: number): string =>
  tokenOf({ count: 1, at: AT / 1000 - ago, since: AT / 1000 - CAME, address: hostIPv6(n) });
const restarting = (n: number, ago = 20): NodeFacts =>
  late(n, {}, { spec: { restart: { kubelet: tokenFor(n, ago) } } });
const whole = (n: number, change: Deep<NodeFacts> = {}): NodeFacts => nodeFacts(n, { dual: true }, change);
const away = { ready: false };
const upTo = (maxUnavailable: number): Wanted => wantedDual({ nodes: { maxUnavailable } });

const run = (nodes: readonly NodeFacts[], wanted = wantedDual(), memory = NO_MEMORY): readonly string[] =>
  remedySteps(wanted, clusterFacts({ nodes, dual: true }), memory).map(({ id, state }) => `${id} ${state.is}`);

test('what is asked of the agent is a restart by a token, and nothing else', () => {
  const [step] = remedySteps(wantedDual(), clusterFacts({ nodes: [whole(1), late(2)], dual: true }), NO_MEMORY);
  expect(step).toMatchObject({
    kind: 'EditHost',
    node: 'worker-2',
    remedy: true,
    again: false,
    settings: { restart: { kubelet: tokenFor(2, 0) } },
    phase: 'NodeIPs',
  });
  expect(Object.keys(step?.kind === 'EditHost' ? step.settings : {})).toEqual(['restart']);
});

test.each<[string, readonly NodeFacts[], Wanted, readonly string[]]>([
  ['one at a time, by name', [whole(1), late(3), late(2)], wantedDual(), ['remedy/worker-2 Pending']],
  ['workers first', [late(1), late(2)], wantedDual(), ['remedy/worker-2 Pending']],
  ['a control-plane node when no worker is left', [late(1), whole(2)], wantedDual(), ['remedy/cp-1 Pending']],
  ['one is under way', [late(2), restarting(3)], wantedDual(), ['remedy/worker-3 InProgress']],
  [
    'maxUnavailable allows two',
    [late(2), restarting(3), late(4)],
    upTo(2),
    ['remedy/worker-2 Pending', 'remedy/worker-3 InProgress'],
  ],
  [
    'but not three',
    [late(2), restarting(3), restarting(4)],
    upTo(2),
    ['remedy/worker-3 InProgress', 'remedy/worker-4 InProgress'],
  ],
  ['nor a control-plane node beside another', [late(1), restarting(3)], upTo(2), ['remedy/worker-3 InProgress']],
  ['a node that is away counts', [late(2), whole(3, away)], wantedDual(), []],
  [
    'unless it is tolerated',
    [late(2), whole(3, away)],
    wantedDual({ tolerateUnavailable: 1 }),
    ['remedy/worker-2 Pending'],
  ],
  ['or more are allowed', [late(2), whole(3, away)], upTo(2), ['remedy/worker-2 Pending']],
  ['it is away itself', [late(2, away)], wantedDual({ tolerateUnavailable: 1 }), []],
  [
    'one that did not help is in nobody’s way',
    [restarting(2, 500), late(3)],
    wantedDual(),
    ['remedy/worker-3 Pending'],
  ],
  ['the stop file', [late(2, {}, { report: { stopped: true } })], wantedDual(), []],
  ['its agent has not seen what was last asked', [late(2, {}, { generation: 2 })], wantedDual(), []],
  ['remediation: None', [late(2), restarting(3)], wantedDual({ nodes: { remediation: 'None' } }), []],
  ['the way back', [late(2)], wantedSingle(), []],
  ['nothing is wrong', [whole(1), whole(2)], wantedDual(), []],
])('%s', (_, nodes, wanted, expected) => {
  expect(run(nodes, wanted)).toEqual(expected);
});

test('an agent that could not do what was asked before is asked for nothing more', () => {
  const applied = {
    type: 'Applied',
    reason: 'AddressMissing',
    message: '',
    observedGeneration: 0,
    lastTransitionTime: '',
  } as const;
  expect(run([late(2, {}, { conditions: [{ ...applied, status: 'False' }] })])).toEqual([]);
  expect(run([late(2, {}, { conditions: [{ ...applied, status: 'True' }] })])).toEqual(['remedy/worker-2 Pending']);
});

test('a node that is deleted in the middle is forgotten: the next one follows at once', () => {
  expect(run([late(2), restarting(3)])).toEqual(['remedy/worker-3 InProgress']);
  expect(run([late(2)])).toEqual(['remedy/worker-2 Pending']);
  // One of the same name that joins later has nothing of it.
  expect(run([late(3)])).toEqual(['remedy/worker-3 Pending']);
});

const OLD = '2001:db8:dead::1';
const renumbered = (n: number, agent: Deep<AgentFacts> = {}): NodeFacts =>
  nodeFacts(
    n,
    { dual: true },
    { internalIPs: [hostIPv4(n), OLD], agent },
    { kubelet: { running: running({ 'node-ip': `${hostIPv4(n)},${OLD}` }) } },
  );
const GONE = { ...NO_MEMORY, goneSince: { 'worker-2': before(400) } };

test('a renumbered node is given its new address when the old one has been gone for the grace period', () => {
  const nodes = [whole(1), renumbered(2)];
  expect(run(nodes)).toEqual([]);
  const [step] = remedySteps(wantedDual(), clusterFacts({ nodes, dual: true }), GONE);
  expect(step).toMatchObject({
    settings: {
      kubelet: { nodeIPs: [hostIPv4(2), hostIPv6(2)] },
      restart: { kubelet: expect.stringMatching(new RegExp(String.raw`^1\.\d+\.\d+\.${hostIPv6(2)}$`, 'u')) },
    },
    diff: [{ path: '--node-ip', before: `${hostIPv4(2)},${OLD}`, after: `${hostIPv4(2)},${hostIPv6(2)}` }],
    state: { is: 'Pending' },
  });
  expect(run(nodes, wantedDual({ nodes: { nodeIP: 'Leave' } }), GONE)).toEqual([]);
  expect(
    run([renumbered(2, { spec: { kubelet: { nodeIPs: [hostIPv4(2), hostIPv6(2)] } } }), late(3)], wantedDual(), GONE),
  ).toEqual(['remedy/worker-2 InProgress']);
});

/** In a plan of a cluster that was converted. */
const decided = (
  nodes: readonly NodeFacts[],
  change: Record<string, unknown> = {},
  facts: Partial<ClusterFacts> = {},
) => {
  const scene = planScene(clusterScene({ nodes, dual: true }, facts), asked(change));
  const decision = decide(scene.plan, scene.facts, asked(change), NO_MEMORY, 1);
  return { plan: scene.plan, told: 'step' in decision ? `${decision.is} ${decision.step.id}` : decision.is };
};

test('in a plan: after the records, in nobody’s way, and no part of what is approved', () => {
  const cp = whole(9, { labels: { 'node-role.kubernetes.io/control-plane': '' }, controlPlane: true });
  const due = decided([cp, late(2)]);
  const open = due.plan.steps.filter(({ state }) => state.is !== 'Satisfied').map(({ id }) => id);
  expect(open.slice(0, 2)).toEqual(['record/cluster', 'remedy/worker-2']);
  const underWay = decided([cp, restarting(2)]);
  expect(underWay.plan.hash).toBe(due.plan.hash);
  // The script writes --node-ip there: the step that sets it leaves the node alone.
  expect(due.plan.steps.find(({ id }) => id === 'node-ips/worker-2')).toMatchObject({
    settings: { sysctls: { 'net.ipv6.conf.all.forwarding': '1' } },
  });
  expect(due.plan.steps.some((step) => step.kind === 'EditHost' && step.settings.kubelet !== undefined)).toBe(false);
  const node = late(2, {}, { report: { network: { forwarding: { IPv6: true } } } });
  expect(decided([cp, node]).plan.steps.find(({ id }) => id === 'node-ips/worker-2')?.state).toEqual({
    is: 'Deferred',
    why: 'a script on worker-2 works --node-ip out (KUBELET_NODE_IP)',
  });
});

test('where the operator does not edit hosts, it restarts nothing there', () => {
  const unmanaged = { distribution: { name: 'Unmanaged', detectedBy: '', own: unmanagedFacts() } };
  const facts = { ...clusterScene({ nodes: [whole(1), late(2)], dual: true }), ...unmanaged };
  expect(planScene(facts).plan.steps.filter(({ group }) => group === 'node-remedies')).toEqual([]);
});
