import { setTimeout as sleep } from 'node:timers/promises';
import { nthAddress, parseCidr } from '../../src/net/cidr.ts';
import { assignment, calicoEnvironment, nthAddress as nthOfPool, ofFamily, specOf } from './calicorules.ts';
import { type CalicoPlayer, internalAddresses } from './calicoplayer.ts';
import type { ApiClient, KubeObject, Watched } from './client.ts';
import { isMirror } from './mirror.ts';
import type { Timing } from './options.ts';

export interface PodContext {
  readonly api: ApiClient;
  readonly pods: Watched;
  readonly nodes: Watched;
  readonly timing: Timing;
  /** Undefined: no Calico; Pods get addresses of their Node's podCIDRs. */
  readonly calico: CalicoPlayer | undefined;
  /** In their place; undefined: none. */
  readonly plugIn: () => PlugIn | undefined;
  readonly kubeletRuns: (node: string) => boolean;
}

/** A network plug-in: addresses for a new Pod on that Node, none while it is not there yet, or why it fails. `n` is another one each time. */
export type PlugIn = (node: KubeObject, n: number) => string | readonly string[];

interface PodStatus {
  readonly phase?: string;
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  readonly containerStatuses?: readonly { readonly restartCount: number }[];
}

const TURN_MS = 100;

/**
 * Plays the part of each kubelet that makes a Pod's sandbox: it asks the CNI plug-in for addresses and writes them. What
 * comes after, containers that run, is kwok's. A calico-node that fails at start-up is shown as it is: crash-looping.
 */
export class PodPlayer {
  readonly #context: PodContext;
  readonly #firstSeen = new Map<string, number>();
  readonly #told = new Set<string>();
  #addresses = 10;

  constructor(context: PodContext) {
    this.#context = context;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await Promise.all([...this.#context.pods.objects.values()].map((pod) => this.#play(pod).catch(() => {}))); // again at the next turn
      await sleep(TURN_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #play(pod: KubeObject): Promise<void> {
    const node = this.#context.nodes.objects.get(specOf(pod).nodeName ?? '');
    if (!node || isMirror(pod) || pod.metadata.deletionTimestamp || !this.#context.kubeletRuns(node.metadata.name))
      return;
    if (calicoEnvironment(pod) && this.#context.calico) return this.#playCalicoNode(this.#context.calico, pod, node);
    if (statusOf(pod).podIP) return specOf(pod).hostNetwork ? this.#followNode(pod, node) : undefined;
    if (this.#age(pod) < this.#context.timing.podStart) return;
    if (specOf(pod).hostNetwork) return this.#give(pod, node, internalAddresses(node));
    const addresses = this.#assign(node);
    if (typeof addresses === 'string') return this.#tell(pod, addresses);
    if (addresses.length > 0) await this.#give(pod, node, addresses);
  }

  async #playCalicoNode(calico: CalicoPlayer, pod: KubeObject, node: KubeObject): Promise<void> {
    const { podIP } = statusOf(pod);
    if (podIP && isReady(pod)) return this.#followNode(pod, node);
    if (this.#age(pod) < this.#context.timing.calicoStart) return;
    const outcome = await calico.startUp(pod, node);
    if (!outcome.ok) return this.#crash(pod, node, outcome.why);
    if (podIP) return this.#recover(pod);
    await this.#give(pod, node, internalAddresses(node));
  }

  /** New addresses for a Pod with a network of its own, none while there is no plug-in yet, or why there are none. */
  #assign(node: KubeObject): string | readonly string[] {
    const { calico } = this.#context;
    const number = this.#addresses++;
    const plugIn = this.#context.plugIn();
    if (plugIn) return plugIn(node, number);
    if (!calico) return addressesOf(podCIDRsOf(node), number);
    const installed = calico.installedConfig(node.metadata.name);
    if (installed === undefined) return [];
    const pools = calico.pools();
    const given = assignment(installed, pools);
    if ('failure' in given) return given.failure;
    return given.families.flatMap((family) => {
      const pool = ofFamily(pools, family).find(({ disabled }) => !disabled);
      return pool ? [nthOfPool(pool.cidr, 1000 + number)] : [];
    });
  }

  /** Addresses make kwok start the containers. */
  async #give(pod: KubeObject, node: KubeObject, podIPs: readonly string[]): Promise<void> {
    const started = { startTime: new Date().toISOString().replace(/\.\d+Z/, 'Z') };
    await this.#patch(pod, {
      ...started,
      ...hostAddresses(node),
      podIP: podIPs[0],
      podIPs: podIPs.map((ip) => ({ ip })),
    });
  }

