import type { EditableK0sSetting } from './k0s.ts';

/** Control-plane components that run as static pods and may be edited. */
export const STATIC_PODS = ['kube-apiserver', 'kube-controller-manager'] as const;
export type StaticPod = (typeof STATIC_PODS)[number];

/**
 * The whole of what may be changed on a host: flags that carry IP families, nothing else.
 * The resource's schema, the operator and the agent all check against this list.
 */
export const EDITABLE_FLAGS = {
  'kube-apiserver': ['service-cluster-ip-range'],
  'kube-controller-manager': [
    'cluster-cidr',
    'service-cluster-ip-range',
    'node-cidr-mask-size',
    'node-cidr-mask-size-ipv4',
    'node-cidr-mask-size-ipv6',
  ],
} as const satisfies Record<StaticPod, readonly string[]>;

/** Sysctls that may be set, and the values allowed. `*` stands for one interface name. */
export const EDITABLE_SYSCTLS: Readonly<Record<string, readonly string[]>> = {
  'net.ipv4.ip_forward': ['0', '1'],
  'net.ipv6.conf.all.forwarding': ['0', '1'],
  'net.ipv6.conf.*.accept_ra': ['0', '1', '2'],
};

/** What an agent changes and watches on its own. */
type HostComponent = StaticPod | 'kubelet' | 'k0s';

/** Flags that show that k0s took its new configuration: it works them out of it when it starts. */
export const K0S_SHOWN_FLAGS = {
  'kube-apiserver': ['service-cluster-ip-range'],
  'kube-controller-manager': ['cluster-cidr'],
} as const satisfies Record<StaticPod, readonly string[]>;

/** The configuration file of a k0s controller. It is the whole of what is wanted there: a later wish takes its place. */
export type K0sWish = {
  readonly set: { readonly [S in EditableK0sSetting]?: string };
  /** Settings that shall not be there. */
  readonly absent: readonly EditableK0sSetting[];
  /** What the processes of k0s must run with afterwards, else the change is undone. */
  readonly shows: { readonly [P in StaticPod]?: Readonly<Record<string, string>> };
};

/** Typed settings of one host: the spec of a DualStackNode. What is left out is left alone. */
export interface HostSettings {
  /** Primary first: becomes `--node-ip=a,b` in the source that wins. */
  readonly kubelet?: { readonly nodeIPs: readonly string[] };
  readonly staticPods?: { readonly [P in StaticPod]?: Readonly<Record<string, string>> };
  readonly k0s?: K0sWish;
  /** Flags that shall not be there, by component (`kubelet`: only `node-ip`). */
  readonly absent?: { readonly [P in StaticPod | 'kubelet']?: readonly string[] };
  readonly sysctls?: Readonly<Record<string, string>>;
  /** A new token asks for one restart. */
  readonly restart?: { readonly kubelet?: string };
  /** A new token asks for everything once more, where somebody changed the host after it had been carried out. */
  readonly again?: string;
}

export interface HostAddress {
  readonly address: string;
  readonly prefixLength: number;
  readonly interface: string;
  readonly scope: 'Global' | 'UniqueLocal' | 'LinkLocal' | 'Host';
  /** As the kernel names them: tentative, dadfailed, deprecated, temporary, permanent. */
  readonly flags: readonly string[];
  /** When the agent first saw it (RFC 3339). */
  readonly since: string;
}

/** A component as it runs: arguments from its own command line, not from a file. */
export interface RunningProcess {
  readonly startedAt: string;
  readonly args: Readonly<Record<string, string>>;
}

export interface StaticPodReport {
  /** Path on the host of the manifest. */
  readonly file: string;
  /** sha256 of the file's bytes. */
  readonly hash: string;
  /** The editable flags as the file has them. */
  readonly args: Readonly<Record<string, string>>;
  /** Null: no such process. */
  readonly running: RunningProcess | null;
  /** What its own health endpoint answered last; null: not asked or no endpoint. */
  readonly healthy: boolean | null;
}

/** A file by which kubeadm would set flags that are edited here: it lays such files over each manifest that it writes anew. */
export interface PatchReport {
  /** Path on the host. */
  readonly file: string;
  readonly component: StaticPod;
  /** The editable flags as the file has them. */
  readonly args: Readonly<Record<string, string>>;
}

