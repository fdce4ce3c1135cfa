import { expect, test } from '@jest/globals';
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
import { untilStatus } from '../../support/conversion.ts';
import { KUBE_ROUTER_ARGS } from '../../support/kube-router-facts.ts';
import { objectAt } from '../../support/played-cni.ts';
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
    const status = await becomesDual(cluster, { nodes: { podCIDRs: 'Replace' } });
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
