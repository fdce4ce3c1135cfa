import { coerce, lt } from 'semver';
import type { FindingReason } from '../../model/finding-reasons.ts';
import type { Network } from '../../model/networks.ts';
import { parseCidr } from '../../net/cidr.ts';
import type { Family, PerFamily } from '../../net/family.ts';

/** What KKP looks at of a Cluster's network. Null: not told. */
export interface Networks {
  readonly pods: readonly string[] | null;
  readonly services: readonly string[] | null;
  readonly nodeMask: PerFamily<number>;
  readonly canalVersion: string | null;
}

/** Why KKP would refuse it, and what it takes. */
interface Broken {
  readonly reason: FindingReason;
  readonly says: string;
  readonly remedy: string;
}

/** The rules of KKP's webhook (github.com/kubermatic/kubermatic, pkg/validation/cluster.go: `ValidateClusterNetworkConfig`). */
export const brokenRules = (networks: Networks): readonly Broken[] => [
  ...unequalCounts(networks),
  ...wrongOrder('pods', networks.pods),
  ...wrongOrder('services', networks.services),
  ...shortMasks(networks),
  ...oldCanal(networks),
];

function unequalCounts({ pods, services }: Networks): readonly Broken[] {
  if (pods === null || services === null || pods.length === services.length) return [];
  return [
    {
      reason: 'InconsistentControlPlane',
      says: `there are ${pods.length} pod networks (${pods.join(', ')}) and ${services.length} Service networks (${services.join(', ')}), and KKP wants as many of either`,
      remedy: 'Give pods and Services a network of each family.',
    },
  ];
}

const ORDER: readonly Family[] = ['IPv4', 'IPv6'];

function wrongOrder(field: Network, networks: readonly string[] | null): readonly Broken[] {
  const isRight = (networks ?? []).every((text, index) => {
    const cidr = parseCidr(text);
    return cidr.ok && cidr.value.family === ORDER[index];
  });
  if (isRight) return [];
  return [
    {
      reason: 'PrimaryFamilyMismatch',
      says: `${field}.cidrBlocks is ${(networks ?? []).join(', ')}, and KKP wants one IPv4 network, or an IPv4 and then an IPv6 one`,
      remedy: 'Ask for spec.ipFamilies: [IPv4] or [IPv4, IPv6].',
    },
  ];
}

/** The mask of a node must be longer than that of the pod network, not only as long (`validateNodeCIDRMaskSize`). */
function shortMasks({ pods, nodeMask }: Networks): readonly Broken[] {
  return (pods ?? []).flatMap((text): readonly Broken[] => {
    const cidr = parseCidr(text);
    if (!cidr.ok) return [];
    const { family, prefix } = cidr.value;
    const mask = nodeMask[family];
    if (mask === undefined || mask > prefix) return [];
    return [
      {
        reason: 'PrefixNotAllowed',
        says: `nodeCidrMaskSize${family} is ${mask}, and KKP wants it longer than the pod network ${text}`,
        remedy: `Choose spec.clusterNetwork.nodeCIDRMaskSize${family}: ${prefix + 1} or more, or a wider pod network.`,
      },
    ];
  });
}

/** docs.kubermatic.com, Dual-Stack Networking: in case of Canal the minimal supported version is 3.22. */
function oldCanal({ pods, canalVersion }: Networks): readonly Broken[] {
  const version = coerce(canalVersion);
  if ((pods ?? []).length < 2 || version === null || !lt(version, '3.22.0')) return [];
  return [
    {
      reason: 'UnsupportedVersion',
      says: `Canal is ${canalVersion ?? ''}, and KKP has dual-stack with Canal from 3.22 on`,
      remedy: 'Choose v3.22 or newer in spec.cniPlugin.version of the Cluster.',
    },
  ];
}
