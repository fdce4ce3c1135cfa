import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { findBinaries } from '../../../hack/binaries.mjs';
import type { Backend } from '../../cluster/balancer.ts';
import { stopWithOwner } from '../../cluster/cleanup.ts';
import { hierarchies } from './cgroups.ts';
import { installCni } from './cni.ts';
import { makeDisk, NODE_BINARIES } from './disk.ts';
import { type Door, openDoor } from './door.ts';
import { Fabric } from './fabric.ts';
import { imageArchives } from './images.ts';
import { kubeadmInit, kubeadmJoin, newToken } from './kubeadm.ts';
import { RealNode } from './node.ts';
import { installOperator } from './operator.ts';
import { type RealClusterOptions, type Settings, settings } from './options.ts';
import { newPlace, type Place, sweep, waitForRoom } from './registry.ts';
import { failure, type Outcome, tryRun } from './run.ts';
import { imageStore } from './store.ts';

const READY_DEADLINE_MS = 180_000;
const POLL_MS = 200;

/** The API's balancer. What is cut are the nodes' own ways to the API; `kubectl` and `kubeconfig` go past it. */
export interface RealBalancer {
  cut(): Promise<void>;
  restore(): Promise<void>;
  /** Per API server: up or not with times, connections, failed dials. */
  look(): Promise<readonly Backend[]>;
}

/** A cluster of real kubelets. */
export class RealCluster {
  readonly id: string;
  readonly folder: string;
  /** Admin, usable by every process of this machine as long as this one lives. */
  readonly kubeconfig: string;
  readonly nodes: readonly RealNode[];
  readonly settings: Settings;
  readonly #place: Place;
  readonly #kubectl: string;
  #fabric: Fabric | undefined;
  #door: Door | undefined;
  #stopped: Promise<void> | undefined;
  readonly #release: () => void;

  private constructor(place: Place, chosen: Settings, kubectl: string) {
    this.id = place.id;
    this.folder = place.folder;
    this.settings = chosen;
    this.kubeconfig = join(place.folder, 'kubeconfig');
    this.#place = place;
    this.#kubectl = kubectl;
    const all = hierarchies();
    this.nodes = chosen.network.nodes.map((addresses, index) => {
      const disk = join(place.folder, addresses.name);
      mkdirSync(disk);
      return new RealNode(addresses, index, chosen, () => this.fabric, {
        name: addresses.name,
        cgroup: `dualstack-${place.id}-${addresses.name}`,
        disk,
        logFile: join(place.folder, `${addresses.name}.log`),
        hierarchies: all,
      });
    });
    this.#release = stopWithOwner(() => this.stop());
  }

  static async start(options: RealClusterOptions): Promise<RealCluster> {
    const log = options.log ?? (() => undefined);
    for (const id of await sweep()) log(`removed what cluster ${id} had left behind: its owner is gone`);
    const binaries = await findBinaries({ names: [...NODE_BINARIES], log });
    const images = await imageStore(await imageArchives({ log }), binaries, log);
    await waitForRoom(log);
    const place = newPlace(options.keep ?? false);
    const chosen = settings(place.id, place.folder, place.subnet, options);
    const cluster = new RealCluster(place, chosen, binaries['kubectl'] ?? 'kubectl');
    try {
      await cluster.#bringUp(images, binaries);
      return cluster;
    } catch (error) {
      const told = new Error(`${(error as Error).message}\n${await cluster.diagnose()}`, { cause: error });
      await cluster.stop();
      throw told;
    }
  }

  get controlPlanes(): readonly RealNode[] {
    return this.nodes.filter((node) => node.role === 'control-plane');
  }

  get workers(): readonly RealNode[] {
    return this.nodes.filter((node) => node.role === 'worker');
  }

