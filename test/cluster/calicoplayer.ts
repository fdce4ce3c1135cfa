import { setTimeout as sleep } from 'node:timers/promises';
import {
  calicoEnvironment,
  detect,
  FAMILIES,
  isConflist,
  ofFamily,
  ownIPv6Pool,
  type Pool,
  toPool,
} from './calicorules.ts';
import { type ApiClient, type KubeObject, Watched } from './client.ts';
import { parse } from 'yaml';

export interface CalicoFaults {
  /** Nodes whose calico-node runs and is Ready, but never writes its IPv6 address. */
  readonly withoutProof: Set<string>;
  /** Nodes whose calico-node fails at start-up whatever its environment. */
  readonly failing: Set<string>;
}

export interface CalicoContext {
  readonly api: ApiClient;
  readonly nodes: Watched;
  readonly onHost: (node: string) => readonly string[];
  readonly faults: CalicoFaults;
  readonly log: (line: string) => void;
}

export type StartOutcome = { readonly ok: true } | { readonly ok: false; readonly why: string };

const POOLS = '/apis/crd.projectcalico.org/v1/ippools';
const CONFIG_MAPS = '/api/v1/namespaces/kube-system/configmaps';
const annotation = (name: string): string => `projectcalico.org/${name}`;
const TURN_MS = 400;

/** Plays calico-node: its start-up on each node, the pools that it makes, the tunnels that Felix keeps. */
export class CalicoPlayer {
  readonly #context: CalicoContext;
  readonly #pools: Watched;
  readonly #configMaps: Watched;
  /** The CNI configuration on each node's disk, as install-cni wrote it last. */
  readonly #installed = new Map<string, string>();

  constructor(context: CalicoContext) {
    this.#context = context;
    this.#pools = new Watched(context.api, POOLS);
    this.#configMaps = new Watched(context.api, CONFIG_MAPS);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#pools.run(signal), this.#configMaps.run(signal), this.#keepTunnels(signal)]);
  }