/** A k0s controller as its host shows it. */
export interface K0sReport {
  /** Path on the host of its configuration file. It need not be there: then k0s runs with its defaults. */
  readonly file: string;
  /** Settings of that file that have to do with IP families, by their path, such as `spec.network.podCIDR`. */
  readonly settings: Readonly<Record<string, string>>;
  /** Why the file cannot be used; empty: it can. */
  readonly problem: string;
  /** It was started with `--enable-dynamic-config`: then most of the file is only read when a cluster is made. */
  readonly dynamic: boolean;
  /** Why the agent does not edit that file itself; empty: it does. Absent: an agent that never does. */
  readonly byHand?: string;
  /** What the components' own endpoints answered last; null: not asked. Absent: an agent that does not ask. */
  readonly healthy?: boolean | null;
  /** Components that it runs as processes of the host; null: no such process. */
  readonly running: { readonly [P in StaticPod]: RunningProcess | null };
}

/** What one host shows: the status of a DualStackNode without its conditions. */
export interface HostReport {
  readonly hostname: string;
  readonly addresses: readonly HostAddress[];
  /** Since when the agent has looked in this boot (RFC 3339): what it saw then may have been there long before. */
  readonly watchingSince?: string;
  readonly network: {
    readonly ipv6Disabled: boolean;
    /** Interfaces of the host on which alone IPv6 is switched off, as NetworkManager's `ipv6.method disabled` does. Absent: not told. */
    readonly ipv6DisabledOn?: readonly string[];
    /**
     * IPv6 settings of RHEL's network scripts, such as `eth0 IPV6INIT`: `no`, and of NetworkManager's profiles, such as `eth0 ipv6.method`:
     * `disabled`. Absent: there are none.
     */
    readonly networkScripts?: Readonly<Record<string, string>>;
    readonly forwarding: { readonly IPv4: boolean; readonly IPv6: boolean };
    /** `accept_ra` by interface. */
    readonly acceptRA: Readonly<Record<string, string>>;
    /** Interface of the default route by family; absent: none. `learned`: by router advertisement. */
    readonly defaultRoutes: {
      readonly IPv4?: { readonly interface: string; readonly learned: boolean };
      readonly IPv6?: { readonly interface: string; readonly learned: boolean };
    };
  };
  readonly kubelet: {
    readonly running: RunningProcess | null;
    /** The file whose setting of `--node-ip` wins, or would. */
    readonly source: string;
    /** Where a script at boot leaves what the unit passes on as `--node-ip`: a file, else a variable. Absent: there is no such script. */
    readonly nodeIPFrom?: string;
  };
  readonly staticPods: { readonly [P in StaticPod]?: StaticPodReport };
  /** Patches of kubeadm that set editable flags. Absent: there are none in its usual folder. */
  readonly kubeadmPatches?: readonly PatchReport[];
  /** Absent: no k0s controller runs here. */
  readonly k0s?: K0sReport;
  /** First values, taken before the agent's first edit: null means that it was not there. */
  readonly recorded: {
    readonly kubelet?: { readonly nodeIP: string | null };
    readonly staticPods?: { readonly [P in StaticPod]?: Readonly<Record<string, string | null>> };
    readonly sysctls?: Readonly<Record<string, string>>;
    /** By path of the setting. */
    readonly k0s?: Readonly<Record<string, string | null>>;
  };
  /** Values that were tried here and undone. Not tried again for the same generation of the spec. */
  readonly refused: readonly {
    readonly component: HostComponent;
    readonly flag: string;
    readonly value: string;
    readonly generation: number;
    readonly why: string;
  }[];
  /** The stop file is there: the agent looks and reports, and changes nothing. */
  readonly stopped: boolean;
}

/** State of one agent's object as the operator sees it. */
export interface AgentFacts {
  readonly generation: number;
  readonly observedGeneration: number;
  readonly spec: HostSettings;
  /** Null until the agent has reported for the first time. */
  readonly report: HostReport | null;
  readonly conditions: readonly AgentCondition[];
}

export interface AgentCondition {
  readonly type: 'Applied' | 'Healthy' | 'RolledBack';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

/**
 * The agent says that somebody changed its host after everything had been in force. It waits to be asked again, so that hosts are put right one after
 * another.
 */
export const hasDrifted = (agent: AgentFacts | null): boolean =>
  agent?.conditions.some(
    ({ type, reason, observedGeneration }) =>
      type === 'Applied' && reason === 'Drifted' && observedGeneration === agent.generation,
  ) ?? false;
