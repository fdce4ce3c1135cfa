import { asArray, asString, at } from '../../src/model/object.ts';
import type { KubeObject, PlugIn, TestCluster } from '../cluster/index.ts';
import { addressesOf } from '../cluster/podplayer.ts';
import { nthAddress } from '../cluster/calicorules.ts';
import { internalIPsOf, isIPv6, itemsAt, nodeNameOf, objectAt, type PlayedCNI, Starts } from './played-cni.ts';

const CILIUM_NODES = '/apis/cilium.io/v2/ciliumnodes';

type Config = Readonly<Record<string, string>>;

/**
 * Cilium with its own pools (`ipam: cluster-pool`) on the real API server; see `CiliumModel` for where its rules are from. Agent and operator read the
 * ConfigMap when they start. The operator gives each CiliumNode the pod CIDRs that it lacks; an agent writes its addresses, and ends where it is told a
 * family that its node has no address or pod CIDR of.
 */
export class PlayedCilium implements PlayedCNI {
  readonly wrongs: string[] = [];
  /** Null: it does not run. */
  operatorHasIPv6: boolean | null = null;
  /** Families of the agent on each node. */
  readonly #agents = new Map<string, { readonly hasIPv6: boolean }>();
  /** Nodes that the running operator has given a pod CIDR of IPv6, or has seen with one: these it never gives a second. */
  readonly #given = new Set<string>();
  #podCIDRs: ReadonlyMap<string, readonly string[]> = new Map();
  readonly #cluster: TestCluster;
  readonly #operator: Starts;
  readonly #agent: Starts;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#operator = new Starts(cluster, 'kube-system', { 'io.cilium/app': 'operator' });
    this.#agent = new Starts(cluster, 'kube-system', { 'k8s-app': 'cilium' });
  }

  async turn(): Promise<void> {
    await this.#operator.each(() => this.#startOperator());
    for (const node of await itemsAt(this.#cluster, CILIUM_NODES)) await this.#allocate(node);
    await this.#agent.each((pod) => this.#startAgent(pod));
  }

  readonly plugIn: PlugIn = ({ metadata: { name } }, n) => {
    const agent = this.#agents.get(name);
    if (agent === undefined) return [];
    return addressesOf(
      (this.#podCIDRs.get(name) ?? []).filter((cidr) => agent.hasIPv6 || !isIPv6(cidr)),
      n,
    );
  };

  async #config(): Promise<Config> {
    const object = await objectAt(this.#cluster, '/api/v1/namespaces/kube-system/configmaps/cilium-config');
    return (at(object, 'data') ?? {}) as Config;
  }

  async #startOperator(): Promise<boolean> {
    const config = await this.#config();
    const isOn = config['enable-ipv6'] === 'true';
    const isPooled = (config['cluster-pool-ipv6-cidr'] ?? '') !== '';
    this.#given.clear();
    this.operatorHasIPv6 = isOn === isPooled ? isOn : null;
    if (this.operatorHasIPv6 === null) this.wrongs.push('cilium-operator ends: IPv6 and its pool do not fit');
    return true;
  }

  async #allocate(node: KubeObject): Promise<void> {
    const { name } = node.metadata;
    const held = texts(at(node, 'spec', 'ipam', 'podCIDRs'));
    this.#podCIDRs = new Map(this.#podCIDRs).set(name, held);
    if (this.operatorHasIPv6 === null) return;
    const order = [...this.#podCIDRs.keys()].indexOf(name) + 1;
    const lacking = [
      ...(held.some((cidr) => !isIPv6(cidr)) ? [] : [`10.244.${order}.0/24`]),
      ...(!this.operatorHasIPv6 || held.some(isIPv6) || this.#given.has(name) ? [] : [`fd00:10:244:${order}::/64`]),
    ];
    if (this.operatorHasIPv6) this.#given.add(name);
    const error =
      !this.operatorHasIPv6 && held.some(isIPv6) ? `${name}: allocator for IPv6 addresses does not exist` : '';
    if (error !== '') this.wrongs.push(error);
    if (lacking.length === 0) return;
    await this.#cluster.api.mergePatch(`${CILIUM_NODES}/${name}`, {
      spec: { ipam: { podCIDRs: [...held, ...lacking] } },
    });
  }

  async #startAgent(pod: KubeObject): Promise<boolean> {
    const name = nodeNameOf(pod);
    const [config, node] = [await this.#config(), await objectAt(this.#cluster, `/api/v1/nodes/${name}`)];
    const own = await this.#cluster.api.get(`${CILIUM_NODES}/${name}`);
    if (own === undefined) {
      await this.#cluster.api.create(CILIUM_NODES, {
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumNode',
        metadata: { name },
        spec: { addresses: hostAddresses(node), ipam: {} },
      });
      return false;
    }
    const hasIPv6 = config['enable-ipv6'] === 'true';
    const podCIDRs = texts(at(own, 'spec', 'ipam', 'podCIDRs'));
    const IPv4 = podCIDRs.find((cidr) => !isIPv6(cidr));
    if (IPv4 === undefined) return false;
    const IPv6 = podCIDRs.find(isIPv6);
    if (hasIPv6 && (IPv6 === undefined || !internalIPsOf(node).some(isIPv6))) {
      this.wrongs.push(`cilium-agent on ${name} ends: required IPv6 address or pod CIDR not available`);
      return true;
    }
    const internal = [IPv4, ...(hasIPv6 && IPv6 !== undefined ? [IPv6] : [])].map((cidr) => ({
      type: 'CiliumInternalIP',
      ip: nthAddress(cidr, 7),
    }));
    await this.#cluster.api.mergePatch(`${CILIUM_NODES}/${name}`, {
      spec: { addresses: [...hostAddresses(node), ...internal] },
    });
    this.#agents.set(name, { hasIPv6 });
    return true;
  }
}

const texts = (value: unknown): readonly string[] => asArray(value).flatMap((each) => asString(each) ?? []);

const hostAddresses = (node: KubeObject): readonly { readonly type: string; readonly ip: string }[] =>
  internalIPsOf(node).map((ip) => ({ type: 'InternalIP', ip }));
