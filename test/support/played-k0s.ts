import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { type K0sSettings, readK0sSettings } from '../../src/model/k0s.ts';
import { asArray, asString, at } from '../../src/model/object.ts';
import type { KubeObject, TestCluster, TestNode } from '../cluster/index.ts';
import { hideProcess, showProcess } from '../cluster/hostfiles.ts';
import { crdsServed } from './crds.ts';
import { kubeRouterArgs, managerFlags, podRange, serviceRange } from './k0s-rules.ts';
import { KUBE_ROUTER_OF_K0S, looseCRD } from './k0s-manifests.ts';
import { objectAt } from './played-cni.ts';

export const K0S_FILE = '/etc/k0s/k0s.yaml';
const CLUSTER_CONFIG = '/apis/k0s.k0sproject.io/v1beta1/namespaces/kube-system/clusterconfigs/k0s';
const KUBE_ROUTER = '/apis/apps/v1/namespaces/kube-system/daemonsets/kube-router';
const PROXY_CONFIG = '/api/v1/namespaces/kube-system/configmaps/kube-proxy';

const FIRST_PID = 4_100_000;

/** Flags that k0s works out; all others of the process stay. */
const MANAGED = {
  'kube-apiserver': ['service-cluster-ip-range'],
  'kube-controller-manager': [
    'allocate-node-cidrs',
    'cluster-cidr',
    'service-cluster-ip-range',
    'node-cidr-mask-size',
    'node-cidr-mask-size-ipv4',
    'node-cidr-mask-size-ipv6',
  ],
} as const;
type Component = keyof typeof MANAGED;

export interface PlayedK0sOptions {
  readonly dynamic: boolean;
  /** Controllers whose service is systemd's: all, none, or these. */
  readonly bySystemd: boolean | readonly string[];
}

/**
 * k0s on the hosts of a cluster whose control plane runs as children of a service: it reads its file when it starts, works the flags of the real API server
 * and controller manager out of it, and with dynamic configuration follows ClusterConfig for all that is not the API server's. It writes what kube-proxy and
 * kube-router get, and puts its kube-router back.
 */
export class PlayedK0s {
  /** What the operator changed although k0s owns it. */
  readonly wrongs: string[] = [];
  readonly #cluster: TestCluster;
  readonly #dynamic: boolean;
  /** Per controller: its file when it was started last, and the process that is shown. */
  readonly #started = new Map<string, { readonly file: K0sSettings; readonly pid: number }>();
  /** Whose services are systemd's; elsewhere no agent can restart them. */
  readonly #bySystemd: PlayedK0sOptions['bySystemd'];
  /** Whether k0s takes a file. One that it refuses it does not run with, and it leaves nothing running. */
  takes: (text: string) => boolean = () => true;
  /** Controllers in the order in which their services were restarted. */
  readonly restarts: string[] = [];
  /** All that it has written, or has tried to. */
  readonly #routerArgs = new Set<string>();
  #nextPid = FIRST_PID;
  #nextWrite = 0;
  /** Components that do not run, because k0s does not. */
  readonly #held = new Set<string>();
  #lastObject: K0sSettings | null = null;

  constructor(cluster: TestCluster, { dynamic, bySystemd }: PlayedK0sOptions) {
    this.#cluster = cluster;
    this.#dynamic = dynamic;
    this.#bySystemd = bySystemd;
  }

  /** Makes a cluster of kubeadm's objects one of k0s'. */
  async install(): Promise<void> {
    const cluster = this.#cluster;
    await cluster.kubectl(['delete', 'configmap', 'kubeadm-config', '-n', 'kube-system']);
    const kinds = [
      { group: 'autopilot.k0sproject.io', version: 'v1beta2', kind: 'Plan', plural: 'plans', namespaced: false },
      {
        group: 'k0s.k0sproject.io',
        version: 'v1beta1',
        kind: 'ClusterConfig',
        plural: 'clusterconfigs',
        namespaced: true,
      },
    ];
    for (const kind of this.#dynamic ? kinds : kinds.slice(0, 1)) {
      await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(looseCRD(kind)));
    }
    await crdsServed(cluster);
    for (const node of cluster.controlPlanes) await this.#writeFirst(node);
    if (this.#dynamic) {
      const spec = { network: { provider: 'kuberouter', podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/16' } };
      await cluster.kubectl(
        ['create', '-f', '-'],
        JSON.stringify({
          apiVersion: 'k0s.k0sproject.io/v1beta1',
          kind: 'ClusterConfig',
          metadata: { name: 'k0s', namespace: 'kube-system' },
          spec,
        }),
      );
    }
    await cluster.kubectl([
      'label',
      'configmap',
      'kube-proxy',
      '-n',
      'kube-system',
      'k0s.k0sproject.io/stack=kubeproxy',
    ]);
    await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(KUBE_ROUTER_OF_K0S));
    for (const node of cluster.controlPlanes) {
      if (this.#isBySystemd(node.name)) {
        node.systemd.others.set('k0scontroller.service', async () => {
          this.restarts.push(node.name);
          await this.restart(node.name);
        });
      }
      await this.restart(node.name);
    }
  }

