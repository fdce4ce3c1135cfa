import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { flannel } from '../../../src/cni/flannel/index.ts';
import type { Cluster } from '../../../src/kube/connect.ts';
import { at, type KubeObject } from '../../../src/model/object.ts';
import { convertCNI, lookAt, type Way } from '../../support/cni-conversion.ts';
import { connectTo } from '../../support/connect.ts';
import { eventually } from '../../support/eventually.ts';
import { wantedDual, wantedSingle } from '../../support/facts.ts';
import { FLANNEL_OBJECTS } from '../../support/node-ipam-manifests.ts';
import { type RealCluster, startRealCluster } from '../cluster/index.ts';
import { checkPackets, failedText } from './support/packets.ts';
import { longestSilence, lossText, startTraffic, type Traffic } from './support/traffic.ts';
import { whereItRuns } from './support/where-it-runs.ts';

/** The steps of flannel alone, on real kubelets whose Nodes have both podCIDRs already: it has to be told of the second one. */

const MINUTES = 60_000;
const NAMESPACE = 'kube-flannel';
/** A route that is missing shows for longer. */
const SILENCE_MS = 3_000;

whereItRuns('flannel on 1 control plane and 1 worker', () => {
  let cluster: RealCluster;
  let access: Cluster;
  let traffic: Traffic;
  let before: { readonly config: KubeObject; readonly daemonSet: KubeObject };
  let forward: Way;

  const kubectl = async (args: readonly string[], input?: string): Promise<string> =>
    (await cluster.kubectl(args, input)).stdout;
  const read = async (kind: string, name: string): Promise<KubeObject> =>
    JSON.parse(await kubectl(['-n', NAMESPACE, 'get', kind, name, '-o', 'json'])) as KubeObject;
  const config = () => read('configmap', 'kube-flannel-cfg');
  const daemonSet = () => read('daemonset', 'kube-flannel-ds');

  beforeAll(async () => {
    cluster = await startRealCluster({
      controlPlanes: 1,
      workers: 1,
      families: ['IPv4', 'IPv6'],
      nodeIP: 'pair',
      cni: 'none',
    });
    access = await connectTo(cluster.kubeconfig);
    const list = { apiVersion: 'v1', kind: 'List', items: FLANNEL_OBJECTS };
    await kubectl(['apply', '-f', '-'], JSON.stringify(list));
    await kubectl(['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=120s']);
    await kubectl(['-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=120s']);
    traffic = await startTraffic(
      kubectl,
      cluster.nodes.map(({ name }) => name),
    );
    before = { config: await config(), daemonSet: await daemonSet() };
  }, 8 * MINUTES);

  afterAll(async () => {
    await access?.close();
    await cluster?.stop();
  }, MINUTES);

  test('it is recognised, and nothing stands in the way', async () => {
    const { facts, own, detected } = await lookAt(access, flannel);
    expect(detected).toBe('DaemonSet kube-flannel/kube-flannel-ds');
    expect(flannel.check(wantedDual(), facts, own)).toEqual([]);
    expect(flannel.podCIDRs(own)).toEqual(['10.244.0.0/16']);
  });

  test(
    'one edit and two roll-outs convert it',
    async () => {
      const begun = Date.now();
      forward = await convertCNI(access, flannel, wantedDual(), { deadlineMs: 3 * MINUTES });
      expect(forward.done.map(({ id }) => id)).toEqual(['flannel/config', 'flannel/rollout-1', 'flannel/rollout-2']);
      const times = forward.done.map(({ id, at: when }) => `${id} at ${((when - begun) / 1000).toFixed(1)} s`);
      console.log(`${times.join(', ')}, through after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    },
    4 * MINUTES,
  );

  test('every node has an IPv6 route to every other', async () => {
    for (const node of cluster.nodes) {
      // flanneld makes them within a moment of its start, which is all that a pod can show: it has no readiness probe.
      await eventually(`${node.name} has routes to the others`, async () => {
        const routes = await node.run(['ip', '-6', 'route', 'show', 'dev', 'flannel-v6.1']);
        return routes.split('\n').filter((line) => line.includes('via')).length === cluster.nodes.length - 1;
      });
    }
  });

  test(
    'packets flow in both families',
    async () => {
      // The DNS follows in a phase of its own.
      const both = { spec: { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] } };
      await kubectl(['-n', 'kube-system', 'patch', 'service', 'kube-dns', '-p', JSON.stringify(both)]);
      await kubectl(['-n', 'kube-system', 'rollout', 'restart', 'deployment/coredns']);
      await kubectl(['-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=120s']);
      expect(failedText(await checkPackets(cluster))).toBe('');
    },
    4 * MINUTES,
  );

  test(
    'the way back gives it its first bytes again',
    async () => {
      const back = await convertCNI(access, flannel, wantedSingle({ restore: forward.first }), {
        deadlineMs: 3 * MINUTES,
      });
      expect(back.done.slice(0, 2).map(({ id }) => id)).toEqual(['flannel/config', 'flannel/rollout']);
      expect((await config())['data']).toEqual(before.config['data']);
      expect((await daemonSet())['spec']).toEqual(before.daemonSet['spec']);
      const { facts } = await lookAt(access, flannel);
      for (const { annotations } of facts.nodes) {
        expect(Object.keys(annotations).filter((key) => /^flannel.*v6/u.test(key))).toEqual([]);
        expect(annotations).toHaveProperty(['flannel.alpha.coreos.com/public-ip']);
      }
      await kubectl(['run', 'single', '--image=localhost/podtool:v1', '--restart=Never', '--', 'serve', '8080']);
      await kubectl(['wait', '--for=condition=Ready', 'pod/single', '--timeout=60s']);
      const pod = JSON.parse(await kubectl(['get', 'pod', 'single', '-o', 'json'])) as KubeObject;
      expect(at(pod, 'status', 'podIPs')).toHaveLength(1);
    },
    4 * MINUTES,
  );

  test('no IPv4 request between the nodes was lost all the while', async () => {
    const streams = await traffic.streams();
    console.log(lossText(streams));
    expect(await traffic.failures()).toEqual([]);
    expect(longestSilence(streams)).toBeLessThan(SILENCE_MS);
  });
});
