import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type RealCluster, startRealCluster } from '../cluster/index.ts';
import {
  applyResource,
  conditionOf,
  dualStackCluster,
  isReady,
  stepsDone,
  untilStatus,
} from '../kubelets/support/conversion.ts';
import { killOperator, killOperatorAtDeletion } from '../kubelets/support/kill-operator.ts';
import { markNode, type NodesState, nodesState } from '../kubelets/support/nodes-state.ts';
import { checkPackets, failedText } from '../kubelets/support/packets.ts';
import { addressesInShop, nodesOfShop, openShop } from '../kubelets/support/shop.ts';
import { whereItRuns } from '../kubelets/support/where-it-runs.ts';

const MINUTES = 60_000;
const LOOK_MS = 500;
/** Its administrator has cordoned it, and it stays so: what is evicted there finds a place on the other worker. */
const CORDONED = 'worker-2';

// Real: kubelets that end evicted pods in their own time and go on with a replaced Node, the disruption controller, the scheduler.
whereItRuns('Nodes are drained one after another before they are replaced', () => {
  let cluster: RealCluster;
  let before: NodesState;
  let web: Availability;

  beforeAll(async () => {
    cluster = await startRealCluster({ controlPlanes: 1, workers: 2 });
    await cluster.installOperator();
    await openShop(cluster);
    await markNode(cluster);
    await cluster.kubectl(['cordon', CORDONED]);
    before = await nodesState(cluster);
    // Each of its two pods is wanted: none may be evicted.
    await setBudget(2);
    web = watchAvailability(cluster);
  }, 8 * MINUTES);

  afterAll(async () => {
    await web?.stop();
    await cluster?.stop();
  }, MINUTES);

  test(
    'a PodDisruptionBudget that allows nothing holds it up, is told by name, and no pod is evicted',
    async () => {
      await applyResource(cluster, dualStackCluster(cluster, { nodes: { podCIDRs: 'Drain' } }));
      const pods = await webPods();
      await untilStatus(
        cluster,
        'the budget is told',
        ({ plan }) => plan?.current?.message.includes('PodDisruptionBudget shop/web') === true,
        6 * MINUTES,
      );
      expect(await webPods()).toEqual(pods);
      expect(await cordons()).toEqual({ 'worker-1': 'marked', [CORDONED]: 'by hand' });
    },
    8 * MINUTES,
  );

  test(
    'killed while it waits, and again between a Node’s deletion and its successor, it ends what it began',
    async () => {
      killOperator(cluster);
      await setBudget(1);
      const killedAt = await killOperatorAtDeletion(cluster, 4 * MINUTES);
      const status = await untilStatus(
        cluster,
        `it is Ready after it was killed when ${killedAt} had been deleted`,
        isReady,
        12 * MINUTES,
      );
      expect(conditionOf(status, 'NodesDualStack')?.status).toBe('True');
      // Workers first: when the control plane's turn has come, both have been through.
      const replaced = stepsDone(cluster).filter(({ outcome }) => outcome.startsWith('replaced'));
      expect(new Set(replaced.map(({ step }) => step))).toContain('pod-cidrs/cp-1');
    },
    18 * MINUTES,
  );

  test('nothing of the Nodes is lost: labels, annotations, taints and who cordoned them', async () => {
    const after = await nodesState(cluster);
    for (const [name, { own, podCIDRs }] of Object.entries(before)) {
      expect([name, after[name]?.own]).toEqual([name, own]);
      expect(after[name]?.podCIDRs).toEqual([...podCIDRs, expect.stringContaining(':')]);
    }
    expect(await cordons()).toEqual({ [CORDONED]: 'by hand' });
  });

  test('pods were evicted as the budget allowed, and those that came after have both families', async () => {
    expect(await web.stop()).toBeGreaterThanOrEqual(1);
    expect(await nodesOfShop(cluster, 'web')).toEqual(['worker-1']);
    expect(await addressesInShop(cluster, 'web')).toEqual([2, 2]);
  });

  test(
    'packets flow in both families',
    async () => {
      await cluster.kubectl(['uncordon', CORDONED]);
      expect(failedText(await checkPackets(cluster))).toBe('');
    },
    3 * MINUTES,
  );

  async function setBudget(minAvailable: number): Promise<void> {
    const patch = JSON.stringify({ spec: { minAvailable } });
    await cluster.kubectl(['-n', 'shop', 'patch', 'pdb', 'web', '--type=merge', '-p', patch]);
  }

  async function webPods(): Promise<readonly string[]> {
    const path = 'jsonpath={range .items[*]}{.metadata.uid} {.metadata.deletionTimestamp}{"\\n"}{end}';
    const { stdout } = await cluster.kubectl(['-n', 'shop', 'get', 'pods', '-l', 'app=web', '-o', path]);
    return stdout.trim().split('\n').toSorted();
  }

  /** Nodes that take no pods, and whether this program's mark says that it cordoned them. */
  async function cordons(): Promise<Readonly<Record<string, 'marked' | 'by hand'>>> {
    const { stdout } = await cluster.kubectl(['get', 'nodes', '-o', 'json']);
    const { items } = JSON.parse(stdout) as {
      items: {
        metadata: { name: string; annotations?: Readonly<Record<string, string>> };
        spec: { unschedulable?: boolean };
      }[];
    };
    return Object.fromEntries(
      items
        .filter(({ metadata, spec }) => spec.unschedulable === true || isMarked(metadata.annotations))
        .map(({ metadata }) => [metadata.name, isMarked(metadata.annotations) ? 'marked' : 'by hand']),
    );
  }
});

const isMarked = (annotations: Readonly<Record<string, string>> = {}): boolean =>
  annotations['dualstack.dev/cordoned'] !== undefined;

interface Availability {
  /** The fewest pods of `web` that were there at a time. */
  stop(): Promise<number>;
}

function watchAvailability(cluster: RealCluster): Availability {
  const over = new AbortController();
  let fewest = Infinity;
  const looking = (async () => {
    const path = 'jsonpath={.status.availableReplicas}';
    while (!over.signal.aborted) {
      const read = await cluster.tryKubectl(['-n', 'shop', 'get', 'deployment', 'web', '-o', path]);
      // Empty where there is none; while the API server restarts nobody can tell.
      if (read.code === 0) fewest = Math.min(fewest, Number(read.stdout) || 0);
      await sleep(LOOK_MS);
    }
  })();
  return {
    async stop() {
      over.abort();
      await looking;
      return fewest;
    },
  };
}
