import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { asArray, asString, at, type KubeObject } from '../../../src/model/object.ts';
import { encodeResults, type ProbeOrder, type ProbeTask } from '../../../src/model/probe.ts';
import { DUAL_STACK, type TestCluster } from '../../cluster/index.ts';
import {
  askForDualStack,
  type Installed,
  isReady,
  startInstalled,
  stepsCarriedOut,
  untilStatus,
} from '../../support/conversion.ts';
import { apply, openShops } from '../../support/many-services.ts';

/** Some of each batch of Services are asked with packets before the next is changed: a real API server and operator, and pods whose answers are played. */

/** Two batches. */
const COUNT = 120;
const PODS_PATH = '/api/v1/namespaces/dualstack-system/pods';
const RUNNERS = `${PODS_PATH}?labelSelector=dualstack.dev/probe-role%3Drunner`;
const WITHIN_MS = 120_000;

let installed: Installed;
let players: Players;

interface Order {
  readonly node: string;
  readonly addresses: readonly string[];
}

interface Players {
  /** What pods were told to connect to, in the order of their being seen. */
  readonly asked: readonly Order[];
  /** Whether nobody answers there. */
  isDead: (address: string) => boolean;
  stop(): Promise<void>;
}

const answer = (task: ProbeTask) =>
  task.do === 'tcp' && players.isDead(task.address)
    ? ({ ok: false, failure: 'Refused' } as const)
    : ({ ok: true, microseconds: 300 } as const);

/** Ends each pod that asks, with its answers, as a kubelet would. */
function playPods(cluster: TestCluster): Players {
  const asked: Order[] = [];
  const ending = new AbortController();
  const end = async (pod: KubeObject): Promise<void> => {
    const env = asArray(at(pod, 'spec', 'containers', 0, 'env')).find((each) => at(each, 'name') === 'PROBE_ORDER');
    const { tasks } = JSON.parse(asString(at(env, 'value')) ?? '') as ProbeOrder;
    const state = { terminated: { exitCode: 0, reason: 'Completed', message: encodeResults(tasks.map(answer)) } };
    const [container] = asArray(at(pod, 'spec', 'containers'));
    const named = { name: at(container, 'name'), image: at(container, 'image'), imageID: '', ready: false };
    const status = { phase: 'Succeeded', containerStatuses: [{ ...named, restartCount: 0, state }] };
    const path = `${PODS_PATH}/${pod.metadata.name}/status`;
    const { status: code } = await cluster.api.send('PATCH', path, { status }, 'application/merge-patch+json');
    const addresses = tasks.flatMap((task) => (task.do === 'tcp' ? [task.address] : []));
    if (code === 200 && addresses.length > 0)
      asked.push({ node: asString(at(pod, 'spec', 'nodeName')) ?? '', addresses });
  };
  const playing = (async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const list = await cluster.api.get(RUNNERS).catch(() => undefined);
      const pods = ((list?.['items'] ?? []) as readonly KubeObject[]).filter(
        (pod) => at(pod, 'status', 'phase') !== 'Succeeded' && pod.metadata.deletionTimestamp === undefined,
      );
      await Promise.all(pods.map(end));
      await sleep(200);
    }
  })();
  return {
    asked,
    isDead: () => false,
    async stop() {
      ending.abort();
      await playing;
    },
  };
}

beforeAll(async () => {
  installed = await startInstalled(
    {
      ...DUAL_STACK,
      controlPlanes: 1,
      workers: 2,
      calico: 'none',
      forwarding: 'dual',
      keep: process.env['KEEP'] === '1',
    },
    {},
    ['--probe-image', 'dualstack-operator:played'],
  );
  await openShops(installed.cluster, COUNT);
  players = playPods(installed.cluster);
}, 240_000);

afterAll(async () => {
  await players?.stop();
  await installed?.stop();
}, 60_000);

test(
  'each batch is asked over both families from two nodes before the next one is changed',
  async () => {
    const { cluster } = installed;
    await askForDualStack(cluster, { services: { migration: 'All' } });
    const status = await untilStatus(cluster, 'all are migrated', isReady, WITHIN_MS);
    expect(status.services).toMatchObject({ pending: 0, blocked: 0, trapped: 0 });
    expect(status.services?.packets).toMatchObject({ from: ['worker-1', 'worker-2'], silent: [], failedInRow: 0 });
    expect(status.services?.packets?.answered).toBe(status.services?.packets?.asked);

    const steps = (await stepsCarriedOut(installed))
      .map(({ step }) => step)
      .filter((step) => step.startsWith('services/'));
    expect(steps).toEqual(['services/families', 'services/packets', 'services/families', 'services/packets']);
    expect(players.asked.map(({ node }) => node).toSorted()).toEqual(['worker-1', 'worker-1', 'worker-2', 'worker-2']);
    const [first, , second] = players.asked;
    expect(first?.addresses).toHaveLength(2 * 20);
    // Those of the last batch alone.
    expect(second?.addresses.filter((address) => first?.addresses.includes(address))).toEqual([]);
    expect(second?.addresses.filter((address) => address.includes(':')).length).toBe(
      (second?.addresses.length ?? 0) / 2,
    );
  },
  WITHIN_MS + 30_000,
);

test(
  'one that answers over IPv4 alone is told, and is put back by its label',
  async () => {
    const { cluster } = installed;
    const deaf = { name: 'deaf', namespace: 'shop-0', labels: { 'dualstack.dev/migrate': 'false' } };
    const spec = {
      clusterIPs: ['10.96.77.77'],
      clusterIP: '10.96.77.77',
      selector: { app: 'web' },
      ports: [{ port: 80 }],
    };
    await apply(cluster, [{ apiVersion: 'v1', kind: 'Service', metadata: deaf, spec }]);
    // Its second address is not known before it has it; those that were asked before are.
    const before = new Set(players.asked.flatMap(({ addresses }) => addresses));
    const known = players.asked.length;
    players.isDead = (address) => address.includes(':') && !before.has(address);
    await cluster.kubectl(['label', 'service', 'deaf', '-n', 'shop-0', 'dualstack.dev/migrate=true', '--overwrite']);
    const told = await untilStatus(
      cluster,
      'it is told',
      ({ services }) => services?.packets?.silent.length === 1,
      WITHIN_MS,
    );
    expect(players.asked.length).toBe(known + 2);
    expect(told.services?.packets).toMatchObject({
      silent: [{ namespace: 'shop-0', name: 'deaf', family: 'IPv6' }],
      asked: 1,
      answered: 0,
    });
    expect(isReady(told)).toBe(false);

    await cluster.kubectl(['label', 'service', 'deaf', '-n', 'shop-0', 'dualstack.dev/migrate=false', '--overwrite']);
    await untilStatus(
      cluster,
      'it is put back',
      (status) => isReady(status) && status.services?.pending === 0,
      WITHIN_MS,
    );
    const after = await cluster.api.get('/api/v1/namespaces/shop-0/services/deaf');
    expect(after?.['spec']).toMatchObject({ clusterIPs: ['10.96.77.77'], ipFamilies: ['IPv4'] });
  },
  2 * WITHIN_MS,
);

test('nothing is left of the pods that asked', async () => {
  const { stdout } = await installed.cluster.kubectl([
    'get',
    'pods',
    '-n',
    'dualstack-system',
    '-l',
    'dualstack.dev/probe',
    '-o',
    'name',
  ]);
  expect(stdout).toBe('');
});
