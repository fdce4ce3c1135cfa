import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import { at, type KubeObject } from '../../../src/model/object.ts';
import { type RealCluster, startRealCluster } from '../cluster/index.ts';
import { applyResource, dualStackCluster, isReady, untilStatus } from '../kubelets/support/conversion.ts';
import {
  type Clients,
  DEAF,
  NAMESPACE,
  openDeaf,
  openServices,
  type Place,
  RATE,
  servicesNow,
  slicesNow,
  startClients,
  unanswered,
  urlsOf,
} from '../kubelets/support/service-clients.ts';
import { whereItRuns } from '../kubelets/support/where-it-runs.ts';

/** Twenty Services get their second family and lose it again, while clients in pods and outside of the pod network ask all of them over IPv4. */

const MINUTES = 60_000;
const COUNT = 20;

const contents = (services: readonly KubeObject[]): readonly unknown[] =>
  services.map(({ metadata, spec }) => ({ name: metadata.name, annotations: metadata.annotations, spec }));

const isMigrated = (status: ClusterStatus): boolean =>
  isReady(status) && (status.services?.dualStack ?? 0) >= COUNT && status.services?.pending === 0;

const isUndone = ({ services }: ClusterStatus): boolean => services?.pending === 0 && services.singleStack >= COUNT;

whereItRuns('Services of a dual-stack cluster of a control plane and 2 workers', () => {
  let cluster: RealCluster;
  let before: readonly KubeObject[];
  let clients: Clients;
  let targets: readonly string[];
  const places: readonly Place[] = [
    { node: 'cp-1', network: 'pod' },
    { node: 'worker-1', network: 'pod' },
    { node: 'cp-1', network: 'host' },
  ];

  beforeAll(async () => {
    cluster = await startRealCluster({
      workers: 2,
      families: ['IPv4', 'IPv6'],
      nodeIP: 'pair',
      forwarding: 'dual',
      cni: 'bridge',
    });
    await cluster.installOperator();
    await openServices(cluster, COUNT, ['worker-1', 'worker-2']);
    before = await servicesNow(cluster);
    targets = urlsOf(before, 'IPv4', addressOf('IPv4'));
    clients = await startClients(cluster, places, targets);
  }, 8 * MINUTES);

  afterAll(async () => {
    await cluster?.stop();
  }, MINUTES);

  /** Carries it out while the clients ask; none may fail. Clients that stood still would see no failure either. */
  async function unseen(what: string, change: () => Promise<unknown>): Promise<void> {
    const [begun, sentBefore] = [performance.now(), await clients.sent()];
    await change();
    const failures = await clients.failures();
    const sent = (await clients.sent()) - sentBefore;
    const seconds = (performance.now() - begun) / 1000;
    console.log(`${what}: ${sent} requests in ${seconds.toFixed(0)} s, ${failures.length} failed`);
    expect(failures).toEqual([]);
    expect(sent).toBeGreaterThan((targets.length * places.length * RATE * seconds) / 2);
  }

  const addressOf = (family: 'IPv4' | 'IPv6'): string =>
    cluster.settings.network.nodes.find(({ name }) => name === 'worker-2')?.[family] ?? '';

  test(
    'all are migrated, and no IPv4 client sees a failure',
    async () => {
      expect(before.map((service) => at(service, 'spec', 'ipFamilies'))).toEqual(
        Array.from({ length: COUNT }, () => ['IPv4']),
      );
      expect(targets).toHaveLength(COUNT + (COUNT / 5) * 2);
      await unseen('migrated', async () => {
        await applyResource(
          cluster,
          dualStackCluster(cluster, { nodes: { podCIDRs: 'Keep' }, services: { migration: 'All' } }),
        );
        const status = await untilStatus(cluster, 'all are migrated and the cluster is Ready', isMigrated, 6 * MINUTES);
        // By the operator itself, from pods of a moment.
        expect(status.services?.packets).toMatchObject({
          from: ['worker-1', 'worker-2'],
          asked: COUNT,
          answered: COUNT,
        });
      });
    },
    8 * MINUTES,
  );

  test(
    'each has two cluster IPs and EndpointSlices of both types, and answers over both from a node without a pod of it',
    async () => {
      const services = await servicesNow(cluster);
      expect(services.filter((service) => (at(service, 'spec', 'clusterIPs') as string[]).length !== 2)).toEqual([]);
      const slices = await slicesNow(cluster);
      for (const { metadata } of services) expect(slices[metadata.name]?.toSorted()).toEqual(['IPv4', 'IPv6']);
      for (const family of ['IPv4', 'IPv6'] as const) {
        const urls = urlsOf(services, family, addressOf(family));
        expect(urls).toHaveLength(COUNT + (COUNT / 5) * 2);
        expect(await unanswered(cluster, 'cp-1', urls)).toEqual([]);
      }
    },
    2 * MINUTES,
  );

  test(
    'one whose program listens on IPv4 alone is told, and put back by its label',
    async () => {
      await openDeaf(cluster, 'worker-1');
      const told = await untilStatus(
        cluster,
        'it is told',
        ({ services }) => services?.packets?.silent.length === 1,
        3 * MINUTES,
      );
      expect(told.services?.packets?.silent).toEqual([{ namespace: NAMESPACE, name: DEAF, family: 'IPv6' }]);
      await cluster.kubectl(['label', 'service', DEAF, '-n', NAMESPACE, 'dualstack.dev/migrate=false']);
      await untilStatus(
        cluster,
        'it is put back',
        (status) => isReady(status) && status.services?.pending === 0,
        2 * MINUTES,
      );
      const { stdout } = await cluster.kubectl(['get', 'service', DEAF, '-n', NAMESPACE, '-o', 'json']);
      expect((JSON.parse(stdout) as KubeObject)['spec']).toMatchObject({
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
      });
      await cluster.kubectl(['delete', 'service', DEAF, '-n', NAMESPACE]);
    },
    6 * MINUTES,
  );

  test(
    'leaving them out puts each byte back, and no IPv4 client sees a failure',
    async () => {
      await unseen('put back', async () => {
        await cluster.kubectl(['label', 'services', '--all', '-n', NAMESPACE, 'dualstack.dev/migrate=false']);
        await untilStatus(cluster, 'all are put back', isUndone, 2 * MINUTES);
      });
      expect(contents(await servicesNow(cluster))).toEqual(contents(before));
    },
    4 * MINUTES,
  );
});
