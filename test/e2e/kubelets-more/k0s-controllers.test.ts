import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { nodeStatusSchema } from '../../../src/api/node.ts';
import { at } from '../../../src/model/object.ts';
import { CONVERT_MS, SETUP_MS } from '../../support/cni-cluster.ts';
import { askForDualStack, conditionOf, isReady, isStalled, stepsCarriedOut } from '../../support/conversion.ts';
import { eventually } from '../../support/eventually.ts';
import { flagsOf, K0S_NETWORKS, type K0sCluster, startK0s, textOf } from '../../support/k0s-cluster.ts';
import { objectAt } from '../../support/played-cni.ts';

// Agents that edit the files of k0s controllers: what becomes of a k0s that does not come back, and several controllers of which one is left to people.

const SERVICES = 'service-cluster-ip-range';
const NODE = '/apis/dualstack.dev/v1alpha1/dualstacknodes/cp-1';

describe('a file that does not work', () => {
  let scene: K0sCluster;
  let file: string;

  beforeAll(async () => {
    scene = await startK0s({ dynamic: false, bySystemd: true });
    file = await textOf(scene.cluster, 'cp-1');
  }, SETUP_MS);

  afterAll(() => scene?.stop(), 60_000);

  async function expectPutBack(restarts: number): Promise<void> {
    const { cluster, played } = scene;
    expect(await textOf(cluster, 'cp-1')).toBe(file);
    expect(played.k0s.restarts).toHaveLength(restarts);
    await eventually(
      'the API server is back with its first range',
      () => flagsOf(cluster, 'kube-apiserver', [SERVICES]).join() === `--${SERVICES}=10.96.0.0/16`,
    );
  }

  test(
    'k0s refuses it: the only control plane is back within a minute, by the agent alone',
    async () => {
      const { cluster, user, played } = scene;
      played.k0s.takes = (text) => !text.includes('enabled: true');
      await askForDualStack(cluster, K0S_NETWORKS);
      const status = await user.until(isStalled, CONVERT_MS);
      expect(conditionOf(status, 'Stalled')).toMatchObject({ reason: 'StepFailed' });
      expect(conditionOf(status, 'Stalled')?.message).toContain('k0s ended and has not run for');
      expect(status.plan?.current).toMatchObject({ id: 'k0s-config/cp-1', state: 'Failed' });
      await expectPutBack(2);
      const away = cluster.balancer.backends[0]!.changes.filter(({ up }) => up).at(-1)!.at;
      const gone = cluster.balancer.backends[0]!.changes.filter(({ up }) => !up).at(-1)!.at;
      expect(away - gone).toBeLessThan(60_000);
    },
    CONVERT_MS,
  );

  test(
    'k0s takes it and its API server does not come: the same after its third end, and a changed spec tries again',
    async () => {
      const { cluster, user, played } = scene;
      played.k0s.takes = () => true;
      const node = cluster.node('cp-1');
      // Two ranges of one family: kube-apiserver refuses to start with them.
      node.launchOverride('kube-apiserver', (args) =>
        args.map((argument) =>
          argument.includes('fd00:10:97::') ? `--${SERVICES}=10.96.0.0/16,10.97.0.0/16` : argument,
        ),
      );
      const services = { cidrBlocks: ['fd00:10:97::/112'] };
      await askForDualStack(cluster, { ...K0S_NETWORKS, clusterNetwork: { ...K0S_NETWORKS.clusterNetwork, services } });
      const status = await user.until(
        (seen) => isStalled(seen) && conditionOf(seen, 'Stalled')?.message.includes('exited 3 times') === true,
        CONVERT_MS,
      );
      expect(status.plan?.current).toMatchObject({ id: 'k0s-config/cp-1', state: 'Failed' });
      await expectPutBack(4);
      const reported = nodeStatusSchema.parse(at(await objectAt(cluster, NODE), 'status'));
      expect(reported.refused).toContainEqual(
        expect.objectContaining({ component: 'k0s', flag: 'spec.network.dualStack.IPv6serviceCIDR' }),
      );

      node.launchOverride('kube-apiserver', undefined);
      await askForDualStack(cluster, K0S_NETWORKS);
      await user.until(isReady, CONVERT_MS);
      expect(played.k0s.restarts).toHaveLength(5);
    },
    2 * CONVERT_MS,
  );
});

describe('three controllers, one of them no service of systemd', () => {
  let scene: K0sCluster;

  beforeAll(async () => {
    scene = await startK0s({ dynamic: false, bySystemd: ['cp-1', 'cp-2'], controlPlanes: 3 });
  }, SETUP_MS);

  afterAll(() => scene?.stop(), 60_000);

  test(
    'one after the other, what needs nobody first, the first changed one leads before the next, and never two API servers are away',
    async () => {
      const { cluster, user, installed, played } = scene;
      const asked = Date.now();
      await askForDualStack(cluster, K0S_NETWORKS);
      await user.until(isReady, 2 * CONVERT_MS);
      expect(user.done.filter((id) => id.startsWith('k0s-config/'))).toEqual(['k0s-config/cp-3']);
      expect(played.k0s.restarts.toSorted()).toEqual(['cp-1', 'cp-2']);
      const steps = (await stepsCarriedOut(installed)).map(({ step }) => step);
      const files = steps.filter((step) => step.startsWith('k0s-config/'));
      expect(files.toSorted()).toEqual(['k0s-config/cp-1', 'k0s-config/cp-2']);
      for (const name of ['cp-1', 'cp-2', 'cp-3']) {
        expect(flagsOf(cluster, 'kube-apiserver', [SERVICES], name)).toEqual([
          `--${SERVICES}=10.96.0.0/16,fd00:10:96::/112`,
        ]);
      }
      expect(played.wrongs).toEqual([]);
      // In the order of time: who is away, added up.
      const changes = cluster.balancer.backends
        .flatMap((backend) => backend.changes.filter((change) => change.at > asked))
        .toSorted((a, b) => a.at - b.at);
      let away = 0;
      const most = changes.reduce((max, { up }) => {
        away += up ? -1 : 1;
        return Math.max(max, away);
      }, 0);
      expect(most).toBe(1);
    },
    3 * CONVERT_MS,
  );
});
