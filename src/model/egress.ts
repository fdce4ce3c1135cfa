import { addressOf } from '../net/address.ts';
import { contains, parseCidr } from '../net/cidr.ts';
import { isIPv6 } from '../net/family.ts';
import { classOf } from '../net/special.ts';
import type { ClusterFacts } from './facts.ts';
import type { Finding } from './finding.ts';
import type { ObjectRef } from './object.ts';
import type { Wanted } from './wanted.ts';

/**
 * DaemonSet `kube-system/ip-masq-agent` as far as IPv6 goes (`cmd/ip-masq-agent/ip-masq-agent.go` in kubernetes-sigs/ip-masq-agent): it gives all that
 * leaves for elsewhere than its `nonMasqueradeCIDRs` the address of the node.
 */
export interface MasqueradeAgentFacts {
  /** It was given `--enable-ipv6`. Without that it refuses a configuration that names an IPv6 network. */
  readonly ipv6: boolean;
  readonly nonMasqueradeCIDRs: readonly string[];
}

export const MASQUERADE_AGENT: ObjectRef = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: 'kube-system',
  name: 'ip-masq-agent',
};

/** Whether the network plug-in gives IPv6 packets that leave the cluster the address of their node. */
export interface EgressNAT {
  readonly isOn: boolean;
  readonly object: ObjectRef | null;
  /** The setting that is off, as a clause: `natOutgoing of IPPool pods is false`. */
  readonly off: string;
  /** How it is switched on, without a full stop. */
  readonly remedy: string;
}

/**
 * Private IPv6 addresses (fc00::/7) are routed nowhere in the Internet, so pods that have them get no answers from outside unless something
 * translates. Nobody needs that who has no such pods, or nothing outside that they call: a warning.
 */
export function checkEgress(
  { direction, families, pods }: Wanted,
  facts: ClusterFacts,
  nat: EgressNAT,
): readonly Finding[] {
  const network = pods.IPv6;
  if (direction === 'Back' || !families.includes('IPv6') || network === undefined || !isUniqueLocal(network)) return [];
  const agent = facts.masqueradeAgent?.known === true ? facts.masqueradeAgent.value : null;
  if (agent === null) return nat.isOn ? [] : [missing(network, nat, '')];
  const spared = agent.nonMasqueradeCIDRs.some((text) => holds(text, network));
  if (agent.ipv6) return spared ? [] : [everywhere(network)];
  const named = agent.nonMasqueradeCIDRs.find(isIPv6);
  return [
    ...(named === undefined ? [] : [refusing(named)]),
    ...(nat.isOn ? [] : [missing(network, nat, agentRemedy(network))]),
  ];
}

const missing = (network: string, { object, off, remedy }: EgressNAT, otherwise: string): Finding => ({
  reason: 'EgressNAT',
  object,
  message: `Pods get private IPv6 addresses of ${network}, and ${off}: what they send out of the cluster over IPv6 bears an address that nobody answers.`,
  remedy: `${remedy}${otherwise}; nothing where a router outside translates, or pods call nothing outside over IPv6.`,
  blocks: [],
});

const agentRemedy = (network: string): string =>
  `; or let ip-masq-agent do it: its argument --enable-ipv6, and ${network} among the nonMasqueradeCIDRs of its ConfigMap`;

const refusing = (named: string): Finding => ({
  reason: 'EgressNAT',
  object: MASQUERADE_AGENT,
  message: `ip-masq-agent runs without --enable-ipv6 and its nonMasqueradeCIDRs name ${named}: it refuses that configuration, and with it what changed for IPv4.`,
  remedy: 'Add --enable-ipv6 to its arguments, or take the IPv6 networks out of ConfigMap kube-system/ip-masq-agent.',
  blocks: [],
});

const everywhere = (network: string): Finding => ({
  reason: 'EgressNAT',
  object: MASQUERADE_AGENT,
  message: `ip-masq-agent has --enable-ipv6 and its nonMasqueradeCIDRs do not hold the pod network ${network}: pods would see the addresses of nodes in place of each other's.`,
  remedy: `Add ${network} to nonMasqueradeCIDRs: kubectl -n kube-system edit configmap ip-masq-agent`,
  blocks: [],
});

/** True for networks of RFC 4193, which nobody routes in the Internet. */
export function isUniqueLocal(network: string): boolean {
  const cidr = parseCidr(network);
  return cidr.ok && classOf(addressOf(cidr.value.family, cidr.value.first)) === 'UniqueLocal';
}

function holds(outer: string, inner: string): boolean {
  const [a, b] = [parseCidr(outer), parseCidr(inner)];
  return a.ok && b.ok && contains(a.value, b.value);
}
