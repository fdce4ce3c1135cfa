import { kubernetesVersion } from '../../../hack/binaries.mjs';

export type Family = 'IPv4' | 'IPv6';
export type Cni = 'bridge' | 'flannel' | 'calico' | 'none';

/** How one host is set up; each may be given for all nodes and, by node name, for one. */
export interface HostOptions {
  /** Addresses on the host's interface from the start. Default: both, whatever the cluster uses. */
  readonly hostFamilies?: Family | 'dual';
  /** What `--node-ip` in kubeadm-flags.env says. Default: nothing for IPv4, as kubeadm leaves it; the IPv6 address for IPv6. */
  readonly nodeIP?: 'unset' | 'single' | 'pair';
  /** Forwarding that the host's administrator switched on. Default: that of the cluster's first family. */
  readonly forwarding?: Family | 'dual';
}

export interface RealClusterOptions extends HostOptions {
  /** Default 1. With 3, a balancer is the control plane's endpoint. */
  readonly controlPlanes?: 1 | 3;
  /** Default 1. */
  readonly workers?: number;
  /** Families of the cluster itself, the first one first. Default `IPv4`. */
  readonly families?: Family | readonly [Family, Family];
  /** Comma-separated like kubeadm's own settings. Default: one of each family asked for. */
  readonly podSubnet?: string;
  readonly serviceSubnet?: string;
  /** Default `bridge`. */
  readonly cni?: Cni;
  readonly nodes?: Readonly<Record<string, HostOptions>>;
  /** Merged at the top level into kubeadm's documents. */
  readonly kubeadm?: {
    readonly clusterConfiguration?: Readonly<Record<string, unknown>>;
    readonly kubeletConfiguration?: Readonly<Record<string, unknown>>;
    readonly kubeProxyConfiguration?: Readonly<Record<string, unknown>>;
  };
  /** Gives each etcd a file system of its own, which `slowDisk` needs. Default no. */
  readonly ownEtcdDisk?: boolean;
  /** Leaves the folder with all logs behind after stop. */
  readonly keep?: boolean;
  readonly log?: (line: string) => void;
}

export interface NodeAddresses {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly IPv4: string;
  readonly IPv6: string;
}

export interface Network {
  /** The fabric's bridge: gateway of all nodes. */
  readonly gateway: Readonly<Record<Family, string>>;
  /** Where the balancer listens. */
  readonly balancer: Readonly<Record<Family, string>>;
  readonly prefixLength: Readonly<Record<Family, number>>;
  readonly nodes: readonly NodeAddresses[];
}

export interface Settings {
  readonly id: string;
  readonly folder: string;
  readonly families: readonly Family[];
  readonly primary: Family;
  readonly podSubnet: string;
  readonly serviceSubnet: string;
  readonly cni: Cni;
  readonly kubernetesVersion: string;
  readonly network: Network;
  readonly kubeadm: NonNullable<RealClusterOptions['kubeadm']>;
  readonly ownEtcdDisk: boolean;
  readonly keep: boolean;
  readonly log: (line: string) => void;
  readonly host: (node: string) => Required<HostOptions>;
}

const POD_SUBNETS: Readonly<Record<Family, string>> = { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' };
const SERVICE_SUBNETS: Readonly<Record<Family, string>> = { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' };

/** `subnet` is a number from 1 to 250: it tells the hosts of one cluster from those of another. */
export function settings(id: string, folder: string, subnet: number, options: RealClusterOptions): Settings {
  const families: readonly Family[] = [options.families ?? 'IPv4'].flat();
  const primary = families[0] ?? 'IPv4';
  const join = (of: Readonly<Record<Family, string>>): string => families.map((family) => of[family]).join(',');
  return {
    id,
    folder,
    families,
    primary,
    podSubnet: options.podSubnet ?? join(POD_SUBNETS),
    serviceSubnet: options.serviceSubnet ?? join(SERVICE_SUBNETS),
    cni: options.cni ?? 'bridge',
    kubernetesVersion: kubernetesVersion(),
    network: network(subnet, options.controlPlanes ?? 1, options.workers ?? 1),
    kubeadm: options.kubeadm ?? {},
    ownEtcdDisk: options.ownEtcdDisk ?? false,
    keep: options.keep ?? false,
    log: options.log ?? (() => undefined),
    host: (node) => ({
      hostFamilies: 'dual',
      nodeIP: primary === 'IPv6' ? 'single' : 'unset',
      forwarding: families.length === 2 ? 'dual' : primary,
      ...pick(options),
      ...options.nodes?.[node],
    }),
  };
}

const pick = ({ hostFamilies, nodeIP, forwarding }: HostOptions): HostOptions => ({
  ...(hostFamilies === undefined ? {} : { hostFamilies }),
  ...(nodeIP === undefined ? {} : { nodeIP }),
  ...(forwarding === undefined ? {} : { forwarding }),
});

const GATEWAY = 1;
const BALANCER = 5;
const FIRST_CONTROL_PLANE = 11;
const FIRST_WORKER = 21;
const MAX_WORKERS = 200;

/** Addresses from ranges that are set aside for test beds (RFC 2544) and for documentation (RFC 3849): hosts see them as global ones. */
export function network(subnet: number, controlPlanes: number, workers: number): Network {
  if (workers > MAX_WORKERS)
    throw new Error(`workers: ${workers} is more than the ${MAX_WORKERS} that one subnet has room for`);
  const at = (last: number): Readonly<Record<Family, string>> => ({
    IPv4: `198.18.${subnet}.${last}`,
    IPv6: `2001:db8:${subnet.toString(16)}::${last.toString(16)}`,
  });
  const node = (role: NodeAddresses['role'], name: string, last: number): NodeAddresses => ({
    name,
    role,
    ...at(last),
  });
  return {
    gateway: at(GATEWAY),
    balancer: at(BALANCER),
    prefixLength: { IPv4: 24, IPv6: 64 },
    nodes: [
      ...Array.from({ length: controlPlanes }, (_, i) => node('control-plane', `cp-${i + 1}`, FIRST_CONTROL_PLANE + i)),
      ...Array.from({ length: workers }, (_, i) => node('worker', `worker-${i + 1}`, FIRST_WORKER + i)),
    ],
  };
}

export const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');
