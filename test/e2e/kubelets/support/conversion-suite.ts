import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { companionsOf } from './companions.ts';
import { agentsWords, conditionOf } from './conversion.ts';
import { change, type Change, longestAway, type Scene, startScene, unannounced } from './convert.ts';
import { markNode, nodesState, type NodesState } from './nodes-state.ts';
import { checkPackets, failedText } from './packets.ts';
import type { Family, RealClusterOptions } from '../../cluster/index.ts';
import { addressesInShop, openShop } from './shop.ts';
import { longestSilence } from './traffic.ts';
import { whereItRuns } from './where-it-runs.ts';

/** Five to seven seconds, where five hosts share two processors; longer where a request is long. */
const API_AWAY_MS = 12_000;
/** Of all requests, those that may meet the moment in which a node counts as not ready. */
const LOST_SHARE = 0.0001;
/** 2.6 s were seen while nothing was being changed. A route that is missing shows for longer. */
const SILENCE_MS = 4_000;
const MINUTES = 60_000;

export interface Asked {
  readonly cluster: RealClusterOptions;
  readonly primary: Family;
  readonly secondPodCIDR: RegExp;
}

/** What a cluster of five hosts must show when it has been given its second family. */
export const describeConversion = (name: string, { cluster, primary, secondPodCIDR }: Asked): void =>
  whereItRuns(name, () => {
    let scene: Scene;
    let converted: Change;
    let companions: Readonly<Record<string, string>>;
    let before: NodesState;

    beforeAll(async () => {
      scene = await startScene(cluster);
      await openShop(scene.cluster);
      companions = await companionsOf(scene.cluster);
      await markNode(scene.cluster);
      before = await nodesState(scene.cluster);
      converted = await change(scene, { workloads: { restart: 'Selected' } });
    }, 14 * MINUTES);

    afterAll(async () => {
      await scene?.stop();
    }, MINUTES);

    test('becomes dual-stack from one kubectl apply', () => {
      const isManaged = scene.cluster.settings.cni !== 'bridge';
      const types = ['NodesDualStack', 'ControlPlaneDualStack', 'KubeProxyDualStack', 'ConnectivityVerified'];
      for (const type of isManaged ? [...types, 'NetworkPluginDualStack'] : types) {
        expect([type, conditionOf(converted.status, type)?.status]).toEqual([type, 'True']);
      }
      // Nobody's plug-in, as the bridge is, is left to whoever installed it; that it works is shown by the packets.
      if (!isManaged) expect(conditionOf(converted.status, 'NetworkPluginDualStack')?.reason).toBe('NotManaged');
    });

    test(`no ${primary} podCIDR has changed, and every Node has one of each family where pods take theirs from it`, async () => {
      const after = await nodesState(scene.cluster);
      expect(Object.keys(after)).toHaveLength(scene.cluster.nodes.length);
      for (const [name, { podCIDRs }] of Object.entries(after)) {
        expect([name, podCIDRs[0]]).toEqual([name, before[name]?.podCIDRs[0]]);
        // Calico has pools of its own and needs none.
        if (cluster.cni !== 'calico') expect(podCIDRs[1]).toMatch(secondPodCIDR);
      }
    });

    test('what people wrote on a Node is there as it was', async () => {
      const after = await nodesState(scene.cluster);
      for (const [name, { own }] of Object.entries(after)) expect([name, own]).toEqual([name, before[name]?.own]);
      expect(Object.values(after).filter(({ own }) => own.taints.length > 0 && own.marks.length === 2)).not.toEqual([]);
    });

    test('what hangs on a Node has outlived its replacement', async () => {
      const nodes = scene.cluster.nodes.length;
      expect(Object.keys(companions)).toHaveLength(2 * nodes + 2 * scene.cluster.controlPlanes.length);
      expect(await companionsOf(scene.cluster)).toEqual(companions);
    });

    test('pods of the workload that was named are made anew, and those of the others are told', async () => {
      expect(await addressesInShop(scene.cluster, 'web')).toEqual([2, 2]);
      expect(await addressesInShop(scene.cluster, 'left')).toEqual([1, 1]);
      const told = converted.status.workloads?.exceptions.filter(({ namespace }) => namespace === 'shop');
      expect(told).toMatchObject([{ kind: 'Deployment', name: 'left' }]);
    });

    test('what ran before was not hurt', () => {
      expect(converted.streams.length).toBe(2 * 5 * 4);
      const sent = converted.streams.reduce((sum, stream) => sum + stream.sent, 0);
      expect(unannounced(converted)).toEqual([]);
      expect(longestSilence(converted.streams)).toBeLessThan(SILENCE_MS);
      // A prober that was made anew, or never answered quickly, would have nothing to tell.
      for (const { sent: each, slow } of converted.streams) {
        expect(each).toBeGreaterThan(9 * (converted.ms / 1000));
        expect(slow).toBeLessThan(each / 10);
      }
      expect(converted.failures.length).toBeLessThan(sent * LOST_SHARE);
    });

    test('no API server waited for the watchers of its old process', () => {
      expect(converted.gaps.filter(({ what }) => what.startsWith('kube-apiserver'))).toHaveLength(3);
      const longest = longestAway(converted.gaps, 'kube-apiserver');
      if (longest >= API_AWAY_MS) console.log(scene.cluster.controlPlanes.flatMap(agentsWords).join('\n'));
      expect(longest).toBeLessThan(API_AWAY_MS);
    });

    test('two API servers were never away at the same time', () => {
      const away = converted.gaps
        .filter(({ what }) => what.startsWith('kube-apiserver'))
        .toSorted((one, other) => one.from - other.from);
      expect(away.filter((gap, n) => gap.from < (away[n - 1]?.to ?? 0))).toEqual([]);
    });

    test('packets flow in both families', async () => {
      expect(failedText(await checkPackets(scene.cluster))).toBe('');
    });
  });
