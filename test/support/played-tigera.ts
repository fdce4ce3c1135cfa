import { parse } from 'yaml';
import { asArray, asString, at } from '../../src/model/object.ts';
import { contains, parseCidr } from '../../src/net/cidr.ts';
import { nthAddress } from '../cluster/calicorules.ts';
import type { KubeObject, PlugIn, TestCluster } from '../cluster/index.ts';
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

const OPERATOR_API = '/apis/operator.tigera.io/v1';
const INSTALLATION = `${OPERATOR_API}/installations/default`;
const POOLS = '/apis/crd.projectcalico.org/v1/ippools';
const DAEMON_SETS = '/apis/apps/v1/namespaces/calico-system/daemonsets';
const LABELS = { 'k8s-app': 'calico-node', 'app.kubernetes.io/managed-by': 'tigera-operator' } as const;

interface Pool {
  readonly name: string;
  readonly cidr: string;
  readonly encapsulation: string;
  readonly natOutgoing: string;
}

/**
 * The tigera operator and the Calico that it keeps (github.com/tigera/operator, pkg/controller/ippool and pkg/render/node.go), on the real API server: pools
 * of the Installation become IPPools if kubeadm's pod networks hold them, an IPv6 pool switches IPv6 on in its DaemonSet, TigeraStatus tells how far
 * it is, and what others change of the DaemonSet it puts back.
 */
