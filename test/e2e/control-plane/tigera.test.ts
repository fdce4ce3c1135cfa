import { expect } from '@jest/globals';
import { asArray, at } from '../../../src/model/object.ts';
import type { TestCluster } from '../../cluster/index.ts';
import {
  addressesOfDNS,
  askForIPv4,
  blockersOf,
  cniScene,
  CONVERT_MS,
  isSingle,
  seenAt,
} from '../../support/cni-cluster.ts';
import { askForDualStack, isReady, untilStatus } from '../../support/conversion.ts';
import { crdsServed } from '../../support/crds.ts';
import { itemsAt, objectAt } from '../../support/played-cni.ts';
import { PlayedTigera } from '../../support/played-tigera.ts';
import { manifestPath } from '../../support/real-manifests.ts';
import { testWith } from '../../support/with-manifests.ts';

// Calico that the tigera operator keeps: real CRDs and the released manifest of that operator, which is played itself, as is what it installs.

const FILES = ['calico-v3.31.7/operator-crds.yaml', 'calico-v3.31.7/tigera-operator.yaml'];
const given = testWith(...FILES);

const INSTALLATION = '/apis/operator.tigera.io/v1/installations/default';
const DAEMON_SET = '/apis/apps/v1/namespaces/calico-system/daemonsets/calico-node';
const POOL = {
  name: 'default-ipv4-ippool',
  blockSize: 26,
  cidr: '10.244.0.0/16',
  encapsulation: 'VXLANCrossSubnet',
  natOutgoing: 'Enabled',
  nodeSelector: 'all()',
};

const scene = cniScene({
  install: installTigera,
  played: (cluster) => new PlayedTigera(cluster),
  agents: 'calico-system/calico-node',
  objects: [INSTALLATION, DAEMON_SET],
});

/** In the steps of Calico's own instructions. */
async function installTigera(cluster: TestCluster): Promise<void> {
  for (const file of FILES) await cluster.kubectl(['apply', '--server-side', '-f', manifestPath(file)]);
  await crdsServed(cluster);
  const installation = {
    apiVersion: 'operator.tigera.io/v1',
    kind: 'Installation',
    metadata: { name: 'default' },
    spec: { calicoNetwork: { ipPools: [POOL] } },
  };
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(installation));
}

const pools = async (): Promise<readonly unknown[]> =>
  (await itemsAt(scene().cluster, '/apis/crd.projectcalico.org/v1/ippools')).map((pool) => at(pool, 'spec', 'cidr'));

/** Whether the operator says of both that all is well. */
const tigeraSays = async (): Promise<readonly unknown[]> =>
  (await itemsAt(scene().cluster, '/apis/operator.tigera.io/v1/tigerastatuses')).flatMap((status) =>
    asArray(at(status, 'status', 'conditions')).flatMap((condition) =>
      at(condition, 'status') === 'True' ? [`${status.metadata.name} ${String(at(condition, 'type'))}`] : [],
    ),
  );

given(
  'all that is not its own is converted; then the patch of its Installation is told, which the real CRD takes',
  async () => {
    const { before, cluster, played } = scene();
    await askForDualStack(cluster);
    const told = await untilStatus(
      cluster,
      'the patch is told, and all before is done',
      (status) =>
        blockersOf(status, 'AnotherOwner').length > 0 &&
        status.plan?.steps.some(({ group, state }) => group === 'kube-proxy' && state === 'Satisfied') === true,
      CONVERT_MS,
    );
    const remedy = blockersOf(told, 'AnotherOwner')[0]?.remedy ?? '';
    const patch = / -p '(.*)'$/u.exec(remedy)?.[1] ?? '';
    expect(await seenAt(cluster, [INSTALLATION, DAEMON_SET])).toEqual(before);

    await cluster.kubectl(['patch', 'installation', 'default', '--type=merge', '-p', patch]);
    const status = await untilStatus(cluster, 'the cluster is Ready', isReady, CONVERT_MS);
    expect(status.detected?.cni).toBe('TigeraOperator');
    expect(status.nodes).toMatchObject({ total: 2, dualStack: 2, exceptions: [] });
    expect(await pools()).toEqual(['10.244.0.0/16', 'fd00:10:244::/56']);
    expect(await tigeraSays()).toEqual(['calico Available', 'ippools Available']);
    expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([2]));
    const env = at(await objectAt(cluster, DAEMON_SET), 'spec', 'template', 'spec', 'containers', 0, 'env');
    expect(env).toContainEqual({ name: 'IP6_AUTODETECTION_METHOD', value: 'kubernetes-internal-ip' });
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);

given(
  'back: it halts until the pool is taken out of the Installation, and then ends',
  async () => {
    const { before, cluster, played } = scene();
    await askForIPv4(cluster);
    const told = await untilStatus(
      cluster,
      'it is told who owns the pool',
      (status) => status.plan?.direction === 'Back' && blockersOf(status, 'AnotherOwner').length > 0,
      CONVERT_MS,
    );
    const patch = / -p '(.*)'$/u.exec(blockersOf(told, 'AnotherOwner')[0]?.remedy ?? '')?.[1] ?? '';
    await cluster.kubectl(['patch', 'installation', 'default', '--type=merge', '-p', patch]);
    await untilStatus(cluster, 'it is single-stack', isSingle, CONVERT_MS);
    expect(await seenAt(cluster, [INSTALLATION, DAEMON_SET])).toEqual(before);
    expect(await pools()).toEqual(['10.244.0.0/16']);
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);
