import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { CNI } from '../../src/cni/contract.ts';
import { flannel } from '../../src/cni/flannel/index.ts';
import { kindnet } from '../../src/cni/kindnet/index.ts';
import type { Cluster } from '../../src/kube/connect.ts';
import type { ClusterFacts } from '../../src/model/facts.ts';
import { at, type KubeObject } from '../../src/model/object.ts';
import { DUAL_STACK, startCluster, type TestCluster } from '../cluster/index.ts';
import { convertCNI, lookAt, type Way } from '../support/cni-conversion.ts';
import { connectTo } from '../support/connect.ts';
import { PODS, wantedDual, wantedSingle } from '../support/facts.ts';
import { DUAL_NET_CONF, NET_CONF, publishedIPv4, publishedIPv6 } from '../support/flannel-facts.ts';
import { FLANNEL_OBJECTS, kindnetObjects } from '../support/node-ipam-manifests.ts';

/** The steps of flannel and kindnet against a real API server and DaemonSet controller. Their daemons are played: what they write is. */

let cluster: TestCluster;
let access: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ ...DUAL_STACK, controlPlanes: 1, workers: 1 });
  access = await connectTo(cluster.kubeconfig);
});

afterAll(async () => {
  await access?.close();
  await cluster?.stop();
});

const idsOf = ({ done }: Way): readonly string[] => done.map(({ id }) => id);

async function apply(objects: readonly object[]): Promise<void> {
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
}

async function read(kind: string, namespace: string, name: string): Promise<KubeObject> {
  return JSON.parse((await cluster.kubectl(['get', kind, name, '-n', namespace, '-o', 'json'])).stdout) as KubeObject;
}

/** The DaemonSet is rolled out to both nodes. */
async function isThere<Own>(cni: CNI<Own>, namespace: string, name: string): Promise<void> {
  await cluster.kubectl(['rollout', 'status', `daemonset/${name}`, '-n', namespace, '--timeout=60s']);
  expect((await lookAt(access, cni)).detected).toBe(`DaemonSet ${namespace}/${name}`);
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
  await playFlanneld((await lookAt(access, flannel)).facts);

  const forward = await convertCNI(access, flannel, wantedDual(), { between: playFlanneld });
  expect(idsOf(forward)).toEqual(['flannel/config', 'flannel/rollout-1', 'flannel/rollout-2']);
  const config = await read('configmap', 'kube-flannel', 'kube-flannel-cfg');
  expect(config['data']).toEqual({ ...(before.config['data'] as object), 'net-conf.json': DUAL_NET_CONF });

  const back = await convertCNI(access, flannel, wantedSingle({ restore: forward.first }));
  expect(idsOf(back)).toEqual([
    'flannel/config',
    'flannel/rollout',
    'flannel/node-address/cp-1',
    'flannel/node-address/worker-1',
  ]);
  expect((await read('configmap', 'kube-flannel', 'kube-flannel-cfg'))['data']).toEqual(before.config['data']);
  expect(at(before.config, 'data', 'net-conf.json')).toBe(NET_CONF);
  expect((await read('daemonset', 'kube-flannel', 'kube-flannel-ds'))['spec']).toEqual(before.daemonSet['spec']);
  for (const node of (await lookAt(access, flannel)).facts.nodes) {
    const left = Object.keys(node.annotations).filter((key) => key.startsWith('flannel.'));
    expect(left.toSorted()).toEqual(Object.keys(publishedIPv4(1)));
  }
  await cluster.kubectl(['delete', 'namespace', 'kube-flannel', '--wait=false']);
});

test('kindnet is converted by one variable, and taken back to the byte', async () => {
  await apply(kindnetObjects(PODS.IPv4));
  await isThere(kindnet, 'kube-system', 'kindnet');
  const before = await read('daemonset', 'kube-system', 'kindnet');

  const forward = await convertCNI(access, kindnet, wantedDual());
  expect(idsOf(forward)).toEqual(['kindnet/env']);
  const env = at(await read('daemonset', 'kube-system', 'kindnet'), 'spec', 'template', 'spec', 'containers', 0, 'env');
  expect(env).toEqual(
    (at(before, 'spec', 'template', 'spec', 'containers', 0, 'env') as { name: string }[]).map((entry) =>
      entry.name === 'POD_SUBNET' ? { ...entry, value: `${PODS.IPv4},${PODS.IPv6}` } : entry,
    ),
  );

  const back = await convertCNI(access, kindnet, wantedSingle({ restore: forward.first }));
  expect(idsOf(back)).toEqual(['kindnet/env']);
  expect((await read('daemonset', 'kube-system', 'kindnet'))['spec']).toEqual(before['spec']);
});

test('kindnet of an IPv6 cluster is told IPv4 second, and gives it back', async () => {
  await apply(kindnetObjects(PODS.IPv6));
  await isThere(kindnet, 'kube-system', 'kindnet');
  const before = await read('daemonset', 'kube-system', 'kindnet');
  const families = ['IPv6', 'IPv4'] as const;

  const forward = await convertCNI(access, kindnet, wantedDual({ families }));
  expect(idsOf(forward)).toEqual(['kindnet/env']);
  expect(kindnet.podCIDRs((await lookAt(access, kindnet)).own)).toEqual([PODS.IPv6, PODS.IPv4]);

  const back = wantedSingle({ families: ['IPv6'], pods: { IPv6: PODS.IPv6 }, restore: forward.first });
  expect(idsOf(await convertCNI(access, kindnet, back))).toEqual(['kindnet/env']);
  expect((await read('daemonset', 'kube-system', 'kindnet'))['spec']).toEqual(before['spec']);
});
