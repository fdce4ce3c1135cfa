import { asString, at } from '../../src/model/object.ts';
import { readNetConf } from '../../src/model/net-conf.ts';
import type { KubeObject, PlugIn, TestCluster } from '../cluster/index.ts';
import { addressesOf, podCIDRsOf } from '../cluster/podplayer.ts';
import {
  environmentOf,
  internalIPsOf,
  isIPv6,
  itemsAt,
  nodeNameOf,
  objectAt,
  type PlayedCNI,
  Starts,
} from './played-cni.ts';

const PREFIX = 'flannel.alpha.coreos.com';
const NODES = '/api/v1/nodes';

/**
 * Canal on the real API server; see `CanalModel` for where its rules are from. A pod installs the network configuration and reads the rest when it
 * starts; flanneld ends without a podCIDR of a family that is on, and has routes to the nodes that had told of themselves before.
 */
export class PlayedCanal implements PlayedCNI {
  readonly wrongs: string[] = [];
  /** Per node: the nodes that its flanneld has IPv6 routes to. */
  readonly routes = new Map<string, readonly string[]>();
  /** Nodes whose Felix takes care of IPv6. */
  readonly guarding = new Set<string>();
  readonly #installed = new Map<string, string>();
  readonly #cluster: TestCluster;
  readonly #starts: Starts;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#starts = new Starts(cluster, 'kube-system', { 'k8s-app': 'canal' });
  }

  turn(): Promise<void> {
    return this.#starts.each((pod) => this.#start(pod));
  }

  readonly plugIn: PlugIn = (node, n) => {
    const config = this.#installed.get(node.metadata.name);
    if (config === undefined) return [];
    const [IPv4, IPv6] = [podCIDRsOf(node).find((cidr) => !isIPv6(cidr)), podCIDRsOf(node).find(isIPv6)];
    if (!config.includes('"usePodCidrIPv6"'))
      return addressesOf(
        [IPv4].flatMap((cidr) => cidr ?? []),
        n,
      );
    if (IPv6 === undefined) return 'usePodCidrIPv6 found but there is no IPv6 CIDR configured';
    return addressesOf([IPv4 ?? '', IPv6], n);
  };

  async #start(pod: KubeObject): Promise<boolean> {
    const name = nodeNameOf(pod);
    const node = await objectAt(this.#cluster, `${NODES}/${name}`);
    const config = await objectAt(this.#cluster, '/api/v1/namespaces/kube-system/configmaps/canal-config');
    const conf = readNetConf(asString(at(config, 'data', 'net-conf.json')) ?? '');
    if (!conf.ok) {
      this.wrongs.push(`flanneld on ${name} cannot read net-conf.json: ${conf.error}`);
      return true;
    }
    this.#installed.set(name, asString(at(config, 'data', 'cni_network_config')) ?? '');
    if (environmentOf(pod, 'calico-node')['FELIX_IPV6SUPPORT'] === 'true') this.guarding.add(name);
    else this.guarding.delete(name);
    this.routes.delete(name);
    if (conf.value.enabled.IPv6 && !podCIDRsOf(node).some(isIPv6)) {
      this.wrongs.push(`flanneld on ${name} ends: its Node has no IPv6 podCIDR`);
      return true;
    }
    await this.#publish(node, conf.value.enabled.IPv6);
    if (conf.value.enabled.IPv6) await this.#learn(name);
    return true;
  }

  /** It adds what is missing, and never takes anything back. */
  async #publish(node: KubeObject, hasIPv6: boolean): Promise<void> {
    const [IPv4 = '', IPv6 = ''] = [
      internalIPsOf(node).find((ip) => !isIPv6(ip)),
      internalIPsOf(node).find((ip) => isIPv6(ip)),
    ];
    const annotations = {
      [`${PREFIX}/backend-type`]: 'vxlan',
      [`${PREFIX}/backend-data`]: '{"VNI":1,"VtepMAC":"5a:f8:2b:00:04:01"}',
      [`${PREFIX}/kube-subnet-manager`]: 'true',
      [`${PREFIX}/public-ip`]: IPv4,
      ...(hasIPv6
        ? { [`${PREFIX}/backend-v6-data`]: '{"VNI":1,"VtepMAC":"5a:f8:2b:00:06:01"}', [`${PREFIX}/public-ipv6`]: IPv6 }
        : {}),
    };
    await this.#cluster.api.mergePatch(`${NODES}/${node.metadata.name}`, { metadata: { annotations } });
  }

  async #learn(own: string): Promise<void> {
    const told = (await itemsAt(this.#cluster, NODES)).filter(
      ({ metadata }) => metadata.annotations?.[`${PREFIX}/public-ipv6`] !== undefined && metadata.name !== own,
    );
    this.routes.set(
      own,
      told.map(({ metadata }) => metadata.name),
    );
  }
}
