import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findBinaries } from '../../hack/binaries.mjs';
import { chooseNetwork, type Network } from './addresses.ts';
import { AUDIT_POLICY, type AuditedWrite, readAudit } from './audit.ts';
import { Balancer } from './balancer.ts';
import { calicoManifest } from './calico.ts';
import { type CalicoFaults, CalicoPlayer } from './calicoplayer.ts';
import { guardFolder, stopWithOwner } from './cleanup.ts';
import { ApiClient, Watched } from './client.ts';
import { History } from './history.ts';
import {
  hostOptions,
  type KubeadmContext,
  uploadToCluster,
  writeControlPlaneHosts,
  writeWorkerHost,
} from './kubeadm.ts';
import { startKwok } from './kwok.ts';
import { isMirror } from './mirror.ts';
import { type ClusterView, TestNode } from './node.ts';
import { type ClusterOptions, type Settings, settings } from './options.ts';
import { isReady, PodPlayer, type PlugIn } from './podplayer.ts';

const run = promisify(execFile);
const START_DEADLINE_MS = 120_000;
const POLL_MS = 50;

/** A running cluster. Everything in it ends with `stop`, or with the process that started it. */
export interface TestCluster {
  readonly dir: string;
  /** Admin kubeconfig by way of the balancer. */
  readonly kubeconfig: string;
  readonly network: Network;
  readonly settings: Settings;
  readonly nodes: readonly TestNode[];
  readonly controlPlanes: readonly TestNode[];
  readonly workers: readonly TestNode[];
  /** The harness's own access, as `kubernetes-super-admin`, past the balancer. */
  readonly api: ApiClient;
  readonly pods: Watched;
  readonly balancer: Balancer;
  readonly history: History;
  /** What the played Calico is to do wrong; may be changed at any time. */
  readonly faults: CalicoFaults;
  /** Gives new Pods their addresses from now on, in place of Calico or the podCIDRs; may be changed at any time. */
  plugIn: PlugIn | undefined;
  node: (name: string) => TestNode;
  kubectl: (args: readonly string[], input?: string) => Promise<{ stdout: string; stderr: string }>;
  /** Writes that any API server received since then (`Date.now()`). */
  auditedWrites: (since: number) => Promise<AuditedWrite[]>;
  stop: () => Promise<void>;
}

/** Starts a cluster and waits until its API, Nodes and kubeadm's objects are there. */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const chosen = settings(options);
  const binaries = await findBinaries({ version: chosen.kubernetesVersion, log: chosen.log });
  const network = await chooseNetwork(chosen.controlPlanes, chosen.workers);
  const dir = await mkdtemp(join(tmpdir(), 'dualstack-'));
  const cluster = new Cluster(chosen, network, dir, binaries);
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

class Cluster implements TestCluster {
  readonly settings: Settings;
  readonly network: Network;
  readonly dir: string;
  readonly kubeconfig: string;
  readonly history = new History();
  readonly faults: CalicoFaults = { withoutProof: new Set(), failing: new Set() };
  plugIn: PlugIn | undefined;
  readonly nodes: readonly TestNode[];
  readonly balancer: Balancer;
  readonly #binaries: Readonly<Record<string, string>>;
  readonly #stopping = new AbortController();
  readonly #loops: Promise<void>[] = [];
  #parts: ClusterView | undefined;
  #kwok: Awaited<ReturnType<typeof startKwok>> | undefined;
  #stopped: Promise<void> | undefined;
  #forget: () => void = () => {};
  #guard: ReturnType<typeof guardFolder> | undefined;

  constructor(chosen: Settings, network: Network, dir: string, binaries: Readonly<Record<string, string>>) {
    this.settings = chosen;
    this.network = network;
    this.dir = dir;
    this.#binaries = binaries;
    this.kubeconfig = join(dir, 'admin.conf');
    this.nodes = network.nodes.map(
      (node) =>
        new TestNode({
          node,
          network,
          settings: chosen,
          root: join(dir, node.name),
          scratch: join(dir, '.run', node.name),
          binaries,
          history: this.history,
          log: chosen.log,
        }),
    );
    this.balancer = new Balancer(
      network.balancer,
      this.controlPlanes.map((node) => ({ node: node.name, address: node.loopback })),
    );
  }

  get controlPlanes(): readonly TestNode[] {
    return this.nodes.filter((node) => node.role === 'control-plane');
  }

