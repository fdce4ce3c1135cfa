import { expect, test } from '@jest/globals';
import {
  addressesOfDNS,
  applyObjects,
  becomesSingle,
  blockersOf,
  CONVERT_MS,
  SETUP_MS,
  startWithCNI,
} from '../../support/cni-cluster.ts';
import { ANTREA_OBJECTS } from '../../support/cni-manifests.ts';
import { askForDualStack, conditionOf, isReady, isStalled, untilStatus } from '../../support/conversion.ts';
import type { PlugIn } from '../../cluster/index.ts';
import { addressesOf, podCIDRsOf } from '../../cluster/podplayer.ts';
import { PlayedAntrea } from '../../support/played-antrea.ts';
import type { PlayedCNI } from '../../support/played-cni.ts';

// Network plug-ins that are left to their owners: what is told of them, and that the conversion ends by itself once that was done.

test(
  'Antrea: Nodes get their podCIDRs, the restart of its agents is told, and both are all that it takes',
  async () => {
    const scene = await startWithCNI({
      install: applyObjects(ANTREA_OBJECTS),
      played: (cluster) => new PlayedAntrea(cluster),
      agents: 'kube-system/antrea-agent',
    });
    try {
      const { cluster } = scene;
      await askForDualStack(cluster, { nodes: { podCIDRs: 'Replace' } });
      const told = await untilStatus(
        cluster,
        'the restart is told once every Node has two podCIDRs',
        (status) =>
          blockersOf(status, 'Unmanaged').length > 0 &&
          status.plan?.steps.some(({ group, state }) => group === 'pod-cidrs' && state === 'Satisfied') === true,
        CONVERT_MS,
      );
      const [blocker] = blockersOf(told, 'Unmanaged');
      expect(blocker?.message).toContain('not yet on');
      const command = /kubectl (-n kube-system rollout restart .*)\.$/u.exec(blocker?.remedy ?? '')?.[1] ?? '';
      await cluster.kubectl(command.split(' '));
      await untilStatus(cluster, 'the cluster is Ready', isReady, CONVERT_MS);
      expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([2]));

      await becomesSingle(cluster);
      expect(scene.played.wrongs).toEqual([]);
    } finally {
      await scene.stop();
    }
  },
  SETUP_MS + 2 * CONVERT_MS,
);

/** Gives pods addresses of the podCIDRs, of IPv4 alone until somebody switches IPv6 on. */
class PlayedUnknown implements PlayedCNI {
  readonly wrongs: string[] = [];
  hasIPv6 = false;

  turn(): Promise<void> {
    return Promise.resolve();
  }

  readonly plugIn: PlugIn = (node, n) => {
    const podCIDRs = podCIDRsOf(node);
    return addressesOf(this.hasIPv6 ? [...podCIDRs, 'fd00:10:244:99::/64'].slice(0, 2) : podCIDRs.slice(0, 1), n);
  };
}

test(
  'one that nobody knows: told at once, stopped at the pods that show it, done when its owner has done his part',
  async () => {
    const scene = await startWithCNI({
      install: () => Promise.resolve(),
      played: () => new PlayedUnknown(),
    });
    try {
      const { cluster, played } = scene;
      await askForDualStack(cluster);
      const status = await untilStatus(cluster, 'it is Stalled', isStalled, CONVERT_MS);
      expect(status.plan?.warnings).toContainEqual(expect.objectContaining({ reason: 'Unmanaged' }));
      const stalled = conditionOf(status, 'Stalled');
      expect(stalled?.message).toContain('The network plug-in is left to you');
      const command = /kubectl (-n kube-system rollout restart deployment coredns)/u.exec(stalled?.message ?? '')?.[1];

      played.hasIPv6 = true;
      await cluster.kubectl((command ?? '').split(' '));
      await untilStatus(cluster, 'the cluster is Ready', isReady, CONVERT_MS);
      expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([2]));
    } finally {
      await scene.stop();
    }
  },
  SETUP_MS + CONVERT_MS,
);
