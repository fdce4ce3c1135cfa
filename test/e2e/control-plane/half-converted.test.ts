import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { giveNodePair, HAND_STEPS, restartApiServer, restartManager } from '../../../bench/by-hand.ts';
import type { ClusterOptions, TestCluster, TestNode } from '../../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  flagOf,
  type Installed,
  isReady,
  isStalled,
  PODS,
  SERVICES,
  startInstalled,
  untilStatus,
} from '../../support/conversion.ts';
import { eventually } from '../../support/eventually.ts';
import { eventsOf } from '../../support/watching.ts';

const CONVERT_MS = 300_000;
const RESOURCE = '/apis/dualstack.dev/v1alpha1/dualstackclusters/cluster';

type HandStep = keyof typeof HAND_STEPS;

const apiServerStarts = (cluster: TestCluster): readonly number[] =>
  cluster.controlPlanes.map(({ name }) => cluster.history.of('kube-apiserver', name).length);

const kubeletStarts = (cluster: TestCluster): readonly number[] =>
  cluster.nodes.map((node) => node.kubelet.starts.length);

async function withInstalled(options: ClusterOptions, run: (installed: Installed) => Promise<void>): Promise<void> {
  const installed = await startInstalled({ keep: process.env['KEEP'] === '1', ...options });
  try {
    await run(installed);
  } finally {
    await installed.stop();
  }
}

async function byHand(cluster: TestCluster, steps: readonly HandStep[]): Promise<void> {
  for (const step of steps) await HAND_STEPS[step](cluster);
}

function expectDualFlags(cluster: TestCluster): void {
  for (const { name } of cluster.controlPlanes) {
    expect(flagOf(cluster.history.running('kube-apiserver', name)!, 'service-cluster-ip-range')).toBe(SERVICES);
    const manager = cluster.history.running('kube-controller-manager', name)!;
    expect(flagOf(manager, 'service-cluster-ip-range')).toBe(SERVICES);
    expect(flagOf(manager, 'cluster-cidr')).toBe(PODS);
  }
}

test(
  'the control plane by hand, the rest not: completed, and no API server restarted once more',
  async () => {
    await withInstalled({ workers: 1 }, async ({ cluster }) => {
      await byHand(cluster, ['apiServers', 'kubeadmConfig', 'proxyConfig', 'dnsService']);
      expect(apiServerStarts(cluster)).toEqual([2]);
      await askForDualStack(cluster);
      await untilStatus(cluster, 'it is completed', isReady, CONVERT_MS);
      expectDualFlags(cluster);
      expect(apiServerStarts(cluster)).toEqual([2]);
    });
  },
  CONVERT_MS + 60_000,
);

test(
  'the network plug-in and one node by hand, the control plane not; a pool in the way is named with its remedy',
  async () => {
    await withInstalled({ workers: 1 }, async ({ cluster }) => {
      await giveNodePair(cluster, cluster.node('worker-1'));
      await byHand(cluster, ['managers', 'pool', 'cniConfig']);
      await cluster.kubectl(['apply', '-f', '-'], OTHER_POOL);
      await askForDualStack(cluster);

      const blocked = await untilStatus(cluster, 'the pool is told', isBlocked, CONVERT_MS);
      const message = conditionOf(blocked, 'Ready')?.message ?? '';
      expect(message).toContain('PoolConflict');
      expect(message).toContain('IPPool by-hand (fd99::/64)');
      const remedy = /kubectl (patch \S+ by-hand --type=merge -p )'([^']+)'/u.exec(message);
      await cluster.kubectl([...(remedy?.[1] ?? '').trim().split(' '), remedy?.[2] ?? '']);

      await untilStatus(cluster, 'it is completed', isReady, CONVERT_MS);
      expectDualFlags(cluster);
      expect(kubeletStarts(cluster)).toEqual([2, 2]);
      expect(apiServerStarts(cluster)).toEqual([2]);
    });
  },
  2 * CONVERT_MS,
);

test(
  'all of it by hand: found so, with nothing restarted but what lacks a proof',
  async () => {
    await withInstalled({ workers: 1 }, async ({ cluster }) => {
      await byHand(cluster, Object.keys(HAND_STEPS) as HandStep[]);
      const asked = Date.now();
      await askForDualStack(cluster);
      await untilStatus(cluster, 'it is found', isReady, CONVERT_MS);
      expect(apiServerStarts(cluster)).toEqual([2]);
      expect(kubeletStarts(cluster)).toEqual([2, 2]);
      expect(cluster.balancer.mostDownAtOnce(asked)).toBe(0);
      expectDualFlags(cluster);
    });
  },
  CONVERT_MS + 60_000,
);

