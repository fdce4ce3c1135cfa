import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { canRunHere } from '../cluster/index.ts';
import { conditionOf } from './support/conversion.ts';
import { change, type Change, longestAway, type Scene, startScene } from './support/convert.ts';
import { checkPackets, failedText } from './support/packets.ts';

const whereItRuns = (await canRunHere()) ? describe : describe.skip;
/** Goal for an API server's way from its last answer to its next. */
const AWAY_MS = 12_000;
const MINUTES = 60_000;

whereItRuns('an IPv6 cluster of 3 control planes and 2 workers', () => {
  let scene: Scene;
  let converted: Change;

  beforeAll(async () => {
    scene = await startScene({ controlPlanes: 3, workers: 2, families: 'IPv6' });
    converted = await change(scene);
  }, 14 * MINUTES);

  afterAll(async () => {
    await scene?.stop();
  }, MINUTES);

  test('becomes dual-stack from one kubectl apply', () => {
    for (const type of ['NodesDualStack', 'ControlPlaneDualStack', 'KubeProxyDualStack', 'NetworkPluginDualStack']) {
      expect([type, conditionOf(converted.status, type)?.status]).toEqual([type, 'True']);
    }
    expect(conditionOf(converted.status, 'ConnectivityVerified')?.status).toBe('True');
  });

  test('no IPv6 podCIDR has changed, and every Node has one of each family', async () => {
    const { stdout } = await scene.cluster.kubectl(['get', 'nodes', '-o', 'json']);
    const { items } = JSON.parse(stdout) as { items: { spec: { podCIDR: string; podCIDRs: string[] } }[] };
    for (const { spec } of items) {
      expect(spec.podCIDRs).toHaveLength(2);
      expect(spec.podCIDRs[0]).toBe(spec.podCIDR);
      expect(spec.podCIDRs[1]).toMatch(/^10\.244\.\d+\.0\/24$/u);
    }
    expect(new Set(items.map(({ spec }) => spec.podCIDR)).size).toBe(scene.cluster.nodes.length);
  });

  test('what ran before was not hurt: no request was lost', () => {
    expect(converted.streams.length).toBe(2 * 5 * 4);
    expect(converted.failures).toEqual([]);
  });

  test(`each API server was away for at most ${AWAY_MS / 1000} s`, () => {
    expect(converted.gaps.filter(({ what }) => what.startsWith('kube-apiserver'))).toHaveLength(3);
    expect(longestAway(converted.gaps, 'kube-apiserver')).toBeLessThanOrEqual(AWAY_MS);
  });

  test('packets flow in both families', async () => {
    expect(failedText(await checkPackets(scene.cluster))).toBe('');
  });
});
