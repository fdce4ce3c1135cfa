import type { AgentFacts, KubeRouterFacts } from '../../src/cni/kube-router/facts.ts';
import type { ClusterFacts, WorkloadFacts } from '../../src/model/facts.ts';
import { known } from '../../src/model/reader.ts';
import { SERVICES, workloadFacts } from './facts.ts';

/** As one of its manifests gives them, with the range of Services beside. */
export const KUBE_ROUTER_ARGS = [
  '--run-router=true',
  '--run-firewall=true',
  '--run-service-proxy=false',
  '--bgp-graceful-restart=true',
  `--service-cluster-ip-range=${SERVICES.IPv4}`,
  '--kubeconfig=/var/lib/kube-router/kubeconfig',
] as const;

export const KUBE_ROUTER_DUAL = [
  '--run-router=true',
  '--run-firewall=true',
  '--run-service-proxy=false',
  '--bgp-graceful-restart=true',
  `--service-cluster-ip-range=${SERVICES.IPv4},${SERVICES.IPv6}`,
  '--kubeconfig=/var/lib/kube-router/kubeconfig',
  '--enable-ipv6=true',
] as const;

export interface KubeRouterParts extends Partial<Omit<AgentFacts, 'workload'>> {
  readonly workload?: Partial<WorkloadFacts>;
}

export function kubeRouterFacts(facts: ClusterFacts, { workload, ...parts }: KubeRouterParts = {}): KubeRouterFacts {
  const names = facts.nodes.map((node) => node.name);
  return known({
    workload: { ...workloadFacts('kube-router', names), ...workload },
    container: 'kube-router',
    image: 'docker.io/cloudnativelabs/kube-router:v2.6.3',
    args: KUBE_ROUTER_ARGS,
    flagsInCommand: false,
    owner: null,
    ...parts,
  });
}
