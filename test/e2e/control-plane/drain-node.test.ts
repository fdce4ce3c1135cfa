import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { drainNode } from '../../../src/apply/drain-node.ts';
import type { Cluster } from '../../../src/kube/connect.ts';
import { asArray, at } from '../../../src/model/object.ts';
import { podCIDRsOf } from '../../../src/model/replaced-node.ts';
import type { PodRef, ReplaceNode } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { freeNodes } from '../../../src/reconcile/free-nodes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/log.ts';
import { DUAL_STACK, type KubeObject, startCluster, type TestCluster } from '../../cluster/index.ts';
import { connectTo } from '../../support/connect.ts';
import { eventually } from '../../support/eventually.ts';
import { BOTH, drained, dying, ONE, turn, type Turn } from '../../support/drain-turns.ts';
import { PODS, SERVICES, wantedDual } from '../../support/facts.ts';
import { install, serviceAccountKubeconfig } from '../../support/install.ts';
import { said, TRIAL } from '../../support/policies.ts';

// Real: API server with its Eviction API and admission policies, scheduler, garbage collector, and the controllers of PodDisruptionBudgets, workloads and
// Nodes. Played: the kubelets. worker-2 is cordoned by its administrator from the beginning.

const MARK = 'dualstack.dev/cordoned';
const WISH = '/apis/dualstack.dev/v1alpha1/dualstackclusters';
const BUDGET = '/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web';
const VOLUMES = '/apis/storage.k8s.io/v1/volumeattachments';
const nodePath = (name: string): string => `/api/v1/nodes/${name}`;
const leasePath = (name: string): string => `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`;

let cluster: TestCluster;
let operator: Cluster;

const apply = (...items: readonly object[]): Promise<unknown> =>
  cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));

const labels = { app: 'web' };
const container = { name: 'main', image: 'web' };
/** One pod on each worker, and none beside another: one that is evicted waits until its node takes pods again. */
const web = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { namespace: 'shop', name: 'web' },
  spec: {
    replicas: 3,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        containers: [container],
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
            ],
          },
        },
      },
    },
  },
};
const budget = (minAvailable: number) => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { namespace: 'shop', name: 'web' },
  spec: { minAvailable, selector: { matchLabels: labels } },
});
const wish = (podCIDRs: string) => ({
  apiVersion: 'dualstack.dev/v1alpha1',
  kind: 'DualStackCluster',
  metadata: { name: 'cluster' },
  spec: {
    mode: 'Plan',
    ipFamilies: ['IPv4', 'IPv6'],
    clusterNetwork: { pods: { cidrBlocks: [PODS.IPv6] }, services: { cidrBlocks: [SERVICES.IPv6] } },
    nodes: { podCIDRs },
  },
});

beforeAll(async () => {
  cluster = await startCluster({ ...DUAL_STACK, controlPlanes: 1, workers: 3 });
  await install(cluster);
  operator = await connectTo(await serviceAccountKubeconfig(cluster, 'dualstack-operator'));
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }, wish('Drain'), web, budget(3));
  await eventually('a pod runs on each worker', async () => (await webPods()).filter(isReady).length === 3, 60_000);
  for (const { name } of cluster.nodes) {
    await eventually(`${name} has podCIDRs`, async () => podCIDRsOf(asKube(await nodeOf(name))).length === 2, 30_000);
    await cluster.api.mergePatch(nodePath(name), {
      metadata: { labels: { 'example.com/rack': 'r1' }, annotations: { 'example.com/note': 'keep me' } },
      spec: { taints: [...taintsOf(await nodeOf(name)), { key: 'team', value: 'blue', effect: 'PreferNoSchedule' }] },
    });
  }
  await cluster.kubectl(['cordon', 'worker-2']);
}, 240_000);

afterAll(async () => {
  await operator?.close();
  await cluster?.stop();
}, 60_000);

async function nodeOf(name: string): Promise<KubeObject> {
  const node = await cluster.api.get(nodePath(name));
  if (node === undefined) throw new Error(`Node ${name} is gone`);
  return node;
}
const asKube = (object: KubeObject) => object as unknown as Parameters<typeof podCIDRsOf>[0];
const taintsOf = (node: KubeObject): readonly unknown[] => asArray(at(node, 'spec', 'taints'));
const isCordoned = async (name: string): Promise<boolean> => at(await nodeOf(name), 'spec', 'unschedulable') === true;
const isMarked = async (name: string): Promise<boolean> =>
  (await nodeOf(name)).metadata.annotations?.[MARK] !== undefined;