  #isBySystemd(name: string): boolean {
    const which = this.#bySystemd;
    return typeof which === 'boolean' ? which : which.includes(name);
  }

  async #writeFirst(node: TestNode): Promise<void> {
    const path = join(node.hostRoot, K0S_FILE);
    await mkdir(dirname(path), { recursive: true });
    const spec = {
      api: { address: node.addresses.IPv4 },
      network: { provider: 'kuberouter', podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/16' },
    };
    const config = { apiVersion: 'k0s.k0sproject.io/v1beta1', kind: 'ClusterConfig', metadata: { name: 'k0s' }, spec };
    await writeFile(
      path,
      `# of ${node.name}\n${stringify(config).replace('podCIDR:', '# asked of the network people\n    podCIDR:')}`,
    );
  }

  /** `systemctl restart k0scontroller`: all that it runs is begun anew, and the file counts from now on. */
  async restart(name: string): Promise<void> {
    const node = this.#cluster.node(name);
    const before = this.#started.get(name);
    if (before !== undefined) hideProcess(node.hostRoot, before.pid);
    const text = await readFile(join(node.hostRoot, K0S_FILE), 'utf8');
    const isTaken = this.takes(text);
    for (const component of ['kube-apiserver', 'kube-controller-manager'] as const) {
      const isHeld = this.#held.has(`${name}/${component}`);
      if (isHeld === isTaken) await node.hold(component, !isTaken);
      if (isTaken) this.#held.delete(`${name}/${component}`);
      else this.#held.add(`${name}/${component}`);
    }
    this.#started.delete(name);
    if (!isTaken) return;
    const pid = this.#nextPid++;
    const dynamic = this.#dynamic ? ['--enable-dynamic-config'] : [];
    const words = ['/usr/local/bin/k0s', 'controller', `--config=${K0S_FILE}`, '--enable-worker', ...dynamic];
    // Where OpenRC starts it, it is in no unit.
    showProcess(node.hostRoot, pid, words, undefined, this.#isBySystemd(name) ? 'k0scontroller' : 'openrc');
    const file = readK0sSettings(parse(text));
    this.#started.set(name, { file, pid });
    await this.#run(node, 'kube-apiserver', { 'service-cluster-ip-range': serviceRange(file) });
    await this.#runManager(node, this.#dynamic ? this.#lastObject : null);
    await this.turn().catch(() => {}); // its API server may be the only one, and away now
  }

  /** What every controller works out of its configuration, and the leader writes. */
  async turn(): Promise<void> {
    const object = this.#dynamic ? readK0sSettings(await objectAt(this.#cluster, CLUSTER_CONFIG)) : null;
    this.#lastObject = object;
    const { kubernetesVersion } = this.#cluster.settings;
    for (const node of this.#cluster.controlPlanes) await this.#runManager(node, object);
    const [first] = this.#started.values();
    const settings = object ?? first?.file;
    if (settings === undefined) return;
    await this.#keepProxy(podRange(settings, kubernetesVersion));
    await this.#keepRouter(kubeRouterArgs(settings));
  }

  async #runManager(node: TestNode, object: K0sSettings | null): Promise<void> {
    const started = this.#started.get(node.name);
    if (started === undefined) return;
    const { kubernetesVersion } = this.#cluster.settings;
    const flags = managerFlags(object ?? started.file, serviceRange(started.file), kubernetesVersion);
    await this.#run(node, 'kube-controller-manager', flags);
  }

  /** A process with other flags is another process, and so is one of another k0s. */
  async #run(node: TestNode, component: Component, flags: Readonly<Record<string, string>>): Promise<void> {
    const path = node.manifest(component);
    const text = await readFile(path, 'utf8');
    const manifest = parse(text) as {
      metadata: { annotations?: Record<string, string> };
      spec: { containers: [{ command: string[] }] };
    };
    const [container] = manifest.spec.containers;
    const kept = container.command.filter((word) => !MANAGED[component].some((flag) => word.startsWith(`--${flag}=`)));
    const command = [...kept, ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)];
    // What runs already belongs to the k0s that is shown first.
    const { pid } = this.#started.get(node.name) ?? { pid: FIRST_PID };
    const parent = pid < FIRST_PID + this.#cluster.controlPlanes.length ? 'the first' : String(pid);
    const isSame = command.toSorted().join('\n') === container.command.toSorted().join('\n');
    if (isSame && (manifest.metadata.annotations?.['parent'] ?? 'the first') === parent) return;
    container.command = command;
    manifest.metadata.annotations = { parent };
    // In one step, because it is read by others while it is written.
    const beside = join(dirname(path), `.${component}.${this.#nextWrite++}`);
    await writeFile(beside, stringify(manifest));
    await rename(beside, path);
  }

  async #keepProxy(clusterCIDR: string): Promise<void> {
    const config = asString(at(await this.#cluster.api.get(PROXY_CONFIG), 'data', 'config.conf'));
    const wanted = config?.replace(/^clusterCIDR:.*$/mu, `clusterCIDR: ${clusterCIDR}`);
    if (wanted === undefined || wanted === config) return;
    await this.#cluster.api.mergePatch(PROXY_CONFIG, { data: { 'config.conf': wanted } });
  }

  async #keepRouter(args: readonly string[]): Promise<void> {
    const container = at(await this.#cluster.api.get(KUBE_ROUTER), 'spec', 'template', 'spec', 'containers', 0);
    // An API server that has just started may know of nothing yet.
    if (container === undefined) return;
    const live = asArray(at(container, 'args')).join('\n');
    if (this.#routerArgs.size > 0 && !this.#routerArgs.has(live)) {
      this.wrongs.push(`somebody else has changed kube-router, which k0s owns: ${live}`);
    }
    const wanted = args.join('\n');
    this.#routerArgs.add(wanted);
    if (live === wanted) return;
    const containers = [{ ...(container as object), args }];
    await this.#cluster.api.mergePatch(KUBE_ROUTER, { spec: { template: { spec: { containers } } } });
  }
}

/** ClusterConfig as it is; undefined: there is none. */
export const clusterConfigOf = ({ api }: TestCluster): Promise<KubeObject | undefined> => api.get(CLUSTER_CONFIG);
