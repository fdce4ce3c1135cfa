import { expect, test } from '@jest/globals';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import { FINDING_REASONS } from '../../../src/api/reasons.ts';
import { fromPhase, PHASES } from '../../../src/model/phase.ts';
import { known } from '../../../src/model/reader.ts';
import { agentFacts, basics, hostAddress, nodeFacts, PODS, serviceFacts, SERVICES } from '../../support/facts.ts';
import { asked, askedBack, clusterScene, planScene } from '../../support/plan-scene.ts';

const findingsOf = (facts: ClusterFacts, request = asked()) => planScene(facts, request).plan.findings;
const findingOf = (reason: string, facts: ClusterFacts, request = asked()) =>
  findingsOf(facts, request).find((finding) => finding.reason === reason);

const nodesOf = (change: (node: NodeFacts) => NodeFacts, count = 2): ClusterFacts =>
  clusterScene({ nodes: [nodeFacts(1, { controlPlane: true }), ...range(count).map((n) => change(nodeFacts(n + 1)))] });
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1);

test('nothing is found in a healthy cluster', () => {
  expect(findingsOf(clusterScene({ controlPlanes: 3 })).filter(({ blocks }) => blocks.length > 0)).toEqual([]);
});

test('every finding has a documented reason, a sentence and a remedy', () => {
  const facts = nodesOf((node) => ({ ...node, agent: null, internalIPs: ['10.244.0.9'] }));
  const findings = findingsOf(
    facts,
    asked({ nodes: { guard: 'Taint' }, services: { migration: 'All' }, workloads: { restart: 'All' } }),
  );
  expect(findings.length).toBeGreaterThanOrEqual(2);
  for (const { reason, message, remedy } of findings) {
    expect(Object.keys(FINDING_REASONS)).toContain(reason);
    expect(message).toMatch(/^[A-Z0-9s].*[^ ]$/u);
    expect(remedy.length).toBeGreaterThan(10);
  }
});

test.each<[string, string]>([
  ['v1.30.9', 'blocks'],
  ['v1.31.0', 'is fine'],
  ['v1.36.3', 'is fine'],
])('Kubernetes %s %s', (kubernetesVersion, verdict) => {
  const scene = clusterScene();
  const facts = clusterScene({}, { basics: basics({ nodes: scene.nodes, kubernetesVersion }) });
  const finding = findingOf('UnsupportedVersion', facts);
  expect(finding?.blocks).toEqual(verdict === 'blocks' ? PHASES : undefined);
});

const network = (pods: string, services: string = SERVICES.IPv6) =>
  asked({ clusterNetwork: { pods: { cidrBlocks: [pods] }, services: { cidrBlocks: [services] } } });

test.each<[string, ClusterFacts, ReturnType<typeof asked>, RegExp]>([
  ['a pod network and the nodes', clusterScene(), network('2001:db8::/56'), /2001:db8::.*address of Node/u],
  [
    'a service network and the nodes',
    clusterScene(),
    network(PODS.IPv6, '2001:db8::/112'),
    /service network 2001:db8::\/112 holds/u,
  ],
  [
    'an address of the host that the Node does not tell',
    nodesOf((node) => withAddress(node, 'fd00:10:244::99', 'eth1')),
    asked(),
    /holds fd00:10:244::99, an address of Node worker-2 \(and of 1 more\)/u,
  ],
  [
    'an external address',
    nodesOf((node) => ({ ...node, externalIPs: ['fd00:10:244::5'] })),
    asked(),
    /fd00:10:244::5/u,
  ],
  [
    'a live Service',
    clusterScene({}, { services: known([serviceFacts({ namespace: 'a', name: 'b', clusterIPs: ['10.244.3.4'] })]) }),
    asked(),
    /Service a\/b \(10\.244\.3\.4\)/u,
  ],
])('overlap: %s', (_name, facts, request, words) => {
  const finding = findingOf('CIDROverlap', facts, request);
  expect(finding?.message).toMatch(words);
  expect(finding?.blocks).toEqual(PHASES);
});

function withAddress(node: NodeFacts, address: string, name: string): NodeFacts {
  if (node.agent === null || node.agent.report === null) throw new Error('it has an agent');
  const addresses = [...node.agent.report.addresses, hostAddress({ address, interface: name })];
  return { ...node, agent: { ...node.agent, report: { ...node.agent.report, addresses } } };
}

test('addresses that the network plug-in itself put on a host are no overlap', () => {
  for (const name of ['vxlan.calico', 'tunl0', 'cali12345', 'kube-ipvs0']) {
    expect(
      findingOf(
        'CIDROverlap',
        nodesOf((node) => withAddress(node, 'fd00:10:244::1', name)),
      ),
    ).toBeUndefined();
  }
});

