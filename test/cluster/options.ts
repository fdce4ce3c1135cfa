import { kubernetesVersion } from '../../hack/binaries.mjs';

/** How one host is set up; each may be given for all nodes and, by node name, for one. */
export interface HostOptions {
  /** Addresses on the host's interface: IPv4 alone, both, or IPv6 alone. Default `dual`: IPv6 is there, unused. */
  readonly hostFamilies?: 'IPv4' | 'IPv6' | 'dual';
  /** What `--node-ip` in kubeadm-flags.env says. Default `unset`, as kubeadm leaves it. */
  readonly nodeIP?: 'unset' | 'single' | 'pair';
  /** Whether IPv4 and IPv6 forwarding start switched on. Default `IPv4`. */
  readonly forwarding?: 'IPv4' | 'dual' | 'none';
}

/** How long the played parts take. All in milliseconds. */
export interface Timing {
  /** From an API server's stop to the start of its next process. */
  readonly apiServerRestart: number;
  /** From a controller manager's stop to the start of its next process. */
  readonly controllerManagerRestart: number;
  /** First wait after a crash; doubles up to ten times of it. */
  readonly crashBackOff: number;
  /** How often the kubelet looks at its manifests folder. */
  readonly manifestPoll: number;
  /** How often the kubelet probes, and syncs its Node. */
  readonly probe: number;
  readonly nodeSync: number;
  /** A process that was asked to stop is killed after this. */
  readonly stopGrace: number;
  /** How long calico-node takes from its start to its Node annotation, and a pod from being scheduled to running. */
  readonly calicoStart: number;
  readonly podStart: number;
}

const FAST: Timing = {
  apiServerRestart: 0,
  controllerManagerRestart: 0,
  crashBackOff: 500,
  manifestPoll: 150,
  probe: 400,
  nodeSync: 1000,
  stopGrace: 5000,
  calicoStart: 300,
  podStart: 100,
};

/** As measured on real kubelets: an API server away for about 40 s, a controller manager's lease after about 65 s. */
const SLOW: Timing = {
  apiServerRestart: 37_000,
  controllerManagerRestart: 45_000,
  crashBackOff: 10_000,
  manifestPoll: 1000,
  probe: 1000,
  nodeSync: 10_000,
  stopGrace: 30_000,
  calicoStart: 3500,
  podStart: 1500,
};

export interface CalicoOptions {
  /** Own minimal manifests by backend, or a path of a real manifest. */
  readonly manifest: 'bird' | 'vxlan' | { readonly file: string };
  readonly typha?: boolean;
  /** Own manifests for IPv6 alone, as Calico's documentation sets it up. Default: IPv4, as they are shipped. */
  readonly family?: 'IPv4' | 'IPv6';
}

export interface ClusterOptions extends HostOptions {
  readonly controlPlanes?: 1 | 3;
  readonly workers?: number;
  /** Comma-separated like kubeadm's own settings. */
  readonly podSubnet?: string;
  readonly serviceSubnet?: string;
  readonly nodes?: Readonly<Record<string, HostOptions>>;
  readonly profile?: 'fast' | 'slow';
  readonly timing?: Partial<Timing>;
  readonly calico?: CalicoOptions | 'none' | undefined;
  /** `Processes`: no static pods are seen, as where something else than a kubelet starts the control plane. Default `StaticPods`. */
  readonly controlPlaneAs?: 'StaticPods' | 'Processes';
  /** Leave the folder (logs, manifests) behind after stop. */
  readonly keep?: boolean;
  readonly kubernetesVersion?: string;
  /** More of kubeadm's ClusterConfiguration, merged at the top level. */
  readonly clusterConfiguration?: Readonly<Record<string, unknown>>;
  readonly log?: (line: string) => void;
}

/** What makes a cluster that has both families from the start. */
export const DUAL_STACK = {
  nodeIP: 'pair',
  podSubnet: '10.244.0.0/16,fd00:10:244::/56',
  serviceSubnet: '10.96.0.0/16,fd00:10:96::/112',
} as const satisfies ClusterOptions;

export interface Settings extends Required<Omit<ClusterOptions, 'timing' | 'calico'>> {
  readonly timing: Timing;
  readonly calico: CalicoOptions | 'none';
}

export function settings(options: ClusterOptions): Settings {
  const profile = options.profile ?? 'fast';
  return {
    controlPlanes: 1,
    workers: 0,
    podSubnet: '10.244.0.0/16',
    serviceSubnet: '10.96.0.0/16',
    hostFamilies: 'dual',
    nodeIP: 'unset',
    forwarding: 'IPv4',
    nodes: {},
    controlPlaneAs: 'StaticPods',
    keep: false,
    kubernetesVersion: kubernetesVersion(),
    clusterConfiguration: {},
    log: () => {},
    ...options,
    calico: options.calico ?? 'none',
    profile,
    timing: { ...(profile === 'fast' ? FAST : SLOW), ...options.timing },
  };
}
