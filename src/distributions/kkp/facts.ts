import type { Basics, NodeFacts, WorkloadFacts } from '../../model/facts.ts';
import { PROXY_CONFIG } from '../../model/kube-proxy.ts';
import { readNetConf } from '../../model/net-conf.ts';
import { asArray, asString, at, type KubeObject, type ObjectRef } from '../../model/object.ts';
import { ifThere, type Known, type Reader } from '../../model/reader.ts';
import { readServiceNetworks } from '../../model/service-networks.ts';
import { readWorkload } from '../../model/workload.ts';
import { parseCidr } from '../../net/cidr.ts';
import { FAMILIES, type Family, type PerFamily } from '../../net/family.ts';

const NAMESPACE = 'kube-system';

const CANAL_CONFIG: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: NAMESPACE,
  name: 'canal-config',
};
const CANAL: ObjectRef = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: NAMESPACE, name: 'canal' };
const CILIUM_CONFIG: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: NAMESPACE,
  name: 'cilium-config',
};

/** On Nodes that KKP's MachineDeployments make: the id of the Cluster on its Seed. */
const CLUSTER_LABEL = 'system/cluster';

/**
 * KKP's part of the facts. The Cluster object that says all of this lives on the Seed, out of reach of who is in the user cluster, so it is
 * gathered from what KKP makes of it there. Known null: the object is not there.
 */
export interface KKPFacts {
  /** Id of the Cluster on its Seed; null: no Node tells. */
  readonly cluster: string | null;
  /** `clusterCIDR` of kube-proxy: the first pod network alone, with two families too (addons/kube-proxy/configmap.yaml). */
  readonly proxyCIDR: Known<string | null>;
  /** Pod networks of flanneld in Canal, IPv4 first. */
  readonly canal: Known<string | null>;
  /** Release of Canal, such as `v3.30.3`. */
  readonly canalVersion: Known<string | null>;
  readonly cilium: Known<CiliumFacts | null>;
  /** CIDRs of ServiceCIDR `kubernetes`, primary first. Null before Kubernetes 1.33. */
  readonly serviceCIDR: Known<readonly string[] | null>;
  readonly proxy: Known<WorkloadFacts | null>;
  /** Prefix lengths of the podCIDRs that Nodes hold. */
  readonly held: PerFamily<number>;
}

/** KKP leaves the pod network to the operator of Cilium (pkg/cni/cilium: `clusterPoolIPv4PodCIDRList` and those beside it). */
interface CiliumFacts {
  /** IPv4 first. */
  readonly networks: string;
  readonly nodeMask: PerFamily<number>;
}

export async function observe(reader: Reader, basics: Basics): Promise<KKPFacts> {
  const [proxyConfig, canalConfig, canal, ciliumConfig, serviceCIDR, proxy] = await Promise.all([
    reader.get(PROXY_CONFIG),
    reader.get(CANAL_CONFIG),
    reader.get(CANAL),
    reader.get(CILIUM_CONFIG),
    readServiceNetworks(reader),
    readWorkload(reader, 'DaemonSet', NAMESPACE, 'kube-proxy'),
  ]);
  return {
    cluster: basics.nodes.map(({ labels }) => labels[CLUSTER_LABEL]).find((id) => id !== undefined) ?? null,
    proxyCIDR: ifThere(proxyConfig, toProxyCIDR),
    canal: ifThere(canalConfig, toCanalNetworks),
    canalVersion: ifThere(canal, toCanalVersion),
    cilium: ifThere(ciliumConfig, toCilium),
    serviceCIDR,
    proxy,
    held: heldMasks(basics.nodes),
  };
}

/** One line of plain text: KKP writes it from a template. */
const toProxyCIDR = (object: KubeObject): string =>
  /^clusterCIDR:[ \t]*"?([^"\s]*)"?[ \t]*$/mu.exec(asString(at(object, 'data', 'config.conf')) ?? '')?.[1] ?? '';

function toCanalNetworks(object: KubeObject): string {
  const conf = readNetConf(asString(at(object, 'data', 'net-conf.json')) ?? '');
  return conf.ok ? inOrder(conf.value.networks).join(',') : '';
}

function toCanalVersion(object: KubeObject): string | null {
  const containers = asArray(at(object, 'spec', 'template', 'spec', 'containers'));
  const node = containers.find((container) => at(container, 'name') === 'calico-node');
  return /:(v?\d+\.\d+[^@]*)/u.exec(asString(at(node, 'image')) ?? '')?.[1] ?? null;
}

function toCilium(object: KubeObject): CiliumFacts {
  const setting = (key: string): string => asString(at(object, 'data', key)) ?? '';
  const mask = (family: Family, key: string): PerFamily<number> =>
    /^\d+$/u.test(setting(key)) ? { [family]: Number(setting(key)) } : {};
  const isDual = setting('enable-ipv6') === 'true';
  return {
    networks: inOrder({
      IPv4: setting('cluster-pool-ipv4-cidr').replaceAll(' ', ','),
      IPv6: isDual ? setting('cluster-pool-ipv6-cidr').replaceAll(' ', ',') : '',
    }).join(','),
    nodeMask: {
      ...mask('IPv4', 'cluster-pool-ipv4-mask-size'),
      ...(isDual ? mask('IPv6', 'cluster-pool-ipv6-mask-size') : {}),
    },
  };
}

const inOrder = ({ IPv4, IPv6 }: PerFamily<string>): readonly string[] =>
  [IPv4, IPv6].flatMap((network) => (network === undefined || network === '' ? [] : [network]));

function heldMasks(nodes: readonly NodeFacts[]): PerFamily<number> {
  const held = nodes.flatMap(({ podCIDRs }) =>
    podCIDRs.flatMap((text) => {
      const cidr = parseCidr(text);
      return cidr.ok ? [cidr.value] : [];
    }),
  );
  return Object.fromEntries(
    FAMILIES.flatMap((family) => {
      const first = held.find((cidr) => cidr.family === family);
      return first === undefined ? [] : [[family, first.prefix]];
    }),
  );
}
