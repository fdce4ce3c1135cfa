import type { NodeFacts } from '../model/facts.ts';
import type { HostReport } from '../model/host.ts';
import { bestOnHost, familyOf, goneAddress } from '../model/node-address.ts';
import { type Family, hasFamily, isOfFamily } from '../net/family.ts';
import { pairOf, setNodeIP, WAIT } from './from-kubelet.ts';
import { correctionOf } from './correction.ts';
import { type Regime, regimeOf } from './regime.ts';
import { HEALS, ipCommand, type Known, NETWORK_IS_YOURS, type Outlook, splitRemedy, type Told } from './told.ts';

/** Why a node that has every wanted family is not whole all the same; null: it is. */
export function ofDual(node: NodeFacts, outlook: Outlook, known: Omit<Known, 'since'>): Told | null {
  if (outlook.families.length < 2) return null;
  return (
    unproven(known) ?? gone(node, outlook) ?? order(node, outlook) ?? podCIDR(node, outlook) ?? hostPods(node, outlook)
  );
}

function unproven({ proof, guarded }: Omit<Known, 'since'>): Told | null {
  const isFailing = proof?.is === 'Failing';
  if (proof === null || !(isFailing || (proof.is === 'Pending' && guarded))) return null;
  return {
    cause: 'CNIPending',
    family: null,
    sentence: proof.evidence,
    evidence: [],
    fix: { ...splitRemedy(proof.remedy), where: 'Cluster' },
    by: {
      why: isFailing
        ? 'Why the network plug-in fails there is for people to find out.'
        : 'It is kept free of pods until the network plug-in has proven both families.',
    },
  };
}

/** The Node shows an address that its host no longer has: renumbered, or taken away. The kubelet keeps showing it. */
function gone(node: NodeFacts, outlook: Outlook): Told | null {
  const report = node.agent?.report;
  if (report == null) return null;
  const regime = regimeOf(node);
  // Addresses that a cloud provider wrote need not be on an interface of the host.
  if (regime.is === 'Cloud' || regime.is === 'NotRunning' || regime.is === 'NotSeen') return null;
  for (const family of outlook.families) {
    const stale = goneAddress(node, family);
    if (stale !== null) return goneOf({ node, report, regime, family, stale }, outlook);
  }
  return null;
}

interface GoneCase {
  readonly node: NodeFacts;
  readonly report: HostReport;
  readonly regime: Regime;
  readonly family: Family;
  /** What the Node shows. */
  readonly stale: string;
}

function goneOf({ node, report, regime, family, stale }: GoneCase, outlook: Outlook): Told {
  const now = report.addresses.filter(({ address, scope }) => scope !== 'LinkLocal' && familyOf(address) === family);
  const told = {
    cause: 'AddressGone',
    family,
    sentence: `The Node ${node.name} shows ${stale}, which its host no longer has.`,
    evidence: [
      `InternalIP ${stale}`,
      ...(now.length === 0
        ? [`no ${family} address on its host`]
        : now.map(({ address, interface: device, since }) => `${address} on ${device}, seen since ${since}`)),
    ],
  } as const;
  const best = bestOnHost(node, family);
  const isPrimary = family === outlook.families[0];
  const giveBack: Told['fix'] = {
    short: 'give its host the address back, or set --node-ip to the new one and restart its kubelet',
    command: ipCommand(family, 'address show scope global'),
    where: 'Node',
  };
  if (best === null || isPrimary) {
    const why = isPrimary
      ? 'The operator does not change the address by which a node is reached first.'
      : NETWORK_IS_YOURS;
    return { ...told, fix: giveBack, by: { why } };
  }
  if (regime.is === 'BootScript') {
    return {
      ...told,
      fix: {
        short: 'restart its kubelet, so that the script looks again',
        command: 'systemctl restart kubelet',
        where: 'Node',
      },
      by: 'RestartKubelet',
    };
  }
  const nodeIPs = regime.is === 'Literal' ? regime.nodeIPs : [];
  if (!nodeIPs.includes(stale)) return { ...told, fix: WAIT, by: { why: HEALS } };
  if (correctionOf(node, outlook, null) === null) {
    const why = `The operator does not follow ${best.address}, which may be another host's next.`;
    return { ...told, fix: giveBack, by: { why } };
  }
  return {
    ...told,
    fix: {
      short: `set --node-ip to ${best.address} and restart its kubelet`,
      command: setNodeIP(report.kubelet.source, pairOf(node, family, best.address), nodeIPs.join(',')),
      where: 'Node',
    },
    by: 'CorrectNodeIP',
  };
}