const podsIn = async (namespace: string): Promise<readonly KubeObject[]> =>
  asArray(at(await cluster.api.get(`/api/v1/namespaces/${namespace}/pods`), 'items')) as KubeObject[];
const webPods = async () => (await podsIn('shop')).filter((pod) => pod.metadata.labels?.['app'] === 'web');
const isReady = (pod: KubeObject): boolean =>
  asArray(at(pod, 'status', 'conditions')).some(
    (each) => at(each, 'type') === 'Ready' && at(each, 'status') === 'True',
  );

/** What a drain must not touch: pods of DaemonSets and mirrors of static pods, by their uids. */
async function staying(): Promise<readonly string[]> {
  const pods = await podsIn('kube-system');
  return pods
    .filter(
      ({ metadata }) =>
        metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined ||
        metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet'),
    )
    .map(({ metadata }) => `${metadata.name} ${metadata.uid}`)
    .toSorted((a, b) => a.localeCompare(b));
}

/** All of a Node that is not given anew to each object, or written by controllers all the time. */
function lasting(node: KubeObject): unknown {
  const { name, labels: ownLabels, annotations } = node.metadata;
  const { podCIDR: _primary, podCIDRs: _both, taints, ...spec } = node['spec'] as Record<string, unknown>;
  const own = asArray(taints).filter((taint) => !String(at(taint, 'key')).startsWith('node.kubernetes.io/'));
  return { name, ownLabels, annotations, spec, own };
}
const allLasting = async (): Promise<readonly unknown[]> =>
  Promise.all(cluster.nodes.map(async ({ name }) => lasting(await nodeOf(name))));

const names = (): readonly string[] => cluster.nodes.map(({ name }) => name);

/** Until a turn ends so. All turns are given, one after another. */
async function until(
  what: (turn: Turn) => boolean,
  wanted: Wanted,
  only: readonly string[] = names(),
): Promise<readonly Turn[]> {
  const turns: Turn[] = [];
  const comes = eventually(
    'the turn comes',
    async () => {
      turns.push(await turn(wanted, only, operator.client));
      // The kubelets renew their Leases only every few seconds: here each is as quick as it can be.
      if (turns.at(-1)?.decision.is === 'Wait') await Promise.all(only.map(renew));
      return what(turns.at(-1)!);
    },
    100_000,
  );
  await comes.catch((cause: unknown) => {
    const last = turns.at(-1);
    const text = JSON.stringify([last?.decision, last?.outcome]).slice(0, 1000);
    throw new Error(`the turn did not come; the last was ${text}`, { cause });
  });
  return turns;
}
const isDone = ({ decision }: Turn): boolean => decision.is === 'Done';
const why = ({ decision }: Turn): string => (decision.is === 'Wait' ? decision.why : '');
const renew = (name: string) =>
  cluster.api.mergePatch(leasePath(name), { spec: { renewTime: new Date().toISOString().replace('Z', '000Z') } });

test('nothing is cordoned while a drain would take something from pods', async () => {
  const volumes = [{ name: 'cache', emptyDir: {} }];
  const single = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'single' } };
  await apply({ ...single, spec: { nodeName: 'worker-3', containers: [container], volumes } });
  await eventually('it runs', async () => (await podsIn('shop')).filter(isReady).length === 4, 30_000);
  const { decision } = await turn(drained(ONE), names(), operator.client);
  expect(decision).toMatchObject({
    is: 'Blocked',
    findings: [
      { reason: 'PodsNotDrainable', message: expect.stringContaining('shop/single (on worker-3, volume cache)') },
      { reason: 'PodsNotDrainable', message: expect.stringContaining('emptyDir') },
    ],
  });
  expect((await turn(drained(ONE, { standalonePods: 'Evict' }), names(), operator.client)).decision).toMatchObject({
    is: 'Blocked',
    findings: [{ message: expect.stringContaining('emptyDir') }],
  });
  for (const name of ['cp-1', 'worker-1', 'worker-3']) expect(await isCordoned(name)).toBe(false);
  await cluster.api.delete('/api/v1/namespaces/shop/pods/single');
  await eventually('it is gone', async () => (await podsIn('shop')).length === 3, 30_000);
}, 60_000);

const refOf = ({ metadata: { name, uid = '' } }: KubeObject): PodRef => ({ namespace: 'shop', name, uid });