  get workers(): readonly TestNode[] {
    return this.nodes.filter((node) => node.role === 'worker');
  }

  get api(): ApiClient {
    return this.#running().client;
  }

  get pods(): Watched {
    return this.#running().pods;
  }

  #running(): ClusterView {
    if (!this.#parts) throw new Error('the cluster has not started');
    return this.#parts;
  }

  node(name: string): TestNode {
    const found = this.nodes.find((node) => node.name === name);
    if (!found) throw new Error(`no node ${name}: there are ${this.nodes.map((node) => node.name).join(', ')}`);
    return found;
  }

  async kubectl(args: readonly string[], input?: string): Promise<{ stdout: string; stderr: string }> {
    const running = run(this.#binaries['kubectl'] ?? 'kubectl', ['--kubeconfig', this.kubeconfig, ...args], {
      maxBuffer: 64 << 20,
      env: { ...process.env, HOME: this.dir },
    });
    running.child.stdin?.end(input ?? '');
    return await running;
  }

  async auditedWrites(since: number): Promise<AuditedWrite[]> {
    const perNode = await Promise.all(
      this.controlPlanes.map((node) => readAudit(node.name, join(node.scratch, 'audit.log'), since)),
    );
    return perNode.flat().sort((a, b) => a.at - b.at);
  }

  async start(): Promise<void> {
    this.#guard = this.settings.keep ? undefined : guardFolder(this.dir);
    this.settings.log(`files are in ${this.dir}`);
    this.#forget = stopWithOwner(() => this.stop());
    const kubeadm = await this.#writeHosts();
    // A scheduler that meets no API, or one without its roles yet, backs off for seconds.
    await this.#holdSchedulers(true);
    await this.balancer.start();
    await Promise.all(this.nodes.map((node) => node.startProcesses()));
    await this.#connect();
    await this.#until('the API answers', () => this.balancer.backends.every((backend) => backend.up));
    await Promise.all([this.#holdSchedulers(false), this.#bindAdmins()]);
    const view = this.#running();
    for (const node of this.nodes) node.joinCluster(view);
    await this.#until('every Node is registered', () => view.nodes.objects.size === this.nodes.length);
    await Promise.all([uploadToCluster(kubeadm, this.#first().superAdminKubeconfig), this.#playPods()]);
    await this.#installCalico();
    await this.#until('the control plane is ready', () => this.controlPlanes.every((node) => node.isReady()));
    await this.#until('every Pod is ready', () => this.#podsAreReady());
  }

  async #holdSchedulers(held: boolean): Promise<void> {
    await Promise.all(this.controlPlanes.map((node) => node.hold('kube-scheduler', held)));
  }

  async #playPods(): Promise<void> {
    const { client: api, pods, nodes } = this.#running();
    const { signal } = this.#stopping;
    const { log, timing } = this.settings;
    const onHost = (name: string): string[] =>
      this.node(name)
        .hostAddresses()
        .map(({ address }) => address);
    const calico =
      this.settings.calico === 'none' ? undefined : new CalicoPlayer({ api, nodes, onHost, faults: this.faults, log });
    const kubeletRuns = (name: string): boolean => this.node(name).kubelet.running;
    const player = new PodPlayer({ api, pods, nodes, timing, calico, plugIn: () => this.plugIn, kubeletRuns });
    this.#loops.push(player.run(signal), ...(calico ? [calico.run(signal)] : []));
    const scratch = join(this.dir, '.run');
    this.#kwok = await startKwok(
      this.#binaries['kwok'] ?? '',
      await this.#playerKubeconfig(scratch),
      scratch,
      `${this.network.balancer}:10247`,
    );
  }

  /** By the balancer, so that kwok survives the end of any one API server. */
  async #playerKubeconfig(folder: string): Promise<string> {
    const file = join(folder, 'kwok.conf');
    await copyKubeconfig(this.#first().superAdminKubeconfig, this.balancer.url, file);
    return file;
  }

  async #installCalico(): Promise<void> {
    const { calico } = this.settings;
    if (calico !== 'none') await this.kubectl(['apply', '--server-side', '-f', '-'], calicoManifest(calico));
  }

  /** DNS and what the chosen manifests brought; the mirror Pods are looked at on the hosts themselves. */
  #podsAreReady(): boolean {
    const pods = [...this.pods.objects.values()].filter((pod) => !isMirror(pod));
    const has = (label: string): boolean => pods.some((pod) => pod.metadata.labels?.['k8s-app'] === label);
    const calicoNodes = pods.filter((pod) => pod.metadata.labels?.['k8s-app'] === 'calico-node').length;
    const complete =
      has('kube-dns') && has('kube-proxy') && (this.settings.calico === 'none' || calicoNodes === this.nodes.length);
    return complete && pods.every(isReady);
  }

  async #writeHosts(): Promise<KubeadmContext> {
    const scratch = join(this.dir, '.run', 'kubeadm');
    await mkdir(scratch, { recursive: true });
    const context: KubeadmContext = {
      settings: this.settings,
      network: this.network,
      kubeadm: this.#binaries['kubeadm'] ?? '',
      scratch,
    };
    await writeControlPlaneHosts(context, (name) => this.node(name).hostRoot);
    const first = this.#first();
    await Promise.all(
      this.workers.map((node) => writeWorkerHost(context, node.addresses, node.hostRoot, first.hostRoot)),
    );
    await Promise.all(
      this.nodes.map(async (node) => {
        await node.writeFiles(hostOptions(this.settings, node.name));
        await writeFile(join(node.scratch, 'audit-policy.yaml'), AUDIT_POLICY);
      }),
    );
    await this.#writeKubeconfigs();
    return context;
  }

  /** Copies for people and tests: by the balancer, and one per API server. */
  async #writeKubeconfigs(): Promise<void> {
    for (const node of this.controlPlanes) {
      await copyKubeconfig(adminConf(node), `https://${node.loopback}:6443`, node.kubeconfig);
    }
    const first = this.#first();
    await copyKubeconfig(adminConf(first), `https://${this.network.balancer}:6443`, this.kubeconfig);
    const own = join(first.hostRoot, 'etc/kubernetes/super-admin.conf');
    await copyKubeconfig(own, `https://${first.loopback}:6443`, first.superAdminKubeconfig);
  }

  #first(): TestNode {
    const [first] = this.controlPlanes;
    if (!first) throw new Error('a cluster needs a control-plane node');
    return first;
  }

  async #connect(): Promise<void> {
    const servers = this.controlPlanes.map((node) => `https://${node.loopback}:6443`);
    const client = await ApiClient.fromKubeconfig(this.#first().superAdminKubeconfig, servers);
    const pods = new Watched(client, '/api/v1/pods');
    const nodes = new Watched(client, '/api/v1/nodes');
    this.#parts = { client, pods, nodes };
    this.#loops.push(pods.run(this.#stopping.signal), nodes.run(this.#stopping.signal));
  }

  /** kubeadm does this while it creates its first client, which single phases do not. */
  async #bindAdmins(): Promise<void> {
    await this.api.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'kubeadm:cluster-admins' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'Group', name: 'kubeadm:cluster-admins', apiGroup: 'rbac.authorization.k8s.io' }],
    });
  }

  async #until(what: string, check: () => boolean): Promise<void> {
    const deadline = Date.now() + START_DEADLINE_MS;
    const started = Date.now();
    while (!check()) {
      if (this.#stopping.signal.aborted) throw new Error('the cluster was stopped while it started');
      if (Date.now() > deadline)
        throw new Error(
          `waited ${START_DEADLINE_MS / 1000} s until ${what}; logs are in ${this.dir}/.run (start with keep: true)`,
        );
      await sleep(POLL_MS);
    }
    this.settings.log(`${what} (${Date.now() - started} ms)`);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.nodes.map((node) => node.powerOff()));
    await Promise.allSettled([...this.#loops, this.#kwok?.stop()]);
    await this.balancer.stop();
    await this.#parts?.client.close();
    if (!this.settings.keep) await rm(this.dir, { recursive: true, force: true });
    if (this.#guard && this.#guard.exitCode === null) {
      this.#guard.ref();
      this.#guard.stdin?.end('keep\n');
      await once(this.#guard, 'exit');
    }
    this.#forget();
  }
}

const adminConf = (node: TestNode): string => join(node.hostRoot, 'etc/kubernetes/admin.conf');

async function copyKubeconfig(source: string, server: string, target: string): Promise<void> {
  const text = await readFile(source, 'utf8');
  await writeFile(target, text.replace(/server: .*/, `server: ${server}`), { mode: 0o600 });
}
