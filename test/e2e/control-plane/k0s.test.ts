import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readK0sSettings } from '../../../src/model/k0s.ts';
import { asArray, at } from '../../../src/model/object.ts';
import { addressesOfDNS, askForIPv4, CONVERT_MS, isSingle, SETUP_MS } from '../../support/cni-cluster.ts';
import { askForDualStack, isReady, stepsCarriedOut } from '../../support/conversion.ts';
import { fileOf, flagsOf, K0S_NETWORKS, type K0sCluster, startK0s, textOf } from '../../support/k0s-cluster.ts';
import { itemsAt, objectAt } from '../../support/played-cni.ts';
import { clusterConfigOf } from '../../support/played-k0s.ts';

// A cluster of k0s, converted and taken back: real agents look at its file and its processes on the hosts, and edit and restart it where it is a service of
// systemd; the API server and the controller manager are real and run with what k0s makes of its file. k0s itself is played, and so is a person who does what
// the plan asks for.

const SERVICES = 'service-cluster-ip-range';
const MANAGER = ['cluster-cidr', 'node-cidr-mask-size', 'node-cidr-mask-size-ipv4', 'node-cidr-mask-size-ipv6'];

describe.each([
  { what: 'static configuration, edited by the agent', dynamic: false, bySystemd: true },
  { what: 'dynamic configuration, edited by the agent', dynamic: true, bySystemd: true },
  { what: 'static configuration, and a service that is not systemd’s', dynamic: false, bySystemd: false },
])('$what', ({ dynamic, bySystemd }) => {
  const byHand = bySystemd ? [] : ['k0s-config/cp-1'];
  let file: string;
  let scene: K0sCluster;
  let manager: readonly string[];

  beforeAll(async () => {
    scene = await startK0s({ dynamic, bySystemd });
    file = await textOf(scene.cluster, 'cp-1');
    manager = flagsOf(scene.cluster, 'kube-controller-manager', MANAGER);
  }, SETUP_MS);

  afterAll(() => scene?.stop(), 60_000);

  test(
    'it becomes dual-stack by what the plan asks for, step by step',
    async () => {
      const { cluster, user, played, installed } = scene;
      await askForDualStack(cluster, K0S_NETWORKS);
      const status = await user.until(isReady, CONVERT_MS);
      expect(status.detected).toMatchObject({ distribution: 'K0s', cni: 'KubeRouter' });
      expect(user.done).toEqual(['node-ips/worker-1', 'node-ips/cp-1', ...byHand]);
      expect(played.k0s.restarts).toEqual(bySystemd ? ['cp-1'] : []);
      expect(status.nodes).toMatchObject({ total: 2, dualStack: 2, exceptions: [] });
      expect(flagsOf(cluster, 'kube-apiserver', [SERVICES])).toEqual([`--${SERVICES}=10.96.0.0/16,fd00:10:96::/112`]);
      expect(flagsOf(cluster, 'kube-controller-manager', ['cluster-cidr'])).toEqual([
        '--cluster-cidr=10.244.0.0/16,fd00:10:244::/108',
      ]);
      const carried = (await stepsCarriedOut(installed)).map(({ step }) => step);
      expect(carried.includes('cluster-config')).toBe(dynamic);
      expect(carried).not.toContain('kube-router/args');
      expect(
        (await itemsAt(cluster, '/api/v1/nodes')).map((node) => asArray(at(node, 'spec', 'podCIDRs')).length),
      ).toEqual([2, 2]);
      // kube-router was told of IPv6 before its Nodes had podCIDRs of it, and has been renewed since.
      for (const { name } of cluster.nodes) expect(played.router.ranges(name)).toHaveLength(2);
      expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([2]));
      expect(status.plan?.warnings).toContainEqual(
        expect.objectContaining({ remedy: expect.stringContaining('spec.network.kuberouter.extraArgs') }),
      );
      expect(played.wrongs).toEqual([]);
    },
    CONVERT_MS,
  );

  test(
    'and back: the first flags, one family in its configuration, and ServiceCIDR made anew',
    async () => {
      const { cluster, user, played } = scene;
      user.done.length = 0;
      await askForIPv4(cluster);
      await user.until(isSingle, CONVERT_MS);
      expect(user.done).toEqual([...byHand, 'service-cidr', 'node-ips/worker-1', 'node-ips/cp-1']);
      expect(flagsOf(cluster, 'kube-apiserver', [SERVICES])).toEqual([`--${SERVICES}=10.96.0.0/16`]);
      expect(flagsOf(cluster, 'kube-controller-manager', MANAGER)).toEqual(manager);
      if (bySystemd) expect(await textOf(cluster, 'cp-1')).toBe(file);
      else expect((await fileOf(cluster, 'cp-1'))['spec.network.dualStack.enabled']).toBe('false');
      if (dynamic) {
        expect(readK0sSettings(await clusterConfigOf(cluster))['spec.network.dualStack.enabled']).toBe('false');
      }
      const range = await objectAt(cluster, '/apis/networking.k8s.io/v1/servicecidrs/kubernetes');
      expect(at(range, 'spec', 'cidrs')).toEqual(['10.96.0.0/16']);
      expect(played.wrongs).toEqual([]);
    },
    CONVERT_MS,
  );
});