/** The first address is the one by which programs that take one reach the node, and that pods on its network have first. */
function order(node: NodeFacts, { families }: Outlook): Told | null {
  const [primary] = families;
  const [first] = node.internalIPs;
  if (primary === undefined || first === undefined || isOfFamily(first, primary)) return null;
  const pair = families.flatMap((family) => node.internalIPs.find((ip) => isOfFamily(ip, family)) ?? []).join(',');
  const regime = regimeOf(node);
  const source = node.agent?.report?.kubelet.source;
  return {
    cause: 'AddressOrder',
    family: primary,
    sentence: `${node.name} lists ${first} first, and the primary family of the cluster is ${primary}.`,
    evidence: [`InternalIPs ${node.internalIPs.join(', ')}`],
    fix: {
      short: `set --node-ip=${pair} and restart its kubelet, or turn the order round in its cloud controller manager`,
      command:
        regime.is === 'Literal' && source !== undefined ? setNodeIP(source, pair, regime.nodeIPs.join(',')) : null,
      where: 'Node',
    },
    by: { why: 'Pods on its network took their first address from it and would have to be made anew.' },
  };
}

function podCIDR(node: NodeFacts, { families, usesPodCIDRs }: Outlook): Told | null {
  // No podCIDR at all: not allotted by Node IPAM, whatever the network plug-in could use.
  if (!usesPodCIDRs || node.podCIDRs.length === 0) return null;
  const missing = families.find((family) => !hasFamily(node.podCIDRs, family));
  if (missing === undefined) return null;
  return {
    cause: 'PodCIDRMissing',
    family: missing,
    sentence: `${node.name} has no ${missing} podCIDR, so its pods get no ${missing} address.`,
    evidence: [`podCIDRs ${node.podCIDRs.join(', ')}`],
    fix: {
      short: 'have its Node object replaced (spec.nodes.podCIDRs: Replace)',
      // It may have any name.
      command: `kubectl patch $(kubectl get dualstackclusters -o name) --type merge -p '{"spec":{"nodes":{"podCIDRs":"Replace"}}}'`,
      where: 'Cluster',
    },
    by: 'ReplaceNode',
  };
}

/**
 * The kubelet adds the second address to pods on the host's network that run, when it looks at each the next time: within some 90 s. Where it did not,
 * they started before it knew.
 */
function hostPods(node: NodeFacts, { families, hostPodIPs }: Outlook): Told | null {
  const podIPs = hostPodIPs.get(node.name);
  if (podIPs === undefined) return null;
  const missing: Family | undefined = families.find((family) => !hasFamily(podIPs, family));
  if (missing === undefined) return null;
  return {
    cause: 'HostPodsSingleFamily',
    family: missing,
    sentence: `${node.name} has both families, and pods on its network show ${podIPs.join(', ')} alone.`,
    evidence: [`podIPs ${podIPs.join(', ')}`, `InternalIPs ${node.internalIPs.join(', ')}`],
    fix: {
      short: 'wait two minutes; if it lasts, restart its kubelet, then make those pods anew',
      command: 'systemctl restart kubelet',
      where: 'Node',
    },
    by: { why: 'Pods that run are left alone.' },
  };
}
