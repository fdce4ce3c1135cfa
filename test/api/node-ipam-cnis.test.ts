import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execute } from '../../src/apply/execute.ts';
import type { CNI } from '../../src/cni/contract.ts';
import { flannel } from '../../src/cni/flannel/index.ts';
import { kindnet } from '../../src/cni/kindnet/index.ts';
import { type Cluster, connect } from '../../src/kube/connect.ts';
import { clientReader } from '../../src/kube/reader.ts';
import type { ClusterFacts } from '../../src/model/facts.ts';
import { at, type Json, type KubeObject } from '../../src/model/object.ts';
import { phaseOrder } from '../../src/model/phase.ts';
import { known } from '../../src/model/reader.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import { readBasics } from '../../src/observe/basics.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { clusterFacts, PODS, SERVICES, wantedDual, wantedSingle } from '../support/facts.ts';
import { DUAL_NET_CONF, NET_CONF, publishedIPv4, publishedIPv6 } from '../support/flannel-facts.ts';
import { FLANNEL_OBJECTS, KINDNET_OBJECTS } from '../support/node-ipam-manifests.ts';

/** The steps of flannel and kindnet against a real API server and DaemonSet controller. Their daemons are played: what they write is. */

let cluster: TestCluster;
let access: Cluster;

beforeAll(async () => {
  cluster = await startCluster({
    controlPlanes: 1,
    workers: 1,
    nodeIP: 'pair',
    podSubnet: `${PODS.IPv4},${PODS.IPv6}`,
    serviceSubnet: `${SERVICES.IPv4},${SERVICES.IPv6}`,
  });
  const connected = connect({
    kubeconfig: cluster.kubeconfig,
    version: 'test',
    clock: systemClock,
    random: Math.random,
    environment: {},
  });
  if (!connected.ok) throw new Error(connected.error);
  access = connected.value;
});

afterAll(async () => {
  await access?.close();
  await cluster?.stop();
});

async function look<Own>(cni: CNI<Own>, records: Readonly<Record<string, Json>>) {
  const reader = clientReader(access.client);
  const basics = await readBasics(reader, { kubernetesVersion: 'v1.36.3', groupVersions: ['v1', 'apps/v1'] });
  if (!basics.ok) throw new Error(basics.error);
  const own = await cni.observe(reader, basics.value);
  const change = { basics: basics.value, at: Date.now(), records: known(records) };
  const facts: ClusterFacts = clusterFacts({ nodes: basics.value.nodes }, change);
  return { facts, own, detected: cni.detect(basics.value) };
}

interface Way {
  readonly done: readonly string[];
  readonly first: Readonly<Record<string, Json>>;
}

/** Steps one by one until all are satisfied; between two looks the daemons do what they do. */
async function convert<Own>(cni: CNI<Own>, wanted: Wanted, play: (facts: ClusterFacts) => Promise<void>): Promise<Way> {
  const done: string[] = [];
  const order = phaseOrder(wanted.direction);
  const start = await look(cni, {});
  const first = Object.fromEntries(cni.records(start.facts, start.own).map(({ key, value }) => [key, value]));
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { facts, own } = await look(cni, first);
    await play(facts);
    const steps = cni.steps(wanted, facts, own).toSorted((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase));
    const next = steps.find((step) => step.state.is !== 'Satisfied');
    if (next === undefined) return { done, first };
    if (next.state.is === 'Failed' || Date.now() > deadline) {
      throw new Error(`${next.id}: ${JSON.stringify(next.state)}, done: ${done.join(' ')}`);
    }
    if (next.state.is !== 'Pending') {
      await systemClock.sleep(100);
      continue;
    }
    const outcome = await execute(next, {
      client: access.client,
      clock: systemClock,
      namespace: 'default',
      suffix: () => 'x',
      attempt: () => '1-x',
      signal: new AbortController().signal,
    });
    if (outcome.is === 'Refused') throw new Error(`${next.id}: ${outcome.error.message}`);
    done.push(next.id);
  }
}

async function apply(objects: readonly object[]): Promise<void> {
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
}

async function read(kind: string, namespace: string, name: string): Promise<KubeObject> {
  return JSON.parse((await cluster.kubectl(['get', kind, name, '-n', namespace, '-o', 'json'])).stdout) as KubeObject;
}

