import type { Basics, NodeFacts, WorkloadFacts } from '../../model/facts.ts';
import { parseFlags } from '../../model/flags.ts';
import type { StaticPod } from '../../model/host.ts';
import { asArray, asString, at, type KubeObject, type ObjectRef } from '../../model/object.ts';
import { type Known, known, type Read, type Reader, unknown } from '../../model/reader.ts';
import { readWorkload } from '../../model/workload.ts';
import { unreachable } from '../../result.ts';
import { type Instance, makeInstances } from './instances.ts';

export const KUBEADM_CONFIG: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: 'kubeadm-config',
};
export const PROXY_CONFIG: ObjectRef = { ...KUBEADM_CONFIG, name: 'kube-proxy' };
export const PROXY: ObjectRef = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: 'kube-system',
  name: 'kube-proxy',
};
export const MANAGER_LEASE: ObjectRef = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace: 'kube-system',
  name: 'kube-controller-manager',
};
export const DEFAULT_SERVICE_CIDR: ObjectRef = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  name: 'kubernetes',
};
/** Holds the primary Service network while ServiceCIDR `kubernetes` is made anew. Ours, and gone again afterwards. */
export const KEEPER_SERVICE_CIDR: ObjectRef = { ...DEFAULT_SERVICE_CIDR, name: 'dualstack-keeper' };
/** Read by the admission policy that lets a Lease pass to one holder; written when a step asks for it. */
export const LEASE_TRANSFER: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'dualstack-system',
  name: 'dualstack-lease-transfer',
};

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

export interface LeaseFacts {
  readonly holder: string;
  /** RFC 3339, both by the holder's clock. */
  readonly acquiredAt: string;
  readonly renewedAt: string;
}

export interface LeaseTransferFacts {
  readonly holderPrefix: string;
  /** RFC 3339. */
  readonly until: string;
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
    reader.get(MANAGER_LEASE),
    reader.get(LEASE_TRANSFER),
    reader.get(DEFAULT_SERVICE_CIDR),
    reader.get(KEEPER_SERVICE_CIDR),
  ]);
  const mirrorPods = toMirrorPods(pods);
  return {
    ...controlPlane(basics.nodes, mirrorPods),
    clusterConfig: ifThere(clusterConfig, (object) => toConfigText(object, 'ClusterConfiguration')),
    proxyConfig: ifThere(proxyConfig, (object) => toConfigText(object, 'config.conf')),
    proxy,
    lease: ifThere(lease, toLease),
    transfer: transfer.is === 'Found' ? toTransfer(transfer.value) : null,
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

const toLease = (lease: KubeObject): LeaseFacts => ({
  holder: asString(at(lease, 'spec', 'holderIdentity')) ?? '',
  acquiredAt: asString(at(lease, 'spec', 'acquireTime')) ?? '',
  renewedAt: asString(at(lease, 'spec', 'renewTime')) ?? '',
});

const toTransfer = (object: KubeObject): LeaseTransferFacts => ({
  holderPrefix: asString(at(object, 'data', 'holderPrefix')) ?? '',
  until: asString(at(object, 'data', 'until')) ?? '',
});

const toServiceCIDR = (object: KubeObject): ServiceCIDRFacts => ({
  uid: object.metadata.uid ?? '',
  cidrs: asArray(at(object, 'spec', 'cidrs')).flatMap((cidr) => asString(cidr) ?? []),
  deleting: object.metadata.deletionTimestamp !== undefined,
});

function ifThere<T>(read: Read<KubeObject>, use: (object: KubeObject) => T): Known<T | null> {
  switch (read.is) {
    case 'Found':
      return known(use(read.value));
    case 'Missing':
      return known(null);
    case 'Unreadable':
      return unknown(read.why);
    default:
      return unreachable(read);
  }
}
