import type { NodeFacts } from '../model/facts.ts';
import type { NodeProof } from '../model/node-proof.ts';
import { type Family, hasFamily, otherFamily } from '../net/family.ts';
import { expectationOf } from '../providers/expect.ts';
import { type Diagnosis, fixText, triedText } from './cause.ts';
import { fromHost, lookAtHost } from './from-host.ts';
import { fromCloud, UNINITIALIZED } from './from-kubelet.ts';
import { ofDual } from './of-dual.ts';
import { regimeOf } from './regime.ts';
import { triedOf } from './remedy.ts';
import { type Known, type Outlook, permission, splitRemedy, type Told } from './told.ts';

const NOTHING_KNOWN: Known = { proof: null, guarded: false, since: null };

/**
 * Why a node is not as wanted; null: it is. The first cause that the evidence bears out is told: one that cuts pods off before one that merely
 * keeps them from a second family, and what happens on the host before what the kubelet and the cloud make of it.
 */
export function diagnose(node: NodeFacts, outlook: Outlook, known: Known = NOTHING_KNOWN): Diagnosis | null {
  const told = tell(node, outlook, known);
  if (told === null) return null;
  const { cause, family, sentence, evidence, fix } = told;
  const tried = triedOf(node, outlook);
  return {
    cause,
    family,
    sentence,
    evidence: tried === null ? evidence : [...evidence, triedText(tried)],
    // A Node that was never seen whole has been without since it came to be.
    since: known.since ?? (node.createdAt === '' ? null : node.createdAt),
    fix,
    operator: permission(told, node, outlook),
    ...(tried === null ? {} : { tried }),
  };
}

/** How bad it is, without a look at why: what decides on who is told first. */
export type Severity = 'Lost' | 'Gone' | 'None' | 'One' | 'Whole';

/**
 * Null: the node is as wanted. `None`, `One`: so many families it has; `Gone`: an address of each, of which its host no longer has one; `Whole`: an
 * address of each, and something else is wrong.
 */
export function severityOf(node: NodeFacts, outlook: Outlook, known: Omit<Known, 'since'>): Severity | null {
  const missing = missingFamilyOf(node, outlook.families);
  if (isLost(node, missing, outlook, known.proof)) return 'Lost';
  if (missing !== null) return node.internalIPs.length === 0 ? 'None' : 'One';
  const told = ofDual(node, outlook, known);
  if (told === null) return null;
  return told.cause === 'AddressGone' ? 'Gone' : 'Whole';
}

function missingFamilyOf({ internalIPs }: NodeFacts, families: readonly Family[]): Family | null {
  for (const family of families) if (!hasFamily(internalIPs, family)) return family;
  return null;
}

function tell(node: NodeFacts, outlook: Outlook, known: Known): Told | null {
  const missing = missingFamilyOf(node, outlook.families);
  const lacks = missing === null ? null : missingFamily(node, missing, outlook);
  if (isLost(node, missing, outlook, known.proof)) return lost(node, outlook, known.proof, lacks);
  return lacks ?? ofDual(node, outlook, known);
}

/** The CNI took away the family that the node had; the Node stays Ready all the while. Without proofs its annotations have to tell. */
const isLost = (node: NodeFacts, missing: Family | null, { families }: Outlook, proof: NodeProof | null): boolean =>
  proof === null
    ? missing !== null && isSecond(missing, families) && hasLostAnnotation(node, otherFamily(missing))
    : proof.is === 'LostPrimary' && (missing !== null || families.length > 1);

const isSecond = (family: Family, families: readonly Family[]): boolean => (families[0] ?? 'IPv4') !== family;

/** What Calico, whoever manages it, has left of its annotations on a Node that has an address of that family. */
const hasLostAnnotation = ({ annotations, internalIPs }: NodeFacts, family: Family): boolean =>
  hasFamily(internalIPs, family) &&
  !(calicoAddress(family) in annotations) &&
  Object.keys(annotations).some((key) => key.startsWith(CALICO));

const CALICO = 'projectcalico.org/';
const calicoAddress = (family: Family): string => `${CALICO}${family}Address`;