  /** A Pod on the host's network gains the second address once the Node has it. */
  async #followNode(pod: KubeObject, node: KubeObject): Promise<void> {
    const internal = internalAddresses(node);
    const { podIP, podIPs = [] } = statusOf(pod);
    if (internal.length <= podIPs.length || internal[0] !== podIP) return;
    await this.#patch(pod, { ...hostAddresses(node), podIPs: internal.map((ip) => ({ ip })) });
  }

  async #crash(pod: KubeObject, node: KubeObject, why: string): Promise<void> {
    const status = statusOf(pod);
    const internal = internalAddresses(node);
    const restartCount = (status.containerStatuses?.[0]?.restartCount ?? 0) + 1;
    await this.#patch(pod, {
      phase: 'Running',
      ...hostAddresses(node),
      podIP: internal[0],
      podIPs: internal.map((ip) => ({ ip })),
      conditions: conditions('False'),
      containerStatuses: specOf(pod).containers.map(({ name, image = '' }) => ({
        name,
        image,
        imageID: '',
        ready: false,
        started: false,
        restartCount,
        state: { waiting: { reason: 'CrashLoopBackOff', message: why } },
        lastState: { terminated: { exitCode: 1, reason: 'Error', message: why } },
      })),
    });
    this.#firstSeen.set(pod.metadata.uid ?? '', Date.now());
  }

  async #recover(pod: KubeObject): Promise<void> {
    const restartCount = statusOf(pod).containerStatuses?.[0]?.restartCount ?? 0;
    const startedAt = new Date().toISOString().replace(/\.\d+Z/, 'Z');
    await this.#patch(pod, {
      conditions: conditions('True'),
      containerStatuses: specOf(pod).containers.map(({ name, image = '' }) => ({
        name,
        image,
        imageID: '',
        ready: true,
        started: true,
        restartCount,
        state: { running: { startedAt } },
      })),
    });
  }

  /** As the kubelet does: an Event, once per Pod and reason here. */
  async #tell(pod: KubeObject, why: string): Promise<void> {
    const id = `${pod.metadata.uid} ${why}`;
    if (this.#told.has(id)) return;
    this.#told.add(id);
    const { name, namespace = 'default', uid } = pod.metadata;
    await this.#context.api.create(`/api/v1/namespaces/${namespace}/events`, {
      metadata: { generateName: `${name}.`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid },
      type: 'Warning',
      reason: 'FailedCreatePodSandBox',
      message: `Failed to create pod sandbox: plugin type="${this.#context.plugIn() ? 'cni' : 'calico'}" failed (add): ${why}`,
      source: { component: 'kubelet', host: specOf(pod).nodeName },
    });
  }

  async #patch(pod: KubeObject, status: Readonly<Record<string, unknown>>): Promise<void> {
    const { namespace = 'default', name, uid } = pod.metadata;
    await this.#context.api.mergePatch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, {
      metadata: { uid },
      status,
    });
  }

  #age(pod: KubeObject): number {
    const uid = pod.metadata.uid ?? '';
    const seen = this.#firstSeen.get(uid) ?? Date.now();
    this.#firstSeen.set(uid, seen);
    return Date.now() - seen;
  }
}

export const podCIDRsOf = (node: KubeObject): readonly string[] =>
  (node['spec'] as { podCIDRs?: string[] }).podCIDRs ?? [];

/** One of each subnet of a Node, however small that is. */
export const addressesOf = (subnets: readonly string[], n: number): readonly string[] =>
  subnets.flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr.ok ? (nthAddress(cidr.value, BigInt(2 + (n % 250)))?.text ?? []) : [];
  });

const statusOf = (pod: KubeObject): PodStatus => pod['status'] ?? {};
export const isReady = (pod: KubeObject): boolean =>
  statusOf(pod).conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

function hostAddresses(node: KubeObject): Record<string, unknown> {
  const internal = internalAddresses(node);
  return { hostIP: internal[0], hostIPs: internal.map((ip) => ({ ip })) };
}

const conditions = (ready: 'True' | 'False'): unknown[] =>
  [
    ['PodReadyToStartContainers', 'True'],
    ['Initialized', 'True'],
    ['Ready', ready],
    ['ContainersReady', ready],
    ['PodScheduled', 'True'],
  ].map(([type, status]) => ({ type, status }));
