import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { NAMESPACE, PROGRAM } from '../../support/install.ts';
import { type RealCluster, type RealNode, startRealCluster } from '../cluster/index.ts';
import { type Outcome, tryRun } from '../cluster/run.ts';
import { applyResource, conditionOf, dualStackCluster, isReady, untilStatus } from './support/conversion.ts';
import { whereItRuns } from './support/where-it-runs.ts';

const MINUTES = 60_000;

/** The host throws away what comes for pods from other nodes, as one without a route or with a strict firewall does. */
const LOSE = ['to', 'fd00:10:244::/56', 'iif', 'eth0', 'blackhole'];

async function isGone(cluster: RealCluster): Promise<boolean> {
  const selected = ['pods,services', '-n', NAMESPACE, '-l', 'dualstack.dev/probe'];
  return (await cluster.kubectl(['get', ...selected, '-o', 'name'])).stdout === '';
}

whereItRuns('packets in a dual-stack cluster of a control plane and 2 workers', () => {
  let cluster: RealCluster;
  let broken: RealNode;

  beforeAll(async () => {
    cluster = await startRealCluster({
      workers: 2,
      families: ['IPv4', 'IPv6'],
      nodeIP: 'pair',
      forwarding: 'dual',
      cni: 'bridge',
    });
    await cluster.installOperator();
    broken = cluster.node('worker-1');
    await broken.run(['ip', '-6', 'rule', 'add', 'prio', '1', ...LOSE]);
    await applyResource(cluster, dualStackCluster(cluster, { nodes: { podCIDRs: 'Keep' } }));
  }, 6 * MINUTES);

  afterAll(async () => {
    await cluster?.stop();
  }, MINUTES);

  const verify = (...args: readonly string[]): Promise<Outcome> =>
    tryRun([process.execPath, PROGRAM, '--kubeconfig', cluster.kubeconfig, 'verify', ...args]);

  test(
    'a node that loses IPv6 is named, and nothing else',
    async () => {
      const status = await untilStatus(
        cluster,
        'a proof was made',
        (seen) => seen.connectivity !== undefined,
        3 * MINUTES,
      );
      const { connectivity } = status;
      expect(connectivity?.hops.map(({ hop, family, nodes }) => [hop, family, nodes])).toEqual([
        ['Node', 'IPv6', ['worker-1']],
      ]);
      expect(connectivity).toMatchObject({
        failedInRow: 1,
        pairs: { tested: 6, total: 6 },
        nodes: { probed: 3, leftOut: [] },
      });
      const [ipv4, ipv6] = connectivity?.families ?? [];
      expect(ipv4).toMatchObject({ family: 'IPv4', failed: 0 });
      expect(ipv6?.failed).toBe(connectivity?.hops[0]?.checks);
      expect(conditionOf(status, 'ConnectivityVerified')).toMatchObject({
        status: 'False',
        message: expect.stringContaining('worker-1'),
      });
    },
    4 * MINUTES,
  );

  test('the command shows the same, with what to look at', async () => {
    const { code, stdout } = await verify();
    expect(code).toBe(3);
    expect(stdout.replaceAll(/\s+/gu, ' ')).toContain('IPv6 between pods on worker-1 and pods on any other node fails');
    expect(stdout).toContain('Do: On worker-1');
  });

  test(
    'once the node is mended the proof is made again by itself, and holds',
    async () => {
      await broken.run(['ip', '-6', 'rule', 'del', 'prio', '1']);
      const status = await untilStatus(cluster, 'Ready', isReady, 3 * MINUTES);
      const { connectivity } = status;
      expect(connectivity).toMatchObject({ failedInRow: 0, hops: [], checks: { failed: 0 } });
      // For each family: pods and hosts to 3 pods and to the Service from 3 nodes, 3 node ports each, and DNS where it has the family.
      expect(connectivity?.checks.total).toBeGreaterThanOrEqual(90);
      for (const { latencyMicroseconds } of connectivity?.families ?? []) {
        expect(latencyMicroseconds?.median).toBeGreaterThan(0);
        expect(latencyMicroseconds?.p99).toBeGreaterThanOrEqual(latencyMicroseconds?.median ?? Number.NaN);
      }
      expect(conditionOf(status, 'ConnectivityVerified')).toMatchObject({ status: 'True', reason: 'ProbesPassed' });
      expect((await verify()).code).toBe(0);
    },
    4 * MINUTES,
  );

  test(
    'a user makes a proof of their own',
    async () => {
      const { code, stdout, stderr } = await verify('--run', '-o', 'json');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(JSON.parse(stdout)).toMatchObject({ hops: [], checks: { failed: 0 }, nodes: { probed: 3 } });
    },
    2 * MINUTES,
  );

  test('nothing is left of any of them', async () => {
    await eventually('probe pods and Services are gone', () => isGone(cluster), 30_000);
  });
});
