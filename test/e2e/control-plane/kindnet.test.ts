import { expect, test } from '@jest/globals';
import { asArray, asString, at } from '../../../src/model/object.ts';
import {
  addressesOfDNS,
  applyObjects,
  becomesDual,
  becomesSingle,
  cniScene,
  CONVERT_MS,
  restartPods,
  seenAt,
  stepsOf,
} from '../../support/cni-cluster.ts';
import { kindnetObjects } from '../../support/node-ipam-manifests.ts';
import { itemsAt, objectAt } from '../../support/played-cni.ts';
import { PlayedKindnet } from '../../support/played-kindnet.ts';

// A cluster of kindnet, converted and taken back by the operator. kindnetd itself is played.

const DAEMON_SET = '/apis/apps/v1/namespaces/kube-system/daemonsets/kindnet';

const scene = cniScene({
  install: applyObjects(kindnetObjects('10.244.0.0/16')),
  played: (cluster) => new PlayedKindnet(cluster),
  agents: 'kube-system/kindnet',
  objects: [DAEMON_SET],
});

const subnet = async (): Promise<string | undefined> =>
  asArray(at(await objectAt(scene().cluster, DAEMON_SET), 'spec', 'template', 'spec', 'containers', 0, 'env'))
    .filter((entry) => at(entry, 'name') === 'POD_SUBNET')
    .map((entry) => asString(at(entry, 'value')))
    .at(0);

const podCIDRs = async (): Promise<readonly number[]> =>
  (await itemsAt(scene().cluster, '/api/v1/nodes')).map((node) => asArray(at(node, 'spec', 'podCIDRs')).length);

const routed = (): Record<string, readonly string[]> => Object.fromEntries(scene().played.routed);

test(
  'it becomes dual-stack by one variable',
  async () => {
    const { cluster, installed, played } = scene();
    expect(routed()).toEqual({ 'cp-1': ['IPv4'], 'worker-1': ['IPv4'] });
    const status = await becomesDual(cluster, { nodes: { podCIDRs: 'Replace' } });
    expect(status.detected?.cni).toBe('Kindnet');
    expect(status.nodes).toMatchObject({ total: 2, dualStack: 2, exceptions: [] });
    expect(await stepsOf(installed, 'kindnet/')).toEqual(['kindnet/env']);
    expect(await subnet()).toBe('10.244.0.0/16,fd00:10:244::/56');
    expect(await podCIDRs()).toEqual([2, 2]);
    expect(routed()).toEqual({ 'cp-1': ['IPv4', 'IPv6'], 'worker-1': ['IPv4', 'IPv6'] });
    expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([2]));
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);

test(
  'and goes back: its DaemonSet as it was, Nodes and new pods with one family',
  async () => {
    const { before, cluster, played } = scene();
    await becomesSingle(cluster);
    expect(await seenAt(cluster, [DAEMON_SET])).toEqual(before);
    expect(await podCIDRs()).toEqual([1, 1]);
    expect(routed()).toEqual({ 'cp-1': ['IPv4'], 'worker-1': ['IPv4'] });
    // Pods keep what they have; new ones get one address.
    await restartPods(cluster, 'deployment/coredns');
    expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([1]));
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);
