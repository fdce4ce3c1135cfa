import type { CalicoFacts, CalicoNodeFacts, ConfigFacts, Pool } from '../../src/cni/calico/facts.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import { known } from '../../src/model/reader.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import type { Family } from '../../src/net/family.ts';
import {
  type ClusterOptions,
  clusterFacts,
  type Deep,
  hostIPv4,
  hostIPv6,
  merge,
  PODS,
  SERVICES,
  wantedDual,
  workloadFacts,
} from './facts.ts';

/** Calico as its manifest installs it: the configuration is a template, not JSON. */
export const NETWORK_CONFIG = `{
  "name": "k8s-pod-network",
  "cniVersion": "1.0.0",
  "plugins": [
    {
      "type": "calico",
      "nodename": "__KUBERNETES_NODE_NAME__",
      "mtu": __CNI_MTU__,
      "ipam": {
          "type": "calico-ipam"
      },
      "policy": {"type": "k8s"}
    },
    {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}}
  ]
}`;

export const DUAL_NETWORK_CONFIG = NETWORK_CONFIG.replace(
  '"type": "calico-ipam"\n',
  '"type": "calico-ipam",\n          "assign_ipv6": "true"\n',
);

/** Calico for IPv6 alone, as its documentation sets it up. */
export const IPV6_NETWORK_CONFIG = NETWORK_CONFIG.replace(
  '"type": "calico-ipam"\n',
  '"type": "calico-ipam",\n          "assign_ipv4": "false",\n          "assign_ipv6": "true"\n',
);

export const ipv4Pool = (change: Partial<Pool> = {}): Pool => ({
  name: 'default-ipv4-ippool',
  resourceVersion: '10',
  family: 'IPv4',
  cidr: PODS.IPv4,
  blockSize: 26,
  ipipMode: 'Always',
  vxlanMode: 'Never',
  natOutgoing: true,
  nodeSelector: 'all()',
  disabled: false,
  allocatable: null,
  ...change,
});

export const ipv6Pool = (change: Partial<Pool> = {}): Pool => ({
  ...ipv4Pool({
    name: 'default-ipv6-ippool',
    family: 'IPv6',
    cidr: PODS.IPv6,
    blockSize: 122,
    ipipMode: 'Never',
    natOutgoing: false,
  }),
  ...change,
});

export const DUAL_ENV = {
  IP6: { is: 'Value', value: 'autodetect' },
  IP6_AUTODETECTION_METHOD: { is: 'Value', value: 'kubernetes-internal-ip' },
  FELIX_IPV6SUPPORT: { is: 'Value', value: 'true' },
} as const;

export const IPV6_ENV = {
  IP: { is: 'Value', value: 'none' },
  IP6: { is: 'Value', value: 'autodetect' },
  CALICO_ROUTER_ID: { is: 'Value', value: 'hash' },
  FELIX_IPV6SUPPORT: { is: 'Value', value: 'true' },
} as const;

/** What of Calico differs in a cluster of IPv6 alone. */
export const ipv6Parts = (parts: CalicoParts = {}): CalicoParts => ({
  config: { text: IPV6_NETWORK_CONFIG, ...parts.config },
  agent: merge<Deep<CalicoNodeFacts>>({ env: IPV6_ENV }, parts.agent),
  pools: parts.pools ?? [ipv6Pool()],
});

export const configFacts = (change: Partial<ConfigFacts> = {}): ConfigFacts => ({
  backend: 'bird',
  text: NETWORK_CONFIG,
  changedAt: '2026-11-01T12:00:00Z',
  ...change,
});

export const calicoNodeFacts = (facts: ClusterFacts, change?: Deep<CalicoNodeFacts>): CalicoNodeFacts =>
  merge<CalicoNodeFacts>(
    {
      workload: workloadFacts(
        'calico-node',
        facts.nodes.map((node) => node.name),
      ),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      env: {
        IP: { is: 'Value', value: 'autodetect' },
        FELIX_IPV6SUPPORT: { is: 'Value', value: 'false' },
      },
      image: 'quay.io/calico/node:v3.31.7',
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      owner: null,
      configSource: 'ConfigMap',
    },
    change,
  );

export interface CalicoParts {
  readonly config?: Partial<ConfigFacts>;
  readonly agent?: Deep<CalicoNodeFacts>;
  readonly pools?: readonly Pool[];
}

export const calicoFacts = (facts: ClusterFacts, parts: CalicoParts = {}): CalicoFacts => ({
  config: known(configFacts(parts.config)),
  agent: known(calicoNodeFacts(facts, parts.agent)),
  pools: known({ apiVersion: 'crd.projectcalico.org/v1', pools: parts.pools ?? [ipv4Pool()] }),
  migrating: known(false),
  bpf: known(false),
});

export interface CalicoClusterOptions extends ClusterOptions {
  /** Its Nodes carry what calico-node writes of the second family as well. */
  readonly proven?: boolean;
  /** Default IPv4. */
  readonly primary?: Family;
}

/** A cluster whose Nodes carry what calico-node writes to them. */
export function calicoCluster(options: CalicoClusterOptions = {}): ClusterFacts {
  const facts = clusterFacts(options);
  const families: readonly Family[] = options.primary === 'IPv6' ? ['IPv6', 'IPv4'] : ['IPv4', 'IPv6'];
  const nodes = facts.nodes.map((node, index): NodeFacts => {
    const host = { IPv4: hostIPv4(index + 1), IPv6: hostIPv6(index + 1) };
    const proven = families.slice(0, options.proven === true ? 2 : 1);
    return {
      ...node,
      ...(options.primary === 'IPv6'
        ? { internalIPs: families.slice(0, options.dual === true ? 2 : 1).map((family) => host[family]) }
        : {}),
      annotations: Object.fromEntries(
        proven.map((family) => [
          `projectcalico.org/${family}Address`,
          family === 'IPv4' ? `${host.IPv4}/24` : `${host.IPv6}/64`,
        ]),
      ),
    };
  });
  return { ...facts, nodes, basics: { ...facts.basics, nodes } };
}

/** IPv4 is asked for beside IPv6. */
export const wantedIPv6First = (change?: Deep<Wanted>): Wanted =>
  merge<Wanted>(wantedDual({ families: ['IPv6', 'IPv4'] }), change);

/** The way back to IPv6 alone. */
export const wantedIPv6 = (change?: Deep<Wanted>): Wanted =>
  merge<Wanted>(
    {
      ...wantedDual(),
      direction: 'Back',
      families: ['IPv6'],
      pods: { IPv6: PODS.IPv6 },
      services: { IPv6: SERVICES.IPv6 },
      nodeMask: { IPv6: 64 },
    },
    change,
  );
