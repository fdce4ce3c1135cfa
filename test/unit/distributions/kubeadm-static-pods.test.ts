import { expect, test } from '@jest/globals';
import { kubeadm } from '../../../src/distributions/kubeadm/index.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { HostReport } from '../../../src/model/host.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { EditHost, Step, StepBase } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import {
  before,
  clusterFacts,
  type Deep,
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
import { kubeadmCluster, kubeadmFacts, mirrorPods } from '../../support/kubeadm.ts';

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
  [
    'both, but something else is still asked, which the agent would try again',
    controlPlane(api(SERVICE_RANGES.dual), {
      agent: { spec: { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16,fd00::/64' } } } },
    }).node,
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
    'held under a name of no host: nobody is shut out',
    [2],
    { lease: lease('cp-1.example.com_x', 3000) },
    ['cp-2 Satisfied', 'transfer-lease InProgress', 'cp-1 Pending', 'cp-3 Pending', 'lease Pending'],
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
