import { expect, test } from '@jest/globals';
import { array, assert, constant, integer, oneof, property } from 'fast-check';
import type { BoundPlugins } from '../../../src/model/bound.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { NodeHolder } from '../../../src/model/node-holders.ts';
import type { Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { contains, overlaps, parseCidr } from '../../../src/net/cidr.ts';
import { checkPodCIDRs, podCIDRSteps } from '../../../src/plan/pod-cidrs.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { before, clusterFacts, type Deep, nodeFacts, PODS, wantedDual, wantedSingle } from '../../support/facts.ts';
import { asked, askedBack, clusterScene, planScene } from '../../support/plan-scene.ts';

const REPLACE: Deep<Wanted> = { nodes: { podCIDRs: 'Replace' } };
const forward = (change: Deep<Wanted> = {}): Wanted => ({ ...wantedDual(REPLACE), ...(change as Partial<Wanted>) });
const back = (): Wanted => wantedSingle(REPLACE);

const plugins = (name = 'Flannel', usesNodeIPAM = true): BoundPlugins =>
  ({ cni: { name, usesNodeIPAM }, distribution: { name: 'Kubeadm' } }) as BoundPlugins;

/** A control-plane node `cp-1` and workers from `worker-2` on; by name what is different about them. */
function cluster(change: Readonly<Record<string, Partial<NodeFacts>>> = {}, workers = 2): ClusterFacts {
  const nodes = [
    nodeFacts(1, { controlPlane: true }),
    ...Array.from({ length: workers }, (_, n) => nodeFacts(n + 2)),
  ].map((node) => ({ ...node, ...change[node.name] }));
  return clusterFacts({ nodes });
}

const told = (step: Step): string =>
  step.kind === 'ReplaceNode' ? `${step.node} ${step.state.is} ${step.podCIDRs.join()}` : step.kind;
const stepsOf = (wanted: Wanted, facts: ClusterFacts, of = plugins()): readonly string[] =>
  podCIDRSteps(wanted, facts, of).map(told);
const findingsOf = (wanted: Wanted, facts: ClusterFacts, of = plugins()) =>
  checkPodCIDRs(wanted, facts, of, podCIDRSteps(wanted, facts, of));

test('workers first, control planes last, each with the next subnet', () => {
  expect(stepsOf(forward(), cluster())).toEqual([
    'worker-2 Pending 10.244.2.0/24,fd00:10:244::/64',
    'worker-3 Pending 10.244.3.0/24,fd00:10:244:1::/64',
    'cp-1 Pending 10.244.1.0/24,fd00:10:244:2::/64',
  ]);
});

test.each<[string, Wanted, Record<string, Partial<NodeFacts>>, string]>([
  [
    'what Node IPAM gave meanwhile is passed over',
    forward(),
    { 'worker-3': { podCIDRs: ['10.244.3.0/24', 'fd00:10:244::/64'] } },
    'worker-2 Pending 10.244.2.0/24,fd00:10:244:1::/64',
  ],
  [
    'a Node that is half-way keeps what it has',
    forward(),
    { 'worker-2': { podCIDRs: ['10.244.2.0/24', 'fd00:10:244:7::/64'] } },
    'worker-2 Satisfied 10.244.2.0/24,fd00:10:244:7::/64',
  ],
  [
    'a wider network of another mask is passed over whole',
    forward(),
    { 'worker-3': { podCIDRs: ['10.244.3.0/24', 'fd00:10:244::/62'] } },
    'worker-2 Pending 10.244.2.0/24,fd00:10:244:4::/64',
  ],
  [
    'a narrower one too',
    forward(),
    { 'worker-3': { podCIDRs: ['10.244.3.0/24', 'fd00:10:244:0:8000::/80'] } },
    'worker-2 Pending 10.244.2.0/24,fd00:10:244:1::/64',
  ],
  [
    'an uncanonical primary stays as it is written',
    forward(),
    { 'worker-2': { podCIDRs: ['10.244.2.7/24'] } },
    'worker-2 Pending 10.244.2.7/24,fd00:10:244::/64',
  ],
  ['a Node that has none yet is left to Node IPAM', forward(), { 'worker-2': { podCIDRs: [] } }, 'worker-2 Deferred '],
  [
    'a node that is away, where that is tolerated',
    forward({ tolerateUnavailable: 1 }),
    { 'worker-2': { ready: false } },
    'worker-2 Deferred 10.244.2.0/24,fd00:10:244::/64',
  ],
  [
    'back to the primary alone',
    back(),
    { 'worker-2': { podCIDRs: ['10.244.2.0/24', 'fd00:10:244:7::/64'] } },
    'worker-2 Pending 10.244.2.0/24',
  ],
  ['nothing to take back', back(), {}, 'worker-2 Satisfied 10.244.2.0/24'],
  [
    'a node that is away on the way back',
    back(),
    { 'worker-2': { podCIDRs: ['10.244.2.0/24', 'fd00:10:244:7::/64'], ready: false } },
    'worker-2 Deferred 10.244.2.0/24',
  ],
])('%s', (_name, wanted, change, expected) => {
  expect(stepsOf(wanted, cluster(change))[0]).toBe(expected);
});

test('an IPv6 cluster gets IPv4, and keeps its IPv6', () => {
  const wanted = { ...forward(), families: ['IPv6', 'IPv4'] as const };
  const facts = cluster({ 'worker-2': { podCIDRs: ['fd00:10:244:5::/64'] } }, 1);
  expect(stepsOf(wanted, { ...facts, nodes: facts.nodes.slice(1) })).toEqual([
    'worker-2 Pending fd00:10:244:5::/64,10.244.0.0/24',
  ]);
});

const REPLACED = ['10.244.3.0/24', 'fd00:10:244::/64'];
/** Replaced so many seconds ago, its Lease renewed so many seconds ago. */
const replaced = (ago: number, renewed: number | null, change: Partial<NodeFacts> = {}): Partial<NodeFacts> => ({
  podCIDRs: REPLACED,
  createdAt: before(ago),
  renewedAt: known(renewed === null ? null : before(renewed).replace('Z', '.000000Z')),
  ...change,
});
const stateOf = (wanted: Wanted, facts: ClusterFacts, name: string) =>
  podCIDRSteps(wanted, facts, plugins()).find((step) => step.kind === 'ReplaceNode' && step.node === name)?.state;

test.each<[string, Wanted, Partial<NodeFacts>, string, RegExp | null]>([
  [
    'its kubelet has not been seen since',
    forward(),
    replaced(5, 9),
    'InProgress',
    /kubelet of worker-3 .*Lease kube-node-lease\/worker-3 .*the last time was/u,
  ],
  ['in the same second, which may have been before', forward(), replaced(5, 5), 'InProgress', null],
  ['there is no Lease', forward(), replaced(5, null), 'InProgress', /there is none/u],
  ['it has renewed its Lease', forward(), replaced(5, 4), 'Satisfied', null],
  [
    'it has, and the Node is not Ready',
    forward(),
    replaced(20, 4, { ready: false }),
    'InProgress',
    /worker-3 is not Ready again/u,
  ],
  ['not Ready for long, which others may be too', forward(), replaced(190, 4, { ready: false }), 'Satisfied', null],
  ['still not after a while', forward(), replaced(180, 190), 'InProgress', null],
  [
    'still not after too long',
    forward(),
    replaced(181, 190),
    'Failed',
    /kubelet of worker-3 has not renewed .* 180 s/u,
  ],
  [
    'too long, and nodes may be away',
    forward({ tolerateUnavailable: 1 }),
    replaced(181, 190, { ready: false }),
    'Deferred',
    null,
  ],
  [
    'too long, nodes may be away, and it is Ready by its old status',
    forward({ tolerateUnavailable: 1 }),
    replaced(181, 190),
    'Failed',
    null,
  ],
  ['the Lease cannot be read', forward(), replaced(5, 5, { renewedAt: unknown('forbidden') }), 'Unknown', /forbidden/u],
  ['it was not replaced', forward(), { podCIDRs: REPLACED, createdAt: before(5) }, 'Satisfied', null],
  ['on the way back', back(), replaced(5, 9, { podCIDRs: REPLACED.slice(0, 1) }), 'InProgress', null],
  [
    'on the way back, gone',
    back(),
    replaced(400, 409, { podCIDRs: REPLACED.slice(0, 1), ready: false }),
    'Deferred',
    null,
  ],
  ['the way back is asked for meanwhile', back(), replaced(5, 9), 'InProgress', null],
])('a replaced Node, %s', (_name, wanted, change, state, why) => {
  const found = stateOf(wanted, cluster({ 'worker-3': change }), 'worker-3');
  expect(found?.is).toBe(state);
  if (why !== null) expect(found).toMatchObject({ why: expect.stringMatching(why) });
  if (found?.is === 'Failed') expect(found.remedy).toMatch(/journalctl -u kubelet.*kubectl delete node worker-3/u);
});

/** The first step that is not yet true, where that node is so. */
const firstOpen = (change: Partial<NodeFacts>, name: string) => {
  const steps = podCIDRSteps(forward(), cluster({ [name]: change }), plugins());
  return told(steps.find(({ state }) => state.is !== 'Satisfied')!)
    .split(' ')
    .slice(0, 2)
    .join(' ');
};

test('no other Node is replaced before the kubelet of the last one was seen, whichever comes first by name', () => {
  for (const name of ['worker-2', 'worker-3', 'cp-1']) {
    expect(firstOpen(replaced(5, 9), name)).toBe(`${name} InProgress`);
    expect(firstOpen(replaced(500, 509), name)).toBe(`${name} Failed`);
  }
  expect(firstOpen(replaced(5, 4), 'worker-2')).toBe('worker-3 Pending');
});

test('no subnet is left: the step failed and says so', () => {
  const wanted = forward({ pods: { ...PODS, IPv6: 'fd00:10:244::/63' } });
  const [first, second, third] = podCIDRSteps(wanted, cluster(), plugins());
  expect([first?.state.is, second?.state.is]).toEqual(['Pending', 'Pending']);
  expect(third).toMatchObject({ state: { is: 'Failed', why: expect.stringContaining('cp-1') }, diff: [] });
});

test.each<[string, Wanted, BoundPlugins, number]>([
  ['not asked for', wantedDual(), plugins(), 0],
  ['to be drained before', wantedDual({ nodes: { podCIDRs: 'Drain' } }), plugins(), 3],
  ['a network plug-in with addresses of its own', forward(), plugins('Calico', false), 0],
  ['one that nobody knows', forward(), plugins('Unmanaged', false), 3],
  ['back, whatever the network plug-in is', back(), plugins('Calico', false), 3],
  ['back, not asked for', wantedSingle(), plugins(), 0],
])('steps or none: %s', (_name, wanted, of, count) => {
  expect(podCIDRSteps(wanted, cluster(), of)).toHaveLength(count);
});

test('without Node IPAM there is nothing to do', () => {
  const none = { podCIDRs: [] };
  expect(stepsOf(forward(), cluster({ 'cp-1': none, 'worker-2': none, 'worker-3': none }))).toEqual([]);
});

test('no two Nodes get overlapping subnets, all lie in the network, and no primary changes', () => {
  const subnet = oneof(
    constant([] as string[]),
    integer({ min: 0, max: 40 }).map((n) => [`fd00:10:244:${n.toString(16)}::/64`]),
    integer({ min: 0, max: 9 }).map((n) => [`fd00:10:244:${(n * 4).toString(16)}::/62`]),
  );
  assert(
    property(array(subnet, { minLength: 1, maxLength: 30 }), (held) => {
      const seen: string[] = [];
      const nodes = held.map((extra, n) => {
        const isFree = extra.every((text) => !seen.some((other) => overlapping(other, text)));
        if (isFree) seen.push(...extra);
        return nodeFacts(n + 1, {}, { podCIDRs: [`10.244.${n}.0/24`, ...(isFree ? extra : [])] });
      });
      const steps = podCIDRSteps(forward(), clusterFacts({ nodes }), plugins());
      const chosen = steps.flatMap((step) => (step.kind === 'ReplaceNode' ? [step.podCIDRs] : []));
      const second = chosen.map((cidrs) => cidrs[1]!);
      expect(new Set(chosen.map(([primary]) => primary))).toEqual(new Set(nodes.map((node) => node.podCIDRs[0])));
      second.forEach((text, index) => {
        expect(within(PODS.IPv6, text)).toBe(true);
        expect(second.some((other, at) => at !== index && overlapping(other, text))).toBe(false);
      });
    }),
  );
});

const cidr = (text: string) => {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
};
const overlapping = (a: string, b: string): boolean => overlaps(cidr(a), cidr(b));
const within = (network: string, text: string): boolean => contains(cidr(network), cidr(text));

test('5,000 Nodes are planned with little work', () => {
  const nodes = Array.from({ length: 5000 }, (_, n) => nodeFacts(n + 1, { agent: false }));
  const wanted = forward({ pods: { ...PODS, IPv6: 'fd00:10:244::/48' } });
  const started = process.cpuUsage();
  expect(podCIDRSteps(wanted, clusterFacts({ nodes }), plugins())).toHaveLength(5000);
  expect(process.cpuUsage(started).user / 1e6).toBeLessThan(3);
});

const holder = (is: NodeHolder['is'], who: string, sign: string): NodeHolder => ({ is, who, sign });

test.each<[string, NodeHolder, RegExp]>([
  ['a machine', holder('Machine', 'Cluster API', 'annotation cluster.x-k8s.io/machine'), /machines anew/u],
  ['a cloud', holder('Cloud', 'the cloud provider', 'spec.providerID aws:///i'), /Make new nodes/u],
  ['volumes', holder('Volumes', 'attached volumes', 'volume v'), /kubectl drain/u],
  ['a finalizer', holder('Finalizer', 'the owner of a finalizer', 'finalizer f'), /finalizer/u],
])('%s of one Node blocks the phase, and is told once with its remedy', (_name, found, remedy) => {
  const held = { holders: [found] };
  const findings = findingsOf(forward(), cluster({ 'worker-2': held, 'worker-3': held }));
  expect(findings).toEqual([
    {
      reason: 'NodeReplacementUnsafe',
      object: { apiVersion: 'v1', kind: 'Node', name: 'worker-2' },
      message: `2 of 3 Nodes cannot be replaced safely because of ${found.who} (${found.sign} of worker-2): worker-2, worker-3.`,
      remedy: expect.stringMatching(remedy),
      blocks: ['PodCIDRs'],
    },
  ]);
});

test('what holds a Node that is not to be replaced is no finding', () => {
  const held = { holders: [holder('Volumes', 'attached volumes', 'volume v')] };
  const done = { ...held, podCIDRs: ['10.244.2.0/24', 'fd00:10:244::/64'] };
  expect(findingsOf(forward(), cluster({ 'worker-2': done }))).toEqual([]);
});

test.each<[string, BoundPlugins, string | null]>([
  ['Calico', plugins('Calico', false), 'calico-kube-controllers runs'],
  ['nobody knows which', plugins('Unmanaged', false), 'calico-kube-controllers runs'],
  ['one that takes addresses from podCIDRs', plugins('Canal', true), null],
])('calico-kube-controllers that run: %s', (_name, of, message) => {
  const facts = cluster({ 'worker-2': { podCIDRs: ['10.244.2.0/24', 'fd00:10:244::/64'] } });
  const Pod = [...facts.basics.objects.Pod, 'kube-system/calico-kube-controllers-5f4-x'];
  const running = { ...facts, basics: { ...facts.basics, objects: { ...facts.basics.objects, Pod } } };
  const findings = findingsOf(back(), running, of);
  expect(findings.map((finding) => finding.message.slice(0, 28))).toEqual(message === null ? [] : [message]);
  expect(findingsOf(back(), facts, of)).toEqual([]);
});

test('more nodes are away than is tolerated: nothing is replaced forward; back each goes by itself', () => {
  const away = { 'worker-2': { ready: false } };
  expect(findingsOf(forward(), cluster(away))).toMatchObject([{ reason: 'NodesNotReady', blocks: ['PodCIDRs'] }]);
  expect(findingsOf(forward({ tolerateUnavailable: 1 }), cluster(away))).toEqual([]);
  const dual = ['10.244.3.0/24', 'fd00:10:244::/64'];
  expect(findingsOf(back(), cluster({ ...away, 'worker-3': { podCIDRs: dual } }))).toEqual([]);
});

test('where nobody asked, the network plug-in waits and the option is named', () => {
  const [finding, ...others] = findingsOf(wantedDual(), cluster());
  expect(others).toEqual([]);
  expect(finding).toMatchObject({
    reason: 'PodCIDRsMissing',
    message: expect.stringContaining('3 of 3 Nodes'),
    remedy: expect.stringContaining('spec.nodes.podCIDRs: Replace'),
    blocks: ['Pools', 'CNIConfig', 'CNIAgents'],
  });
  expect(findingsOf(wantedDual(), cluster(), plugins('Calico', false))).toEqual([]);
});

test('two Nodes of one pod CIDR are told', () => {
  const podCIDRs = ['10.244.2.0/24', 'fd00:10:244::/64'];
  const facts = cluster({ 'worker-2': { podCIDRs }, 'worker-3': { podCIDRs: ['10.244.3.0/24', 'fd00:10:244::/64'] } });
  expect(findingsOf(forward(), facts)).toMatchObject([
    {
      reason: 'PodCIDRShared',
      remedy: expect.stringMatching(/-o json > worker-\d\.json.*--cascade=orphan/u),
      blocks: ['PodCIDRs'],
    },
  ]);
});

test('in a plan: between the control plane and kube-proxy, and back before the controller manager, with nothing in the way', () => {
  const dual = clusterScene({ dual: true });
  const nodes = dual.nodes.map((node, n) => ({ ...node, podCIDRs: [`10.244.${n}.0/24`, `fd00:10:244:${n}::/64`] }));
  const facts = clusterScene({ dual: true, nodes });
  const none = { ...facts.basics.objects, Pod: facts.basics.objects.Pod.filter((name) => !name.includes('calico')) };
  const scene = { ...facts, basics: { ...facts.basics, objects: none } };
  const { plan } = planScene(scene, askedBack({ nodes: { podCIDRs: 'Replace' } }));
  const phases = [...new Set(plan.steps.map(({ phase }) => phase))];
  expect(phases.indexOf('PodCIDRs')).toBeLessThan(phases.indexOf('ControllerManager'));
  expect(plan.findings.filter(({ reason }) => reason === 'NodesWithTwoPodCIDRs')).toEqual([]);
  // Not asked for, it stands in the way, and its remedy names the option.
  expect(planScene(scene, askedBack()).plan.findings).toContainEqual(
    expect.objectContaining({
      reason: 'NodesWithTwoPodCIDRs',
      remedy: expect.stringContaining('spec.nodes.podCIDRs: Replace'),
    }),
  );
  expect(planScene(scene, asked({ nodes: { podCIDRs: 'Replace' } })).plan.findings).not.toContainEqual(
    expect.objectContaining({ reason: 'OptionNotCarriedOut' }),
  );
});
