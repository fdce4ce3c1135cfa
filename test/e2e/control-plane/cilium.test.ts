import { expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import { asArray, at } from '../../../src/model/object.ts';
import {
  addressesOfDNS,
  applyObjects,
  becomesDual,
  becomesSingle,
  blockersOf,
  cniScene,
  CONVERT_MS,
  seenAt,
  stepsOf,
} from '../../support/cni-cluster.ts';
import { CILIUM_OBJECTS, OF_HELM } from '../../support/cni-manifests.ts';
import { askForDualStack, isReady, untilStatus } from '../../support/conversion.ts';
import { PlayedCilium } from '../../support/played-cilium.ts';
import { itemsAt } from '../../support/played-cni.ts';

// Cilium with its own pools, converted and taken back by the operator, and then handed over to Helm. Cilium's agent and operator are played.

/** No pod starts in the second in which its configuration was changed: times in the API are whole seconds. */
const UNHURRIED = { podStart: 1100 };
const CONFIG = '/api/v1/namespaces/kube-system/configmaps/cilium-config';
const OBJECTS = [
  CONFIG,
  '/apis/apps/v1/namespaces/kube-system/daemonsets/cilium',
  '/apis/apps/v1/namespaces/kube-system/deployments/cilium-operator',
] as const;

const scene = cniScene({
  install: applyObjects(CILIUM_OBJECTS),
  played: (cluster) => new PlayedCilium(cluster),
  agents: 'kube-system/cilium',
  options: { timing: UNHURRIED },
  objects: OBJECTS,
});

/** Per node the families of its pod CIDRs and of the addresses that its agent took. */
const families = async (): Promise<readonly (readonly number[])[]> =>
  (await itemsAt(scene().cluster, '/apis/cilium.io/v2/ciliumnodes')).map((node) => [
    asArray(at(node, 'spec', 'ipam', 'podCIDRs')).length,
    asArray(at(node, 'spec', 'addresses')).filter((entry) => at(entry, 'type') === 'CiliumInternalIP').length,
  ]);

test(
  'what nobody owns becomes dual-stack, and no Node is replaced for it',
  async () => {
    const { cluster, installed, played } = scene();
    const uids = (await itemsAt(cluster, '/api/v1/nodes')).map(({ metadata }) => metadata.uid);
    const status = await becomesDual(cluster);
    expect(status.detected?.cni).toBe('Cilium');
    expect(status.nodes).toMatchObject({ total: 2, dualStack: 2, exceptions: [] });
    expect(await stepsOf(installed, 'cilium/')).toEqual(['cilium/config', 'cilium/operator', 'cilium/agents']);
    expect(await families()).toEqual([
      [2, 2],
      [2, 2],
    ]);
    expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([2]));
    const nodes = await itemsAt(cluster, '/api/v1/nodes');
    expect(nodes.map(({ metadata }) => metadata.uid)).toEqual(uids);
    expect(nodes.map((node) => asArray(at(node, 'spec', 'podCIDRs')).length)).toEqual([1, 1]);
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);

test(
  'and goes back: the same objects, and no CiliumNode holds anything of IPv6',
  async () => {
    const { before, cluster, played } = scene();
    await becomesSingle(cluster);
    expect(await seenAt(cluster, OBJECTS)).toEqual(before);
    expect(await families()).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(played.operatorHasIPv6).toBe(false);
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);

/** What `helm upgrade` with these values writes, for the values that the operator names. */
function chartData(command: string): Readonly<Record<string, string>> {
  const values = Object.fromEntries(
    [...command.matchAll(/--set '([^=]+)=([^']*)'/gu)].map(([, name = '', value = '']) => [name, value]),
  );
  return {
    'enable-ipv6': values['ipv6.enabled'] ?? 'false',
    'cluster-pool-ipv6-cidr': (values['ipam.operator.clusterPoolIPv6PodCIDRList'] ?? '').replace(/[{}]/gu, ''),
    'cluster-pool-ipv6-mask-size': values['ipam.operator.clusterPoolIPv6MaskSize'] ?? '',
  };
}

test(
  'what Helm owns is handed over with the whole command, and restarted once the values are there',
  async () => {
    const { cluster, installed, played } = scene();
    await cluster.api.mergePatch(CONFIG, { metadata: OF_HELM });
    await askForDualStack(cluster);
    const told = await untilStatus(
      cluster,
      'the command is told',
      (status) => blockersOf(status, 'AnotherOwner').length > 0 && isPast(status, 'Proxy'),
      CONVERT_MS,
    );
    const command = blockersOf(told, 'AnotherOwner')[0]?.remedy ?? '';
    expect(command).toContain(
      'helm upgrade cilium cilium --repo https://helm.cilium.io --namespace kube-system --version 1.18.4',
    );
    expect(at(await cluster.api.get(CONFIG), 'data', 'enable-ipv6')).toBe('false');

    await cluster.api.mergePatch(CONFIG, { data: chartData(command) });
    await untilStatus(cluster, 'the cluster is Ready', isReady, CONVERT_MS);
    // Before these an edit of the ConfigMap, such as its labels, may have restarted cilium-operator: nothing else shows what it has read.
    expect((await stepsOf(installed, 'cilium/')).slice(-2)).toEqual(['cilium/operator', 'cilium/agents']);
    expect(await families()).toEqual([
      [2, 2],
      [2, 2],
    ]);
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);

/** All steps of the phase are done. */
const isPast = ({ plan }: ClusterStatus, which: string): boolean =>
  (plan?.steps ?? []).filter(({ phase }) => phase === which).every(({ state }) => state === 'Satisfied');
