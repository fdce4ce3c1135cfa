import type { Basics, ClusterFacts, NodeFacts, PodFacts, ServiceFacts, WorkloadFacts } from '../../src/model/facts.ts';
import type { AgentFacts, HostAddress, HostReport, RunningProcess } from '../../src/model/host.ts';
import { known } from '../../src/model/reader.ts';
import type { PodsBehind } from '../../src/model/service.ts';
import type { ServicePackets } from '../../src/model/service-packets.ts';
import type { Wanted } from '../../src/model/wanted.ts';

/**
 * Complete facts for tests: a healthy IPv4 cluster of kubeadm's making whose hosts have both families, unless told otherwise.
 * Every builder takes only what a test is about.
 */

/** The moment at which the facts are read. Components run since an hour before. */
export const AT = Date.parse('2026-11-02T12:00:00Z');
export const before = (seconds: number): string => new Date(AT - seconds * 1000).toISOString().replace('.000Z', 'Z');

export const PODS = { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' } as const;
export const SERVICES = { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' } as const;
export const SERVICE_RANGES = { single: SERVICES.IPv4, dual: `${SERVICES.IPv4},${SERVICES.IPv6}` } as const;
export const POD_RANGES = { single: PODS.IPv4, dual: `${PODS.IPv4},${PODS.IPv6}` } as const;

/** Addresses of the n-th host, counted from 1. Control-plane nodes come first. */
export const hostIPv4 = (n: number): string => `192.0.2.${10 + n}`;
export const hostIPv6 = (n: number): string => `2001:db8::${(16 + n).toString(16)}`;

/** Merges nested literals; an array or null replaces what was there. */
export type Deep<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: Deep<T[K]> }
    : T;

export function merge<T>(base: T, change: Deep<T> | undefined): T {
  if (change === undefined) return base;
  if (!isPlain(base) || !isPlain(change)) return change as T;
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(change)) out[key] = merge(out[key], value as never);
  return out as T;
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const running = (args: Readonly<Record<string, string>>, startedAt = before(3600)): RunningProcess => ({
  startedAt,
  args,
});

export const hostAddress = (change: Partial<HostAddress> & { readonly address: string }): HostAddress => ({
  prefixLength: change.address.includes(':') ? 64 : 24,
  interface: 'eth0',
  scope: 'Global',
  flags: ['permanent'],
  since: before(7200),
  ...change,
});

export const APISERVER_SINGLE = { 'service-cluster-ip-range': SERVICE_RANGES.single } as const;
export const APISERVER_DUAL = { 'service-cluster-ip-range': SERVICE_RANGES.dual } as const;
export const KCM_SINGLE = {
  'allocate-node-cidrs': 'true',
  'cluster-cidr': POD_RANGES.single,
  'service-cluster-ip-range': SERVICE_RANGES.single,
} as const;
export const KCM_DUAL = {
  'allocate-node-cidrs': 'true',
  'cluster-cidr': POD_RANGES.dual,
  'service-cluster-ip-range': SERVICE_RANGES.dual,
  'node-cidr-mask-size-ipv4': '24',
  'node-cidr-mask-size-ipv6': '64',
} as const;

/** What the agent of the n-th host reports. `dual`: already converted; a worker has no static pods. */
export function hostReport(
  n: number,
  options: { readonly name: string; readonly controlPlane?: boolean; readonly dual?: boolean; readonly ipv6?: boolean },
  change?: Deep<HostReport>,
): HostReport {
  const ipv6 = options.ipv6 ?? true;
  const dual = options.dual ?? false;
  const address4 = hostAddress({ address: hostIPv4(n) });
  const address6 = hostAddress({ address: hostIPv6(n) });
  const apiserver = dual ? APISERVER_DUAL : APISERVER_SINGLE;
  const manager = dual ? KCM_DUAL : KCM_SINGLE;
  const report: HostReport = {
    hostname: options.name,
    addresses: ipv6 ? [address4, address6] : [address4],
    watchingSince: before(86_000),
    network: {
      ipv6Disabled: false,
      forwarding: { IPv4: true, IPv6: dual },
      acceptRA: { eth0: '1' },
      defaultRoutes: {
        IPv4: { interface: 'eth0', learned: false },
        ...(ipv6 ? { IPv6: { interface: 'eth0', learned: false } } : {}),
      },
    },
    kubelet: {
      running: running({ 'node-ip': dual ? `${hostIPv4(n)},${hostIPv6(n)}` : hostIPv4(n) }),
      source: '/var/lib/kubelet/kubeadm-flags.env',
    },
    staticPods: options.controlPlane
      ? {
          'kube-apiserver': staticPod('kube-apiserver', apiserver),
          'kube-controller-manager': staticPod('kube-controller-manager', manager),
        }
      : {},
    recorded: {},
    refused: [],
    stopped: false,
  };
  return merge<HostReport>(report, change);
}

const staticPod = (name: string, args: Readonly<Record<string, string>>) => ({
  file: `/etc/kubernetes/manifests/${name}.yaml`,
  hash: 'aa11',
  args,
  running: running(args),
  healthy: true,
});

export const agentFacts = (report: HostReport | null, change?: Deep<AgentFacts>): AgentFacts =>
  merge<AgentFacts>({ generation: 0, observedGeneration: 0, spec: {}, report, conditions: [] }, change);

export interface NodeOptions {
  readonly controlPlane?: boolean;
  /** Everything on it is already converted. */
  readonly dual?: boolean;
  /** Its host has an IPv6 address. Default: yes. */
  readonly ipv6?: boolean;
  /** False: no agent there. */
  readonly agent?: boolean;
  readonly name?: string;
}

/** The n-th node, counted from 1 over all nodes. */
export function nodeFacts(
  n: number,
  options: NodeOptions = {},
  change?: Deep<NodeFacts>,
  report?: Deep<HostReport>,
): NodeFacts {
  const name = options.name ?? (options.controlPlane ? `cp-${n}` : `worker-${n}`);
  const dual = options.dual ?? false;
  const node: NodeFacts = {
    name,
    uid: `uid-${name}`,
    resourceVersion: '100',
    createdAt: before(86_400),
    ready: true,
    controlPlane: options.controlPlane ?? false,
    labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' },
    annotations: {},
    internalIPs: dual ? [hostIPv4(n), hostIPv6(n)] : [hostIPv4(n)],
    externalIPs: [],
    podCIDRs: [`10.244.${n}.0/24`],
    providerID: '',
    osImage: 'Debian GNU/Linux 13 (trixie)',
    kubeletVersion: 'v1.36.3',
    unschedulable: false,
    holders: [],
    taints: options.controlPlane ? [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] : [],
    agent: options.agent === false ? null : agentFacts(hostReport(n, { ...options, name }, report)),
  };
  return merge<NodeFacts>(node, change);
}

export const podFacts = (change: Partial<PodFacts> & { readonly name: string }): PodFacts => ({
  uid: `uid-${change.name}`,
  node: 'worker-1',
  hash: 'rev-1',
  ready: true,
  podIPs: ['192.0.2.11', '2001:db8::11'],
  hostNetwork: true,
  restarts: 0,
  startedAt: before(3600),
  terminating: false,
  waiting: null,
  ...change,
});

/** A DaemonSet (unless told otherwise) with one ready pod of the newest template on each of the given nodes. */
export function workloadFacts(
  name: string,
  nodes: readonly string[],
  change: Partial<WorkloadFacts> = {},
): WorkloadFacts {
  return {
    kind: 'DaemonSet',
    namespace: 'kube-system',
    name,
    uid: `uid-${name}`,
    resourceVersion: '100',
    generation: 1,
    observedGeneration: 1,
    templateAnnotations: {},
    desired: nodes.length,
    strategy: 'RollingUpdate',
    newestHash: 'rev-1',
    pods: nodes.map((node) => podFacts({ name: `${name}-${node}`, node })),
    ...change,
  };
}

export const coreDNSFacts = (change: Partial<WorkloadFacts> = {}): WorkloadFacts =>
  workloadFacts('coredns', [], {
    kind: 'Deployment',
    desired: 2,
    pods: [1, 2].map((n) =>
      podFacts({ name: `coredns-${n}`, node: `worker-${n}`, podIPs: [`10.244.${n}.2`], hostNetwork: false }),
    ),
    ...change,
  });

/** Pods behind a Service, all of them ready. */
export const readyPods = (ready: number, having: PodsBehind['having']): PodsBehind => ({
  ready,
  having,
  addressed: ready,
  lacking: { IPv4: Math.max(0, ready - having.IPv4), IPv6: Math.max(0, ready - having.IPv6) },
});

/** Of four Services that were asked from two nodes all answer. */
export const servicePackets = (change: Partial<ServicePackets> = {}): ServicePackets => ({
  at: '2026-11-01T00:01:00.000Z',
  newest: '2026-11-01T00:00:09Z',
  from: ['worker-1', 'worker-2'],
  asked: 4,
  answered: 4,
  silent: [],
  failedInRow: 0,
  notAsked: null,
  ...change,
});

export const serviceFacts = (
  change: Partial<ServiceFacts> & { readonly namespace: string; readonly name: string },
): ServiceFacts => ({
  type: 'ClusterIP',
  policy: 'SingleStack',
  families: ['IPv4'],
  clusterIPs: (change.families ?? ['IPv4']).map((family) => (family === 'IPv6' ? 'fd00:10:96::1' : '10.96.0.1')),
  headless: false,
  selector: true,
  labels: {},
  resourceVersion: '100',
  annotations: {},
  owner: null,
  appliedBy: [],
  loadBalancerClass: '',
  loadBalancerIP: '',
  sourceRanges: [],
  selects: { app: change.name },
  externalTrafficPolicy: '',
  internalTrafficPolicy: 'Cluster',
  sessionAffinity: 'None',
  externalIPs: [],
  tcpPort: 80,
  changedAt: '',
  ...change,
});

export interface ClusterOptions {
  /** Default 1. */
  readonly controlPlanes?: number;
  /** Default 2. */
  readonly workers?: number;
  /** Everything that these facts show is converted. */
  readonly dual?: boolean;
  /** False: no agents, as the command line finds a cluster on which nothing was installed. */
  readonly agents?: boolean;
  readonly nodes?: readonly NodeFacts[];
}

export function basics(change: Partial<Basics> & { readonly nodes: readonly NodeFacts[] }): Basics {
  const staticPods = change.nodes
    .filter((node) => node.controlPlane)
    .flatMap(({ name }) =>
      ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map(
        (component) => `kube-system/${component}-${name}`,
      ),
    );
  return {
    kubernetesVersion: 'v1.36.3',
    groupVersions: ['v1', 'apps/v1', 'coordination.k8s.io/v1', 'networking.k8s.io/v1', 'crd.projectcalico.org/v1'],
    objects: {
      ConfigMap: ['calico-config', 'coredns', 'kube-proxy', 'kubeadm-config', 'kubelet-config'].map(inSystem),
      DaemonSet: ['calico-node', 'kube-proxy'].map(inSystem),
      Deployment: ['calico-kube-controllers', 'coredns'].map(inSystem),
      Pod: staticPods,
    },
    ...change,
  };
}

const inSystem = (name: string): string => `kube-system/${name}`;

/**
 * All facts of a cluster. `distribution.own` and `cni.own` are null: a test of a plug-in passes its own part to it directly, or gives it
 * in `change`.
 */
export function clusterFacts(options: ClusterOptions = {}, change: Partial<ClusterFacts> = {}): ClusterFacts {
  const dual = options.dual ?? false;
  const nodes = options.nodes ?? makeNodes(options);
  return {
    at: AT,
    basics: change.basics ?? basics({ nodes }),
    nodes,
    serviceCIDR: known(dual ? [SERVICES.IPv4, SERVICES.IPv6] : [SERVICES.IPv4]),
    services: known([
      serviceFacts({ namespace: 'default', name: 'kubernetes', selector: false }),
      serviceFacts({
        namespace: 'kube-system',
        name: 'kube-dns',
        clusterIPs: dual ? ['10.96.0.10', 'fd00:10:96::a'] : ['10.96.0.10'],
        families: dual ? ['IPv4', 'IPv6'] : ['IPv4'],
        policy: dual ? 'PreferDualStack' : 'SingleStack',
      }),
    ]),
    records: known({}),
    distribution: { name: 'Kubeadm', detectedBy: 'ConfigMap kube-system/kubeadm-config', own: null },
    cni: { name: 'Calico', detectedBy: 'DaemonSet kube-system/calico-node', own: null },
    coreDNS: known(coreDNSFacts()),
    workloads: known([]),
    leaseTransfer: true,
    ...change,
  };
}

function makeNodes(options: ClusterOptions): readonly NodeFacts[] {
  const controlPlanes = options.controlPlanes ?? 1;
  const total = controlPlanes + (options.workers ?? 2);
  return Array.from({ length: total }, (_, index) =>
    nodeFacts(index + 1, {
      controlPlane: index < controlPlanes,
      name: index < controlPlanes ? `cp-${index + 1}` : `worker-${index + 1 - controlPlanes}`,
      dual: options.dual ?? false,
      agent: options.agents ?? true,
    }),
  );
}

/** What is asked for: IPv4 → IPv4,IPv6 with the defaults of the API. */
export const wantedDual = (change?: Deep<Wanted>): Wanted =>
  merge<Wanted>(
    {
      direction: 'Forward',
      families: ['IPv4', 'IPv6'],
      pods: PODS,
      services: SERVICES,
      nodeMask: { IPv4: 24, IPv6: 64 },
      nodes: {
        nodeIP: 'Manage',
        gracePeriod: 300,
        remediation: 'Auto',
        podCIDRs: 'Keep',
        guard: 'None',
        maxUnavailable: 1,
      },
      serviceMigration: 'Selected',
      workloadRestart: 'None',
      tolerateUnavailable: 0,
      verification: 'Probes',
      options: {},
      restore: {},
    },
    change,
  );

/** The way back to IPv4 alone. */
export const wantedSingle = (change?: Deep<Wanted>): Wanted =>
  merge<Wanted>(
    {
      ...wantedDual(),
      direction: 'Back',
      families: ['IPv4'],
      pods: { IPv4: PODS.IPv4 },
      services: { IPv4: SERVICES.IPv4 },
      nodeMask: { IPv4: 24 },
    },
    change,
  );