/** @param lacks Why the node has no address of a family, by itself: what the network plug-in met. */
function lost({ name }: NodeFacts, { families }: Outlook, proof: NodeProof | null, lacks: Told | null): Told {
  const primary = families[0] ?? 'IPv4';
  const second = otherFamily(primary);
  const sentence = `calico-node on ${name} found no ${second} address and has dropped the node's ${primary} address.`;
  const remedy = `Give ${name} an ${second} address; then delete its calico-node pod if it does not come back by itself: kubectl -n kube-system delete pod -l k8s-app=calico-node --field-selector spec.nodeName=${name}`;
  const reason = lacks === null || lacks.cause === 'Unknown' ? null : lacks;
  return {
    cause: 'CNILostPrimary',
    family: null,
    sentence: [proof?.evidence ?? sentence, ...(reason === null ? [] : [reason.sentence])].join(' '),
    evidence: [
      ...(proof === null ? [`no annotation ${calicoAddress(primary)} beside others of Calico`] : []),
      ...(reason === null ? [] : [`${reason.cause}: ${fixText(reason.fix)}`, ...reason.evidence]),
    ],
    fix: { ...splitRemedy(proof?.remedy ?? remedy), where: 'Cluster' },
    by: { why: `The host needs an ${second} address first, and the operator gives none to hosts.` },
  };
}

function missingFamily(node: NodeFacts, family: Family, { settings, now }: Outlook): Told {
  const place = expectationOf(node);
  // While its grace period lasts, a cloud provider may still be at work.
  const isRecent = (time: string): boolean => now - Date.parse(time) <= settings.gracePeriod * 1000;
  const report = node.agent?.report;
  if (report != null) return fromHost(node, report, family, place, isRecent);

  const regime = regimeOf(node);
  const isPending = node.taints.some(({ key }) => key === UNINITIALIZED);
  const asExternal = hasFamily(node.externalIPs, family);
  if (regime.is === 'Cloud' || isPending || asExternal) {
    const nodeIPs = regime.is === 'Cloud' ? regime.nodeIPs : [];
    const evidence = [
      ...(nodeIPs.length > 0 ? [`its kubelet asks for --node-ip=${nodeIPs.join(',')}`] : []),
      ...(isPending ? [`taint ${UNINITIALIZED}`] : []),
      ...(node.providerID === '' ? [] : [`providerID ${node.providerID}`]),
    ];
    const has = `A cloud provider gives ${node.name} its addresses`;
    const isNew = isRecent(node.createdAt) || isPending;
    return fromCloud({ node, family, isNew, place, evidence, nodeIPs, source: '', has });
  }
  return unseen(node, family);
}

/** Nobody looks at its host: what is known of its cloud and system has to do. */
function unseen(node: NodeFacts, family: Family): Told {
  const { cloud, system, together, name } = expectationOf(node);
  const isWindows = node.labels['kubernetes.io/os'] === 'windows';
  const says = family === 'IPv6' ? (together?.says ?? null) : null;
  const publishes = family === 'IPv6' && cloud?.publishesIPv6 === 'OnSetting' ? cloud.publish : null;
  const evidence = [
    node.agent === null ? 'no DualStackNode of that name' : 'its agent has not reported yet',
    ...(name === '' ? [] : [`it runs on ${name}`]),
    ...(says === null || together === null ? [] : [together.source]),
    ...(publishes === null ? [] : [publishes.source]),
  ];
  return {
    cause: 'Unknown',
    family,
    sentence: [
      isWindows
        ? `${node.name} runs Windows, where no agent looks at the host.`
        : `No agent on ${node.name} tells which addresses its host has.`,
      ...(says === null ? [] : [`${name}: ${says}`]),
      ...(publishes == null || cloud === null ? [] : [`On ${cloud.name} perhaps: ${publishes.says}.`]),
    ].join(' '),
    evidence,
    fix:
      together?.is === 'Late' && family === 'IPv6'
        ? {
            short: 'restart its kubelet once its host has the address',
            command: 'ip -6 address show scope global | grep inet6 && systemctl restart kubelet',
            where: 'Node',
          }
        : system?.id === 'windows' || isWindows
          ? { short: 'look at its host', command: 'Get-NetIPAddress', where: 'Node' }
          : lookAtHost(family),
    by: { why: `No agent runs on ${node.name}.` },
  };
}
