import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient, KubeObject } from './client.ts';
import type { StaticPod } from './staticpod.ts';
import type { StaticPods } from './staticpods.ts';

export interface MirrorContext {
  readonly node: string;
  readonly api: ApiClient;
  readonly statics: StaticPods;
  readonly seenNode: () => KubeObject | undefined;
  readonly seenPods: () => Iterable<KubeObject>;
  readonly kubeletRuns: () => boolean;
}

const PODS = '/api/v1/namespaces/kube-system/pods';
const TURN_MS = 250;
const HASH = 'kubernetes.io/config.hash';
const MIRROR = 'kubernetes.io/config.mirror';

export const isMirror = (pod: KubeObject): boolean => pod.metadata.annotations?.[MIRROR] !== undefined;

/** Keeps one Pod object per static pod of a node, as its kubelet does: named after both, replaced when the hash changes. */
export class MirrorPods {
  readonly #context: MirrorContext;

  constructor(context: MirrorContext) {
    this.#context = context;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#context.kubeletRuns()) await this.#sync().catch(() => {}); // the API may be away: again at the next turn
      await sleep(TURN_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #sync(): Promise<void> {
    const node = this.#context.seenNode();
    if (!node) return;
    const mirrors = [...this.#context.seenPods()].filter((pod) => isMirror(pod) && nodeOf(pod) === node.metadata.name);
    for (const pod of this.#context.statics.pods.values()) {
      const existing = mirrors.find((mirror) => mirror.metadata.name === `${pod.name}-${node.metadata.name}`);
      await this.#syncOne(pod, node, existing);
    }
    for (const mirror of mirrors) {
      const wanted = [...this.#context.statics.pods.values()].some(
        (pod) => `${pod.name}-${node.metadata.name}` === mirror.metadata.name,
      );
      if (!wanted) await this.#delete(mirror);
    }
  }

  async #syncOne(pod: StaticPod, node: KubeObject, existing: KubeObject | undefined): Promise<void> {
    const { api } = this.#context;
    if (existing && existing.metadata.annotations?.[HASH] !== pod.hash) return this.#delete(existing);
    if (existing) {
      const status = podStatus(pod, node);
      if (covers(existing['status'], status)) return;
      await api.mergePatch(`${PODS}/${existing.metadata.name}/status`, { status });
      return;
    }
    await api.send('POST', PODS, mirrorPod(pod, node)); // a conflict means that the watch is behind
  }

  async #delete(mirror: KubeObject): Promise<void> {
    await this.#context.api.delete(`${PODS}/${mirror.metadata.name}`, {
      gracePeriodSeconds: 0,
      preconditions: { uid: mirror.metadata.uid },
    });
  }
}

const nodeOf = (pod: KubeObject): unknown => (pod['spec'] as { nodeName?: string } | undefined)?.nodeName;

function mirrorPod(pod: StaticPod, node: KubeObject): unknown {
  const { metadata, spec } = pod.manifest;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      namespace: 'kube-system',
      name: `${pod.name}-${node.metadata.name}`,
      annotations: {
        ...(metadata['annotations'] as object | undefined),
        [HASH]: pod.hash,
        [MIRROR]: pod.hash,
        'kubernetes.io/config.source': 'file',
        'kubernetes.io/config.seen': new Date(pod.startedAt).toISOString(),
      },
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid: node.metadata.uid, controller: true },
      ],
    },
    spec: {
      ...spec,
      nodeName: node.metadata.name,
      enableServiceLinks: true,
      tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
    },
  };
}

const seconds = (time: number): string => new Date(time).toISOString().replace(/\.\d+Z/, 'Z');

const condition = (type: string, status: string): unknown => ({ type, status });

function podStatus(pod: StaticPod, node: KubeObject): Record<string, unknown> {
  const { addresses = [] } = (node['status'] ?? {}) as { addresses?: { type: string; address: string }[] };
  const internal = addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
  const [first] = internal;
  const ready = pod.ready ? 'True' : 'False';
  const container = pod.manifest.spec.containers[0];
  return {
    phase: 'Running',
    startTime: seconds(pod.startedAt),
    ...(first
      ? { hostIP: first, hostIPs: internal.map((ip) => ({ ip })), podIP: first, podIPs: internal.map((ip) => ({ ip })) }
      : {}),
    conditions: [
      condition('Initialized', 'True'),
      condition('Ready', ready),
      condition('ContainersReady', ready),
      condition('PodScheduled', 'True'),
    ],
    containerStatuses: [
      {
        name: container?.name,
        image: container?.image,
        imageID: '',
        ready: pod.ready,
        started: pod.state.is === 'running',
        restartCount: pod.restarts,
        state: containerState(pod),
        ...(pod.lastExit
          ? {
              lastState: {
                terminated: {
                  exitCode: pod.lastExit.code,
                  reason: 'Error',
                  startedAt: seconds(pod.lastExit.startedAt),
                  finishedAt: seconds(pod.lastExit.at),
                },
              },
            }
          : {}),
      },
    ],
  };
}

function containerState({ state }: StaticPod): unknown {
  return state.is === 'running'
    ? { running: { startedAt: seconds(state.startedAt) } }
    : { waiting: { reason: state.reason, message: state.message } };
}

/** Whether all that is wanted is there already; the server may have added more. */
export function covers(actual: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return actual === wanted;
  if (typeof actual !== 'object' || actual === null) return false;
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((item, index) => covers(actual[index], item))
    );
  }
  return Object.entries(wanted).every(([name, value]) => covers((actual as Record<string, unknown>)[name], value));
}
