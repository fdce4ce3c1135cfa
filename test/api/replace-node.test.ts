import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { recoverNodes } from '../../src/apply/bring-back.ts';
import { replaceNode } from '../../src/apply/replace-node.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Cluster } from '../../src/kube/connect.ts';
import { clientReader } from '../../src/kube/reader.ts';
import type { BoundPlugins } from '../../src/model/bound.ts';
import { asArray, at } from '../../src/model/object.ts';
import { podCIDRsOf } from '../../src/model/replaced-node.ts';
import { readBasics } from '../../src/observe/basics.ts';
import { isToBeSeen } from '../../src/observe/nodes.ts';
import { podCIDRSteps } from '../../src/plan/pod-cidrs.ts';
import type { ReplaceNode } from '../../src/model/step.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { DUAL_STACK, type KubeObject, startCluster, type TestCluster } from '../cluster/index.ts';
import { connectTo } from '../support/connect.ts';
import { eventually } from '../support/eventually.ts';
import { clusterFacts, wantedDual } from '../support/facts.ts';
import { install, serviceAccountKubeconfig } from '../support/install.ts';

// Real: API server, garbage collector, Node IPAM and node life-cycle controller. Played: the kubelets, which, as real ones, register once.

const START_MS = 180_000;
const SECRET = '/api/v1/namespaces/dualstack-system/secrets/dualstack-replaced-node';
const nodePath = (name: string): string => `/api/v1/nodes/${name}`;
const leasePath = (name: string): string => `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`;
const csiNodePath = (name: string): string => `/apis/storage.k8s.io/v1/csinodes/${name}`;

let cluster: TestCluster;
let operator: Cluster;
let deps: { readonly client: KubeClient; readonly clock: typeof systemClock };

beforeAll(async () => {
  cluster = await startCluster({ ...DUAL_STACK, controlPlanes: 1, workers: 2 });
  await install(cluster);
  // With the rights that the operator has, and no more.
  const kubeconfig = await serviceAccountKubeconfig(cluster, 'dualstack-operator');
  operator = await connectTo(kubeconfig);
  deps = { client: operator.client, clock: systemClock };
  for (const { name } of cluster.nodes) {
    await eventually(
      `${name} has two podCIDRs`,
      async () => podCIDRsOf(asKube(await nodeOf(name))).length === 2,
      30_000,
    );
    await decorate(name);
  }
}, START_MS);

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
const ownerOf = async (path: string) => (await cluster.api.get(path))?.metadata.ownerReferences?.[0]?.uid;

/** What people and kubelets put on a Node and beside it. */
async function decorate(name: string): Promise<void> {
  const node = await nodeOf(name);
  const taints = [...asArray(at(node, 'spec', 'taints')), { key: 'team', value: 'blue', effect: 'PreferNoSchedule' }];
  await cluster.api.mergePatch(nodePath(name), {
    metadata: { labels: { 'example.com/rack': 'r1' }, annotations: { 'example.com/note': 'keep me' } },
    spec: { taints, unschedulable: name === 'worker-1' ? true : null },
  });
  const owner = { apiVersion: 'v1', kind: 'Node', name, uid: node.metadata.uid };
  await cluster.api.create('/apis/storage.k8s.io/v1/csinodes', {
    metadata: { name, ownerReferences: [owner] },
    spec: { drivers: [{ name: 'csi.example.com', nodeID: name, topologyKeys: [] }] },
  });
  await eventually(`${name} has its Lease`, async () => (await cluster.api.get(leasePath(name))) !== undefined);
  await cluster.api.mergePatch(leasePath(name), { metadata: { ownerReferences: [owner] } });
}

/** All but what a new object cannot share with the old one, and what controllers write all the time. */
function lasting(node: KubeObject): unknown {
  const { name, labels, annotations } = node.metadata;
  const { podCIDR: _primary, podCIDRs: _both, taints, ...spec } = node['spec'] as Record<string, unknown>;
  const own = asArray(taints).filter((taint) => !String(at(taint, 'key')).startsWith('node.kubernetes.io/'));
  const conditions = asArray(at(node, 'status', 'conditions')).map((each) => [at(each, 'type'), at(each, 'status')]);
  const { conditions: _conditions, ...status } = node['status'] as Record<string, unknown>;
  return { name, labels, annotations, spec, taints: own, status, conditions };
}

async function mirrorPods(name: string): Promise<readonly unknown[]> {
  const pods = asArray(at(await cluster.api.get('/api/v1/namespaces/kube-system/pods'), 'items')) as KubeObject[];
  return pods
    .filter((pod) => at(pod, 'spec', 'nodeName') === name && pod.metadata.annotations?.['kubernetes.io/config.mirror'])
    .map((pod) => [pod.metadata.name, pod.metadata.uid]);
}

