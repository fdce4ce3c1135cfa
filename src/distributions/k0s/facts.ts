import { type Identity, readAPIServers } from '../../model/api-servers.ts';
import type { Basics, NodeFacts, WorkloadFacts } from '../../model/facts.ts';
import type { K0sReport } from '../../model/host.ts';
import { type K0sSettings, readK0sSettings } from '../../model/k0s.ts';
import { asString, at, type KubeObject, type ObjectRef } from '../../model/object.ts';
import { lastChange } from '../../model/owner.ts';
import { type Known, known, type Read, type Reader, unknown } from '../../model/reader.ts';
import { readServiceNetworks } from '../../model/service-networks.ts';
import { readWorkload } from '../../model/workload.ts';
import { unreachable } from '../../result.ts';

/** The one object of dynamic configuration. k0s makes it only when it was started with `--enable-dynamic-config`. */
export const CLUSTER_CONFIG: ObjectRef = {
  apiVersion: 'k0s.k0sproject.io/v1beta1',
  kind: 'ClusterConfig',
  namespace: 'kube-system',
  name: 'k0s',
};
export const PROXY_CONFIG: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'kube-system',
  name: 'kube-proxy',
};
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

/** Written by the operator, read by the admission policy that lets the Lease pass. */
const LEASE_TRANSFER: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'dualstack-system',
  name: 'dualstack-lease-transfer',
};

/** k0s' part of the facts. Known null: the object is not there, or the server does not know its kind. */
export interface K0sFacts {
  /** By name. Controllers without a kubelet have no Node, so they are told by their API servers' Leases. */
  readonly controllers: Known<readonly Controller[]>;
  /** Null: the configuration is static, in the file of each controller. */
  readonly clusterConfig: Known<ClusterConfigFacts | null>;
  readonly proxyConfig: Known<ProxyConfigFacts | null>;
  readonly proxy: Known<WorkloadFacts | null>;
  /** Null also where one controller runs without leader election. */
  readonly lease: Known<LeaseFacts | null>;
  /** The transfer of that Lease that was asked for last. */
  readonly transfer: { readonly holderPrefix: string; readonly until: string } | null;
  /** CIDRs of ServiceCIDR `kubernetes`, primary first. */
  readonly serviceCIDR: Known<readonly string[] | null>;
}

export interface Controller {
  /** Its hostname. */
  readonly name: string;
  /** The Node of the same host; null: it runs no kubelet, and so no agent. */
  readonly node: string | null;
  /** Null: no agent sees it. */
  readonly report: K0sReport | null;
  /** Names the process of its API server: another one after each start. Null: no Lease tells. */
  readonly identity: string | null;
}

export interface ClusterConfigFacts {
  readonly settings: K0sSettings;
  /** False: it says nothing about the network. k0s always writes that part. */
  readonly hasNetwork: boolean;
  readonly resourceVersion: string;
  /** When it was last written (RFC 3339); null: that was not noted. */
  readonly changedAt: string | null;
}

export interface ProxyConfigFacts {
  readonly clusterCIDR: string;
  /** The whole text of `config.conf`. */
  readonly text: string;
  readonly changedAt: string | null;
}

export interface LeaseFacts {
  readonly holder: string;
  /** RFC 3339, both by the holder's clock. */
  readonly acquiredAt: string;
  readonly renewedAt: string;
}

export async function observe(reader: Reader, basics: Basics): Promise<K0sFacts> {
  const [identities, clusterConfig, proxyConfig, proxy, lease, transfer, serviceCIDR] = await Promise.all([
    readAPIServers(reader),
    reader.get(CLUSTER_CONFIG),
    reader.get(PROXY_CONFIG),
    readWorkload(reader, 'DaemonSet', 'kube-system', 'kube-proxy'),
    reader.get(MANAGER_LEASE),
    reader.get(LEASE_TRANSFER),
    readServiceNetworks(reader),
  ]);
  return {
    controllers: makeControllers(basics.nodes, identities),
    clusterConfig: ifThere(clusterConfig, toClusterConfig),
    proxyConfig: ifThere(proxyConfig, toProxyConfig),
    proxy,
    lease: ifThere(lease, toLease),
    transfer: transfer.is === 'Found' ? toTransfer(transfer.value) : null,
    serviceCIDR,
  };
}

/** Joins what the API servers' Leases name with what agents report. */
export function makeControllers(
  nodes: readonly NodeFacts[],
  identities: Known<readonly Identity[]>,
): Known<readonly Controller[]> {
  if (!identities.known) return identities;
  const names = [
    ...identities.value.map(({ hostname }) => hostname),
    ...nodes.filter((node) => node.agent?.report?.k0s !== undefined).map(hostnameOf),
  ];
  return known(
    [...new Set(names)].toSorted().map((name): Controller => {
      const node = nodes.find((candidate) => hostnameOf(candidate) === name || candidate.name === name);
      return {
        name,
        node: node?.name ?? null,
        report: node?.agent?.report?.k0s ?? null,
        identity: identities.value.find(({ hostname }) => hostname === name)?.holder ?? null,
      };
    }),
  );
}

const hostnameOf = (node: NodeFacts): string => node.agent?.report?.hostname ?? node.name;

const toClusterConfig = (object: KubeObject): ClusterConfigFacts => ({
  settings: readK0sSettings(object),
  hasNetwork: at(object, 'spec', 'network') !== undefined,
  resourceVersion: object.metadata.resourceVersion ?? '',
  changedAt: lastChange(object),
});

function toProxyConfig(object: KubeObject): ProxyConfigFacts | null {
  const text = asString(at(object, 'data', 'config.conf'));
  if (text === undefined) return null;
  // One line of plain text: k0s writes it from a template (pkg/component/controller/kubeproxy.go).
  const clusterCIDR = /^clusterCIDR:[ \t]*"?([^"\s]*)"?[ \t]*$/mu.exec(text)?.[1] ?? '';
  return { clusterCIDR, text, changedAt: lastChange(object) };
}

const toLease = (lease: KubeObject): LeaseFacts => ({
  holder: asString(at(lease, 'spec', 'holderIdentity')) ?? '',
  acquiredAt: asString(at(lease, 'spec', 'acquireTime')) ?? '',
  renewedAt: asString(at(lease, 'spec', 'renewTime')) ?? '',
});

const toTransfer = (object: KubeObject): NonNullable<K0sFacts['transfer']> => ({
  holderPrefix: asString(at(object, 'data', 'holderPrefix')) ?? '',
  until: asString(at(object, 'data', 'until')) ?? '',
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
