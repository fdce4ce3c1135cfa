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

/** A sentence, for releases before `before` alone where there is one. */
export interface Note {
  readonly text: string;
  /** Minor release of Kubernetes. */
  readonly before?: number;
}

export interface DualStack {
  readonly systems: Readonly<Record<System, Outcome>>;
  /** What is worth knowing beside; sentences. */
  readonly notes: readonly Note[];
}

const outcomes = (
  ubuntu: Outcome,
  centos7: Outcome,
  flatcar: Outcome,
  rhel: Outcome,
  rockylinux: Outcome,
): DualStack['systems'] => ({ ubuntu, centos7, flatcar, rhel, rockylinux });

const NO_BALANCER: Note = { text: 'LoadBalancer Services with two families are not supported there: use NodePorts.' };
const NONE_IN_KKP: Note = {
  text: 'KKP has no LoadBalancer Services with two families there: use NodePorts.',
};
const METALLB: Note = { text: 'LoadBalancer Services need something like MetalLB.' };
const DATACENTER: Note = {
  text: 'The datacenter of the Seed must have ipv6Enabled: true, or KKP refuses the cluster.',
};

/** KKP's own table of dual-stack; null: the provider is not in it (https://docs.kubermatic.com/kubermatic/main/tutorials-howtos/networking/dual-stack/). */
export const DUAL_STACK: Readonly<Record<Provider, DualStack | null>> = {
  aws: {
    systems: outcomes('Works', 'Fails', 'Works', 'Works', 'Works'),
    notes: [
      {
        text: 'Below Kubernetes 1.24 AWS nodes do not publish their IPv6 address, so pods on the network of their hosts have none.',
        before: 24,
      },
      NO_BALANCER,
    ],
  },
  azure: { systems: outcomes('Works', 'Works', 'Works', 'Works', 'Works'), notes: [NO_BALANCER] },
  bringyourown: {
    systems: outcomes('Untested', 'Untested', 'Untested', 'Untested', 'Untested'),
    notes: [METALLB],
  },
  digitalocean: {
    systems: outcomes('Works', 'Works', 'Untested', 'Untested', 'Late'),
    notes: [NONE_IN_KKP],
  },
  gcp: {
    systems: outcomes('Works', 'Untested', 'Untested', 'Untested', 'Untested'),
    notes: [
      { text: 'GCP nodes do not publish their IPv6 address, so pods on the network of their hosts have none.' },
      NO_BALANCER,
    ],
  },
  hetzner: {
    systems: outcomes('Works', 'Works', 'Untested', 'Untested', 'Works'),
    notes: [
      {
        text: 'LoadBalancer Services need an annotation with a location or network zone, and the cluster Konnectivity.',
      },
    ],
  },
  kubevirt: null,
  openstack: {
    systems: outcomes('Works', 'Fails', 'Works', 'Works', 'Works'),
    notes: [
      DATACENTER,
      {
        text: 'Below Kubernetes 1.25 LoadBalancer Services with two families are not supported there.',
        before: 25,
      },
    ],
  },
  packet: {
    systems: outcomes('Works', 'Works', 'Late', 'Untested', 'Late'),
    notes: [NONE_IN_KKP],
  },
  vsphere: {
    systems: outcomes('Works', 'Untested', 'Untested', 'Untested', 'Untested'),
    notes: [DATACENTER, METALLB],
  },
};
