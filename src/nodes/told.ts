import type { NodeFacts } from '../model/facts.ts';
import type { HostAddress } from '../model/host.ts';
import type { NodeProof } from '../model/node-proof.ts';
import type { Wanted } from '../model/wanted.ts';
import { type Family, hasFamily } from '../net/family.ts';
import { unreachable } from '../result.ts';
import type { Cause, Fix, Permission } from './cause.ts';
import { correctionOf } from './correction.ts';
import { pausedUntil, restartOf } from './remedy.ts';

/** What a cause is decided by, beside the node itself: the same for all nodes of a pass. */
export interface Outlook {
  /** Wanted families, primary first. */
  readonly families: readonly Family[];
  readonly settings: Pick<Wanted['nodes'], 'nodeIP' | 'gracePeriod' | 'podCIDRs' | 'remediation'>;
  /** The network plug-in takes pod addresses from `Node.spec.podCIDRs`. */
  readonly usesPodCIDRs: boolean;
  /** By node: the addresses of a pod on its network. No entry: none was looked at. */
  readonly hostPodIPs: ReadonlyMap<string, readonly string[]>;
  /** The operator edits the settings of hosts in this cluster, through agents. */
  readonly editsHosts: boolean;
  /** What keeps it from doing anything for now, as a sentence; null: nothing. */
  readonly heldBy: string | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What is known of one node beside its facts. */
export interface Known {
  /** What the network plug-in shows of it; null: nothing, or it could not be read. */
  readonly proof: NodeProof | null;
  /** New pods are kept off it by the taint of `spec.nodes.guard`. */
  readonly guarded: boolean;
  /** Since when it has been without, as an earlier look found; null: it was not without then, or nobody looked. */
  readonly since: string | null;
}

/** A cause before it is known since when, and whether the operator is free to act. */
export interface Told {
  readonly cause: Cause;
  readonly family: Family | null;
  readonly sentence: string;
  readonly evidence: readonly string[];
  readonly fix: Fix;
  /**
   * How the operator would do it: by setting `--node-ip`, for the first time or to another address; by restarting the kubelet; or by replacing
   * the Node object. Else why this is left to people.
   */
  readonly by: 'NodeIP' | 'CorrectNodeIP' | 'RestartKubelet' | 'ReplaceNode' | { readonly why: string };
}

export const NETWORK_IS_YOURS = 'The operator gives no addresses to hosts and does not change their network.';
export const CLOUD_IS_YOURS = 'The operator does not change settings of a cloud or of its controller manager.';
export const HEALS = 'There is nothing to do but wait.';

/** Within what the user allows, and where there is somebody to do it. */
export function permission(told: Told, node: NodeFacts, outlook: Outlook): Permission {
  const permitted = inPrinciple(told, node, outlook);
  return permitted.may && outlook.heldBy !== null ? { may: false, why: outlook.heldBy } : permitted;
}

function inPrinciple({ by }: Told, node: NodeFacts, outlook: Outlook): Permission {
  const { settings } = outlook;
  if (typeof by === 'object') return { may: false, why: by.why };
  switch (by) {
    case 'ReplaceNode':
      return settings.podCIDRs === 'Keep' ? { may: false, why: 'spec.nodes.podCIDRs is Keep.' } : { may: true };
    case 'NodeIP':
      return leaves(settings) ?? cannotReach(node, outlook) ?? { may: true };
    case 'CorrectNodeIP':
      return reportsOnly(settings) ?? leaves(settings) ?? cannotReach(node, outlook) ?? correcting(node, outlook);
    case 'RestartKubelet':
      return reportsOnly(settings) ?? cannotReach(node, outlook) ?? restarting(node, outlook);
    default:
      return unreachable(by);
  }
}

const reportsOnly = ({ remediation }: Outlook['settings']): Permission | null =>
  remediation === 'None' ? { may: false, why: 'spec.nodes.remediation is None.' } : null;

const leaves = ({ nodeIP }: Outlook['settings']): Permission | null =>
  nodeIP === 'Leave' ? { may: false, why: 'spec.nodes.nodeIP is Leave.' } : null;

function cannotReach(node: NodeFacts, { editsHosts }: Outlook): Permission | null {
  if (!editsHosts) return { may: false, why: 'The operator does not edit the hosts of this cluster.' };
  if (node.agent?.report == null) return { may: false, why: `No agent runs on ${node.name}.` };
  return node.agent.report.stopped ? { may: false, why: `The stop file on ${node.name} keeps its agent off.` } : null;
}

function correcting(node: NodeFacts, outlook: Outlook): Permission {
  const correction = correctionOf(node, outlook, null);
  switch (correction?.is) {
    case 'Refused':
      return { may: false, why: `The kubelet of ${node.name} did not work with the new address: ${correction.why}.` };
    case 'InVain':
    case 'GivenUp':
      return { may: false, why: 'The operator has done it, which did not help.' };
    case 'Due':
    case 'Waiting':
    case 'Asked':
    case undefined:
      return mayOnceRested(node, outlook);
    default:
      return unreachable(correction);
  }
}

function restarting(node: NodeFacts, outlook: Outlook): Permission {
  const restart = restartOf(node, outlook);
  switch (restart?.is) {
    case undefined:
    case 'Pointless':
      return {
        may: false,
        why: 'Its kubelet was started when the address was there, so another restart would not help.',
      };
    case 'InVain':
    case 'GivenUp':
      return { may: false, why: 'The operator has done it, which did not help.' };
    case 'Due':
    case 'Waiting':
    case 'Asked':
      return mayOnceRested(node, outlook);
    default:
      return unreachable(restart);
  }
}

function mayOnceRested(node: NodeFacts, outlook: Outlook): Permission {
  const notBefore = pausedUntil(node, outlook);
  return notBefore === null ? { may: true } : { may: true, notBefore };
}

export const look = (command: string): Fix => ({ short: 'look at its host', command, where: 'Node' });

export const ipCommand = (family: Family, rest: string): string => `ip -${family === 'IPv4' ? 4 : 6} ${rest}`;

export function hasAll({ internalIPs }: NodeFacts, families: readonly Family[]): boolean {
  for (const family of families) if (!hasFamily(internalIPs, family)) return false;
  return true;
}

export const addressText = ({ address, prefixLength, interface: device, flags, since }: HostAddress): string =>
  `${address}/${prefixLength} on ${device}${flags.length > 0 ? ` (${flags.join(', ')})` : ''}, seen since ${since}`;

/** A remedy in words that ends with a command of kubectl. */
export function splitRemedy(remedy: string): { readonly short: string; readonly command: string | null } {
  const at = remedy.indexOf(': kubectl ');
  const [words, command] = at === -1 ? [remedy, null] : [remedy.slice(0, at), remedy.slice(at + 2).replace(/\.$/u, '')];
  const short = words.replace(/\.$/u, '');
  return { short: `${short.charAt(0).toLowerCase()}${short.slice(1)}`, command };
}