  pools(): Pool[] {
    return [...this.#pools.objects.values()].map(toPool);
  }

  installedConfig(node: string): string | undefined {
    return this.#installed.get(node);
  }

  /** Runs the init containers and the start-up of one calico-node Pod. It may be called again after a failure. */
  async startUp(pod: KubeObject, node: KubeObject): Promise<StartOutcome> {
    const environment = calicoEnvironment(pod) ?? {};
    const config = this.#config('calico-config', 'cni_network_config');
    if (config === undefined) return { ok: false, why: 'configmap "calico-config" not found' };
    if (!isConflist(config))
      return { ok: false, why: 'install-cni: the network configuration is not a valid JSON object' };
    this.#installed.set(node.metadata.name, config);
    if (this.#context.faults.failing.has(node.metadata.name))
      return { ok: false, why: 'calico-node: fault asked for by the test' };
    return this.#detect(environment, node);
  }

  async #detect(environment: Readonly<Record<string, string>>, node: KubeObject): Promise<StartOutcome> {
    const { name, annotations = {} } = node.metadata;
    const seen = { onHost: this.#context.onHost(name), internalIPs: internalAddresses(node) };
    const found = FAMILIES.map((family) => {
      const key = `${family}Address`;
      return { family, key, ...detect(family, environment, annotations[annotation(key)], seen) };
    });
    for (const detection of found) {
      if (detection.does !== 'fail') continue;
      // Calico clears every address that it looks for, whichever of them is missing.
      const sought = found.filter(({ family }) => environment[family === 'IPv4' ? 'IP' : 'IP6'] === 'autodetect');
      await this.#annotate(node, Object.fromEntries(sought.map(({ key }) => [key, null])));
      return { ok: false, why: detection.why };
    }
    const proofs = found.flatMap((detection) => {
      if (detection.does !== 'write') return [];
      if (detection.family === 'IPv6' && this.#context.faults.withoutProof.has(name)) return [];
      return [[detection.key, `${detection.address}/${detection.family === 'IPv4' ? 24 : 64}`] as const];
    });
    await this.#annotate(node, Object.fromEntries(proofs));
    await this.#makePools(environment);
    return { ok: true };
  }

  async #annotate(node: KubeObject, values: Readonly<Record<string, string | null>>): Promise<void> {
    const present = node.metadata.annotations ?? {};
    const changes = Object.entries(values).filter(([name, value]) => (present[annotation(name)] ?? null) !== value);
    if (changes.length === 0) return;
    const annotations = Object.fromEntries(changes.map(([name, value]) => [annotation(name), value]));
    await this.#context.api.mergePatch(`/api/v1/nodes/${node.metadata.name}`, { metadata: { annotations } });
  }

  async #makePools(environment: Readonly<Record<string, string>>): Promise<void> {
    const subnets = this.#podSubnets();
    const choose = (family: 'IPv4' | 'IPv6'): string | undefined =>
      subnets.find((cidr) => cidr.includes(':') === (family === 'IPv6'));
    if (ofFamily(this.pools(), 'IPv4').length === 0 && environment['CALICO_IPV4POOL_CIDR'] !== 'none') {
      const cidr = environment['CALICO_IPV4POOL_CIDR'] || choose('IPv4') || '192.168.0.0/16';
      await this.#makePool(
        'default-ipv4-ippool',
        cidr,
        26,
        true,
        environment['CALICO_IPV4POOL_IPIP'],
        environment['CALICO_IPV4POOL_VXLAN'],
      );
    }
    const wantsIPv6 =
      (environment['FELIX_IPV6SUPPORT'] ?? 'true') !== 'false' && environment['CALICO_IPV6POOL_CIDR'] !== 'none';
    if (wantsIPv6 && ofFamily(this.pools(), 'IPv6').length === 0) {
      const cidr = environment['CALICO_IPV6POOL_CIDR'] || choose('IPv6') || ownIPv6Pool('calico');
      await this.#makePool(
        'default-ipv6-ippool',
        cidr,
        122,
        false,
        'Never',
        environment['CALICO_IPV6POOL_VXLAN'] || 'CrossSubnet',
      );
    }
  }

  async #makePool(
    name: string,
    cidr: string,
    blockSize: number,
    natOutgoing: boolean,
    ipipMode = 'Never',
    vxlanMode = 'Never',
  ): Promise<void> {
    const spec = {
      cidr,
      blockSize,
      natOutgoing,
      ipipMode,
      vxlanMode,
      nodeSelector: 'all()',
      allowedUses: ['Workload', 'Tunnel'],
    };
    const answer = await this.#context.api.send('POST', POOLS, {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'IPPool',
      metadata: { name },
      spec,
    });
    // Another node may have been first: the answer is a conflict then.
    if (answer.status < 300) this.#context.log(`calico-node made ${name} (${cidr})`);
  }

  #podSubnets(): string[] {
    const text = this.#config('kubeadm-config', 'ClusterConfiguration') ?? '';
    const { networking } = (parse(text) ?? {}) as { networking?: { podSubnet?: string } };
    return networking?.podSubnet?.split(',') ?? [];
  }

  #config(name: string, field: string): string | undefined {
    const data = this.#configMaps.objects.get(`kube-system/${name}`)?.['data'] as Record<string, string> | undefined;
    return data?.[field];
  }

  /** Tunnel addresses come and go with the pools, whatever calico-node's own environment says. */
  async #keepTunnels(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const node of this.#context.nodes.objects.values()) {
        if (this.#installed.has(node.metadata.name)) await this.#annotate(node, this.#tunnels(node)).catch(() => {});
      }
      await sleep(TURN_MS, undefined, { signal }).catch(() => {});
    }
  }

  #tunnels(node: KubeObject): Record<string, string | null> {
    const order = [...this.#context.nodes.objects.keys()].sort().indexOf(node.metadata.name);
    const live = this.pools().filter(({ disabled }) => !disabled);
    const tunnel = (family: 'IPv4' | 'IPv6', kind: 'vxlan' | 'ipip'): string | null => {
      const pool = ofFamily(live, family).find((candidate) => candidate[kind]);
      return pool ? tunnelAddress(pool.cidr, order) : null;
    };
    return {
      IPv4IPIPTunnelAddr: tunnel('IPv4', 'ipip'),
      IPv4VXLANTunnelAddr: tunnel('IPv4', 'vxlan'),
      IPv6VXLANTunnelAddr: tunnel('IPv6', 'vxlan'),
    };
  }
}

function tunnelAddress(cidr: string, order: number): string {
  const base = cidr.split('/')[0] ?? '';
  return base.includes(':') ? `${base.replace(/::$/, '')}:f::${order + 1}` : base.replace(/\.\d+$/, `.${200 + order}`);
}

export function internalAddresses(node: KubeObject): string[] {
  const { addresses = [] } = (node['status'] ?? {}) as { addresses?: { type: string; address: string }[] };
  return addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
}
