import { expect } from '@jest/globals';
import { asArray, at } from '../../../src/model/object.ts';
import {
  addressesOfDNS,
  becomesDual,
  becomesSingle,
  cniScene,
  CONVERT_MS,
  seenAt,
  stepsOf,
} from '../../support/cni-cluster.ts';
import { PlayedCanal } from '../../support/played-canal.ts';
import { itemsAt } from '../../support/played-cni.ts';
import { manifestPath } from '../../support/real-manifests.ts';
import { testWith } from '../../support/with-manifests.ts';

// The released manifest of Canal, converted and taken back by the operator. flanneld, Felix and the plug-in are played.

const FILE = 'calico-v3.31.7/canal.yaml';
const given = testWith(FILE);

const OBJECTS = [
  '/api/v1/namespaces/kube-system/configmaps/canal-config',
  '/apis/apps/v1/namespaces/kube-system/daemonsets/canal',
] as const;

const scene = cniScene({
  install: (cluster) => cluster.kubectl(['apply', '--server-side', '-f', manifestPath(FILE)]),
  played: (cluster) => new PlayedCanal(cluster),
  agents: 'kube-system/canal',
  objects: OBJECTS,
});

given(
  'the released manifest becomes dual-stack',
  async () => {
    const { cluster, installed, played } = scene();
    const status = await becomesDual(cluster, { nodes: { podCIDRs: 'Replace' } });
    expect(status.detected?.cni).toBe('Canal');
    expect(status.nodes).toMatchObject({ total: 2, dualStack: 2, exceptions: [] });
    expect(await stepsOf(installed, 'canal/')).toEqual(['canal/config', 'canal/rollout-1', 'canal/rollout-2']);
    expect(Object.fromEntries(played.routes)).toEqual({ 'cp-1': ['worker-1'], 'worker-1': ['cp-1'] });
    expect([...played.guarding].toSorted()).toEqual(['cp-1', 'worker-1']);
    expect(new Set(await addressesOfDNS(cluster))).toEqual(new Set([2]));
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);

given(
  'and goes back: its objects as they were released, and nothing of flannel left on the Nodes',
  async () => {
    const { before, cluster, played } = scene();
    await becomesSingle(cluster);
    expect(await seenAt(cluster, OBJECTS)).toEqual(before);
    const nodes = await itemsAt(cluster, '/api/v1/nodes');
    expect(nodes.map((node) => asArray(at(node, 'spec', 'podCIDRs')).length)).toEqual([1, 1]);
    const left = nodes.flatMap(({ metadata }) =>
      Object.keys(metadata.annotations ?? {}).filter((key) => /v6/u.test(key)),
    );
    expect(left).toEqual([]);
    expect(played.wrongs).toEqual([]);
  },
  CONVERT_MS,
);
