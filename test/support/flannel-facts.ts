import type { ConfigFacts, FlannelAgentFacts, FlannelFacts } from '../../src/cni/flannel/facts.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import { known } from '../../src/model/reader.ts';
import { type ClusterOptions, clusterFacts, type Deep, hostIPv4, hostIPv6, merge, workloadFacts } from './facts.ts';

/** As flannel's manifest installs it. */
export const NET_CONF = `{
  "Network": "10.244.0.0/16",
  "EnableNFTables": false,
  "Backend": {
    "Type": "vxlan"
  }
}
`;

export const DUAL_NET_CONF = `{
  "Network": "10.244.0.0/16",
  "EnableIPv6": true,
  "IPv6Network": "fd00:10:244::/56",
  "EnableNFTables": false,
  "Backend": {
    "Type": "vxlan"
  }
}
`;

export const netConf = (backend: string): string => NET_CONF.replace('vxlan', backend);

export const FLANNEL_FLAGS = { 'ip-masq': ['true'], 'kube-subnet-mgr': ['true'] } as const;

export interface FlannelParts {
  readonly config?: Partial<ConfigFacts>;
  readonly agent?: Deep<FlannelAgentFacts>;
  readonly others?: readonly string[];
}

export function flannelFacts(facts: ClusterFacts, parts: FlannelParts = {}): FlannelFacts {
  const nodes = facts.nodes.map((node) => node.name);
  const agent: FlannelAgentFacts = {
    workload: { ...workloadFacts('kube-flannel-ds', nodes), namespace: 'kube-flannel' },
    image: 'ghcr.io/flannel-io/flannel:v0.28.4',
    flags: FLANNEL_FLAGS,
    readsConfig: true,
    owner: null,
  };
  return {
    namespace: 'kube-flannel',
    others: parts.others ?? [],
    config: known({
      text: NET_CONF,
      resourceVersion: '10',
      changedAt: '2026-11-01T12:00:00Z',
      untouched: true,
      ...parts.config,
    }),
    agent: known(merge<FlannelAgentFacts>(agent, parts.agent)),
  };
}

/** What flanneld with the backend vxlan writes to the n-th Node. */
export const publishedIPv4 = (n: number) => ({
  'flannel.alpha.coreos.com/backend-data': `{"VNI":1,"VtepMAC":"5a:f8:2b:00:04:0${n}"}`,
  'flannel.alpha.coreos.com/backend-type': 'vxlan',
  'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
  'flannel.alpha.coreos.com/public-ip': hostIPv4(n),
});

export const publishedIPv6 = (n: number) => ({
  'flannel.alpha.coreos.com/backend-v6-data': `{"VNI":1,"VtepMAC":"5a:f8:2b:00:06:0${n}"}`,
  'flannel.alpha.coreos.com/public-ipv6': hostIPv6(n),
});

/** A cluster with flannel. `podCIDRs`: Nodes have their second one; `published`: also what flanneld writes with both families. */
export function flannelCluster(
  options: ClusterOptions & { readonly podCIDRs?: boolean; readonly published?: boolean } = {},
): ClusterFacts {
  const facts = clusterFacts({ dual: true, ...options });
  const nodes = facts.nodes.map(
    (node, index): NodeFacts => ({
      ...node,
      podCIDRs: [`10.244.${index}.0/24`, ...(options.podCIDRs === false ? [] : [`fd00:10:244:${index}::/64`])],
      annotations: {
        ...publishedIPv4(index + 1),
        ...(options.published === true ? publishedIPv6(index + 1) : {}),
      },
    }),
  );
  return { ...facts, nodes, basics: { ...facts.basics, nodes } };
}
