import type { CalicoFacts, CalicoNodeFacts, ConfigFacts, Pool } from '../../src/cni/calico/facts.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import { known } from '../../src/model/reader.ts';
import {
  type ClusterOptions,
  clusterFacts,
  type Deep,
  hostIPv4,
  hostIPv6,
  merge,
  PODS,
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

/** A cluster whose Nodes carry what calico-node writes to them; `proven`: also IPv6. */
export function calicoCluster(options: ClusterOptions & { readonly proven?: boolean } = {}): ClusterFacts {
  const facts = clusterFacts(options);
  const nodes = facts.nodes.map(
    (node, index): NodeFacts => ({
      ...node,
      annotations: {
        'projectcalico.org/IPv4Address': `${hostIPv4(index + 1)}/24`,
        ...(options.proven === true ? { 'projectcalico.org/IPv6Address': `${hostIPv6(index + 1)}/64` } : {}),
      },
    }),
  );
  return { ...facts, nodes, basics: { ...facts.basics, nodes } };
}
