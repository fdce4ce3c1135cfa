import type { NodeFacts } from '../model/facts.ts';
import type { HostAddress } from '../model/host.ts';
import type { NodeProof } from '../model/node-proof.ts';
import type { Family } from '../net/family.ts';

/** Why a node lacks a family: the whole list. */
export type Cause =
  | 'NoAddress'
  | 'LinkLocalOnly'
  | 'FamilyDisabled'
  | 'DuplicateAddressDetectionFailed'
  | 'LateAddress'
  | 'KubeletNodeIPSingleFamily'
  | 'CloudProviderDoesNotPublish'
  | 'CloudProviderPending'
  | 'CNILostPrimary'
  | 'CNIPending'
  | 'Unknown';

export interface Missing {
  readonly cause: Cause;
  /** What was seen, in a sentence. */
  readonly sentence: string;
  /** What to do. */
  readonly remedy: string;
  /** The operator may do that by itself. */
  readonly mayFix: boolean;
}

/**
 * Null: the node has the family. The first cause that the evidence bears out is told.
 * @param isNew True while the grace period of a new node lasts: then a cloud provider may still be at work.
 * @param proof What the CNI shows of the node; null: nothing, or it could not be read.
 */
export function whyMissing(
  node: NodeFacts,
  family: Family,
  isNew = false,
  proof: NodeProof | null = null,
): Missing | null {
  if (node.internalIPs.some((ip) => familyOf(ip) === family)) return null;
  const lost = proof === null ? lostPrimary(node, family) : lostByProof(proof);
  return lost ?? withoutAgent(node, family) ?? fromHost(node, family, isNew);
}

/** Why a node is not whole though it may have an address of each family: the CNI lost one, fails there, or has yet to prove itself on a guarded node. */
export function whyUnproven(proof: NodeProof | null, guarded: boolean): Missing | null {
  if (proof === null) return null;
  if (proof.is === 'Failing' || (proof.is === 'Pending' && guarded)) {
    return { cause: 'CNIPending', sentence: proof.evidence, remedy: proof.remedy, mayFix: false };
  }
  return lostByProof(proof);
}

/** The CNI took away the family that the node had; the Node stays Ready all the while. */
const lostByProof = ({ is, evidence, remedy }: NodeProof): Missing | null =>
  is === 'LostPrimary' ? { cause: 'CNILostPrimary', sentence: evidence, remedy, mayFix: false } : null;

/** Where the CNI gives no proofs: what Calico, whoever manages it, has left of its annotations. */
function lostPrimary(node: NodeFacts, family: Family): Missing | null {
  const lost =
    family === 'IPv6' &&
    node.internalIPs.some((ip) => familyOf(ip) === 'IPv4') &&
    Object.keys(node.annotations).some((key) => key.startsWith('projectcalico.org/')) &&
    !('projectcalico.org/IPv4Address' in node.annotations);
  if (!lost) return null;
  return {
    cause: 'CNILostPrimary',
    sentence: `calico-node on ${node.name} found no IPv6 address and has dropped the node's IPv4 address.`,
    remedy: `Give ${node.name} an IPv6 address; then delete its calico-node pod if it does not come back by itself.`,
    mayFix: false,
  };
}

function withoutAgent(node: NodeFacts, family: Family): Missing | null {
  if (node.agent?.report != null) return null;
  return {
    cause: 'Unknown',
    sentence: `No agent on ${node.name} tells which addresses its host has.`,
    remedy: `Look there with: ip -${family === 'IPv4' ? 4 : 6} address.`,
    mayFix: false,
  };
}

function fromHost(node: NodeFacts, family: Family, isNew: boolean): Missing | null {
  const report = node.agent?.report;
  if (report == null) return null;
  const disabled = family === 'IPv6' && report.network.ipv6Disabled;
  const own = report.addresses.filter((entry) => familyOf(entry.address) === family);
  const global = own.filter((entry) => entry.scope === 'Global' || entry.scope === 'UniqueLocal');
  const usable = global.filter((entry) => !entry.flags.some((flag) => flag === 'tentative' || flag === 'dadfailed'));

  if (disabled) {
    return {
      cause: 'FamilyDisabled',
      sentence: `IPv6 is switched off on ${node.name} (net.ipv6.conf.all.disable_ipv6=1).`,
      remedy: `Switch it on there: sysctl -w net.ipv6.conf.all.disable_ipv6=0, and take the setting out of sysctl.d.`,
      mayFix: false,
    };
  }
  if (global.some((entry) => entry.flags.includes('dadfailed')) && usable.length === 0) {
    return {
      cause: 'DuplicateAddressDetectionFailed',
      sentence: `Another host has the address ${global[0]?.address ?? ''} of ${node.name}: duplicate address detection failed.`,
      remedy: 'Give one of the two another address.',
      mayFix: false,
    };
  }
  if (usable.length > 0) return withAddress(node, family, usable, isNew);
  if (own.some((entry) => entry.scope === 'LinkLocal')) {
    return {
      cause: 'LinkLocalOnly',
      sentence: `${node.name} has only a link-local ${family} address, which a Node cannot use.`,
      remedy: 'See that the router sends advertisements or DHCPv6 answers, or set an address by hand.',
      mayFix: false,
    };
  }
  return {
    cause: 'NoAddress',
    sentence: `The host of ${node.name} has no ${family} address.`,
    remedy: `Give it one: in the cloud's network settings, by DHCP or router advertisement, or by hand.`,
    mayFix: false,
  };
}

/** The host has an address, and the Node does not say so. */
function withAddress(node: NodeFacts, family: Family, usable: readonly HostAddress[], isNew: boolean): Missing {
  const running = node.agent?.report?.kubelet.running;
  const nodeIP = running?.args['node-ip'] ?? '';
  const address = usable[0]?.address ?? '';
  if (running?.args['cloud-provider'] === 'external') {
    if (isNew) {
      return {
        cause: 'CloudProviderPending',
        sentence: `${node.name} has ${address}; its cloud controller manager has not published it yet.`,
        remedy: 'Wait a few minutes: it does so after a Node has joined.',
        mayFix: false,
      };
    }
    return {
      cause: 'CloudProviderDoesNotPublish',
      sentence: `${node.name} has ${address}, and its cloud controller manager does not publish it.`,
      remedy: 'Switch both families on in the cloud controller manager.',
      mayFix: false,
    };
  }
  if (nodeIP !== '' && !nodeIP.includes(',')) {
    return {
      cause: 'KubeletNodeIPSingleFamily',
      sentence: `${node.name} has ${address}, but its kubelet runs with --node-ip=${nodeIP}.`,
      remedy: `The kubelet needs --node-ip with an address of each family, and a restart.`,
      mayFix: true,
    };
  }
  const late = running != null && usable.every((entry) => Date.parse(entry.since) > Date.parse(running.startedAt));
  if (late) {
    return {
      cause: 'LateAddress',
      sentence: `${address} came to ${node.name} after its kubelet had started.`,
      remedy: `systemctl restart kubelet on ${node.name}, with --node-ip naming both addresses.`,
      mayFix: true,
    };
  }
  return {
    cause: 'KubeletNodeIPSingleFamily',
    sentence: `${node.name} has ${address}, but its kubelet runs without --node-ip and then reports one address only.`,
    remedy: `The kubelet needs --node-ip with an address of each family, and a restart.`,
    mayFix: true,
  };
}

const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');