/** The DaemonSet is rolled out to both nodes. */
async function isThere<Own>(cni: CNI<Own>, namespace: string, name: string): Promise<void> {
  await cluster.kubectl(['rollout', 'status', `daemonset/${name}`, '-n', namespace, '--timeout=60s']);
  expect((await look(cni, {})).detected).toBe(`DaemonSet ${namespace}/${name}`);
}

/** What flanneld writes to its Node when it starts with the configuration as it is. */
async function playFlanneld(facts: ClusterFacts): Promise<void> {
  const config = await read('configmap', 'kube-flannel', 'kube-flannel-cfg');
  const daemonSet = await read('daemonset', 'kube-flannel', 'kube-flannel-ds');
  const isTold =
    at(daemonSet, 'spec', 'template', 'metadata', 'annotations', 'dualstack.dev/flannel-rollout') !== undefined;
  const isDual = String(at(config, 'data', 'net-conf.json')).includes('"EnableIPv6": true');
  for (const [index, node] of facts.nodes.entries()) {
    const annotations = { ...publishedIPv4(index + 1), ...(isDual && isTold ? publishedIPv6(index + 1) : {}) };
    if (Object.keys(annotations).every((key) => key in node.annotations)) continue;
    await cluster.kubectl(['patch', 'node', node.name, '-p', JSON.stringify({ metadata: { annotations } })]);
  }
}

test('flannel is converted by one edit and two roll-outs, and taken back to the byte', async () => {
  await apply(FLANNEL_OBJECTS);
  await isThere(flannel, 'kube-flannel', 'kube-flannel-ds');
  const before = {
    config: await read('configmap', 'kube-flannel', 'kube-flannel-cfg'),
    daemonSet: await read('daemonset', 'kube-flannel', 'kube-flannel-ds'),
  };
  await playFlanneld((await look(flannel, {})).facts);

  const forward = await convert(flannel, wantedDual(), playFlanneld);
  expect(forward.done).toEqual(['flannel/config', 'flannel/rollout-1', 'flannel/rollout-2']);
  const config = await read('configmap', 'kube-flannel', 'kube-flannel-cfg');
  expect(config['data']).toEqual({ ...(before.config['data'] as object), 'net-conf.json': DUAL_NET_CONF });

  const nobody = () => Promise.resolve();
  const back = await convert(flannel, wantedSingle({ restore: forward.first }), nobody);
  expect(back.done).toEqual([
    'flannel/config',
    'flannel/rollout',
    'flannel/node-address/cp-1',
    'flannel/node-address/worker-1',
  ]);
  expect((await read('configmap', 'kube-flannel', 'kube-flannel-cfg'))['data']).toEqual(before.config['data']);
  expect(at(before.config, 'data', 'net-conf.json')).toBe(NET_CONF);
  expect((await read('daemonset', 'kube-flannel', 'kube-flannel-ds'))['spec']).toEqual(before.daemonSet['spec']);
  for (const node of (await look(flannel, {})).facts.nodes) {
    const left = Object.keys(node.annotations).filter((key) => key.startsWith('flannel.'));
    expect(left.toSorted()).toEqual(Object.keys(publishedIPv4(1)));
  }
  await cluster.kubectl(['delete', 'namespace', 'kube-flannel', '--wait=false']);
});

test('kindnet is converted by one variable, and taken back to the byte', async () => {
  await apply(KINDNET_OBJECTS);
  await isThere(kindnet, 'kube-system', 'kindnet');
  const before = await read('daemonset', 'kube-system', 'kindnet');
  const nobody = () => Promise.resolve();

  const forward = await convert(kindnet, wantedDual(), nobody);
  expect(forward.done).toEqual(['kindnet/env']);
  const env = at(await read('daemonset', 'kube-system', 'kindnet'), 'spec', 'template', 'spec', 'containers', 0, 'env');
  expect(env).toEqual(
    (at(before, 'spec', 'template', 'spec', 'containers', 0, 'env') as { name: string }[]).map((entry) =>
      entry.name === 'POD_SUBNET' ? { ...entry, value: `${PODS.IPv4},${PODS.IPv6}` } : entry,
    ),
  );

  const back = await convert(kindnet, wantedSingle({ restore: forward.first }), nobody);
  expect(back.done).toEqual(['kindnet/env']);
  expect((await read('daemonset', 'kube-system', 'kindnet'))['spec']).toEqual(before['spec']);
});
