import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { canal } from '../../../src/cni/canal/index.ts';
import { cilium } from '../../../src/cni/cilium/index.ts';
import type { CNI } from '../../../src/cni/contract.ts';
import { kubeRouter } from '../../../src/cni/kube-router/index.ts';
import type { Cluster } from '../../../src/kube/connect.ts';
import { at, type KubeObject } from '../../../src/model/object.ts';
import { DUAL_STACK, startCluster, type TestCluster } from '../../cluster/index.ts';
import { CANAL_DUAL_NET_CONF, CANAL_DUAL_NETWORK, CANAL_NET_CONF, CANAL_NETWORK } from '../../support/canal-facts.ts';
import { CILIUM_DUAL } from '../../support/cilium-facts.ts';
import { convertCNI, lookAt, type Way } from '../../support/cni-conversion.ts';
import { canalObjects, CILIUM_OBJECTS, KUBE_ROUTER_OBJECTS } from '../../support/cni-manifests.ts';
import { connectTo } from '../../support/connect.ts';
import { eventually } from '../../support/eventually.ts';
import { wantedDual, wantedSingle } from '../../support/facts.ts';
import { install, serviceAccountKubeconfig } from '../../support/install.ts';
import { KUBE_ROUTER_ARGS, KUBE_ROUTER_DUAL } from '../../support/kube-router-facts.ts';
import { PlayedCanal } from '../../support/played-canal.ts';
import { PlayedCilium } from '../../support/played-cilium.ts';
import { itemsAt, play, type PlayedCNI } from '../../support/played-cni.ts';
import { PlayedKubeRouter } from '../../support/played-kube-router.ts';

// The steps of network plug-ins against a real API server, its admission policies and the real controllers of DaemonSets and Deployments, by the service
// account of the operator. Their daemons are played.

/** No pod starts in the second in which its configuration was changed: times in the API are whole seconds. */
const UNHURRIED = { podStart: 1100 };

let cluster: TestCluster;
let access: Cluster;
let stopPlaying: (() => Promise<void>) | null = null;

beforeAll(async () => {
  cluster = await startCluster({ ...DUAL_STACK, controlPlanes: 1, workers: 1, timing: UNHURRIED });
  await install(cluster);
  access = await connectTo(await serviceAccountKubeconfig(cluster, 'dualstack-operator'));
}, 180_000);

afterEach(async () => {
  await stopPlaying?.();
  stopPlaying = null;
});

afterAll(async () => {
  await access?.close();
  await cluster?.stop();
}, 60_000);

