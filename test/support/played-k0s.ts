import { mkdir, readFile, writeFile } from 'node:fs/promises';
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
  /** All that it has written, or has tried to. */
  readonly #routerArgs = new Set<string>();
  #nextPid = 4_100_000;

  constructor(cluster: TestCluster, { dynamic }: { readonly dynamic: boolean }) {
    this.#cluster = cluster;
    this.#dynamic = dynamic;
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
    for (const { name } of cluster.controlPlanes) await this.restart(name);
  }

  async #writeFirst(node: TestNode): Promise<void> {
    const path = join(node.hostRoot, K0S_FILE);
    await mkdir(dirname(path), { recursive: true });
    const spec = {
      api: { address: node.addresses.IPv4 },
      network: { provider: 'kuberouter', podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/16' },
    };
    const config = { apiVersion: 'k0s.k0sproject.io/v1beta1', kind: 'ClusterConfig', metadata: { name: 'k0s' }, spec };
    await writeFile(path, stringify(config));
  }

  /** `systemctl restart k0scontroller`: the file counts from now on. */
  async restart(name: string): Promise<void> {
    const node = this.#cluster.node(name);
    const before = this.#started.get(name);
    if (before !== undefined) hideProcess(node.hostRoot, before.pid);
    const file = readK0sSettings(parse(await readFile(join(node.hostRoot, K0S_FILE), 'utf8')));
    const pid = this.#nextPid++;
    const dynamic = this.#dynamic ? ['--enable-dynamic-config'] : [];
    const words = ['/usr/local/bin/k0s', 'controller', `--config=${K0S_FILE}`, '--enable-worker', ...dynamic];
    showProcess(node.hostRoot, pid, words, undefined, 'k0scontroller');
    this.#started.set(name, { file, pid });
    await this.#run(node, 'kube-apiserver', { 'service-cluster-ip-range': serviceRange(file) });
    await this.turn().catch(() => {}); // its API server may be the only one, and away now
  }

  /** What every controller works out of its configuration, and the leader writes. */
  async turn(): Promise<void> {
    const object = this.#dynamic ? readK0sSettings(await objectAt(this.#cluster, CLUSTER_CONFIG)) : null;
    const { kubernetesVersion } = this.#cluster.settings;
    for (const node of this.#cluster.controlPlanes) {
      const started = this.#started.get(node.name);
      if (started === undefined) return;
      const flags = managerFlags(object ?? started.file, serviceRange(started.file), kubernetesVersion);
      await this.#run(node, 'kube-controller-manager', flags);
    }
    const [first] = this.#started.values();
    const settings = object ?? first?.file;
    if (settings === undefined) return;
    await this.#keepProxy(podRange(settings, kubernetesVersion));
    await this.#keepRouter(kubeRouterArgs(settings));
  }

  /** A process with other flags is another process. */
  async #run(node: TestNode, component: Component, flags: Readonly<Record<string, string>>): Promise<void> {
    const path = node.manifest(component);
    const text = await readFile(path, 'utf8');
    const manifest = parse(text) as { spec: { containers: [{ command: string[] }] } };
    const [container] = manifest.spec.containers;
    const kept = container.command.filter((word) => !MANAGED[component].some((flag) => word.startsWith(`--${flag}=`)));
    const command = [...kept, ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)];
    if (command.toSorted().join('\n') === container.command.toSorted().join('\n')) return;
    container.command = command;
    await writeFile(path, stringify(manifest));
  }

  async #keepProxy(clusterCIDR: string): Promise<void> {
    const config = asString(at(await this.#cluster.api.get(PROXY_CONFIG), 'data', 'config.conf'));
    const wanted = config?.replace(/^clusterCIDR:.*$/mu, `clusterCIDR: ${clusterCIDR}`);
    if (wanted === undefined || wanted === config) return;
    await this.#cluster.api.mergePatch(PROXY_CONFIG, { data: { 'config.conf': wanted } });
  }

  async #keepRouter(args: readonly string[]): Promise<void> {
    const container = at(await this.#cluster.api.get(KUBE_ROUTER), 'spec', 'template', 'spec', 'containers', 0);
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
