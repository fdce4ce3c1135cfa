import { type Identity, readAPIServers } from '../../model/api-servers.ts';
import type { Basics, NodeFacts, WorkloadFacts } from '../../model/facts.ts';
import type { K0sReport } from '../../model/host.ts';
import { type K0sSettings, readK0sSettings } from '../../model/k0s.ts';
import { asString, at, type KubeObject, type ObjectRef } from '../../model/object.ts';
import { PROXY_CONFIG } from '../../model/kube-proxy.ts';
import {
  type LeaseFacts,
  type LeaseTransferFacts,
  readLeaseTransfer,
  readManagerLease,
} from '../../model/manager-lease.ts';
import { lastChange } from '../../model/owner.ts';
import { ifThere, type Known, known, type Reader } from '../../model/reader.ts';
import { readServiceNetworks } from '../../model/service-networks.ts';
import { readWorkload } from '../../model/workload.ts';

/** The one object of dynamic configuration. k0s makes it only when it was started with `--enable-dynamic-config`. */
export const CLUSTER_CONFIG: ObjectRef = {
  apiVersion: 'k0s.k0sproject.io/v1beta1',
  kind: 'ClusterConfig',
  namespace: 'kube-system',
  name: 'k0s',
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
  readonly transfer: LeaseTransferFacts | null;
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

export async function observe(reader: Reader, basics: Basics): Promise<K0sFacts> {
  const [identities, clusterConfig, proxyConfig, proxy, lease, transfer, serviceCIDR] = await Promise.all([
    readAPIServers(reader),
    reader.get(CLUSTER_CONFIG),
    reader.get(PROXY_CONFIG),
    readWorkload(reader, 'DaemonSet', 'kube-system', 'kube-proxy'),
    readManagerLease(reader),
    readLeaseTransfer(reader),
    readServiceNetworks(reader),
  ]);
  return {
    controllers: makeControllers(basics.nodes, identities),
    clusterConfig: ifThere(clusterConfig, toClusterConfig),
    proxyConfig: ifThere(proxyConfig, toProxyConfig),
    proxy,
    lease,
    transfer,
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
