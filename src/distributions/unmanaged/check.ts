import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { checkOutside, tellTwoPodCIDRs } from '../../model/held-pod-cidrs.ts';
import type { ObjectRef } from '../../model/object.ts';
import { fromPhase } from '../../model/phase.ts';
import type { Known } from '../../model/reader.ts';
import { remakeNode, RESTART_KUBELET } from '../../model/remake-node.ts';
import type { Wanted } from '../../model/wanted.ts';
import { parseAddress } from '../../net/address.ts';
import { contains, parseCidr } from '../../net/cidr.ts';
import { firstFamily, unseenManager } from './controller-manager.ts';
import type { UnmanagedFacts } from './facts.ts';
import { isBlind } from './network.ts';
import { proxyFlags, unseenProxy } from './proxy.ts';

export const check = (wanted: Wanted, facts: ClusterFacts, own: UnmanagedFacts): readonly Finding[] => [
  leftToUser,
  ...unreadable(wanted, own),
  ...unseen(wanted, facts, own),
  ...(wanted.direction === 'Forward'
    ? [
        // What is written in the spec must hold what there is: it may be the only source.
        ...checkOutside(wanted, facts.nodes, fromPhase('NodeIPs', 'Forward'), liveNetwork),
        ...podCIDROrder(wanted, facts),
        ...servicesOutside(wanted, facts),
      ]
    : tellTwoPodCIDRs(
        facts.nodes.filter(({ podCIDRs }) => podCIDRs.length > 1),
        wanted.direction,
        RESTART_KUBELET,
      )),
];

const liveNetwork = (podCIDR: string): string =>
  `Write the live network, which holds ${podCIDR}, in spec.clusterNetwork.pods.cidrBlocks`;

const leftToUser: Finding = {
  reason: 'Unmanaged',
  object: null,
  message:
    'The distribution was not recognised, or spec.distribution is Unmanaged: how its components are started is not known, so each of them is a step of yours, with the flags that it needs.',
  remedy: 'Follow the steps of the plan, or set spec.distribution if it is a known one.',
  blocks: [],
};

function unreadable(wanted: Wanted, own: UnmanagedFacts): readonly Finding[] {
  const parts: readonly (readonly [string, Known<unknown>])[] = [
    ['Pods of kube-apiserver', own.apiServerPods],
    ['Pods of kube-controller-manager', own.managerPods],
    ['Leases of the API servers', own.apiServers],
    ['ServiceCIDR kubernetes', own.serviceCIDR],
    ['DaemonSet kube-system/kube-proxy', own.proxy],
  ];
  const findings = parts.flatMap(([what, part]): readonly Finding[] =>
    part.known
      ? []
      : [
          {
            reason: 'ComponentUnreadable',
            object: null,
            message: `${what} cannot be read, so what the control plane runs with cannot be told: ${part.why}.`,
            remedy: 'Give the rights that the ClusterRole of the operator names, and see that the API server answers.',
            blocks: fromPhase('NodeIPs', wanted.direction),
          },
        ],
  );
  if (findings.length > 0 || !isBlind(own)) return findings;
  return [
    {
      reason: 'ComponentUnreadable',
      object: null,
      message:
        'Nothing in the API shows an API server of this cluster: no Pod of kube-apiserver in kube-system, no Lease of one, and no ServiceCIDR kubernetes.',
      remedy:
        'Before Kubernetes 1.26 that is so where they run as processes: follow the steps by hand. Else see kubectl get leases -n kube-system -l apiserver.kubernetes.io/identity=kube-apiserver.',
      blocks: fromPhase('NodeIPs', wanted.direction),
    },
  ];
}

/** What no step can watch for is said all the same. */
function unseen(wanted: Wanted, facts: ClusterFacts, own: UnmanagedFacts): readonly Finding[] {
  const proxy = unseenProxy(own);
  const manager = unseenManager(wanted, facts, own);
  return [
    ...(proxy === null
      ? []
      : [
          {
            reason: 'KubeProxyMissing' as const,
            object: null,
            message: `Nothing shows which pod networks kube-proxy has: ${proxy}. Whether its rules are right is shown by the proof with packets alone.`,
            remedy: `Where kube-proxy runs, start it with ${proxyFlags(wanted, facts)}, or clusterCIDR in its configuration file; where the network plug-in does its work, nothing is to be done.`,
            blocks: [],
          },
        ]),
    ...(manager === null
      ? []
      : [
          {
            reason: 'ComponentUnreadable' as const,
            object: null,
            message:
              'Nothing shows the flags of kube-controller-manager, so whether it is back to one family cannot be told.',
            remedy: `On every host with one, when every Node has one pod CIDR: ${manager}, in one restart.`,
            blocks: [],
          },
        ]),
  ];
}

function podCIDROrder({ families }: Wanted, { nodes }: ClusterFacts): readonly Finding[] {
  const other = nodes.find((node) => firstFamily(node) !== null && firstFamily(node) !== families[0]);
  if (other === undefined) return [];
  return [
    {
      reason: 'InconsistentControlPlane',
      object: nodeRef(other),
      message: `The podCIDRs of Node ${other.name} begin with ${firstFamily(other) ?? ''}, but the primary family is ${families[0] ?? ''}: kube-controller-manager holds the first of them against its first network, and would not start.`,
      remedy: `Make Node ${other.name} anew: ${remakeNode(other.name, 'None', RESTART_KUBELET)}.`,
      blocks: fromPhase('APIServer', 'Forward'),
    },
  ];
}

function servicesOutside(wanted: Wanted, { services }: ClusterFacts): readonly Finding[] {
  if (!services.known) return [];
  for (const service of services.value) {
    for (const ip of service.clusterIPs) {
      const address = parseAddress(ip);
      if (!address.ok) continue;
      const network = parseCidr(wanted.services[address.value.family] ?? '');
      if (!network.ok || contains(network.value, address.value)) continue;
      return [
        {
          reason: 'ServiceCIDRMismatch',
          object: { apiVersion: 'v1', kind: 'Service', namespace: service.namespace, name: service.name },
          message: `Service ${service.namespace}/${service.name} has address ${ip}, which is not in the Service network ${network.value.text}: an API server with that network would not keep it.`,
          remedy: `Write the live network, which holds ${ip}, in spec.clusterNetwork.services.cidrBlocks.`,
          blocks: fromPhase('NodeIPs', 'Forward'),
        },
      ];
    }
  }
  return [];
}

const nodeRef = ({ name }: NodeFacts): ObjectRef => ({ apiVersion: 'v1', kind: 'Node', name });
