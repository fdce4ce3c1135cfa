import { asArray, asString, at } from '../../src/model/object.ts';
import { isOn } from '../../src/cni/kube-router/args.ts';
import type { KubeObject, PlugIn, TestCluster } from '../cluster/index.ts';
import { addressesOf, podCIDRsOf } from '../cluster/podplayer.ts';
import { internalIPsOf, isIPv6, nodeNameOf, objectAt, type PlayedCNI, Starts } from './played-cni.ts';

/**
 * kube-router on the real API server (github.com/cloudnativelabs/kube-router, pkg/controllers/routing): it ends where it is told a family that its Node
 * has no address of, and adds the podCIDRs of its Node to the CNI configuration of the host, from which it takes none away.
 */
export class PlayedKubeRouter implements PlayedCNI {
  readonly wrongs: string[] = [];
  /** Ranges in the CNI configuration of each host. */
  readonly #hostFile = new Map<string, readonly string[]>();
  readonly #cluster: TestCluster;
  readonly #starts: Starts;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#starts = new Starts(cluster, 'kube-system', { 'k8s-app': 'kube-router' });
  }

  turn(): Promise<void> {
    return this.#starts.each((pod) => this.#start(pod));
  }

  readonly plugIn: PlugIn = (node, n) => addressesOf(this.#hostFile.get(node.metadata.name) ?? [], n);

  ranges(node: string): readonly string[] {
    return this.#hostFile.get(node) ?? [];
  }

  /** `rm /etc/cni/net.d/10-kuberouter.conflist` there. */
  removeHostFile(node: string): void {
    this.#hostFile.delete(node);
  }

  async #start(pod: KubeObject): Promise<boolean> {
    const name = nodeNameOf(pod);
    const node = await objectAt(this.#cluster, `/api/v1/nodes/${name}`);
    const args = asArray(at(pod, 'spec', 'containers', 0, 'args')).flatMap((arg) => asString(arg) ?? []);
    const hasIPv6 = isOn(args, 'enable-ipv6');
    if (hasIPv6 && !internalIPsOf(node).some(isIPv6)) {
      this.wrongs.push(`kube-router on ${name} ends: IPv6 was enabled, but no IPv6 address was found on the node`);
      return true;
    }
    const ranges = podCIDRsOf(node).filter((cidr) => hasIPv6 || !isIPv6(cidr));
    this.#hostFile.set(name, [...new Set([...this.ranges(name), ...ranges])]);
    return true;
  }
}
