import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import { startCluster, type TestCluster } from '../../cluster/index.ts';
import { askForDualStack, conditionOf, isReady, isStalled, untilStatus } from '../../support/conversion.ts';
import { type Agents, install, type OperatorProcess, startAgents, startOperator } from '../../support/install.ts';
import { snapshotOf } from '../../support/snapshot.ts';
import { changesSince } from '../../support/watching.ts';

const RESOURCES = '/apis/dualstack.dev/v1alpha1/dualstackclusters';
const TOLD_MS = 30_000;
const CONVERT_MS = 240_000;
const PODS = 'fd00:10:244::/56';
const SERVICES = 'fd00:10:96::/112';

type Spec = Readonly<Record<string, unknown>>;

/** Both networks of a good spec, with another one in place of some. */
const networks = (
  pods: readonly string[] = [PODS],
  services: readonly string[] = [SERVICES],
  more: Spec = {},
): Spec => ({
  clusterNetwork: { pods: { cidrBlocks: pods }, services: { cidrBlocks: services }, ...more },
});
const pool = (options: Spec): Spec => ({ calico: { pool: options } });

/** Field, value and remedy, each in the words that must be there. */
type Says = readonly [field: string, value: string, remedy: string];

const REFUSED: readonly (readonly [string, Spec, Says])[] = [
  ['a family twice', { ipFamilies: ['IPv4', 'IPv4'] }, ['spec.ipFamilies', 'IPv4, IPv4', 'name each family once']],
  [
    'a network of a family that is not asked for',
    { ipFamilies: ['IPv4'] },
    ['spec.clusterNetwork.pods.cidrBlocks', PODS, 'remove the CIDR of a family that is not asked for'],
  ],
  [
    'pods and Services overlap',
    networks(['fd00::/16']),
    ['spec.clusterNetwork.services.cidrBlocks', SERVICES, 'choose networks that do not overlap'],
  ],
  [
    'host bits',
    networks(['fd00:10:244::1/56']),
    ['spec.clusterNetwork.pods.cidrBlocks[0]', 'fd00:10:244::1/56', 'canonical form, such as'],
  ],
  [
    'link-local',
    networks(['fe80::/56']),
    ['spec.clusterNetwork.pods.cidrBlocks[0]', 'fe80::/56', 'choose a private network'],
  ],
  [
    'a Service network that kube-apiserver does not take',
    networks([PODS], ['fd00:10:96::/64']),
    ['spec.clusterNetwork.services.cidrBlocks', 'fd00:10:96::/64', 'from /108 to /125'],
  ],
  [
    'a node mask too far from its network',
    networks(['fd00::/40'], [SERVICES], { nodeCIDRMaskSizeIPv6: 64 }),
    // The server cannot print a number: it names the network that the number has to fit.
    ['spec.clusterNetwork.nodeCIDRMaskSizeIPv6', 'fd00::/40', 'at most 16 more'],
  ],
  [
    'a block size of the other family',
    pool({ blockSize: 26 }),
    ['spec.calico.pool.blockSize', PODS, 'from 116 to 128'],
  ],
  ['an unknown CNI', { cni: 'Weave' }, ['spec.cni', 'Weave', 'supported values']],
];

