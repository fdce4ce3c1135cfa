import type { Family } from '../net/family.ts';

/** Why a node is not as wanted, and since when, and what to do: the whole list. */
export const CAUSES = [
  'CNILostPrimary',
  'FamilyDisabled',
  'NoAddress',
  'LinkLocalOnly',
  'RouterAdvertisementsIgnored',
  'DuplicateAddressDetectionFailed',
  'DuplicateAddressDetectionRunning',
  'NoLastingAddress',
  'KubeletNotRunning',
  'KubeletNodeIPNotOnHost',
  'KubeletNodeIPSingleFamily',
  'LateAddress',
  'CloudProviderPending',
  'CloudProviderDoesNotPublish',
  'Unknown',
  'AddressGone',
  'CNIPending',
  'AddressOrder',
  'PodCIDRMissing',
  'HostPodsSingleFamily',
] as const;
export type Cause = (typeof CAUSES)[number];

export interface Diagnosis {
  readonly cause: Cause;
  /** The family that it is about; null: it is about both. */
  readonly family: Family | null;
  /** What was seen, in a sentence that names the node. */
  readonly sentence: string;
  /** Each thing that was seen, as a line: what a person would look up to check the sentence. No times that move by themselves. */
  readonly evidence: readonly string[];
  /** Since when the node has been without (RFC 3339), as far as that can be told; null: it cannot. */
  readonly since: string | null;
  readonly fix: Fix;
  readonly operator: Permission;
  /** What the operator has done about it; absent: nothing yet. */
  readonly tried?: Tried;
}

const REMEDIES = ['RestartKubelet', 'SetNodeIP'] as const;
type Remedy = (typeof REMEDIES)[number];

export interface Tried {
  readonly remedy: Remedy;
  /** How often, without a calm time in between; at least 1. */
  readonly times: number;
  /** The last time (RFC 3339); absent: that is not told. */
  readonly at?: string;
  /** It did not help, and is left to people from now on; absent: that is not known yet. */
  readonly inVain?: true;
}

/** The node has an address of each wanted family: something else is wrong. */
const WITH_ADDRESSES: ReadonlySet<string> = new Set<Cause>([
  'AddressGone',
  'CNIPending',
  'AddressOrder',
  'PodCIDRMissing',
  'HostPodsSingleFamily',
]);

/** With this cause a Node has no InternalIP of a wanted family. That of a CNI that lost one is none of them: such a Node may show both. */
export const lacksAddress = (cause: string): boolean => cause !== 'CNILostPrimary' && !WITH_ADDRESSES.has(cause);

export interface Fix {
  /** In a few words, to stand in a list: `restart its kubelet`. */
  readonly short: string;
  /** Null: there is no one command for it, or nothing to do but wait. Words in capitals are for the user to fill in. */
  readonly command: string | null;
  /** Where the command is run: on the node as root, or wherever kubectl, or the cloud's own tool, is. */
  readonly where: 'Node' | 'Cluster' | 'Cloud';
}

/** Whether the operator may do the fix by itself; `notBefore` (RFC 3339): it has done so a short while ago. */
export type Permission =
  | { readonly may: true; readonly notBefore?: string }
  | { readonly may: false; readonly why: string };

/** As a sentence of its own; the times in it do not move by themselves. */
export function triedText({ remedy, times, at, inVain }: Tried): string {
  const what =
    remedy === 'RestartKubelet' ? 'The operator had its kubelet restarted' : 'The operator set its --node-ip';
  const when = at === undefined ? '' : ` at ${at}`;
  const often = times > 1 ? `, for the ${ordinal(times)} time in a row` : '';
  return `${what}${when}${often}${inVain === true ? '; that did not help, and it is left to you.' : '.'}`;
}

/** As a sentence of its own. */
export const pauseText = (notBefore: string): string =>
  `The operator did so a short while ago, and does not again before ${notBefore}.`;

const ordinal = (n: number): string => `${n}${n === 2 ? 'nd' : n === 3 ? 'rd' : 'th'}`;

/** What to do, and where a command for it is run, as the beginning of a sentence. */
export function fixWords({ short, command, where }: Fix): string {
  const sentence = `${short.charAt(0).toUpperCase()}${short.slice(1)}`;
  return command !== null && where === 'Node' ? `${sentence}, on the node` : sentence;
}

/** The fix in full, as a sentence: the short form, and the command with where to run it. */
export const fixText = (fix: Fix): string =>
  fix.command === null ? `${fixWords(fix)}.` : `${fixWords(fix)}: ${fix.command}`;
