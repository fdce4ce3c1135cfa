import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import { asArray, asString, at } from '../../../src/model/object.ts';
import type { KubeObject, TestCluster } from '../../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  flagOf,
  type Installed,
  isReady,
  PODS,
  startInstalled,
  stepsCarriedOut,
  untilStatus,
} from '../../support/conversion.ts';
import { hostsReported } from '../../support/install.ts';

// One cluster with a network plug-in that nobody knows, which takes the addresses of pods from podCIDRs. Its Nodes are replaced, forward and
// back, by the operator, which is killed each time it has just stored one.

const CONVERT_MS = 300_000;
const SECRET = '/api/v1/namespaces/dualstack-system/secrets/dualstack-replaced-node';
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/dualstack-system/leases/dualstack-operator';
const RESOURCE = '/apis/dualstack.dev/v1alpha1/dualstackclusters/cluster';
const NODES = '/api/v1/nodes';
const AGENTS = '/apis/dualstack.dev/v1alpha1/dualstacknodes';
const PEOPLES = { labels: { 'example.com/rack': 'r1' }, annotations: { 'example.com/note': 'keep me' } };

let installed: Installed;
let cluster: TestCluster;
let first: readonly KubeObject[];
let agents: readonly KubeObject[];

beforeAll(async () => {
  installed = await startInstalled({ workers: 1, calico: 'none', keep: process.env['KEEP'] === '1' });
  cluster = installed.cluster;
  await hostsReported(cluster);
  for (const { name } of cluster.nodes) await cluster.api.mergePatch(`${NODES}/${name}`, { metadata: PEOPLES });
  await cluster.kubectl(['cordon', 'worker-1']);
  [first, agents] = [await items(NODES), await items(AGENTS)];
}, 180_000);

afterAll(() => installed?.stop(), 60_000);

const items = async (path: string): Promise<readonly KubeObject[]> =>
  asArray(at(await cluster.api.get(path), 'items')) as readonly KubeObject[];
const podCIDRs = (node: KubeObject): readonly string[] =>
  asArray(at(node, 'spec', 'podCIDRs')).flatMap((cidr) => asString(cidr) ?? []);
const uids = (objects: readonly KubeObject[]) => objects.map(({ metadata }) => [metadata.name, metadata.uid]);

interface Watched {
  readonly killed: number;
  /** Milliseconds that a Node was absent, by name, each time. */
  readonly absences: readonly (readonly [name: string, milliseconds: number])[];
}

/** Kills the operator when it has just stored a Node, once for each, and measures how long Nodes are absent meanwhile. */
async function killing<T>(work: Promise<T>): Promise<readonly [T, Watched]> {
  const stopping = new AbortController();
  const watched = { killed: 0, absences: [] as [string, number][] };
  const seen = new Set<string>();
  const killer = (async () => {
    while (!stopping.signal.aborted) {
      const secret = await cluster.api.get(SECRET).catch(() => undefined);
      const names = Object.keys((at(secret, 'data') as object | undefined) ?? {}).filter((name) => !seen.has(name));
      if (names.length > 0) {
        await installed.operator.stop('SIGKILL');
        names.forEach((name) => seen.add(name));
        watched.killed += 1;
        await cluster.api.delete(LEASE).catch(() => undefined);
      }
      await sleep(1);
    }
  })();
  const gone = new Map<string, number>();
  const watcher = (async () => {
    while (!stopping.signal.aborted) {
      const names = await items(NODES).then(
        (nodes) => new Set(nodes.map(({ metadata }) => metadata.name)),
        () => null,
      );
      const now = performance.now();
      for (const { name } of cluster.nodes) {
        if (names === null) continue;
        const since = gone.get(name);
        if (!names.has(name)) gone.set(name, since ?? now);
        else if (since !== undefined) {
          watched.absences.push([name, Math.round(now - since)]);
          gone.delete(name);
        }
      }
      await sleep(3);
    }
  })();
  try {
    return [await work, watched];
  } finally {
    stopping.abort();
    await Promise.all([killer, watcher]);
  }
}

const expectKept = async (): Promise<void> => {
  const now = await items(NODES);
  expect(now.map((node) => [node.metadata.name, podCIDRs(node)[0]])).toEqual(
    first.map((node) => [node.metadata.name, podCIDRs(node)[0]]),
  );
  for (const { metadata, spec } of now) {
    expect(metadata.labels).toMatchObject(PEOPLES.labels);
    expect(metadata.annotations).toMatchObject(PEOPLES.annotations);
    expect(at(spec, 'unschedulable')).toBe(metadata.name === 'worker-1' ? true : undefined);
  }
  // An agent's object outlives its Node's, and so does the agent's own access.
  expect(uids(await items(AGENTS))).toEqual(uids(agents));
  expect(await cluster.api.get(SECRET).then((secret) => Object.keys(at(secret, 'data') ?? {}))).toEqual([]);
};

test(
  'Nodes get their second podCIDR, and nobody loses anything, though the operator is killed in the middle',
  async () => {
    await askForDualStack(cluster, { nodes: { podCIDRs: 'Replace' } });
    const converted = untilStatus(cluster, 'the cluster is Ready', isReady, CONVERT_MS);
    const [status, { killed, absences }] = await killing(converted);
    console.log(`killed ${killed} times; seen absent: ${JSON.stringify(absences)}`);
    expect(killed).toBeGreaterThan(0);
    for (const [, milliseconds] of absences) expect(milliseconds).toBeLessThan(40_000);
    expect((await items(NODES)).map((node) => podCIDRs(node).length)).toEqual([2, 2]);
    await expectKept();
    const group = status.plan?.steps.find(({ phase }) => phase === 'PodCIDRs');
    expect(group).toMatchObject({ group: 'pod-cidrs', total: 2, done: 2, state: 'Satisfied' });
  },
  CONVERT_MS + 30_000,
);

const isBack = (status: ClusterStatus): boolean =>
  isReady(status) && conditionOf(status, 'NodesDualStack')?.reason === 'SingleStack';

test(
  'back: they lose it again before the controller manager goes back to one family',
  async () => {
    const before = (await stepsCarriedOut(installed)).length;
    const manager = cluster.history.running('kube-controller-manager', 'cp-1')!;
    expect(flagOf(manager, 'cluster-cidr')).toBe(PODS);
    await cluster.api.mergePatch(RESOURCE, { spec: { ipFamilies: ['IPv4'], clusterNetwork: null } });
    const [, { killed }] = await killing(untilStatus(cluster, 'it is single-stack', isBack, CONVERT_MS));
    expect(killed).toBeGreaterThan(0);
    expect((await items(NODES)).map(podCIDRs)).toEqual(first.map(podCIDRs));
    await expectKept();
    const done = (await stepsCarriedOut(installed)).slice(before).map(({ step }) => step);
    const managers = done.filter((step) => step.startsWith('controller-manager/'));
    expect(managers).not.toEqual([]);
    expect(done.findLastIndex((step) => step.startsWith('pod-cidrs/'))).toBeLessThan(
      done.findIndex((step) => step.startsWith('controller-manager/')),
    );
  },
  CONVERT_MS + 30_000,
);
