import type { Basics, NodeFacts, WorkloadFacts } from '../../model/facts.ts';
import { parseFlags } from '../../model/flags.ts';
import type { StaticPod } from '../../model/host.ts';
import { PROXY_CONFIG } from '../../model/kube-proxy.ts';
import {
  type LeaseFacts,
  type LeaseTransferFacts,
  readLeaseTransfer,
  readManagerLease,
} from '../../model/manager-lease.ts';
import { asArray, asString, at, type KubeObject, type ObjectRef } from '../../model/object.ts';
import { ifThere, type Known, known, type Read, type Reader, unknown } from '../../model/reader.ts';
import { DEFAULT_SERVICE_CIDR, networksOfServiceCIDR } from '../../model/service-networks.ts';
import { readWorkload } from '../../model/workload.ts';
import { type Instance, makeInstances } from './instances.ts';

export const KUBEADM_CONFIG: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: 'kubeadm-config',
};
/** Holds the primary Service network while ServiceCIDR `kubernetes` is made anew. Ours, and gone again afterwards. */
export const KEEPER_SERVICE_CIDR: ObjectRef = { ...DEFAULT_SERVICE_CIDR, name: 'dualstack-keeper' };

/** kubeadm's part of the facts. Known null: the object is not there. */
export interface KubeadmFacts {
  /** kube-apiserver and kube-controller-manager, one per control-plane node. */
  readonly instances: readonly Instance[];
  /** Names of etcd Pods that are not ready. */
  readonly etcdNotReady: readonly string[];
  /** `ClusterConfiguration` of ConfigMap kube-system/kubeadm-config. */
  readonly clusterConfig: Known<ConfigText | null>;
  /** `config.conf` of ConfigMap kube-system/kube-proxy. */
  readonly proxyConfig: Known<ConfigText | null>;
  readonly proxy: Known<WorkloadFacts | null>;
  readonly lease: Known<LeaseFacts | null>;
  /** The transfer of that Lease that was asked for last. */
  readonly transfer: LeaseTransferFacts | null;
  readonly defaultServiceCIDR: Known<ServiceCIDRFacts | null>;
  readonly keeperServiceCIDR: Known<ServiceCIDRFacts | null>;
}

/** One text in a ConfigMap. */
export interface ConfigText {
  readonly text: string;
  readonly resourceVersion: string;
  /** When its data was last written (RFC 3339), as the API server noted it; null: it was not noted. */
  readonly changedAt: string | null;
}

export interface ServiceCIDRFacts {
  readonly uid: string;
  readonly cidrs: readonly string[];
  readonly deleting: boolean;
}

/** A static pod as the API server shows it. Its arguments are those of the manifest that the kubelet runs. */
export interface MirrorPod {
  readonly name: string;
  readonly component: StaticPod | 'etcd';
  readonly node: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly ready: boolean;
}

export async function observe(reader: Reader, basics: Basics): Promise<KubeadmFacts> {
  const [pods, clusterConfig, proxyConfig, proxy, lease, transfer, serviceCIDR, keeper] = await Promise.all([
    reader.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labelSelector: 'tier=control-plane' }),
    reader.get(KUBEADM_CONFIG),
    reader.get(PROXY_CONFIG),
    readWorkload(reader, 'DaemonSet', 'kube-system', 'kube-proxy'),
    readManagerLease(reader),
    readLeaseTransfer(reader),
    reader.get(DEFAULT_SERVICE_CIDR),
    reader.get(KEEPER_SERVICE_CIDR),
  ]);
  const mirrorPods = toMirrorPods(pods);
  return {
    ...controlPlane(basics.nodes, mirrorPods),
    clusterConfig: ifThere(clusterConfig, (object) => toConfigText(object, 'ClusterConfiguration')),
    proxyConfig: ifThere(proxyConfig, (object) => toConfigText(object, 'config.conf')),
    proxy,
    lease,
    transfer,
    defaultServiceCIDR: ifThere(serviceCIDR, toServiceCIDR),
    keeperServiceCIDR: ifThere(keeper, toServiceCIDR),
  };
}

/** Joins what agents report with what mirror Pods show. */
export function controlPlane(
  nodes: readonly NodeFacts[],
  mirrorPods: Known<readonly MirrorPod[]>,
): Pick<KubeadmFacts, 'instances' | 'etcdNotReady'> {
  return {
    instances: makeInstances(nodes, mirrorPods),
    etcdNotReady: mirrorPods.known
      ? mirrorPods.value.filter((pod) => pod.component === 'etcd' && !pod.ready).map((pod) => pod.name)
      : [],
  };
}

function toMirrorPods(read: Read<readonly KubeObject[]>): Known<readonly MirrorPod[]> {
  if (read.is !== 'Found') return unknown(read.is === 'Unreadable' ? read.why : 'the server knows no Pods');
  return known(
    read.value.flatMap((pod) => {
      const component = pod.metadata.labels?.['component'];
      const isMirror = pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
      return isMirror && isEdited(component) ? [toMirrorPod(pod, component)] : [];
    }),
  );
}

const isEdited = (component: string | undefined): component is MirrorPod['component'] =>
  component === 'kube-apiserver' || component === 'kube-controller-manager' || component === 'etcd';

function toMirrorPod(pod: KubeObject, component: MirrorPod['component']): MirrorPod {
  const containers = asArray(at(pod, 'spec', 'containers'));
  const container = containers.find((entry) => at(entry, 'name') === component) ?? containers[0];
  const words = [...asArray(at(container, 'command')), ...asArray(at(container, 'args'))];
  return {
    name: pod.metadata.name,
    component,
    node: asString(at(pod, 'spec', 'nodeName')) ?? '',
    flags: parseFlags(words.flatMap((word) => asString(word) ?? [])),
    ready: asArray(at(pod, 'status', 'conditions')).some(
      (condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
    ),
  };
}

function toConfigText(object: KubeObject, key: string): ConfigText | null {
  const text = asString(at(object, 'data', key));
  if (text === undefined) return null;
  const times = (object.metadata.managedFields ?? [])
    .filter((entry) => at(entry, 'fieldsV1', 'f:data', `f:${key}`) !== undefined)
    .flatMap((entry) => asString(entry['time']) ?? []);
  return {
    text,
    resourceVersion: object.metadata.resourceVersion ?? '',
    changedAt: times.toSorted().at(-1) ?? null,
  };
}

const toServiceCIDR = (object: KubeObject): ServiceCIDRFacts => ({
  uid: object.metadata.uid ?? '',
  cidrs: networksOfServiceCIDR(object),
  deleting: object.metadata.deletionTimestamp !== undefined,
});
