import type { KubeObject, PlugIn, TestCluster } from '../cluster/index.ts';
import { addressesOf, podCIDRsOf } from '../cluster/podplayer.ts';
import { nodeNameOf, objectAt, type PlayedCNI, Starts } from './played-cni.ts';

/** Antrea: each agent serves the podCIDRs that its Node had when it started (`initNodeLocalConfig` in its pkg/agent/agent.go). */
export class PlayedAntrea implements PlayedCNI {
  readonly wrongs: string[] = [];
  readonly #served = new Map<string, readonly string[]>();
  readonly #cluster: TestCluster;
  readonly #starts: Starts;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#starts = new Starts(cluster, 'kube-system', { component: 'antrea-agent' });
  }

  turn(): Promise<void> {
    return this.#starts.each((pod) => this.#start(pod));
  }

  readonly plugIn: PlugIn = (node, n) => addressesOf(this.#served.get(node.metadata.name) ?? [], n);

  async #start(pod: KubeObject): Promise<boolean> {
    const name = nodeNameOf(pod);
    const podCIDRs = podCIDRsOf(await objectAt(this.#cluster, `/api/v1/nodes/${name}`));
    if (podCIDRs.length === 0) return false;
    this.#served.set(name, podCIDRs);
    return true;
  }
}