async function stepFor(name: string, podCIDRs: readonly string[]): Promise<ReplaceNode> {
  return { kind: 'ReplaceNode', node: name, uid: (await nodeOf(name)).metadata.uid ?? '', podCIDRs };
}

/** Milliseconds between a Node's going and its coming back, as a watch shows them. */
async function absence(name: string, run: () => Promise<void>): Promise<number> {
  const stopping = new AbortController();
  const times: Record<string, number> = {};
  const { resourceVersion } = (await cluster.api.get('/api/v1/nodes'))!.metadata;
  const query = `watch=true&fieldSelector=metadata.name%3D${name}&resourceVersion=${resourceVersion}`;
  const watching = (async () => {
    for await (const { type } of cluster.api.watch(`/api/v1/nodes?${query}`, stopping.signal)) {
      times[type] ??= performance.now();
    }
  })().catch(() => undefined);
  await run();
  await eventually('the watch shows the new Node', () => times['ADDED'] !== undefined);
  stopping.abort();
  await watching;
  return times['ADDED']! - times['DELETED']!;
}

const stored = async (): Promise<readonly string[]> =>
  Object.keys((at(await cluster.api.get(SECRET), 'data') as object | undefined) ?? {});

test('there and back on every node: nothing is lost but the podCIDR that was to go', async () => {
  const away: number[] = [];
  for (const { name } of cluster.nodes) {
    const [before, pods] = [await nodeOf(name), await mirrorPods(name)];
    const [lease, csi] = [await cluster.api.get(leasePath(name)), await cluster.api.get(csiNodePath(name))];
    const both = podCIDRsOf(asKube(before));
    const [kept] = await operator.client
      .get({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace: 'kube-node-lease', name })
      .then((read) => [read.ok && at(read.value, 'spec', 'renewTime')]);
    expect(kept).toEqual(expect.any(String));
    for (const podCIDRs of [both.slice(0, 1), both]) {
      const step = await stepFor(name, podCIDRs);
      away.push(
        await absence(name, async () => expect(await replaceNode(step, deps)).toMatchObject({ is: 'Changed' })),
      );
      const after = await nodeOf(name);
      expect(after.metadata.uid).not.toBe(step.uid);
      expect(podCIDRsOf(asKube(after))).toEqual(podCIDRs);
      expect(at(after, 'spec', 'podCIDR')).toBe(both[0]);
      expect(lasting(after)).toEqual(lasting(before));
      expect(isToBeSeen(asKube(after), Date.now())).toBe(true);
      expect(await ownerOf(csiNodePath(name))).toBe(after.metadata.uid);
      expect(await stored()).toEqual([]);
    }
    // Time for the garbage collector to take what it thinks is nobody's.
    await eventually('the node takes pods again', async () => !(await isTainted(name, 'not-ready')));
    expect(await mirrorPods(name)).toEqual(pods);
    expect((await cluster.api.get(leasePath(name)))?.metadata.uid).toBe(lease?.metadata.uid);
    expect((await cluster.api.get(csiNodePath(name)))?.metadata.uid).toBe(csi?.metadata.uid);
  }
  console.log(`absent for ${away.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  expect(Math.max(...away)).toBeLessThan(2000);
}, 120_000);

const isTainted = async (name: string, taint: string): Promise<boolean> =>
  asArray(at(await nodeOf(name), 'spec', 'taints')).some((each) => at(each, 'key') === `node.kubernetes.io/${taint}`);

/** A process that dies right before, or right after, its n-th write. */
function dying(client: KubeClient, write: number, when: 'Before' | 'After'): KubeClient {
  let writes = 0;
  const DYING = ['create', 'mergePatch', 'delete'] as const;
  const counted = DYING.map((verb) => [
    verb,
    async (...call: readonly unknown[]) => {
      writes += 1;
      if (when === 'Before' && writes === write) throw new Error('it died');
      const answer: unknown = await (client[verb] as (...args: readonly unknown[]) => Promise<unknown>)(...call);
      if (writes >= write) throw new Error('it died');
      return answer;
    },
  ]);
  return { ...client, ...(Object.fromEntries(counted) as Partial<KubeClient>) };
}

// rehearse, keep, delete, create (the old one may be there for some more ms), adopt, drop
test.each([1, 2, 3, 4, 5, 6, 7].flatMap((n) => (['Before', 'After'] as const).map((when) => [when, n] as const)))(
  'the process dies %s write %i: another brings the Node back, as it was to be or as it was',
  async (when, n) => {
    const name = 'worker-1';
    const before = await nodeOf(name);
    const has = podCIDRsOf(asKube(before));
    const wanted = has.length === 2 ? has.slice(0, 1) : [...has, 'fd00:10:244:33::/64'];
    const step = await stepFor(name, wanted);
    const died = await replaceNode(step, { ...deps, client: dying(operator.client, n, when) }).catch(() => null);
    let result = await recoverNodes(deps, 5000);
    expect(result.problem).toBeNull();
    const after = await nodeOf(name);
    expect(lasting(after)).toEqual(lasting(before));
    const isReplaced = after.metadata.uid !== step.uid;
    expect(podCIDRsOf(asKube(after))).toEqual(isReplaced ? wanted : has);
    if (died === null && (n > 3 || (n === 3 && when === 'After'))) expect(isReplaced).toBe(true);
    if (isReplaced) {
      expect(await stored()).toEqual([]);
      expect(await ownerOf(csiNodePath(name))).toBe(after.metadata.uid);
      return;
    }
    // Kept while a request of the dead may still be under way, then forgotten: whoever deletes this Node later means it.
    expect((await stored()).length).toBe(result.recovered.length);
    const later = { ...systemClock, now: () => Date.now() + 120_000 };
    result = await recoverNodes({ ...deps, clock: later }, 5000);
    expect(await stored()).toEqual([]);
  },
  60_000,
);

const VOLUME = '/apis/storage.k8s.io/v1/volumeattachments';

test.each<[string, (name: string) => Promise<() => Promise<unknown>>, object]>([
  [
    'a volume is being attached',
    async (nodeName) => {
      const source = { persistentVolumeName: 'pv-1' };
      await cluster.api.create(VOLUME, {
        metadata: { name: 'va-1' },
        spec: { attacher: 'csi.example.com', nodeName, source },
      });
      return () => cluster.api.delete(`${VOLUME}/va-1`);
    },
    { kind: 'Blocked', message: expect.stringContaining('VolumeAttachment va-1') },
  ],
  [
    'a machine controller marked it meanwhile',
    async (name) => {
      const mark = (value: string | null) =>
        cluster.api.mergePatch(nodePath(name), { metadata: { annotations: { 'cluster.x-k8s.io/machine': value } } });
      await mark('m-1');
      return () => mark(null);
    },
    { kind: 'Blocked', message: expect.stringContaining('Cluster API') },
  ],
])('refused at the last moment: %s', async (_name, disturb, error) => {
  const before = await nodeOf('worker-2');
  const undo = await disturb('worker-2');
  const step = await stepFor('worker-2', podCIDRsOf(asKube(before)).slice(0, 1));
  expect(await replaceNode(step, deps)).toMatchObject({ is: 'Refused', error });
  expect((await nodeOf('worker-2')).metadata.uid).toBe(step.uid);
  expect(await stored()).toEqual([]);
  await undo();
});

test('another Node holds the chosen subnet by now: nothing is done, it is planned anew', async () => {
  const [, taken = ''] = podCIDRsOf(asKube(await nodeOf('cp-1')));
  const [primary = ''] = podCIDRsOf(asKube(await nodeOf('worker-2')));
  const step = await stepFor('worker-2', [primary, taken]);
  expect(await replaceNode(step, deps)).toMatchObject({ is: 'Refused', error: { kind: 'Transient' } });
  expect(await replaceNode({ ...step, podCIDRs: ['10.244.77.0/24', 'fd00:10:244:77::/64'] }, deps)).toMatchObject({
    is: 'Refused',
    error: { kind: 'Blocked', message: expect.stringContaining('primary') },
  });
  expect(await replaceNode({ ...step, uid: 'of-another', podCIDRs: [primary] }, deps)).toEqual({ is: 'Unchanged' });
  expect((await nodeOf('worker-2')).metadata.uid).toBe(step.uid);
});

test('what the API server would not take as a new Node is refused while the old one is there', async () => {
  const before = await nodeOf('worker-2');
  const [primary = ''] = podCIDRsOf(asKube(before));
  const step = await stepFor('worker-2', [primary, '10.244.88.0/24']);
  expect(await replaceNode(step, deps)).toMatchObject({
    is: 'Refused',
    error: { message: expect.stringContaining('podCIDRs') },
  });
  expect((await nodeOf('worker-2')).metadata.uid).toBe(step.uid);
  expect(await stored()).toEqual([]);
});

test('the kubelet registered the Node anew: what people wrote on it is put back, and it is told', async () => {
  const name = 'worker-2';
  const before = await nodeOf(name);
  const both = podCIDRsOf(asKube(before));
  const step = await stepFor(name, both.slice(0, 1));
  await replaceNode(step, { ...deps, client: dying(operator.client, 2, 'After') }).catch(() => null);
  await cluster.api.delete(nodePath(name));
  await cluster.api.create('/api/v1/nodes', { metadata: { name }, spec: {}, status: before['status'] });
  await eventually('Node IPAM gave it podCIDRs', async () => podCIDRsOf(asKube(await nodeOf(name))).length === 2);
  const { recovered } = await recoverNodes(deps, 5000);
  expect(recovered).toMatchObject([{ node: name, back: { is: 'Reregistered' } }]);
  const after = await nodeOf(name);
  expect(after.metadata.labels).toMatchObject(before.metadata.labels ?? {});
  expect(after.metadata.annotations).toMatchObject(before.metadata.annotations ?? {});
  expect(at(after, 'spec', 'taints')).toContainEqual({ key: 'team', value: 'blue', effect: 'PreferNoSchedule' });
  expect(await stored()).toEqual([]);
}, 60_000);

test('without a controller manager the Node stays, alive, until that is there again; then it is replaced', async () => {
  const [node] = cluster.controlPlanes;
  const name = 'worker-1';
  const before = await nodeOf(name);
  await node!.hold('kube-controller-manager', true);
  await eventually(
    'it has ended',
    () => cluster.history.running('kube-controller-manager', 'cp-1') === undefined,
    30_000,
  );
  const has = podCIDRsOf(asKube(before));
  const wanted = has.length === 2 ? has.slice(0, 1) : [...has, 'fd00:10:244:44::/64'];
  const step = await stepFor(name, wanted);
  const waits = { is: 'Refused', error: { kind: 'Transient', message: expect.stringContaining('garbage collector') } };
  expect(await replaceNode(step, deps, 500)).toMatchObject(waits);
  expect((await recoverNodes(deps, 200)).recovered).toMatchObject([{ back: { is: 'Terminating' } }]);
  expect(await replaceNode(step, deps, 200)).toMatchObject(waits);
  expect(lasting(await nodeOf(name))).toEqual(lasting(before));
  await node!.hold('kube-controller-manager', false);
  expect((await recoverNodes(deps, 60_000)).recovered).toMatchObject([{ back: { is: 'Back', created: true } }]);
  const after = await nodeOf(name);
  expect(podCIDRsOf(asKube(after))).toEqual(wanted);
  expect(lasting(after)).toEqual(lasting(before));
}, 120_000);

/** The state of the step that replaced it, as the operator sees it with its own rights. */
async function seenState(name: string, podCIDRs: readonly string[]): Promise<string> {
  const server = { kubernetesVersion: 'v1.36.3', groupVersions: ['v1', 'dualstack.dev/v1alpha1'] };
  const basics = await readBasics(clientReader(operator.client), server, Date.now());
  if (!basics.ok) throw new Error(basics.error);
  const families = podCIDRs.map((cidr) => (cidr.includes(':') ? 'IPv6' : 'IPv4'));
  const wanted = { ...wantedDual({ nodes: { podCIDRs: 'Replace' } }), families };
  const plugins = { cni: { name: 'Flannel', usesNodeIPAM: true } } as BoundPlugins;
  const steps = podCIDRSteps(wanted, { ...clusterFacts(), at: Date.now(), nodes: basics.value.nodes }, plugins);
  const step = steps.find((each) => each.kind === 'ReplaceNode' && each.node === name);
  return step === undefined ? 'none' : step.state.is;
}

test('the step of a Node is done when its kubelet has renewed its Lease since, and not before', async () => {
  const name = 'worker-2';
  const has = podCIDRsOf(asKube(await nodeOf(name)));
  const wanted = has.length === 2 ? has.slice(0, 1) : [...has, 'fd00:10:244:55::/64'];
  expect(await replaceNode(await stepFor(name, wanted), deps)).toMatchObject({ is: 'Changed' });
  const created = Date.parse(asKube(await nodeOf(name)).metadata.creationTimestamp ?? '');
  expect(await seenState(name, wanted)).toBe('InProgress');
  await eventually('its Lease is renewed', async () => (await seenState(name, wanted)) === 'Satisfied', 30_000);
  const renewed = at(await cluster.api.get(leasePath(name)), 'spec', 'renewTime');
  expect(Date.parse(String(renewed))).toBeGreaterThan(created);
}, 60_000);