const list = (objects: readonly object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
const idsOf = ({ done }: Way): readonly string[] => done.map(({ id }) => id);

async function read(kind: string, name: string): Promise<KubeObject> {
  return JSON.parse(
    (await cluster.kubectl(['get', kind, name, '-n', 'kube-system', '-o', 'json'])).stdout,
  ) as KubeObject;
}

interface Trial<Own, Played extends PlayedCNI> {
  readonly cni: CNI<Own>;
  readonly objects: readonly object[];
  readonly played: Played;
  readonly daemonSet: string;
  /** What must be as before after the way back. */
  readonly compared: () => Promise<unknown>;
  /** Steps of either way. */
  readonly forward: readonly string[];
  readonly back: readonly string[];
  readonly whenInstalled?: () => Promise<unknown>;
  readonly whenDual: (played: Played) => Promise<void>;
}

/** Installs it, converts it there and back, and takes it away. */
async function convertThereAndBack<Own, Played extends PlayedCNI>(trial: Trial<Own, Played>): Promise<void> {
  const { cni, objects, played, compared } = trial;
  stopPlaying = play(cluster, played);
  await cluster.kubectl(['apply', '-f', '-'], list(objects));
  await cluster.kubectl(['rollout', 'status', `daemonset/${trial.daemonSet}`, '-n', 'kube-system', '--timeout=60s']);
  await trial.whenInstalled?.();
  expect((await lookAt(access, cni)).detected).toContain(`kube-system/${trial.daemonSet}`);
  const before = await compared();

  const forward = await convertCNI(access, cni, wantedDual());
  expect(idsOf(forward)).toEqual(trial.forward);
  await trial.whenDual(played);

  const back = await convertCNI(access, cni, wantedSingle({ restore: forward.first }));
  expect(idsOf(back)).toEqual(trial.back);
  expect(await compared()).toEqual(before);
  expect(played.wrongs).toEqual([]);
  await cluster.kubectl(['delete', '--wait=false', '--ignore-not-found', '-f', '-'], list(objects));
  await cluster.kubectl(['wait', '--for=delete', `daemonset/${trial.daemonSet}`, '-n', 'kube-system', '--timeout=60s']);
}

/** Data or spec, with what people see of its metadata. */
async function seen(kind: string, name: string): Promise<unknown> {
  const { metadata, data, spec } = await read(kind, name);
  const { 'deprecated.daemonset.template.generation': _, ...annotations } = metadata.annotations ?? {};
  const { 'deployment.kubernetes.io/revision': _revision, ...others } = annotations;
  return { labels: metadata.labels, annotations: others, data, spec };
}

const annotationsOf = async (): Promise<readonly (readonly string[])[]> =>
  (await itemsAt(cluster, '/api/v1/nodes')).map(({ metadata }) =>
    Object.keys(metadata.annotations ?? {})
      .filter((key) => key.startsWith('flannel.'))
      .toSorted(),
  );

test('Canal: two texts, two variables and two roll-outs; then as it was, to the byte', async () => {
  const played = new PlayedCanal(cluster);
  await convertThereAndBack({
    cni: canal,
    objects: canalObjects({ netConf: CANAL_NET_CONF, network: CANAL_NETWORK }),
    played,
    daemonSet: 'canal',
    compared: async () => [
      await seen('configmap', 'canal-config'),
      await seen('daemonset', 'canal'),
      await annotationsOf(),
    ],
    forward: ['canal/config', 'canal/rollout-1', 'canal/rollout-2'],
    back: ['canal/config', 'canal/rollout', 'canal/node-address/cp-1', 'canal/node-address/worker-1'],
    whenInstalled: () =>
      eventually('flanneld has told of itself', async () => (await annotationsOf()).every((keys) => keys.length === 4)),
    whenDual: async ({ guarding, routes }) => {
      const config = await read('configmap', 'canal-config');
      expect(config['data']).toMatchObject({
        'net-conf.json': CANAL_DUAL_NET_CONF,
        cni_network_config: CANAL_DUAL_NETWORK,
      });
      // The played flanneld begins with the readiness of its pod, which is where the roll-out has ended.
      await eventually('flanneld has begun on each node', () => routes.size === 2, 10_000);
      expect([...guarding].toSorted()).toEqual(['cp-1', 'worker-1']);
      expect(Object.fromEntries(routes)).toEqual({ 'cp-1': ['worker-1'], 'worker-1': ['cp-1'] });
    },
  });
});

interface CiliumSeen {
  readonly podCIDRs: readonly unknown[];
  readonly internal: readonly unknown[];
}

const ciliumNodes = async (): Promise<readonly CiliumSeen[]> =>
  (await itemsAt(cluster, '/apis/cilium.io/v2/ciliumnodes')).map((node) => ({
    podCIDRs: (at(node, 'spec', 'ipam', 'podCIDRs') ?? []) as readonly unknown[],
    internal: ((at(node, 'spec', 'addresses') ?? []) as readonly unknown[])
      .filter((entry) => at(entry, 'type') === 'CiliumInternalIP')
      .map((entry) => at(entry, 'ip')),
  }));

test('Cilium: configuration, operator, agents; back the operator comes last, when no CiliumNode holds IPv6', async () => {
  await convertThereAndBack({
    cni: cilium,
    objects: CILIUM_OBJECTS,
    played: new PlayedCilium(cluster),
    daemonSet: 'cilium',
    compared: async () => [
      await seen('configmap', 'cilium-config'),
      await seen('daemonset', 'cilium'),
      await seen('deployment', 'cilium-operator'),
      await ciliumNodes(),
    ],
    forward: ['cilium/config', 'cilium/operator', 'cilium/agents'],
    back: ['cilium/config', 'cilium/agents', 'cilium/pod-cidrs/cp-1', 'cilium/pod-cidrs/worker-1', 'cilium/operator'],
    whenInstalled: async () => {
      await cluster.kubectl(['rollout', 'status', 'deployment/cilium-operator', '-n', 'kube-system', '--timeout=60s']);
      await eventually('each agent has its address', async () => {
        const nodes = await ciliumNodes();
        return nodes.length === 2 && nodes.every(({ internal }) => internal.length === 1);
      });
    },
    whenDual: async ({ operatorHasIPv6 }) => {
      expect((await read('configmap', 'cilium-config'))['data']).toMatchObject(CILIUM_DUAL);
      expect(operatorHasIPv6).toBe(true);
      for (const { podCIDRs, internal } of await ciliumNodes()) {
        expect(podCIDRs).toEqual([expect.stringMatching(/^10\./u), expect.stringMatching(/^fd00:/u)]);
        expect(internal).toEqual([expect.stringMatching(/^10\./u), expect.stringMatching(/^fd00:/u)]);
      }
    },
  });
});

const argsOf = async (): Promise<unknown> =>
  at(await read('daemonset', 'kube-router'), 'spec', 'template', 'spec', 'containers', 0, 'args');

test('kube-router: two arguments, and the same ones as at first again; only the hosts keep the range', async () => {
  const played = new PlayedKubeRouter(cluster);
  await convertThereAndBack({
    cni: kubeRouter,
    objects: KUBE_ROUTER_OBJECTS,
    played,
    daemonSet: 'kube-router',
    compared: () => seen('daemonset', 'kube-router'),
    forward: ['kube-router/args'],
    back: ['kube-router/args'],
    whenInstalled: async () => expect(await argsOf()).toEqual(KUBE_ROUTER_ARGS),
    whenDual: async () => {
      expect(await argsOf()).toEqual(KUBE_ROUTER_DUAL);
      await eventually('both hosts have both ranges', () =>
        cluster.nodes.every(({ name }) => played.ranges(name).length === 2),
      );
    },
  });
  // Which docs/systems/kube-router.md tells, with what to do about it.
  for (const { name } of cluster.nodes) expect(played.ranges(name)).toHaveLength(2);
});