const STALLED: readonly (readonly [string, Spec, Says])[] = [
  [
    'another primary family',
    {
      ipFamilies: ['IPv6', 'IPv4'],
      ...networks([PODS, '10.244.0.0/16'], [SERVICES, '10.96.0.0/16']),
    },
    ['spec.ipFamilies[0]', 'IPv6', 'Write spec.ipFamilies: [IPv4, IPv6]'],
  ],
  [
    'the other family alone',
    { ipFamilies: ['IPv6'] },
    ['spec.ipFamilies[0]', 'IPv6', 'Write spec.ipFamilies: [IPv4, IPv6]'],
  ],
  [
    'another network in place of the live one',
    networks(['10.245.0.0/16', PODS]),
    ['spec.clusterNetwork.pods.cidrBlocks', '10.245.0.0/16', 'Write 10.244.0.0/16'],
  ],
  [
    'another Service network in place of the live one',
    networks([PODS], ['10.97.0.0/16', SERVICES]),
    ['spec.clusterNetwork.services.cidrBlocks', '10.97.0.0/16', 'Write 10.96.0.0/16'],
  ],
  [
    'no network for the second family',
    { clusterNetwork: { services: { cidrBlocks: [SERVICES] } } },
    ['spec.clusterNetwork.pods.cidrBlocks', 'IPv6', 'Add the IPv6 network'],
  ],
  [
    'pods where the nodes are',
    networks(['2001:db8::/56']),
    [
      'spec.clusterNetwork.pods.cidrBlocks',
      '2001:db8::/56 holds 2001:db8::1, an address of Node cp-1',
      'Choose a network outside',
    ],
  ],
  [
    'Services where the nodes are',
    networks([PODS], ['2001:db8::/112']),
    ['spec.clusterNetwork.services.cidrBlocks', '2001:db8::/112', 'Choose a network outside'],
  ],
  [
    'fewer node networks than Nodes',
    networks(['fd00:10:244::/63'], [SERVICES], { nodeCIDRMaskSizeIPv6: 64 }),
    ['spec.clusterNetwork.nodeCIDRMaskSizeIPv6', '2 node subnets of /64 for 3 Nodes', 'Choose a shorter prefix'],
  ],
  ['IPIP for IPv6', pool({ encapsulation: 'IPIP' }), ['spec.calico.pool.encapsulation', 'IPIP', 'Set it to Auto']],
  [
    'an encapsulation that the backend cannot do',
    pool({ encapsulation: 'None' }),
    ['spec.calico.pool.encapsulation', 'None', 'Set it to Auto, VXLAN'],
  ],
];

describe('calico by manifest', () => {
  let cluster: TestCluster;
  let operator: OperatorProcess;
  const agents: Agents[] = [];
  let since: number;
  let before: Spec;

  beforeAll(async () => {
    cluster = await startCluster({
      workers: 2,
      calico: { manifest: 'vxlan' },
      nodes: { 'worker-1': { hostFamilies: 'IPv4' } },
      keep: process.env['KEEP'] === '1',
    });
    await install(cluster);
    agents.push(await startAgents(cluster, {}, [cluster.node('cp-1'), cluster.node('worker-1')]));
    operator = await startOperator(cluster);
    before = await snapshotOf(cluster);
    since = Date.now();
  }, 180_000);

  afterAll(async () => {
    await operator?.stop();
    await Promise.all(agents.map((each) => each.stop()));
    await cluster?.stop();
  }, 60_000);

  test.each(REFUSED)('refused by the server: %s', async (_name, spec, says) => {
    const refusal = await askForDualStack(cluster, spec).then(
      () => 'nothing was refused',
      (error: Error) => error.message,
    );
    for (const words of says) expect(refusal).toContain(words);
  });

  test.each(STALLED)(
    'told in Stalled: %s',
    async (_name, spec, says) => {
      await askForDualStack(cluster, spec);
      const status = await untilStatus(cluster, 'it is Stalled', isStalled, TOLD_MS);
      const message = conditionOf(status, 'Stalled')?.message ?? '';
      for (const words of says) expect(message).toContain(words);
      expect(conditionOf(status, 'Ready')?.status).toBe('False');
      await cluster.api.delete(`${RESOURCES}/cluster`);
    },
    TOLD_MS + 10_000,
  );

  test('none of them changed anything', async () => {
    expect(await snapshotOf(cluster)).toEqual(before);
    expect(await changesSince(cluster, since)).toEqual([]);
  });

  test(
    'a node without agent and one without IPv6 are named; each goes on by itself once it is mended; a second resource waits',
    async () => {
      await askForDualStack(cluster);
      const withoutAgent = await untilStatus(cluster, 'the missing agent is told', blockedBy('AgentMissing'), TOLD_MS);
      expect(blocker(withoutAgent, 'AgentMissing')).toMatchObject({
        message: expect.stringContaining('worker-2'),
        remedy: expect.stringContaining('spec.nodeName=worker-2'),
      });

      await cluster.api.create(RESOURCES, {
        apiVersion: 'dualstack.dev/v1alpha1',
        kind: 'DualStackCluster',
        metadata: { name: 'second' },
        spec: { ipFamilies: ['IPv4'] },
      });
      await cluster.kubectl(['wait', '--for=condition=Stalled', '--timeout=30s', 'dualstackcluster/second']);
      const { stdout } = await cluster.kubectl(['get', 'dualstackcluster', 'second', '-o', 'json']);
      const { status: second } = JSON.parse(stdout) as { status: ClusterStatus };
      expect(conditionOf(second, 'Stalled')).toMatchObject({
        reason: 'AnotherGoverns',
        message: 'DualStackCluster cluster is older and governs this cluster. Delete one of the two.',
      });

      agents.push(await startAgents(cluster, {}, [cluster.node('worker-2')]));
      const withoutIPv6 = await untilStatus(cluster, 'the missing IPv6 is told', blocked('NodesWithoutFamily'), 60_000);
      expect(blocker(withoutIPv6, 'NodesWithoutFamily')?.message).toContain('worker-1');
      expect(blocker(withoutIPv6, 'NodesWithoutFamily')?.message).not.toContain('cp-1');
      expect(conditionOf(withoutIPv6, 'Stalled')?.status).toBe('False');
      expect(withoutIPv6.nodes?.exceptions).toContainEqual(
        expect.objectContaining({ name: 'worker-1', cause: 'NoAddress' }),
      );
      expect(cluster.history.of('kube-apiserver')).toHaveLength(1);

      const worker = cluster.node('worker-1');
      worker.setHostAddresses([...worker.hostAddresses(), { address: worker.addresses.IPv6, prefixLength: 64 }]);
      const ready = await untilStatus(cluster, 'it is Ready', isReady, CONVERT_MS);
      expect(ready.nodes).toMatchObject({ total: 3, dualStack: 3 });

      await cluster.api.delete(`${RESOURCES}/second`);
    },
    CONVERT_MS + 120_000,
  );
});