export class PlayedTigera implements PlayedCNI {
  readonly wrongs: string[] = [];
  /** Per node: whether the CNI configuration that its calico-node has installed assigns IPv6. */
  readonly #installed = new Map<string, { readonly hasIPv6: boolean }>();
  #pools: readonly Pool[] = [];
  readonly #cluster: TestCluster;
  readonly #starts: Starts;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#starts = new Starts(cluster, 'calico-system', { 'k8s-app': 'calico-node' });
  }

  async turn(): Promise<void> {
    const installation = await this.#cluster.api.get(INSTALLATION);
    if (installation === undefined) return;
    const asked = asArray(at(installation, 'spec', 'calicoNetwork', 'ipPools')).map(toPool);
    const outside = await this.#outside(asked);
    await this.#tell('ippools', installation, outside === null ? 'Available' : 'Degraded', outside ?? '');
    if (outside !== null) return;
    await this.#keepPools(asked);
    this.#pools = asked;
    const method = asString(at(installation, 'spec', 'calicoNetwork', 'nodeAddressAutodetectionV6', 'kubernetes'));
    const isRolledOut = await this.#keepDaemonSet(
      asked.some(({ cidr }) => isIPv6(cidr)),
      method,
    );
    await this.#starts.each((pod) => this.#start(pod));
    const isDone = isRolledOut && this.#installed.size === this.#cluster.nodes.length;
    await this.#tell('calico', installation, isDone ? 'Available' : 'Progressing', '');
  }

  readonly plugIn: PlugIn = (node, n) => {
    const installed = this.#installed.get(node.metadata.name);
    if (installed === undefined) return [];
    return (installed.hasIPv6 ? [false, true] : [false]).map((wantsIPv6) => {
      const pool = this.#pools.find(({ cidr }) => isIPv6(cidr) === wantsIPv6);
      return nthAddress(pool?.cidr ?? '', 1000 + n);
    });
  };

  /** Why a pool is refused: "is not within the platform's configured pod network CIDR(s)". */
  async #outside(pools: readonly Pool[]): Promise<string | null> {
    const config = await this.#cluster.api.get('/api/v1/namespaces/kube-system/configmaps/kubeadm-config');
    const text = asString(at(config, 'data', 'ClusterConfiguration')) ?? '';
    const subnets = (asString(at(parse(text), 'networking', 'podSubnet')) ?? '').split(',').map(cidrOf);
    const lost = pools.find(({ cidr }) => !subnets.some((subnet) => contains(subnet, cidrOf(cidr))));
    return lost === undefined ? null : `IP pool ${lost.cidr} is not within the platform's configured pod networks`;
  }

  async #keepPools(asked: readonly Pool[]): Promise<void> {
    const live = (await itemsAt(this.#cluster, POOLS)).map(({ metadata }) => metadata.name);
    for (const name of live.filter((each) => !asked.some((pool) => pool.name === each))) {
      await this.#cluster.api.delete(`${POOLS}/${name}`);
    }
    for (const { name, cidr, encapsulation, natOutgoing } of asked.filter((pool) => !live.includes(pool.name))) {
      await this.#cluster.api.create(POOLS, {
        apiVersion: 'crd.projectcalico.org/v1',
        kind: 'IPPool',
        metadata: { name, labels: { 'app.kubernetes.io/managed-by': 'tigera-operator' } },
        spec: {
          cidr,
          blockSize: isIPv6(cidr) ? 122 : 26,
          vxlanMode:
            encapsulation === 'VXLAN' ? 'Always' : encapsulation === 'VXLANCrossSubnet' ? 'CrossSubnet' : 'Never',
          ipipMode: encapsulation === 'IPIP' ? 'Always' : 'Never',
          natOutgoing: natOutgoing === 'Enabled',
          nodeSelector: 'all()',
          allowedUses: ['Workload', 'Tunnel'],
        },
      });
    }
  }

  /** True: all of its pods are of the newest template. */
  async #keepDaemonSet(hasIPv6: boolean, method: string | undefined): Promise<boolean> {
    const env = [
      { name: 'DATASTORE_TYPE', value: 'kubernetes' },
      { name: 'IP', value: 'autodetect' },
      { name: 'FELIX_IPV6SUPPORT', value: String(hasIPv6) },
      ...(hasIPv6
        ? [
            { name: 'IP6', value: 'autodetect' },
            {
              name: 'IP6_AUTODETECTION_METHOD',
              value: method === undefined ? 'first-found' : 'kubernetes-internal-ip',
            },
          ]
        : [{ name: 'IP6', value: 'none' }]),
    ];
    const live = await this.#cluster.api.get(`${DAEMON_SETS}/calico-node`);
    if (live === undefined) {
      const namespaces = '/api/v1/namespaces';
      if ((await this.#cluster.api.get(`${namespaces}/calico-system`)) === undefined)
        await this.#cluster.api.create(namespaces, { metadata: { name: 'calico-system' } });
      await this.#cluster.api.create(DAEMON_SETS, daemonSet(env));
      return false;
    }
    const container = at(live, 'spec', 'template', 'spec', 'containers', 0);
    if (JSON.stringify(at(container, 'env')) !== JSON.stringify(env)) {
      if (at(live, 'metadata', 'annotations', MADE_FOR) === String(hasIPv6)) {
        this.wrongs.push(
          'somebody else has changed what the tigera operator owns: DaemonSet calico-system/calico-node',
        );
      }
      await this.#cluster.api.mergePatch(`${DAEMON_SETS}/calico-node`, {
        metadata: { annotations: { [MADE_FOR]: String(hasIPv6) } },
        spec: { template: { spec: { containers: [{ ...(container as object), env }] } } },
      });
      return false;
    }
    const status = at(live, 'status');
    return (
      at(status, 'observedGeneration') === live.metadata.generation &&
      at(status, 'updatedNumberScheduled') === this.#cluster.nodes.length &&
      at(status, 'numberAvailable') === this.#cluster.nodes.length
    );
  }

  async #start(pod: KubeObject): Promise<boolean> {
    const name = nodeNameOf(pod);
    const node = await objectAt(this.#cluster, `/api/v1/nodes/${name}`);
    const env = environmentOf(pod, 'calico-node');
    const wantsIPv6 = env['IP6'] === 'autodetect';
    const [IPv4, IPv6] = [internalIPsOf(node).find((ip) => !isIPv6(ip)), internalIPsOf(node).find(isIPv6)];
    if (wantsIPv6 && IPv6 === undefined) {
      this.wrongs.push(`calico-node on ${name} ends, and takes its IPv4 down: failed to autodetect an IPv6 address`);
      return true;
    }
    const annotations = {
      'projectcalico.org/IPv4Address': `${IPv4}/24`,
      ...(wantsIPv6 ? { 'projectcalico.org/IPv6Address': `${IPv6}/64` } : {}),
    };
    await this.#cluster.api.mergePatch(`/api/v1/nodes/${name}`, { metadata: { annotations } });
    this.#installed.set(name, { hasIPv6: wantsIPv6 });
    return true;
  }

  async #tell(
    name: string,
    { metadata: { generation } }: KubeObject,
    state: 'Available' | 'Progressing' | 'Degraded',
    message: string,
  ): Promise<void> {
    const path = `${OPERATOR_API}/tigerastatuses`;
    const said = (await this.#cluster.api.get(`${path}/${name}`)) ?? (await this.#create(path, name));
    const conditions = (['Available', 'Progressing', 'Degraded'] as const).map((type) => ({
      type,
      status: type === state ? 'True' : 'False',
      observedGeneration: generation,
      message: type === state ? message : '',
      reason: type === state ? 'Told' : 'NotSo',
    }));
    const isSame = asArray(at(said, 'status', 'conditions')).every(
      (each, index) =>
        at(each, 'status') === conditions[index]?.status && at(each, 'observedGeneration') === generation,
    );
    if (isSame && asArray(at(said, 'status', 'conditions')).length > 0) return;
    const lastTransitionTime = new Date().toISOString();
    await this.#cluster.api.mergePatch(`${path}/${name}/status`, {
      status: { conditions: conditions.map((each) => ({ ...each, lastTransitionTime })) },
    });
  }

  #create(path: string, name: string): Promise<KubeObject> {
    return this.#cluster.api.create(path, {
      apiVersion: 'operator.tigera.io/v1',
      kind: 'TigeraStatus',
      metadata: { name },
      spec: {},
    });
  }
}

/** For which state the DaemonSet was made last; only this player reads it. */
const MADE_FOR = 'played.tigera.io/ipv6';

function toPool(pool: unknown): Pool {
  const cidr = asString(at(pool, 'cidr')) ?? '';
  return {
    name: asString(at(pool, 'name')) ?? `default-ipv${isIPv6(cidr) ? 6 : 4}-ippool`,
    cidr,
    encapsulation: asString(at(pool, 'encapsulation')) ?? 'IPIP',
    natOutgoing: asString(at(pool, 'natOutgoing')) ?? 'Enabled',
  };
}

function cidrOf(text: string) {
  const cidr = parseCidr(text);
  if (!cidr.ok) throw new Error(`${text} is no CIDR`);
  return cidr.value;
}

const daemonSet = (env: readonly object[]): object => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'calico-node', namespace: 'calico-system', labels: LABELS, annotations: { [MADE_FOR]: 'false' } },
  spec: {
    selector: { matchLabels: { 'k8s-app': 'calico-node' } },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
    template: {
      metadata: { labels: LABELS },
      spec: {
        hostNetwork: true,
        tolerations: [{ operator: 'Exists' }],
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'calico-node', image: 'quay.io/calico/node:v3.31.7', env }],
      },
    },
  },
});
