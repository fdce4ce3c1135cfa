/** Providers of KKP, by the name of their part in `spec.cloud`. */
export const PROVIDERS = [
  'aws',
  'azure',
  'bringyourown',
  'digitalocean',
  'gcp',
  'hetzner',
  'kubevirt',
  'openstack',
  'packet',
  'vsphere',
] as const;
export type Provider = (typeof PROVIDERS)[number];

/** Operating systems in the words of machine-controller. */
export const SYSTEMS = ['ubuntu', 'centos7', 'flatcar', 'rhel', 'rockylinux'] as const;
export type System = (typeof SYSTEMS)[number];

/** `Works`; `Late`: IPv6 comes after the kubelet has started; `Fails`; `Untested`. */
export type Outcome = 'Works' | 'Late' | 'Fails' | 'Untested';

export interface DualStack {
  readonly systems: Readonly<Record<System, Outcome>>;
  /** What is worth knowing beside; sentences. */
  readonly notes: readonly string[];
}

const outcomes = (
  ubuntu: Outcome,
  centos7: Outcome,
  flatcar: Outcome,
  rhel: Outcome,
  rockylinux: Outcome,
): DualStack['systems'] => ({ ubuntu, centos7, flatcar, rhel, rockylinux });

const NO_BALANCER = 'LoadBalancer Services with two families are not supported there: use NodePorts.';
const DATACENTER = 'The datacenter of the Seed must have ipv6Enabled: true, or KKP refuses the cluster.';

/** KKP's own table of dual-stack; null: the provider is not in it (https://docs.kubermatic.com/kubermatic/main/tutorials-howtos/networking/dual-stack/). */
export const DUAL_STACK: Readonly<Record<Provider, DualStack | null>> = {
  aws: {
    systems: outcomes('Works', 'Fails', 'Works', 'Works', 'Works'),
    notes: [
      'Below Kubernetes 1.24 AWS nodes do not publish their IPv6 address, so pods on the network of their hosts have none.',
      NO_BALANCER,
    ],
  },
  azure: { systems: outcomes('Works', 'Works', 'Works', 'Works', 'Works'), notes: [NO_BALANCER] },
  bringyourown: {
    systems: outcomes('Untested', 'Untested', 'Untested', 'Untested', 'Untested'),
    notes: ['LoadBalancer Services need something like MetalLB.'],
  },
  digitalocean: {
    systems: outcomes('Works', 'Works', 'Untested', 'Untested', 'Late'),
    notes: ['KKP has no LoadBalancer Services with two families there: use NodePorts.'],
  },
  gcp: {
    systems: outcomes('Works', 'Untested', 'Untested', 'Untested', 'Untested'),
    notes: [
      'GCP nodes do not publish their IPv6 address, so pods on the network of their hosts have none.',
      NO_BALANCER,
    ],
  },
  hetzner: {
    systems: outcomes('Works', 'Works', 'Untested', 'Untested', 'Works'),
    notes: ['LoadBalancer Services need an annotation with a location or network zone, and the cluster Konnectivity.'],
  },
  kubevirt: null,
  openstack: {
    systems: outcomes('Works', 'Fails', 'Works', 'Works', 'Works'),
    notes: [DATACENTER, 'Below Kubernetes 1.25 LoadBalancer Services with two families are not supported there.'],
  },
  packet: {
    systems: outcomes('Works', 'Works', 'Late', 'Untested', 'Late'),
    notes: ['KKP has no LoadBalancer Services with two families there: use NodePorts.'],
  },
  vsphere: {
    systems: outcomes('Works', 'Untested', 'Untested', 'Untested', 'Untested'),
    notes: [DATACENTER, 'LoadBalancer Services need something like MetalLB.'],
  },
};