test(
  'Calico kept by the tigera operator: what it owns is left to it, and the message says what to set there',
  async () => {
    const cluster = await startCluster({ calico: 'none', keep: process.env['KEEP'] === '1' });
    let operator: OperatorProcess | undefined;
    let agents: Agents | undefined;
    try {
      await cluster.kubectl(['apply', '--server-side', '-f', '-'], TIGERA);
      await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
      await cluster.kubectl(['apply', '--server-side', '-f', '-'], INSTALLATION);
      await install(cluster);
      [agents, operator] = await Promise.all([startAgents(cluster), startOperator(cluster)]);
      await askForDualStack(cluster);
      const status = await untilStatus(cluster, 'it is Stalled', isStalled, CONVERT_MS);
      const message = conditionOf(status, 'Stalled')?.message ?? '';
      expect(status.detected?.cni).toBe('TigeraOperator');
      expect(message).toContain('AnotherOwner');
      expect(message).toContain('10.244.0.0/16');
      expect(message).toContain('kubectl patch installation default --type=merge');
      expect(conditionOf(status, 'ControlPlaneDualStack')?.status).toBe('True');

      const patch = /kubectl (patch installation default --type=merge -p )'([^']+)'/u.exec(message);
      await cluster.kubectl([...(patch?.[1] ?? '').trim().split(' '), patch?.[2] ?? '']);
      await untilStatus(cluster, 'it goes on', (after) => !isStalled(after), 60_000);
    } finally {
      await operator?.stop();
      await agents?.stop();
      await cluster.stop();
    }
  },
  CONVERT_MS + 120_000,
);

const blocker = (status: ClusterStatus, reason: string) =>
  status.plan?.blockers.find((finding) => finding.reason === reason);

const blockedBy =
  (reason: string) =>
  (status: ClusterStatus): boolean =>
    blocker(status, reason) !== undefined;

const blocked =
  (reason: string) =>
  (status: ClusterStatus): boolean =>
    blockedBy(reason)(status) && conditionOf(status, 'Ready')?.reason === 'Blocked';

/** As much of the tigera operator as tells that it is there. */
const TIGERA = `
apiVersion: v1
kind: Namespace
metadata: {name: tigera-operator}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: tigera-operator, namespace: tigera-operator}
spec:
  selector: {matchLabels: {name: tigera-operator}}
  template:
    metadata: {labels: {name: tigera-operator}}
    spec:
      containers: [{name: tigera-operator, image: tigera-operator}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: installations.operator.tigera.io}
spec:
  group: operator.tigera.io
  scope: Cluster
  names: {kind: Installation, listKind: InstallationList, plural: installations, singular: installation}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`;

const INSTALLATION = `
apiVersion: operator.tigera.io/v1
kind: Installation
metadata: {name: default}
spec:
  calicoNetwork:
    ipPools: [{cidr: 10.244.0.0/16, encapsulation: VXLAN, natOutgoing: Enabled, nodeSelector: all()}]
`;
