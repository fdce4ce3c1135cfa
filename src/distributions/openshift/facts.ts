import { asArray, asNumber, asString, asStrings, at, type KubeObject, type ObjectRef } from '../../model/object.ts';
import { ifThere, type Known, known, type Reader, unknown } from '../../model/reader.ts';
import { readServiceNetworks } from '../../model/service-networks.ts';

const CONFIG = 'config.openshift.io/v1';

export const NETWORK: ObjectRef = { apiVersion: CONFIG, kind: 'Network', name: 'cluster' };
export const INFRASTRUCTURE: ObjectRef = { apiVersion: CONFIG, kind: 'Infrastructure', name: 'cluster' };
/** ClusterOperators that have a part in it: the network, the components that get its ranges, and the kubelets of the hosts. */
export const OPERATORS = ['network', 'kube-apiserver', 'kube-controller-manager', 'machine-config'] as const;

/** OpenShift's part of the facts. Known null: the object is not there. */
export interface OpenShiftFacts {
  readonly network: Known<NetworkFacts | null>;
  readonly infrastructure: Known<InfrastructureFacts | null>;
  /** Those that there are. */
  readonly operators: Known<readonly OperatorFacts[]>;
  /** CIDRs of ServiceCIDR `kubernetes`, primary first. Null before Kubernetes 1.33. */
  readonly serviceCIDR: Known<readonly string[] | null>;
}

/** Network `cluster`: `spec` is what is asked for, `status` what the cluster-network-operator has taken over. */
export interface NetworkFacts {
  readonly spec: NetworkLists;
  readonly status: NetworkLists;
  /** Such as `OVNKubernetes`. */
  readonly networkType: string;
  readonly mtu: number | null;
  /** The network is being moved to other settings already. */
  readonly migrates: boolean;
}

/** As they are written, primary first. */
export interface NetworkLists {
  readonly clusterNetwork: readonly ClusterNetwork[];
  readonly serviceNetwork: readonly string[];
}

export interface ClusterNetwork {
  readonly cidr: string;
  /** Prefix length of the network of one node. */
  readonly hostPrefix?: number;
}

export interface InfrastructureFacts {
  /** Such as `BareMetal`. */
  readonly platform: string;
  /** `External`: the control plane is hosted in another cluster. */
  readonly controlPlaneTopology: string;
  /** Null: the platform keeps no addresses for the API and for ingress. */
  readonly addresses: PlatformAddresses | null;
}

/** What an installer-provisioned platform of one's own keeps in `spec.platformSpec`. Null: the field is not there. */
export interface PlatformAddresses {
  readonly part: 'baremetal' | 'vsphere';
  readonly apiServerInternalIPs: readonly string[] | null;
  readonly ingressIPs: readonly string[] | null;
  readonly machineNetworks: readonly string[] | null;
  /** Those in use (`status.platformStatus`). */
  readonly live: { readonly apiServerInternalIPs: readonly string[]; readonly ingressIPs: readonly string[] };
}

export interface OperatorFacts {
  readonly name: string;
  readonly progressing: boolean;
  readonly degraded: boolean;
  /** What it says where it is one of these; empty otherwise. */
  readonly message: string;
}

export async function observe(reader: Reader): Promise<OpenShiftFacts> {
  const [network, infrastructure, serviceCIDR, ...operators] = await Promise.all([
    reader.get(NETWORK),
    reader.get(INFRASTRUCTURE),
    readServiceNetworks(reader),
    ...OPERATORS.map(async (name) =>
      ifThere(await reader.get({ apiVersion: CONFIG, kind: 'ClusterOperator', name }), toOperator),
    ),
  ]);
  return {
    network: ifThere(network, toNetwork),
    infrastructure: ifThere(infrastructure, toInfrastructure),
    operators: allOf(operators),
    serviceCIDR,
  };
}

function allOf(operators: readonly Known<OperatorFacts | null>[]): Known<readonly OperatorFacts[]> {
  const unread = operators.find((operator) => !operator.known);
  if (unread !== undefined && !unread.known) return unknown(unread.why);
  return known(operators.flatMap((operator) => (operator.known ? (operator.value ?? []) : [])));
}

const toNetwork = (object: KubeObject): NetworkFacts => ({
  spec: toLists(at(object, 'spec')),
  status: toLists(at(object, 'status')),
  networkType: asString(at(object, 'status', 'networkType')) ?? asString(at(object, 'spec', 'networkType')) ?? '',
  mtu: asNumber(at(object, 'status', 'clusterNetworkMTU')) ?? null,
  migrates: (at(object, 'status', 'migration') ?? null) !== null,
});

const toLists = (value: unknown): NetworkLists => ({
  clusterNetwork: asArray(at(value, 'clusterNetwork')).flatMap((entry) => {
    const cidr = asString(at(entry, 'cidr'));
    const hostPrefix = asNumber(at(entry, 'hostPrefix'));
    return cidr === undefined ? [] : [{ cidr, ...(hostPrefix === undefined ? {} : { hostPrefix }) }];
  }),
  serviceNetwork: strings(at(value, 'serviceNetwork')) ?? [],
});

const toInfrastructure = (object: KubeObject): InfrastructureFacts => ({
  platform:
    asString(at(object, 'status', 'platformStatus', 'type')) ?? asString(at(object, 'status', 'platform')) ?? '',
  controlPlaneTopology: asString(at(object, 'status', 'controlPlaneTopology')) ?? '',
  addresses: toAddresses(object),
});

function toAddresses(object: KubeObject): PlatformAddresses | null {
  for (const part of ['baremetal', 'vsphere'] as const) {
    const inUse = strings(at(object, 'status', 'platformStatus', part, 'apiServerInternalIPs')) ?? [];
    // Without any the platform has a balancer of the user's own.
    if (inUse.length === 0) continue;
    const asked = (field: string): readonly string[] | null =>
      strings(at(object, 'spec', 'platformSpec', part, field)) ?? null;
    return {
      part,
      apiServerInternalIPs: asked('apiServerInternalIPs'),
      ingressIPs: asked('ingressIPs'),
      machineNetworks: asked('machineNetworks'),
      live: {
        apiServerInternalIPs: inUse,
        ingressIPs: strings(at(object, 'status', 'platformStatus', part, 'ingressIPs')) ?? [],
      },
    };
  }
  return null;
}

function toOperator(object: KubeObject): OperatorFacts {
  const conditions = asArray(at(object, 'status', 'conditions'));
  const condition = (type: string): unknown =>
    conditions.find((each) => at(each, 'type') === type && at(each, 'status') === 'True');
  const [degraded, progressing] = [condition('Degraded'), condition('Progressing')];
  return {
    name: object.metadata.name,
    progressing: progressing !== undefined,
    degraded: degraded !== undefined,
    message: asString(at(degraded ?? progressing, 'message')) ?? '',
  };
}

const strings = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) ? asStrings(value) : undefined;
