import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type RealCluster, startRealCluster } from '../cluster/index.ts';
import {
  applyResource,
  conditionOf,
  dualStackCluster,
  isReady,
  statusNow,
  untilStatus,
} from '../kubelets/support/conversion.ts';
import { killOperatorAtDeletion } from '../kubelets/support/kill-operator.ts';
import { checkPackets, failedText } from '../kubelets/support/packets.ts';
import { whereItRuns } from '../kubelets/support/where-it-runs.ts';

const MINUTES = 60_000;
const CUT_MS = 20_000;

whereItRuns('faults in the middle of a conversion', () => {
  let cluster: RealCluster;
  let podCIDRs: string;
  const told: string[] = [];

  beforeAll(async () => {
    cluster = await startRealCluster({ controlPlanes: 3, workers: 1 });
    await cluster.installOperator();
    await cluster.kubectl(['label', 'node', 'worker-1', 'example.com/rack=r7']);
    await cluster.kubectl(['cordon', 'worker-1']);
    podCIDRs = await firstPodCIDRs();
  }, 6 * MINUTES);

  afterAll(async () => {
    await cluster?.stop();
  }, MINUTES);

  test(
    'a reboot, a cut balancer, a reboot of the operator’s node and its death in the middle of a Node’s replacement end in a dual-stack cluster',
    async () => {
      await applyResource(cluster, dualStackCluster(cluster));

      await atStep('node-ips');
      told.push('worker-1 is switched off and on again');
      await cluster.node('worker-1').reboot();

      await atStep('api-server');
      told.push('the balancer is cut');
      await cluster.balancer.cut();
      await sleep(CUT_MS);
      await cluster.balancer.restore();

      await atStep('controller-manager');
      const host = await operatorsNode();
      told.push(`${host}, where the operator leads, is switched off and on again`);
      await cluster.node(host).reboot();

      await atStep('pod-cidrs');
      told.push(`the operator is killed when ${await killOperatorAtDeletion(cluster)} has been deleted`);

      const status = await untilStatus(cluster, `it is Ready after: ${told.join('; ')}`, isReady, 12 * MINUTES);
      expect(conditionOf(status, 'NodesDualStack')?.status).toBe('True');
    },
    15 * MINUTES,
  );

  test('nothing of the Nodes is lost', async () => {
    expect(await firstPodCIDRs()).toBe(podCIDRs);
    const { stdout } = await cluster.kubectl(['get', 'node', 'worker-1', '-o', 'json']);
    const node = JSON.parse(stdout) as { metadata: { labels: object }; spec: { unschedulable?: boolean } };
    expect(node.metadata.labels).toMatchObject({ 'example.com/rack': 'r7' });
    expect(node.spec.unschedulable).toBe(true);
  });

  test('packets flow in both families', async () => {
    await cluster.ready();
    expect(failedText(await checkPackets(cluster))).toBe('');
  });

  async function firstPodCIDRs(): Promise<string> {
    const path = 'jsonpath={range .items[*]}{.metadata.name} {.spec.podCIDR}{"\\n"}{end}';
    return (await cluster.kubectl(['get', 'nodes', '-o', path])).stdout;
  }

  /** Waits until a step of that group is in work. */
  async function atStep(group: string): Promise<void> {
    const end = performance.now() + 6 * MINUTES;
    for (;;) {
      const current = (await statusNow(cluster))?.plan?.current;
      if (current?.id.startsWith(group)) return;
      if (performance.now() > end) throw new Error(`no step ${group} was begun; so far: ${told.join('; ')}`);
      await sleep(500);
    }
  }

  async function operatorsNode(): Promise<string> {
    const lease = [
      '-n',
      'dualstack-system',
      'get',
      'lease',
      'dualstack-operator',
      '-o',
      'jsonpath={.spec.holderIdentity}',
    ];
    const holder = (await cluster.kubectl(lease)).stdout;
    const found = cluster.nodes.find(({ name }) => holder.startsWith(name));
    if (found !== undefined) return found.name;
    const pod = holder.split('_')[0] ?? holder;
    const path = ['-n', 'dualstack-system', 'get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}'];
    return (await cluster.kubectl(path)).stdout;
  }
});
