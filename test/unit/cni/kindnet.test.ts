import { expect, test } from '@jest/globals';
import { kindnet } from '../../../src/cni/kindnet/index.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import type { Json, KubeObject } from '../../../src/model/object.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { checkPodCIDRs } from '../../../src/plan/pod-cidrs.ts';
import { registry } from '../../../src/registry.ts';
import { basics, before, clusterFacts, PODS, podFacts, wantedDual, wantedSingle } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import { kindnetFacts, type KindnetParts } from '../../support/kindnet-facts.ts';

/** What is seen of kindnet here was written down from its manifest and its source: no such cluster runs in these tests. */

const DUAL = `${PODS.IPv4},${PODS.IPv6}`;

/** Nodes have their second podCIDR, unless told otherwise. */
function cluster(podCIDRs = true): ClusterFacts {
  const facts = clusterFacts({ dual: true });
  const nodes = facts.nodes.map((node, index) => ({
    ...node,
    podCIDRs: [...node.podCIDRs, ...(podCIDRs ? [`fd00:10:244:${index}::/64`] : [])],
  }));
  return { ...facts, nodes };
}

const steps = (parts: KindnetParts, facts = cluster(), wanted = wantedDual()) =>
  kindnet.steps(wanted, facts, kindnetFacts(facts, parts));

const brief = (parts: KindnetParts, facts = cluster(), wanted = wantedDual()) =>
  steps(parts, facts, wanted).map(({ id, state }) => [id, state.is]);

const asDual = { subnet: { is: 'Value', value: DUAL } } as const;

test('POD_SUBNET gains the second network, by server-side apply of that one variable', () => {
  const [env, rollout] = steps({});
  expect(env).toMatchObject({
    kind: 'ApplyObject',
    id: 'kindnet/env',
    phase: 'CNIAgents',
    ref: { kind: 'DaemonSet', namespace: 'kube-system', name: 'kindnet' },
    write: {
      is: 'Apply',
      body: {
        spec: {
          template: { spec: { containers: [{ name: 'kindnet-cni', env: [{ name: 'POD_SUBNET', value: DUAL }] }] } },
        },
      },
    },
    diff: [{ before: PODS.IPv4, after: DUAL }],
    state: { is: 'Pending' },
  });
  expect(rollout?.state.is).toBe('Pending');
});

test('it waits for the second podCIDR of every Node; what nobody was asked to give, the planner tells', () => {
  const facts = cluster(false);
  const [waiting] = steps({}, facts, wantedDual({ nodes: { podCIDRs: 'Replace' } }));
  expect(waiting?.state).toMatchObject({ is: 'InProgress', why: expect.stringContaining('worker-1') });
  expect(steps({}, facts)[0]?.state.is).toBe('Pending');
  const plugins = registry.bind({ ...facts, cni: { name: 'Kindnet', detectedBy: '', own: kindnetFacts(facts) } });
  expect(checkPodCIDRs(wantedDual(), facts, plugins, [])).toMatchObject([
    { reason: 'PodCIDRsMissing', blocks: expect.arrayContaining(['CNIConfig', 'CNIAgents']) },
  ]);
});

const pods = (hashes: readonly string[]) =>
  cluster().nodes.map((node, index) =>
    podFacts({ name: `kindnet-${node.name}`, node: node.name, hash: hashes[index] ?? 'rev-2' }),
  );

test('the roll-out is done when every pod is of the newest template and ready', () => {
  const rolling = { newestHash: 'rev-2', pods: pods(['rev-1']) };
  expect(brief({ ...asDual, workload: rolling })).toEqual([
    ['kindnet/env', 'Satisfied'],
    ['kindnet/rollout', 'InProgress'],
  ]);
  expect(brief({ ...asDual, workload: { ...rolling, pods: pods([]) } })).toEqual([
    ['kindnet/env', 'Satisfied'],
    ['kindnet/rollout', 'Satisfied'],
  ]);
});

test('where the DaemonSet does not go on by itself, its pods are replaced one by one', () => {
  const stuck = { newestHash: 'rev-2', pods: pods(['rev-1', 'rev-1']), strategy: 'OnDelete' };
  const rollout = steps({ ...asDual, workload: stuck })[1];
  expect(rollout).toMatchObject({
    state: { is: 'Pending' },
    next: { is: 'DeletePods', pods: [{ name: 'kindnet-cp-1' }] },
  });
});

test('a node that is away is left for later', () => {
  const facts = cluster();
  const nodes = facts.nodes.map((node) => (node.name === 'worker-2' ? { ...node, ready: false } : node));
  const rolling = { newestHash: 'rev-2', pods: pods(['rev-2', 'rev-2', 'rev-1']) };
  expect(brief({ ...asDual, workload: rolling }, { ...facts, nodes })[1]).toEqual(['kindnet/rollout', 'Deferred']);
});

