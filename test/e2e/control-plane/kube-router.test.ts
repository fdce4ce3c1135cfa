import { expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import { asArray, at } from '../../../src/model/object.ts';
import {
  addressesOfDNS,
  applyObjects,
  askForIPv4,
  becomesDual,
  cniScene,
  CONVERT_MS,
  isSingle,
  restartPods,
  seenAt,
  stepsOf,
} from '../../support/cni-cluster.ts';
import { KUBE_ROUTER_OBJECTS } from '../../support/cni-manifests.ts';
import { isReady, untilStatus } from '../../support/conversion.ts';
import { KUBE_ROUTER_ARGS } from '../../support/kube-router-facts.ts';
import { itemsAt, nodeNameOf, objectAt } from '../../support/played-cni.ts';
import { PlayedKubeRouter } from '../../support/played-kube-router.ts';

// A cluster of kube-router, converted and taken back by the operator. kube-router itself is played.

const DAEMON_SET = '/apis/apps/v1/namespaces/kube-system/daemonsets/kube-router';

const scene = cniScene({
  install: applyObjects(KUBE_ROUTER_OBJECTS),
  played: (cluster) => new PlayedKubeRouter(cluster),
  agents: 'kube-system/kube-router',
  objects: [DAEMON_SET],
});

const argsOf = async (): Promise<readonly unknown[]> =>
  asArray(at(await objectAt(scene().cluster, DAEMON_SET), 'spec', 'template', 'spec', 'containers', 0, 'args'));

test(
  'it becomes dual-stack by two arguments',
  async () => {
    const { cluster, installed, played } = scene();
    const causes = new Set<string>();
    const status = await becomesDual(cluster, { nodes: { podCIDRs: 'Replace' } }, ({ nodes }) => {
      for (const { cause } of nodes?.exceptions ?? []) causes.add(cause);
    });
    // With both addresses, and before its Node was replaced.
    expect([...causes]).toContain('PodCIDRMissing');
    expect(status.detected?.cni).toBe('KubeRouter');
    expect(status.nodes).toMatchObject({ total: 2, dualStack: 2, exceptions: [] });
    expect(await stepsOf(installed, 'kube-router/')).toEqual(['kube-router/args']);
    expect(await argsOf()).toEqual(
      expect.arrayContaining(['--enable-ipv6=true', '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112']),
    );
    expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([2]));
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);

test(
  'where it does not start any more, its Node is told',
  async () => {
    const { cluster } = scene();
    const pods = await itemsAt(cluster, '/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-router');
    const pod = pods.find((each) => nodeNameOf(each) === 'worker-1');
    const name = pod?.metadata.name ?? '';
    await cluster.api.mergePatch(`/api/v1/namespaces/kube-system/pods/${name}/status`, { status: CRASHING });
    const told = await untilStatus(
      cluster,
      'the node whose kube-router fails is told',
      ({ nodes }) => nodes?.exceptions.some(({ cause }) => cause === 'CNIPending') === true,
      60_000,
    );
    expect(told.nodes?.exceptions).toMatchObject([
      {
        name: 'worker-1',
        message: expect.stringContaining('CrashLoopBackOff'),
        command: expect.stringContaining(name),
      },
    ]);
    await cluster.kubectl(['-n', 'kube-system', 'delete', 'pod', name]);
    await untilStatus(cluster, 'its successor runs', isWhole, 120_000);
  },
  CONVERT_MS,
);

const isWhole = (status: ClusterStatus): boolean => isReady(status) && status.nodes?.exceptions.length === 0;

/** As a kubelet tells of a container that ends again and again. */
const CRASHING = {
  conditions: [{ type: 'Ready', status: 'False' }],
  containerStatuses: [
    {
      name: 'kube-router',
      image: 'kube-router',
      imageID: '',
      ready: false,
      restartCount: 3,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    },
  ],
};

test(
  'and goes back: its first arguments, and the hosts are told as what is left to do',
  async () => {
    const { before, cluster, played } = scene();
    await askForIPv4(cluster);
    const told = await untilStatus(
      cluster,
      'the CNI configuration of the hosts is told',
      ({ plan }) => plan?.warnings.some(({ remedy }) => remedy.includes('10-kuberouter.conflist')) === true,
      CONVERT_MS,
    );
    expect(told.plan?.direction).toBe('Back');
    await untilStatus(cluster, 'it is single-stack', isSingle, CONVERT_MS);
    expect(await argsOf()).toEqual(KUBE_ROUTER_ARGS);
    expect(await seenAt(cluster, [DAEMON_SET])).toEqual(before);
    for (const { name } of cluster.nodes) expect(played.ranges(name)).toHaveLength(2);

    for (const { name } of cluster.nodes) played.removeHostFile(name);
    await restartPods(cluster, 'daemonset/kube-router');
    await restartPods(cluster, 'deployment/coredns');
    expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([1]));
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);
