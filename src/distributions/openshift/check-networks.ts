import type { Finding } from '../../model/finding.ts';
import { fromPhase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { type Cidr, overlaps, parseCidr } from '../../net/cidr.ts';
import { NETWORK, type NetworkFacts } from './facts.ts';

/** What OVN-Kubernetes keeps for itself unless it is told otherwise: join switches, transit switches, masquerade. */
const INTERNAL = ['fd98::/64', 'fd97::/64', 'fd69::/112', '100.64.0.0/16', '100.88.0.0/16', '169.254.0.0/17'];

const PODS = 'spec.clusterNetwork.pods.cidrBlocks';
const SERVICES = 'spec.clusterNetwork.services.cidrBlocks';

/** What is asked for by the rules of OpenShift, which checks some of it when a cluster is installed and not when it is converted. */
export const checkNetworks = (wanted: Wanted, live: NetworkFacts): readonly Finding[] =>
  wanted.families
    .slice(1)
    .flatMap((family) => [
      ...checkHostPrefix(wanted, wanted.pods[family], wanted.nodeMask[family]),
      ...checkServicePrefix(wanted, wanted.services[family]),
      ...checkInternal(wanted, PODS, wanted.pods[family]),
      ...checkInternal(wanted, SERVICES, wanted.services[family]),
      ...checkOthers(wanted, live, wanted.pods[family]),
    ]);

const refused = ({ direction }: Wanted, reason: Finding['reason'], message: string, remedy: string): Finding => ({
  reason,
  object: NETWORK,
  message,
  remedy,
  blocks: fromPhase('NodeIPs', direction),
});

/** openshift/installer, pkg/types/validation/installconfig.go: `validateClusterNetwork`. */
function checkHostPrefix(wanted: Wanted, pods: string | undefined, mask: number | undefined): readonly Finding[] {
  const cidr = parseCidr(pods ?? '');
  if (!cidr.ok || cidr.value.family !== 'IPv6') return [];
  if (mask === 64 && cidr.value.prefix <= 64) return [];
  return [
    refused(
      wanted,
      'PrefixNotAllowed',
      `hostPrefix for the pod network ${cidr.value.text} would be ${mask ?? 'unset'}; OpenShift gives each node a /64.`,
      `Choose a pod network of /48 to /62 in ${PODS}, and spec.clusterNetwork.nodeCIDRMaskSizeIPv6: 64.`,
    ),
  ];
}

/** The same file: `validateServiceNetwork`. */
function checkServicePrefix(wanted: Wanted, services: string | undefined): readonly Finding[] {
  const cidr = parseCidr(services ?? '');
  if (!cidr.ok || cidr.value.family !== 'IPv6' || cidr.value.prefix === 112) return [];
  return [
    refused(
      wanted,
      'PrefixNotAllowed',
      `The Service network ${cidr.value.text} is not a /112, which is what OpenShift asks for with IPv6.`,
      `Choose a /112 in ${SERVICES}.`,
    ),
  ];
}

function checkInternal(wanted: Wanted, field: string, text: string | undefined): readonly Finding[] {
  const cidr = parseCidr(text ?? '');
  const hit = cidr.ok ? INTERNAL.find((network) => overlap(network, cidr.value)) : undefined;
  if (hit === undefined) return [];
  return [
    refused(
      wanted,
      'CIDROverlap',
      `${text ?? ''} overlaps ${hit}, which OVN-Kubernetes keeps for itself.`,
      `Choose another network in ${field}.`,
    ),
  ];
}

/** Pod networks beyond the first of a family, which nobody else here knows of. */
function checkOthers(wanted: Wanted, { spec }: NetworkFacts, text: string | undefined): readonly Finding[] {
  const cidr = parseCidr(text ?? '');
  const hit = cidr.ok
    ? spec.clusterNetwork.find((entry) => entry.cidr !== text && overlap(entry.cidr, cidr.value))
    : undefined;
  if (hit === undefined) return [];
  return [
    refused(
      wanted,
      'CIDROverlap',
      `${text ?? ''} overlaps ${hit.cidr}, which is in clusterNetwork of Network cluster.`,
      `Choose another network in ${PODS}.`,
    ),
  ];
}

function overlap(text: string, cidr: Cidr): boolean {
  const other = parseCidr(text);
  return other.ok && overlaps(other.value, cidr);
}