test('a kindnetd that crashes is told with its node', () => {
  const crashing = pods([]).map((pod, index) =>
    index === 0 ? { ...pod, ready: false, waiting: 'CrashLoopBackOff', startedAt: before(300) } : pod,
  );
  const rollout = steps({ ...asDual, workload: { newestHash: 'rev-2', pods: crashing } })[1];
  expect(rollout?.state).toMatchObject({ is: 'Failed', why: expect.stringContaining('cp-1') });
});

test('the way back gives POD_SUBNET its first text again, also where that was spelt in its own way', () => {
  const first = { subnet: { is: 'Value', value: ` ${PODS.IPv4}` } } as const;
  const facts = cluster();
  const restore: Record<string, Json> = {};
  for (const { key, value } of kindnet.records(facts, kindnetFacts(facts, first))) restore[key] = value;
  const [env] = steps(asDual, facts, wantedSingle({ restore }));
  expect(env).toMatchObject({ state: { is: 'Pending' }, diff: [{ before: DUAL, after: ` ${PODS.IPv4}` }] });
  expect(brief(asDual, facts, wantedSingle())[0]).toEqual(['kindnet/env', 'Pending']);
  expect(brief(first, facts, wantedSingle({ restore }))).toEqual([
    ['kindnet/env', 'Satisfied'],
    ['kindnet/rollout', 'Satisfied'],
  ]);
});

test('IPv6 first: IPv4 comes second', () => {
  const wanted = wantedDual({ families: ['IPv6', 'IPv4'] });
  expect(steps({ subnet: { is: 'Value', value: PODS.IPv6 } }, cluster(), wanted)[0]?.diff).toMatchObject([
    { after: `${PODS.IPv6},${PODS.IPv4}` },
  ]);
});

test('without POD_SUBNET it takes everything from the Nodes: new pods are enough', () => {
  const [rollout, ...others] = steps({ subnet: null });
  expect(others).toEqual([]);
  expect(rollout).toMatchObject({ state: { is: 'Pending' }, next: { is: 'Annotate', value: 'IPv4,IPv6' } });
  const marked = { templateAnnotations: { 'dualstack.dev/kindnet-rollout': 'IPv4,IPv6' } };
  expect(brief({ subnet: null, workload: marked })).toEqual([['kindnet/rollout', 'Satisfied']]);
  const back = steps({ subnet: null, workload: marked }, cluster(), wantedSingle());
  expect(back[0]).toMatchObject({ state: { is: 'Pending' }, next: { is: 'Annotate', value: null } });
});

test.each<[string, KindnetParts, readonly unknown[]]>([
  ['nothing to say', {}, []],
  ['a value from elsewhere', { subnet: { is: 'From', source: '{}' } }, [['CNIConfigUnsupported', true]]],
  ['GitOps', { owner: { text: 'label argocd.argoproj.io/instance: x', watches: true } }, [['AnotherOwner', true]]],
  ['Helm', { owner: { text: 'label app.kubernetes.io/managed-by: Helm', watches: false } }, [['AnotherOwner', false]]],
])('findings: %s', (_name, parts, expected) => {
  const found = kindnet.check(wantedDual(), cluster(), kindnetFacts(cluster(), parts));
  expect(found.map(({ reason, blocks }) => [reason, blocks.length > 0])).toEqual(expected);
});

test('missing and unreadable are told apart, and block', () => {
  const reasons = [known(null), unknown('forbidden')].map((own) => kindnet.check(wantedDual(), cluster(), own));
  expect(reasons).toMatchObject([[{ reason: 'CNIConfigUnsupported' }], [{ reason: 'ComponentUnreadable' }]]);
});

const daemonSet = (env: readonly unknown[]): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'kindnet', namespace: 'kube-system', uid: 'ds', generation: 1 },
  spec: {
    selector: { matchLabels: { app: 'kindnet' } },
    template: {
      spec: { containers: [{ name: 'kindnet-cni', image: 'docker.io/kindest/kindnetd:v20260213-ea8e5717', env }] },
    },
  },
});

test('it is recognised by its DaemonSet, and read', async () => {
  const seen = basics({ nodes: [] });
  const facts = { ...seen, objects: { ...seen.objects, DaemonSet: ['kube-system/kindnet'] } };
  expect(kindnet.detect(facts)).toBe('DaemonSet kube-system/kindnet');
  expect(kindnet.detect(seen)).toBeNull();

  const env = [
    { name: 'HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    { name: 'POD_SUBNET', value: DUAL },
    { name: 'CONTROL_PLANE_ENDPOINT', value: 'kind-control-plane:6443' },
  ];
  const own = await kindnet.observe(fakeReader([daemonSet(env)]), facts);
  expect(own).toMatchObject({ value: { container: 'kindnet-cni', subnet: { is: 'Value', value: DUAL } } });
  expect(kindnet.podCIDRs(own)).toEqual([PODS.IPv4, PODS.IPv6]);
  expect(await kindnet.observe(fakeReader([daemonSet([])]), facts)).toMatchObject({ value: { subnet: null } });
});
