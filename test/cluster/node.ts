import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Network, NodeAddresses } from './addresses.ts';
import type { ApiClient, KubeObject, Watched } from './client.ts';
import type { History } from './history.ts';
import { type InterfaceAddress, writeHostFiles, writeNetworkFiles } from './hostfiles.ts';
import { Kubelet } from './kubelet.ts';
import { type LaunchHost, mapAddresses } from './launch.ts';
import { MirrorPods } from './mirror.ts';
import type { HostOptions, Settings } from './options.ts';
import { type LaunchOverride, StaticPods } from './staticpods.ts';
import { SOCKET, Systemd } from './systemd.ts';

export interface NodeContext {
  readonly node: NodeAddresses;
  readonly network: Network;
  readonly settings: Settings;
  readonly root: string;
  readonly scratch: string;
  readonly binaries: Readonly<Record<string, string>>;
  readonly history: History;
  readonly log: (line: string) => void;
}

/** What a host sees of its cluster once that answers. */
export interface ClusterView {
  readonly client: ApiClient;
  readonly pods: Watched;
  readonly nodes: Watched;
}

const MANIFESTS = 'etc/kubernetes/manifests';
const PREFIX_LENGTH = { IPv4: 24, IPv6: 64 } as const;

/** One host: its folder, its static pods, its played kubelet and system bus. */
export class TestNode {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly addresses: NodeAddresses;
  readonly loopback: string;
  /** What an agent is told with `--host-root`. */
  readonly hostRoot: string;
  /** Admin kubeconfig straight to this node's API server. Control-plane nodes only. */
  readonly kubeconfig: string;
  readonly superAdminKubeconfig: string;
  readonly scratch: string;
  readonly systemd: Systemd;
  readonly statics: StaticPods;
  readonly #context: NodeContext;
  readonly #manifests: string;
  readonly #asPods: boolean;
  readonly #overrides = new Map<string, LaunchOverride>();
  #onHost: readonly InterfaceAddress[] = [];
  #kubelet: Kubelet | undefined;
  #power = new AbortController();
  #joined: ClusterView | undefined;
  readonly #loops: Promise<void>[] = [];

  constructor(context: NodeContext) {
    const { node, settings, root, scratch, binaries, history, log } = context;
    this.#context = context;
    this.name = node.name;
    this.role = node.role;
    this.addresses = node;
    this.loopback = node.loopback;
    this.hostRoot = root;
    this.scratch = scratch;
    this.kubeconfig = join(scratch, 'direct.conf');
    this.superAdminKubeconfig = join(scratch, 'super-admin.conf');
    this.#asPods = settings.controlPlaneAs === 'StaticPods';
    this.#manifests = this.#asPods ? join(root, MANIFESTS) : join(scratch, 'manifests');
    this.statics = new StaticPods({
      host: this.#host(),
      folder: this.#manifests,
      asPods: this.#asPods,
      timing: settings.timing,
      history,
      binaries,
      overrides: this.#overrides,
      log,
    });
    this.systemd = new Systemd({
      restart: async () => this.kubelet.restart(),
      activeState: () => this.#kubelet?.activeState() ?? 'inactive',
    });
  }

  get kubelet(): Kubelet {
    if (!this.#kubelet) throw new Error(`${this.name}: the kubelet has not started`);
    return this.#kubelet;
  }

  /** Path of the host's system bus. */
  get dbusSocket(): string {
    return join(this.hostRoot, SOCKET);
  }

  /** Where something that this host calls by that address really listens. `127.0.0.1` is this host's own. */
  mapAddress = (host: string): string => mapAddresses({ node: this.addresses, network: this.#context.network }, host);

  /** Where it is written how a component runs; not on the host where that shows no static pods. */
  manifest(component: string): string {
    return join(this.#manifests, `${component}.yaml`);
  }

  /** Gives a component other arguments from its next start on, unseen by manifest and command line. */
  launchOverride(component: string, change: LaunchOverride | undefined): void {
    if (change) this.#overrides.set(component, change);
    else this.#overrides.delete(component);
  }

  /** Kills the component's real process with SIGKILL. */
  kill(component: string): void {
    const running = this.#context.history.running(component, this.name);
    if (!running) throw new Error(`${this.name}: ${component} does not run`);
    process.kill(running.pid, 'SIGKILL');
  }

  /** Puts addresses on the host's interface, or takes them away: the kubelet and an agent see it at their next look. */
  setHostAddresses(addresses: readonly InterfaceAddress[]): void {
    this.#onHost = addresses;
    writeNetworkFiles(this.hostRoot, addresses);
  }

  hostAddresses(): readonly InterfaceAddress[] {
    return this.#onHost;
  }

  isReady(): boolean {
    return this.statics.pods.size > 0 && [...this.statics.pods.values()].every((pod) => pod.ready);
  }

  async writeFiles(options: Required<HostOptions>): Promise<void> {
    await mkdir(this.scratch, { recursive: true });
    await writeHostFiles(this.hostRoot, this.addresses, options);
    if (!this.#asPods) await rename(join(this.hostRoot, MANIFESTS), this.#manifests);
    const families = options.hostFamilies === 'dual' ? (['IPv4', 'IPv6'] as const) : ([options.hostFamilies] as const);
    this.setHostAddresses(
      families.map((family) => ({ address: this.addresses[family], prefixLength: PREFIX_LENGTH[family] })),
    );
  }

  /** Hides a manifest from the runner, or shows it again. */
  async hold(component: string, held: boolean): Promise<void> {
    const shown = this.manifest(component);
    const hidden = join(shown, '..', `.${component}.yaml`);
    await (held ? rename(shown, hidden) : rename(hidden, shown));
  }

  /** Starts what needs no API yet: the static pods and the system bus. */
  async startProcesses(): Promise<void> {
    await this.systemd.start(this.hostRoot);
    this.#loops.push(this.statics.run(this.#power.signal));
  }

  /** Starts the kubelet's part in the API. */
  joinCluster(api: ClusterView): void {
    const { settings, log } = this.#context;
    const { signal } = this.#power;
    const seenNode = (): KubeObject | undefined => api.nodes.objects.get(this.name);
    const kubelet = new Kubelet({
      node: this.addresses,
      root: this.hostRoot,
      api: api.client,
      timing: settings.timing,
      kubernetesVersion: settings.kubernetesVersion,
      seen: seenNode,
      onHost: () => this.#onHost,
      log,
    });
    const mirror = new MirrorPods({
      node: this.name,
      api: api.client,
      statics: this.statics,
      seenNode,
      seenPods: () => api.pods.objects.values(),
      kubeletRuns: () => kubelet.running,
    });
    this.#kubelet = kubelet;
    this.#joined = api;
    this.#loops.push(kubelet.run(signal), ...(this.#asPods ? [mirror.run(signal)] : []));
  }

  /** As when the power fails: all processes are killed, heartbeats end, the system bus is gone. */
  async powerOff(): Promise<void> {
    this.#power.abort();
    await this.systemd.stop();
    await Promise.all(this.#loops.splice(0));
  }

  async powerOn(): Promise<void> {
    this.#power = new AbortController();
    await this.startProcesses();
    if (this.#joined) this.joinCluster(this.#joined);
  }

  #host(): LaunchHost {
    const { node, network, settings, root, scratch } = this.#context;
    return { node, network, root, scratch, fast: settings.profile === 'fast' };
  }
}