test.each<[string, string, number, number, string | undefined, boolean]>([
  ['plenty', 'fd00:10:244::/56', 64, 3, undefined, false],
  ['not for twice as many', 'fd00:10:244::/62', 64, 3, 'NodeCapacityLow', false],
  ['too few for the nodes that there are', 'fd00:10:244::/63', 64, 3, 'NodeCapacityExhausted', true],
])('node subnets: %s', (_name, pods, mask, nodes, reason, blocks) => {
  const request = asked({
    clusterNetwork: {
      pods: { cidrBlocks: [pods] },
      services: { cidrBlocks: [SERVICES.IPv6] },
      nodeCIDRMaskSizeIPv6: mask,
    },
  });
  const findings = findingsOf(clusterScene({ controlPlanes: 1, workers: nodes - 1 }), request).filter((finding) =>
    finding.reason.startsWith('NodeCapacity'),
  );
  expect(findings.map((finding) => finding.reason)).toEqual(reason === undefined ? [] : [reason]);
  expect(findings.some((finding) => finding.blocks.length > 0)).toBe(blocks);
});

test('a node that a step will give the family is no finding; one that none can is, and stops what needs it', () => {
  expect(findingOf('NodesWithoutFamily', clusterScene())).toBeUndefined();
  const facts = clusterScene({ nodes: [nodeFacts(1, { controlPlane: true }), nodeFacts(2, { ipv6: false })] });
  expect(findingOf('NodesWithoutFamily', facts)).toMatchObject({
    object: { kind: 'Node', name: 'worker-2' },
    message: '1 of 2 Nodes report no IPv6 address: worker-2.',
    blocks: fromPhase('APIServer', 'Forward'),
  });
});

test('what nobody has told yet of a host is no finding', () => {
  for (const agent of [null, agentFacts(null)]) {
    const node = { ...nodeFacts(2, { ipv6: false }), agent };
    const facts = clusterScene({ nodes: [nodeFacts(1, { controlPlane: true }), node] });
    expect(findingOf('NodesWithoutFamily', facts)).toBeUndefined();
  }
});

test.each([
  [false, 1, 0],
  [false, 0, 1],
  [true, 1, 1],
])('a node without the family, ready: %s, tolerated: %s', (ready, tolerateUnavailable, blocking) => {
  const down = { ...nodeFacts(2, { ipv6: false }), ready };
  const facts = clusterScene({ nodes: [nodeFacts(1, { controlPlane: true }), down] });
  const finding = findingOf('NodesWithoutFamily', facts, asked({ rollout: { tolerateUnavailable } }));
  expect(finding?.blocks.length === 0 ? 0 : 1).toBe(blocking);
});

test('an agent that is missing blocks where its node has to be changed; before the installation it is only the next thing to do', () => {
  const one = clusterScene({ nodes: [nodeFacts(1, { controlPlane: true }), nodeFacts(2, { agent: false })] });
  expect(findingOf('AgentMissing', one)).toMatchObject({
    object: { name: 'worker-2' },
    message: '1 of 2 Nodes that have to be changed have no agent that reports: worker-2.',
    blocks: ['NodeIPs'],
  });
  expect(findingOf('AgentMissing', clusterScene({ agents: false }))).toMatchObject({
    message: expect.stringContaining('not installed'),
    blocks: [],
  });
  const converted = clusterScene({
    nodes: [nodeFacts(1, { controlPlane: true, dual: true }), nodeFacts(2, { agent: false, dual: true })],
    dual: true,
  });
  expect(findingOf('AgentMissing', converted)).toBeUndefined();
});

const dual = (name: string, labels: Record<string, string> = {}) =>
  serviceFacts({
    namespace: 'shop',
    name,
    families: ['IPv4', 'IPv6'],
    clusterIPs: ['10.96.1.1', 'fd00:10:96::1'],
    labels,
  });

const GIVEN = { 'dualstack.dev/first-state': '{"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"]}' };

test('on the way back Services of the family that leaves stop the work, but for what the program itself takes back', () => {
  const services = (list: readonly ReturnType<typeof dual>[]) =>
    clusterScene({ dual: true }, { services: known(list) });
  const ours = [
    dual('probe', { 'dualstack.dev/probe': 'true' }),
    { ...dual('kube-dns'), namespace: 'kube-system' },
    serviceFacts({ namespace: 'shop', name: 'single' }),
    { ...dual('given'), annotations: GIVEN },
  ];
  expect(findingOf('DualStackServicesRemain', services(ours), askedBack())).toBeUndefined();
  const theirs = services([...ours, ...range(7).map((n) => dual(`s${n}`))]);
  expect(findingOf('DualStackServicesRemain', theirs)).toBeUndefined();
  expect(findingOf('DualStackServicesRemain', theirs, askedBack())).toMatchObject({
    message: '7 Services still use the family that leaves: shop/s1, shop/s2, shop/s3, shop/s4, shop/s5 and 2 more.',
    remedy: expect.stringContaining(
      `kubectl -n shop patch service s1 -p '{"spec":{"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"]}}'`,
    ),
    blocks: fromPhase('CNIConfig', 'Back'),
  });
});
