import { asArray, asString, at } from '../../src/model/object.ts';
import type { KubeObject, PlugIn, TestCluster } from '../cluster/index.ts';
import { addressesOf, podCIDRsOf } from '../cluster/podplayer.ts';
import { environmentOf, isIPv6, nodeNameOf, objectAt, type PlayedCNI, Starts } from './played-cni.ts';

/**
 * kindnetd on the real API server (sigs.k8s.io/kind, images/kindnetd): it writes the podCIDRs of its Node to the CNI configuration of the host, also when
 * they change, and makes routes to the pods of other nodes in the families of POD_SUBNET, which it reads when it starts.
 */
export class PlayedKindnet implements PlayedCNI {
  readonly wrongs: string[] = [];
  /** Families that the agent of each node was told last. */
  readonly routed = new Map<string, readonly string[]>();
  readonly #hostFile = new Map<string, readonly string[]>();
  readonly #cluster: TestCluster;
  readonly #starts: Starts;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#starts = new Starts(cluster, 'kube-system', { app: 'kindnet' });
  }

  async turn(): Promise<void> {
    await this.#starts.each((pod) => this.#start(pod));
    for (const name of this.routed.keys()) await this.#writeHostFile(name);
  }

  readonly plugIn: PlugIn = (node, n) => addressesOf(this.#hostFile.get(node.metadata.name) ?? [], n);

  async #start(pod: KubeObject): Promise<boolean> {
    const { POD_SUBNET = '' } = environmentOf(pod, 'kindnet-cni');
    const name = nodeNameOf(pod);
    if (POD_SUBNET === '') this.wrongs.push(`kindnetd on ${name} ends: missing environment variable POD_SUBNET`);
    const node = await objectAt(this.#cluster, `/api/v1/nodes/${name}`);
    const families = POD_SUBNET.split(',').map((cidr) => (isIPv6(cidr) ? 'IPv6' : 'IPv4'));
    for (const family of families.filter((each) => !internalFamilies(node).includes(each))) {
      this.wrongs.push(`kindnetd on ${name} has no ${family} address that others could send to`);
    }
    this.routed.set(name, families);
    return true;
  }

  /** A Node that is being made anew has no podCIDRs for a moment: the file stays as it is. */
  async #writeHostFile(name: string): Promise<void> {
    const podCIDRs = podCIDRsOf(await objectAt(this.#cluster, `/api/v1/nodes/${name}`));
    if (podCIDRs.length > 0) this.#hostFile.set(name, podCIDRs);
  }
}

const internalFamilies = (node: KubeObject): readonly string[] =>
  asArray(at(node, 'status', 'addresses')).flatMap((entry) =>
    at(entry, 'type') === 'InternalIP' ? [isIPv6(asString(at(entry, 'address')) ?? '') ? 'IPv6' : 'IPv4'] : [],
  );
