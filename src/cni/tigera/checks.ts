import { checkEgress, isUniqueLocal } from '../../model/egress.ts';
import type { ClusterFacts } from '../../model/facts.ts';
import { type Finding, finding, notInstalled, unreadable } from '../../model/finding.ts';
import { asString, at, refText } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { contains, parseCidr } from '../../net/cidr.ts';
import { FAMILIES, type Family } from '../../net/family.ts';
import { INSTALLATION, networkOf, networksOf, poolsOf, type TigeraFacts } from './facts.ts';

/**
 * Nodes and control plane come first: the operator wants pools inside kubeadm's pod networks, and its calico-node would take down IPv4
 * on a Node without an IPv6 address.
 */
const CALICO_PHASES: readonly Phase[] = ['Pools', 'CNIConfig', 'CNIAgents'];

export function check(wanted: Wanted, facts: ClusterFacts, own: TigeraFacts): readonly Finding[] {
  if (wanted.direction === 'Forward' && wanted.families.length === 1) return [];
  return [...checkPools(wanted, own), ...checkNAT(wanted, facts, own)];
}

/**
 * Forward: each family has a pool in the network that is asked for; there may be more. Back: none is left of a family that leaves.
 */
export function isAsWanted(wanted: Wanted, own: TigeraFacts): boolean {
  if (wanted.direction === 'Back') return networksOf(own).every(({ family }) => wanted.families.includes(family));
  return wanted.families.every((family) => hasPool(wanted, own, family));
}

function hasPool({ pods }: Wanted, own: TigeraFacts, family: Family): boolean {
  const asked = parseCidr(pods[family] ?? '');
  return !asked.ok || networksOf(own).some((network) => contains(asked.value, network));
}

/** A pool has it unless it is told otherwise; the one that is asked for below is made with it where pods need it. */
function checkNAT(wanted: Wanted, facts: ClusterFacts, own: TigeraFacts): readonly Finding[] {
  const isOff = poolsOf(own).some(
    (pool) => networkOf(pool)?.text === wanted.pods.IPv6 && at(pool, 'natOutgoing') === 'Disabled',
  );
  return checkEgress(wanted, facts, {
    isOn: !isOff,
    object: INSTALLATION,
    off: 'natOutgoing of its pool is Disabled',
    remedy: 'Write natOutgoing: Enabled for it in spec.calicoNetwork.ipPools',
  });
}

function checkPools(wanted: Wanted, own: TigeraFacts): readonly Finding[] {
  const { installation } = own;
  if (!installation.known) return [unreadable(INSTALLATION, installation.why, CALICO_PHASES)];
  if (installation.value === null) {
    return [notInstalled(INSTALLATION, 'the tigera operator keeps Calico', CALICO_PHASES)];
  }
  if (isAsWanted(wanted, own)) return [];
  const live = networksOf(own);
  const [first] = wanted.families;
  if (wanted.direction === 'Forward' && first !== undefined && !live.some(({ family }) => family === first)) {
    return [unnamedPools(first)];
  }
  return [
    finding('AnotherOwner', INSTALLATION, CALICO_PHASES, {
      message: `Calico is kept by the tigera operator, which undoes changes to what it owns; its Installation has the pools ${live.map(({ text }) => text).join(', ')}`,
      remedy: wanted.direction === 'Forward' ? forwardRemedy(wanted, own) : backRemedy(wanted, own),
    }),
  ];
}

/** What form the live pools have cannot be told then, and a patch of the list that leaves them out would bring others beside them, or take them away. */
const unnamedPools = (family: Family): Finding =>
  finding('CNIConfigUnsupported', INSTALLATION, CALICO_PHASES, {
    message: `${refText(INSTALLATION)} names no ${family} pool in spec.calicoNetwork.ipPools, so the pools that pods have their addresses from are kept elsewhere, or not written there yet`,
    remedy: `Write the ${family} pool there exactly as kubectl get ippools -o yaml shows it (name, cidr, blockSize, encapsulation, natOutgoing, nodeSelector): the tigera operator then takes it over, and the patch for the other family is told. Where pools shall stay out of the Installation, make the other one by hand, and set spec.cni: Unmanaged.`,
  });

/** The list of pools is replaced as a whole, so the patch repeats those that are there. */
function forwardRemedy(wanted: Wanted, own: TigeraFacts): string {
  const existing = poolsOf(own);
  const second = wanted.families[1] ?? 'IPv6';
  const added = wanted.families.flatMap((family) => {
    const cidr = wanted.pods[family];
    return cidr === undefined || hasPool(wanted, own, family) ? [] : [newPool(family, cidr, existing)];
  });
  const patch = {
    ipPools: [...existing, ...added],
    [autodetectionOf(second)]: { kubernetes: 'NodeInternalIP' },
  };
  return `When every Node has an ${second} InternalIP: ${patchCommand(patch)}`;
}

/**
 * As the other pools of its family are. The first of a family: IPIP carries no IPv6; a cluster that encapsulates some other way keeps doing so. Private addresses
 * get nowhere without NAT.
 */
function newPool(family: Family, cidr: string, existing: readonly unknown[]): unknown {
  const sibling = existing.find((pool) => networkOf(pool)?.family === family);
  if (sibling !== undefined) {
    const form = ['blockSize', 'encapsulation', 'natOutgoing', 'nodeSelector'].map((key) => [key, at(sibling, key)]);
    return { cidr, ...Object.fromEntries(form) };
  }
  const encapsulations = existing.map((pool) => asString(at(pool, 'encapsulation')) ?? 'IPIP');
  const vxlan = encapsulations.find((each) => each.startsWith('VXLAN'));
  const natOutgoing = family === 'IPv4' || isUniqueLocal(cidr) ? 'Enabled' : 'Disabled';
  return { cidr, encapsulation: vxlan ?? 'None', natOutgoing, nodeSelector: 'all()' };
}

/** With the pool its autodetection goes: a node that comes later without that family would not start calico-node. */
function backRemedy({ families }: Wanted, own: TigeraFacts): string {
  const leaving = FAMILIES.filter((family) => !families.includes(family));
  const left = poolsOf(own).filter((pool) => !leaving.some((family) => networkOf(pool)?.family === family));
  const detection = leaving.map((family) => [autodetectionOf(family), null] as const);
  return `So that spec.calicoNetwork.ipPools has pools of ${families.join(' and ')} alone: ${patchCommand({ ipPools: left, ...Object.fromEntries(detection) })}`;
}

const autodetectionOf = (family: Family): string => `nodeAddressAutodetectionV${family === 'IPv4' ? 4 : 6}`;

const patchCommand = (calicoNetwork: object): string =>
  `kubectl patch installation default --type=merge -p '${JSON.stringify({ spec: { calicoNetwork } })}'`;