test('an API server given another range by hand: refused, with the range that is live and the one that is asked for', async () => {
  await withInstalled({}, async ({ cluster }) => {
    await byHand(cluster, ['apiServers']);
    const clusterNetwork = {
      pods: { cidrBlocks: ['fd00:10:244::/56'] },
      services: { cidrBlocks: ['fd00:99:96::/112'] },
    };
    await askForDualStack(cluster, { clusterNetwork });
    const stalled = await untilStatus(cluster, 'it is Stalled', isStalled, 60_000);
    const message = conditionOf(stalled, 'Stalled')?.message ?? '';
    expect(message).toContain('ExistingCIDRImmutable');
    expect(message).toContain('fd00:99:96::/112');
    expect(message).toContain('Write fd00:10:96::/112 in spec.clusterNetwork.services.cidrBlocks');
    const ranges = cluster.history.of('kube-controller-manager').map((run) => flagOf(run, 'service-cluster-ip-range'));
    expect(new Set(ranges)).toEqual(new Set(['10.96.0.0/16']));
  });
}, 180_000);

test(
  'control-plane nodes that differ: brought in line, each component started no oftener than it must be',
  async () => {
    await withInstalled({ controlPlanes: 3 }, async ({ cluster }) => {
      await restartApiServer(cluster, cluster.node('cp-2'));
      await restartManager(cluster, cluster.node('cp-3'));
      await giveNodePair(cluster, cluster.node('cp-1'));
      const asked = Date.now();
      await askForDualStack(cluster);
      await untilStatus(cluster, 'they are in line', isReady, CONVERT_MS);
      expectDualFlags(cluster);
      expect(cluster.balancer.mostDownAtOnce(asked)).toBe(1);
      expect(apiServerStarts(cluster)).toEqual([2, 2, 2]);

      // Now the same hand on all hosts. Their agents wait to be asked, and the operator asks one after another.
      await cluster.api.mergePatch(RESOURCE, { spec: { paused: true } });
      for (const node of cluster.controlPlanes) await takeBack(cluster, node);
      // That of cp-2 was never asked for: it was right from the start.
      await eventually('the hosts say that they have drifted', () => haveDrifted(cluster, ['cp-1', 'cp-3']), 60_000);
      const asLeft = apiServerStarts(cluster);
      const drifted = Date.now();
      await cluster.api.mergePatch(RESOURCE, { spec: { paused: false } });
      await untilStatus(
        cluster,
        'they are in line again',
        (status) => isReady(status) && isAbout(status, 3),
        CONVERT_MS,
      );
      expectDualFlags(cluster);
      expect(cluster.balancer.mostDownAtOnce(drifted)).toBe(1);
      const corrected = (await eventsOf(cluster)).filter(({ reason }) => reason === 'Corrected');
      expect(asLeft).toEqual([3, 3, 3]);
      expect(apiServerStarts(cluster)).toEqual([4, 4, 4]);
      for (const name of ['cp-1', 'cp-3']) {
        expect(corrected.filter(({ note }) => note.startsWith(`kube-apiserver on ${name}`))).toHaveLength(1);
      }
    });
  },
  2 * CONVERT_MS + 120_000,
);

const isAbout = (status: { readonly observedGeneration: number }, generation: number): boolean =>
  status.observedGeneration === generation;

/** The first range again, and the API server back with it. */
async function takeBack(cluster: TestCluster, node: TestNode): Promise<void> {
  const starts = cluster.history.of('kube-apiserver', node.name).length;
  const file = node.manifest('kube-apiserver');
  writeFileSync(file, readFileSync(file, 'utf8').replace(SERVICES, '10.96.0.0/16'));
  const backend = cluster.balancer.backends.find((each) => each.node === node.name);
  await eventually(
    `the API server of ${node.name} is back`,
    () => cluster.history.of('kube-apiserver', node.name).length > starts && backend?.up === true,
    60_000,
  );
}

async function haveDrifted(cluster: TestCluster, names: readonly string[]): Promise<boolean> {
  const path = 'jsonpath={.items[*].status.conditions[?(@.type=="Applied")].reason}';
  const { stdout } = await cluster.kubectl(['get', 'dualstacknodes', ...names, '-o', path]);
  return stdout.split(' ').every((reason) => reason === 'Drifted');
}

const isBlocked = (status: Parameters<typeof isReady>[0]): boolean =>
  conditionOf(status, 'Ready')?.reason === 'Blocked';

const OTHER_POOL = `apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata: {name: by-hand}
spec: {cidr: "fd99::/64", blockSize: 122, vxlanMode: Always, ipipMode: Never, nodeSelector: all()}
`;