  node(name: string): RealNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined)
      throw new Error(`no node ${name}: there are ${this.nodes.map((node) => node.name).join(', ')}`);
    return found;
  }

  get fabric(): Fabric {
    if (this.#fabric === undefined) throw new Error(`cluster ${this.id} has no network: it is stopped`);
    return this.#fabric;
  }

  readonly balancer: RealBalancer = {
    cut: async () => void (await this.fabric.ask('cut')),
    restore: async () => void (await this.fabric.ask('restore')),
    look: () => this.fabric.ask('look'),
  };

  /** As admin. A code other than 0 is an error. Returns what it printed. */
  async kubectl(args: readonly string[], input?: string): Promise<{ stdout: string; stderr: string }> {
    const outcome = await this.tryKubectl(args, input);
    if (outcome.code !== 0) throw new Error(failure(['kubectl', ...args], outcome));
    return outcome;
  }

  tryKubectl(args: readonly string[], input?: string): Promise<Outcome> {
    return tryRun([this.#kubectl, ...args], { input, env: { ...process.env, KUBECONFIG: this.kubeconfig } });
  }

  /** Until all nodes are Ready and every workload of kube-system and of the CNI is available. */
  async ready(deadlineMs = READY_DEADLINE_MS): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    for (;;) {
      const missing = await this.#notReady();
      if (missing.length === 0) return;
      if (Date.now() > deadline) throw new Error(`not ready after ${deadlineMs / 1000} s: ${missing.join(', ')}`);
      await sleep(POLL_MS);
    }
  }

  /** `kubectl apply -k config/default` with the project's own image; until operator and agents are Ready. */
  installOperator(): Promise<void> {
    return installOperator(this);
  }

  /** What a person would look at first when something is wrong. */
  async diagnose(): Promise<string> {
    const looks = [
      ['get', 'nodes', '-o', 'wide'],
      ['get', 'pods', '-A', '-o', 'wide'],
      ['get', 'events', '-A', '--field-selector', 'type=Warning', '--sort-by=.lastTimestamp'],
    ];
    const told = await Promise.all(
      (existsSync(this.kubeconfig) ? looks : []).map((args) => this.tryKubectl([...args, '--request-timeout=5s'])),
    );
    const kubelets = this.nodes.map((node) => `--- ${node.name}: kubelet\n${tail(node.readLog('kubelet'))}`);
    return [...told.map(({ stdout, stderr }) => tail(stdout + stderr)), ...kubelets].join('\n');
  }

  /** Takes everything away: processes, namespaces with their mounts and interfaces, cgroups, folder. */
  stop(): Promise<void> {
    this.#stopped ??= this.#takeDown();
    return this.#stopped;
  }

  async #takeDown(): Promise<void> {
    await this.#door?.close();
    await Promise.all(this.nodes.map((node) => node.machine.powerOff()));
    await this.#fabric?.stop();
    this.#fabric = undefined;
    await this.#place.remove();
    this.#release();
  }

  async #bringUp(images: string, binaries: Readonly<Record<string, string>>): Promise<void> {
    const { log, network, primary } = this.settings;
    const socket = join(this.folder, 'api.sock');
    this.#place.recordCgroups(this.nodes.flatMap((node) => node.machine.cgroups));
    const [fabric] = await Promise.all([
      Fabric.start({ network, primary, socket }, join(this.folder, 'fabric.log')),
      ...this.nodes.map((node, index) =>
        makeDisk(node.disk, network.nodes[index] ?? node, this.settings, binaries, images),
      ),
    ]);
    this.#fabric = fabric;
    this.#place.recordProcess(fabric.pid);
    this.#door = await openDoor(socket);
    await Promise.all(
      this.nodes.map(async (node) => {
        await node.powerOn();
        this.#place.recordProcess(node.machine.pid);
      }),
    );
    log(`${this.nodes.length} nodes booted`);
    await this.#form();
    await this.ready();
    log('all nodes and add-ons ready');
  }

  async #form(): Promise<void> {
    const { log } = this.settings;
    const secret = newToken();
    const [first, ...others] = this.controlPlanes;
    if (first === undefined) throw new Error('a cluster needs a control-plane node');
    await kubeadmInit(first, this.settings, secret);
    first.enableKubelet();
    this.#writeKubeconfig(first);
    log(`${first.name} initialised`);
    const join = async (node: RealNode): Promise<void> => {
      await kubeadmJoin(node, this.settings, first, secret);
      node.enableKubelet();
      log(`${node.name} joined`);
    };
    const joinInTurn = async (): Promise<void> => {
      // etcd takes one new member at a time.
      for (const node of others) await join(node);
    };
    await Promise.all([installCni(this), joinInTurn(), ...this.workers.map(join)]);
  }

  #writeKubeconfig(first: RealNode): void {
    const config = parse(first.readFile('/etc/kubernetes/admin.conf')) as {
      clusters: { cluster: Record<string, unknown> }[];
    };
    for (const { cluster } of config.clusters) {
      cluster['server'] = `https://127.0.0.1:${this.#door?.port ?? 0}`;
      cluster['tls-server-name'] = 'kubernetes';
    }
    writeFileSync(this.kubeconfig, stringify(config), { mode: 0o600 });
  }

  async #notReady(): Promise<readonly string[]> {
    const answer = await this.tryKubectl([
      'get',
      'nodes,deployments,daemonsets',
      '-A',
      '-o',
      'json',
      '--request-timeout=5s',
    ]);
    if (answer.code !== 0) return [answer.stderr.trim()];
    const { items } = JSON.parse(answer.stdout) as { items: readonly Judged[] };
    const found = new Set(items.filter(({ kind }) => kind === 'Node').map(({ metadata }) => metadata.name));
    const absent = this.nodes
      .filter((node) => !found.has(node.name))
      .map((node) => `Node ${node.name} (not registered)`);
    // Without a CNI no node becomes Ready, by design.
    const judged = this.settings.cni === 'none' ? [] : items.filter((item) => !isReady(item));
    return [...absent, ...judged.map(({ kind, metadata }) => `${kind} ${metadata.name}`)];
  }
}

interface Judged {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly generation?: number };
  readonly spec: { readonly replicas?: number };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly observedGeneration?: number;
    readonly availableReplicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly numberAvailable?: number;
  };
}

function isReady({ kind, metadata, spec, status }: Judged): boolean {
  switch (kind) {
    case 'Node':
      return status.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') ?? false;
    case 'Deployment':
      return (
        status.observedGeneration === metadata.generation && (status.availableReplicas ?? 0) >= (spec.replicas ?? 1)
      );
    default:
      return (
        status.observedGeneration === metadata.generation &&
        (status.numberAvailable ?? 0) >= (status.desiredNumberScheduled ?? 0)
      );
  }
}

const TAIL_LINES = 30;
const tail = (text: string): string => text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