test('a PodDisruptionBudget is waited for by its name; then every Node is drained and replaced, and nothing of it is lost', async () => {
  const [before, stay] = [await allLasting(), await staying()];
  const [waiting] = (await until((each) => why(each).includes('PodDisruptionBudget'), drained(ONE))).slice(-1);
  expect(why(waiting!)).toMatch(
    /^Pod shop\/web-\S+ on worker-1 is not evicted: PodDisruptionBudget shop\/web allows no more disruptions now \(it wants 3 healthy pods, and 3 are\)$/u,
  );
  expect([await isCordoned('worker-1'), await isMarked('worker-1')]).toEqual([true, true]);
  expect([await isCordoned('worker-2'), await isMarked('worker-2')]).toEqual([true, false]);

  // Even if it were asked for: the API server refuses.
  const step = { kind: 'ReplaceNode', node: 'worker-1', uid: '', podCIDRs: [] } as ReplaceNode;
  const pods = (await webPods()).map(refOf);
  const { client } = operator;
  expect(await drainNode(step, { is: 'Evict', pods }, { client, clock: systemClock })).toMatchObject({
    is: 'Refused',
    error: { kind: 'Transient', message: expect.stringContaining('disruption budget') },
  });
  expect((await webPods()).filter(isReady)).toHaveLength(3);

  await cluster.api.mergePatch(BUDGET, { spec: { minAvailable: 1 } });
  const turns = await until(isDone, drained(ONE));
  const acts = turns.flatMap(({ outcome }) => (outcome?.is === 'Changed' ? [outcome.what] : []));
  // Pods that others make room for may take more than one look.
  const about = (name: string) =>
    acts
      .filter((text) => text.includes(name))
      .map((text) => text.split(' ')[0])
      .filter((verb, index, all) => verb !== all[index - 1]);
  expect(about('Node worker-1')).toEqual(['evicted', 'replaced', 'patched']);
  expect(about('Node worker-2')).toEqual(['evicted', 'replaced']);
  expect(about('Node worker-3')).toEqual(['cordoned', 'evicted', 'replaced', 'patched']);
  expect(about('Node cp-1').filter((verb) => verb !== 'evicted')).toEqual(['cordoned', 'replaced', 'patched']);
  expect(acts.findIndex((text) => text.includes('Node cp-1'))).toBeGreaterThan(
    acts.findLastIndex((text) => text.includes('Node worker')),
  );
  for (const name of names()) expect(podCIDRsOf(asKube(await nodeOf(name)))).toHaveLength(1);
  expect(await allLasting()).toEqual(before);
  expect(await staying()).toEqual(stay);
  // What was evicted of worker-1 and worker-3 is there again.
  await eventually('they take pods again', async () => (await webPods()).filter(isReady).length >= 2, 30_000);
}, 240_000);

test('a volume that is attached is waited for', async () => {
  const name = 'worker-3';
  const source = { persistentVolumeName: 'pv-1' };
  await cluster.api.create(VOLUMES, {
    metadata: { name: 'va-1' },
    spec: { attacher: 'csi.example.com', nodeName: name, source },
  });
  const { uid } = (await nodeOf(name)).metadata;
  await until((each) => why(each) === 'VolumeAttachment va-1 is not detached from worker-3 yet', drained(BOTH), [name]);
  expect((await nodeOf(name)).metadata.uid).toBe(uid);
  await cluster.api.delete(`${VOLUMES}/va-1`);
  await until(isDone, drained(BOTH), [name]);
  expect(podCIDRsOf(asKube(await nodeOf(name)))).toHaveLength(2);
  expect([await isCordoned(name), await isMarked(name)]).toEqual([false, false]);
}, 120_000);

const isOn = (pod: KubeObject, node: string): boolean => at(pod, 'spec', 'nodeName') === node && isReady(pod);

// cordon, evict, rehearse, keep, delete, create (once or more), drop, uncordon
const CRASHES = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => ['worker-1', n] as const),
  ...[1, 3, 5, 6].map((n) => ['worker-2', n] as const),
].flatMap(([name, n]) => (['Before', 'After'] as const).map((when) => [name, when, n] as const));

