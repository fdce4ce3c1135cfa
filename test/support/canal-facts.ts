import type { AgentFacts, CanalFacts, ConfigFacts } from '../../src/cni/canal/facts.ts';
import type { ClusterFacts } from '../../src/model/facts.ts';
import { known } from '../../src/model/reader.ts';
import { type Deep, merge, workloadFacts } from './facts.ts';

/** As Canal's manifest installs them. */
export const CANAL_NET_CONF = `{
  "Network": "10.244.0.0/16",
  "Backend": {
    "Type": "vxlan"
  }
}
`;

export const CANAL_NETWORK = `{
  "name": "k8s-pod-network",
  "cniVersion": "1.0.0",
  "plugins": [
    {
      "type": "calico",
      "nodename": "__KUBERNETES_NODE_NAME__",
      "mtu": __CNI_MTU__,
      "ipam": {
          "type": "host-local",
          "subnet": "usePodCidr"
      },
      "policy": {
          "type": "k8s"
      }
    },
    {
      "type": "portmap",
      "snat": true,
      "capabilities": {"portMappings": true}
    }
  ]
}`;

export const CANAL_DUAL_NET_CONF = `{
  "Network": "10.244.0.0/16",
  "EnableIPv6": true,
  "IPv6Network": "fd00:10:244::/56",
  "Backend": {
    "Type": "vxlan"
  }
}
`;

export const CANAL_DUAL_NETWORK = CANAL_NETWORK.replace(
  '"subnet": "usePodCidr"',
  '"ranges": [[{"subnet": "usePodCidr"}], [{"subnet": "usePodCidrIPv6"}]]',
);

export interface CanalParts {
  readonly config?: Partial<ConfigFacts>;
  readonly agent?: Deep<AgentFacts>;
}

export function canalFacts(facts: ClusterFacts, { config, agent }: CanalParts = {}): CanalFacts {
  const names = facts.nodes.map((node) => node.name);
  const base: AgentFacts = {
    workload: workloadFacts('canal', names),
    images: { felix: 'quay.io/calico/node:v3.31.7', flannel: 'docker.io/flannel/flannel:v0.24.4' },
    env: { FELIX_IPV6SUPPORT: { is: 'Value', value: 'false' } },
    flags: { 'ip-masq': ['true'], 'kube-subnet-mgr': ['true'] },
    readsConfig: true,
    owner: null,
  };
  return {
    config: known({
      flannel: CANAL_NET_CONF,
      network: CANAL_NETWORK,
      resourceVersion: '10',
      changedAt: '2026-11-01T12:00:00Z',
      untouched: true,
      ...config,
    }),
    agent: known(merge<AgentFacts>(base, agent)),
  };
}
