import type { HopName } from '../model/connectivity.ts';
import type { Family } from '../net/family.ts';
import { unreachable } from '../result.ts';

/** What to look at when packets are lost there. */
export function remedyOf(hop: HopName, family: Family | null, nodes: readonly string[]): string {
  const there = nodes.length === 0 ? 'a node' : nodes.length === 1 ? (nodes[0] ?? '') : 'those nodes';
  const [ip, sysctl] = family === 'IPv6' ? ['ip -6', 'net.ipv6.conf.all.forwarding'] : ['ip -4', 'net.ipv4.ip_forward'];
  const tables = family === 'IPv6' ? 'ip6tables-save' : 'iptables-save';
  switch (hop) {
    case 'NotRun':
      return 'Mend what the message names; the proof is tried again by itself.';
    case 'PodNotStarted':
      return 'See why: kubectl -n dualstack-system get events --sort-by=.lastTimestamp tells of image, network plug-in and kubelet.';
    case 'NoReport':
      return 'See the kubelet and the container runtime there; the pod ended, or did not end, without its results.';
    case 'PodWithoutAddress':
      return `See the network plug-in on ${there}: whether its pool or the Node's podCIDRs has ${family ?? 'that family'}, and whether its agent was restarted since.`;
    case 'WithinNode':
      return `On ${there} see the network plug-in's interface or bridge (${ip} address, ${ip} route), sysctl ${sysctl} and the firewall (${tables}, nft list ruleset).`;
    case 'BetweenNodes':
      return `See what carries ${family ?? 'packets'} between nodes: routes or tunnels of the network plug-in (${ip} route), sysctl ${sysctl}, and firewalls, security groups and source checks of the network that the nodes stand in.`;
    case 'Node':
    case 'FromNode':
    case 'ToNode':
      return `On ${there} see the routes to other nodes' pods (${ip} route), sysctl ${sysctl}, the firewall (${tables}, nft list ruleset), and whether the network plug-in's agent there is ready.`;
    case 'Pair':
      return `See the routes of both nodes to each other's pods (${ip} route get), and a firewall between them.`;
    case 'LargePackets':
      return 'See the MTU: that of pods must leave room for the encapsulation (IPv6 takes 20 bytes more than IPv4), and ICMPv6 "packet too big" must pass every firewall.';
    case 'HostToPod':
      return `On ${there} see the routes to pods and the firewall for packets of the host itself; kubelet probes and webhooks go this way.`;
    case 'ServiceWithoutAddress':
      return 'See kubectl get servicecidr and --service-cluster-ip-range of every kube-apiserver.';
    case 'Service':
    case 'HostToService':
      return `See kube-proxy on ${there} (its log, and whether it was started after the node got ${family ?? 'the family'}), or what the network plug-in has in its place.`;
    case 'NodePort':
      return `See kube-proxy on ${there}: --nodeport-addresses, and a firewall on node ports (${tables}).`;
    case 'DNSWithoutEndpoint':
      return 'Restart the DNS pods, so that they get an address of each family: kubectl -n kube-system rollout restart deployment coredns.';
    case 'DNSServer':
      return 'See kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns, the log of the DNS pods, and firewalls for UDP port 53.';
    case 'DNSRecord':
      return 'See the Corefile (kubectl -n kube-system get configmap coredns): its kubernetes plug-in must serve the zone, and no template or rewrite may drop AAAA.';
    default:
      return unreachable(hop);
  }
}