test.each(CRASHES)(
  'drained %s: the process dies %s write %i, and another ends what it began',
  async (name, when, n) => {
    if (name === 'worker-1') {
      await eventually('it has a pod to evict', async () => (await webPods()).some((pod) => isOn(pod, name)), 60_000);
    }
    const before = await nodeOf(name);
    const has = podCIDRsOf(asKube(before));
    const wanted = drained(has.length === 2 ? ONE : BOTH);
    const process = dying(operator.client, n, when);
    await eventually(
      'it dies, or is done',
      async () => {
        const last = await turn(wanted, [name], process.client).catch((error: unknown) => {
          if (!process.dead()) throw error;
          return null;
        });
        if (last?.decision.is === 'Wait') await renew(name);
        return process.dead() || (last !== null && isDone(last));
      },
      60_000,
    );
    if (n <= (name === 'worker-1' ? 8 : 5)) expect(process.dead()).toBe(true);
    await until(isDone, wanted, [name]);
    const after = await nodeOf(name);
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    expect(podCIDRsOf(asKube(after))).toHaveLength(has.length === 2 ? 1 : 2);
    expect(lasting(after)).toEqual(lasting(before));
    expect(await isCordoned(name)).toBe(name === 'worker-2');
  },
  120_000,
);

const isCordon = ({ outcome }: Turn): boolean => outcome?.is === 'Changed' && outcome.what.startsWith('cordoned');

test('nobody asks for it any more in the middle of a drain: own cordons are ended, others stay', async () => {
  const name = 'worker-1';
  const wanted = drained(podCIDRsOf(asKube(await nodeOf(name))).length === 2 ? ONE : BOTH);
  await until(isCordon, wanted, [name]);
  // By hand, which the drain undoes as long as it is asked for.
  await cluster.kubectl(['uncordon', name]);
  await until(isCordon, wanted, [name]);
  const { outcome } = await turn(wantedDual(), [name, 'worker-2'], operator.client);
  expect(outcome).toMatchObject({ is: 'Changed' });
  expect([await isCordoned(name), await isMarked(name), await isCordoned('worker-2')]).toEqual([false, false, true]);

  await until(isCordon, wanted, [name]);
  const deps = { client: operator.client, log: silentLogger };
  expect(await freeNodes(deps)).toMatchObject({ ok: true });
  expect(await isCordoned(name)).toBe(true);
  await cluster.api.delete(`${WISH}/cluster`);
  expect(await freeNodes(deps)).toMatchObject({ ok: true });
  expect([await isCordoned(name), await isMarked(name), await isCordoned('worker-2')]).toEqual([false, false, true]);
}, 60_000);

const NODE = (name: string) => ({ apiVersion: 'v1', kind: 'Node', name }) as const;
const mark = { metadata: { annotations: { [MARK]: 'x' } } };
const patched = (name: string, patch: object): Promise<string> =>
  said(operator.client.mergePatch(NODE(name), patch, TRIAL));

test('admission policies hold it to its own cordons', async () => {
  expect(await patched('worker-1', { ...mark, spec: { unschedulable: true } })).toBe('done');
  expect(await patched('worker-2', { spec: { unschedulable: null } })).toContain('spec.unschedulable');
  const claims = 'mark dualstack.dev/cordoned of a cordon of somebody else';
  expect(await patched('worker-2', mark)).toContain(claims);
  expect(await patched('worker-2', { ...mark, spec: { unschedulable: null } })).toContain(claims);
  expect(await patched('worker-1', mark)).toContain(claims);
});

async function evicted(namespace: string, pod: KubeObject, deleteOptions: object): Promise<string> {
  const { name } = pod.metadata;
  const metadata = { namespace, name };
  const ref = { apiVersion: 'v1', kind: 'Pod', ...metadata };
  const body = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata,
    deleteOptions: { ...deleteOptions, dryRun: ['All'] },
  };
  return said(operator.client.createSubresource(ref, 'eviction', body, TRIAL));
}

test('admission policies hold its evictions to what a drain is', async () => {
  const [pod] = (await webPods()).filter(isReady);
  const preconditions = { uid: pod!.metadata.uid };
  for (const podCIDRs of ['Replace', 'Keep']) {
    await apply(wish(podCIDRs));
    await eventually(
      'it counts',
      async () => (await evicted('shop', pod!, { preconditions })).includes('dualstack-drain'),
      30_000,
    );
  }
  await apply(wish('Drain'));
  await eventually('it is done', async () => (await evicted('shop', pod!, { preconditions })) === 'done', 30_000);
  expect(await evicted('shop', pod!, {})).toContain('only by its uid');
  expect(await evicted('shop', pod!, { preconditions, gracePeriodSeconds: 0 })).toContain(
    'the grace period that the pod itself asks for',
  );
  const own = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'dualstack-system', name: 'own' } };
  await apply({ ...own, spec: { nodeName: 'worker-1', containers: [container] } });
  const [ownPod] = await podsIn('dualstack-system');
  expect(await evicted('dualstack-system', ownPod!, { preconditions: { uid: ownPod!.metadata.uid } })).toContain(
    'no pod of its own namespace',
  );
}, 60_000);
