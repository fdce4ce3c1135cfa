import { afterAll, beforeAll } from '@jest/globals';
import type { ClusterStatus } from '../../src/api/cluster-status.ts';
import { asArray, at } from '../../src/model/object.ts';
import type { ClusterOptions, TestCluster } from '../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  type Installed,
  isReady,
  startInstalled,
  stepsCarriedOut,
  untilStatus,
} from './conversion.ts';
import { hostsReported } from './install.ts';
import { itemsAt, objectAt, play, type PlayedCNI } from './played-cni.ts';

/** Whole conversions, by the operator's own process and rights, of clusters with a played network plug-in. */

const RESOURCE = '/apis/dualstack.dev/v1alpha1/dualstackclusters/cluster';
export const CONVERT_MS = 300_000;
export const SETUP_MS = 240_000;

export interface CNICluster<Played extends PlayedCNI> {
  readonly installed: Installed;
  readonly cluster: TestCluster;
  readonly played: Played;
  stop(): Promise<void>;
}

export interface CNIOptions<Played extends PlayedCNI> {
  /** Installs the plug-in's objects, as its users do. */
  readonly install: (cluster: TestCluster) => Promise<unknown>;
  readonly played: (cluster: TestCluster) => Played;
  /** DaemonSet of its agents: `namespace/name`; undefined: there is none. */
  readonly agents?: string;
  readonly options?: ClusterOptions;
}

/** One control-plane node and one worker, with the operator, its agents and that plug-in. */
export async function startWithCNI<Played extends PlayedCNI>(asked: CNIOptions<Played>): Promise<CNICluster<Played>> {
  const keep = process.env['KEEP'] === '1';
  const installed = await startInstalled({ workers: 1, calico: 'none', keep, ...asked.options });
  const { cluster } = installed;
  const played = asked.played(cluster);
  const stopPlaying = play(cluster, played);
  const stop = async (): Promise<void> => {
    await stopPlaying();
    await installed.stop();
  };
  try {
    await asked.install(cluster);
    const [namespace = '', name = ''] = asked.agents?.split('/') ?? [];
    if (asked.agents !== undefined) {
      await cluster.kubectl(['wait', '--for=create', `daemonset/${name}`, '-n', namespace, '--timeout=60s']);
      await cluster.kubectl(['rollout', 'status', `daemonset/${name}`, '-n', namespace, '--timeout=60s']);
    }
    await hostsReported(cluster);
    return { installed, cluster, played, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export interface CNIScene<Played extends PlayedCNI> extends CNICluster<Played> {
  /** The objects as people saw them before anything was converted. */
  readonly before: readonly unknown[];
}

/** One such cluster for all tests of a file. `objects`: paths of what must be as before after the way back. */
export function cniScene<Played extends PlayedCNI>(
  asked: CNIOptions<Played> & { readonly objects: readonly string[] },
): () => CNIScene<Played> {
  let scene: CNICluster<Played> | undefined;
  let before: readonly unknown[] = [];
  beforeAll(async () => {
    scene = await startWithCNI(asked);
    before = await seenAt(scene.cluster, asked.objects);
  }, SETUP_MS);
  afterAll(() => scene?.stop(), 60_000);
  return () => {
    if (scene === undefined) throw new Error('the cluster is there once the tests run');
    return { ...scene, before };
  };
}

export const applyObjects =
  (objects: readonly object[]) =>
  (cluster: TestCluster): Promise<unknown> =>
    cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));

/** Asks for both families and waits until it is so. `seen`: shown each status on the way. */
export async function becomesDual(
  cluster: TestCluster,
  spec: Readonly<Record<string, unknown>> = {},
  seen: (status: ClusterStatus) => void = () => {},
): Promise<ClusterStatus> {
  await askForDualStack(cluster, spec);
  const look = (status: ClusterStatus): boolean => {
    seen(status);
    return isReady(status);
  };
  return untilStatus(cluster, 'the cluster is Ready', look, CONVERT_MS);
}

export const isSingle = (status: ClusterStatus): boolean =>
  isReady(status) && conditionOf(status, 'NodesDualStack')?.reason === 'SingleStack';

export async function askForIPv4(cluster: TestCluster): Promise<void> {
  await cluster.api.mergePatch(RESOURCE, { spec: { ipFamilies: ['IPv4'], clusterNetwork: null } });
}

/** Asks for IPv4 alone and waits until it is so. */
export async function becomesSingle(cluster: TestCluster): Promise<ClusterStatus> {
  await askForIPv4(cluster);
  return untilStatus(cluster, 'it is single-stack', isSingle, CONVERT_MS);
}

/** Ids of the steps that were carried out, of those that begin so. */
export const stepsOf = async (installed: Installed, prefix: string): Promise<readonly string[]> =>
  (await stepsCarriedOut(installed)).map(({ step }) => step).filter((step) => step.startsWith(prefix));

/** What people see of objects: all that is theirs, and nothing that a server counts. */
export async function seenAt(cluster: TestCluster, paths: readonly string[]): Promise<readonly unknown[]> {
  return Promise.all(
    paths.map(async (path) => {
      const { metadata, data, spec } = await objectAt(cluster, path);
      const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => !COUNTERS.includes(key));
      return { path, labels: metadata.labels, annotations: Object.fromEntries(annotations), data, spec };
    }),
  );
}

const COUNTERS = ['deprecated.daemonset.template.generation', 'deployment.kubernetes.io/revision'];

/** New pods for a workload of kube-system, such as `deployment/coredns`: they are all there in the end. */
export async function restartPods(cluster: TestCluster, workload: string): Promise<void> {
  await cluster.kubectl(['-n', 'kube-system', 'rollout', 'restart', workload]);
  await cluster.kubectl(['-n', 'kube-system', 'rollout', 'status', workload, '--timeout=60s']);
}

/** How many addresses each pod of the cluster's DNS has. */
export const addressesOfDNS = async (cluster: TestCluster): Promise<readonly number[]> =>
  (await itemsAt(cluster, '/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns'))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map((pod) => asArray(at(pod, 'status', 'podIPs')).length);

/** Blockers of a status that name that object or reason. */
export const blockersOf = (status: ClusterStatus, reason: string) =>
  (status.plan?.blockers ?? []).filter((blocker) => blocker.reason === reason);
