import type { NodeFacts } from '../../../src/model/facts.ts';
import type { HostAddress, HostReport } from '../../../src/model/host.ts';
import type { Cause, Diagnosis } from '../../../src/nodes/cause.ts';
import { diagnose } from '../../../src/nodes/diagnose.ts';
import { tokenOf } from '../../../src/nodes/attempt.ts';
import type { Known, Outlook } from '../../../src/nodes/told.ts';
import { AT, before, type Deep, hostAddress, hostIPv4, hostIPv6, nodeFacts, running } from '../../support/facts.ts';

export const OUTLOOK: Outlook = {
  families: ['IPv4', 'IPv6'],
  settings: { nodeIP: 'Manage', gracePeriod: 300, podCIDRs: 'Keep', remediation: 'Auto' },
  usesPodCIDRs: false,
  hostPodIPs: new Map(),
  editsHosts: true,
  heldBy: null,
  now: AT,
};

export const V4 = hostIPv4(1);
export const V6 = hostIPv6(1);
export const own4 = hostAddress({ address: V4 });
export const own6 = (change: Partial<HostAddress> = {}): HostAddress => hostAddress({ address: V6, ...change });
export const linkLocal = hostAddress({ address: 'fe80::a00:27ff:fe4e:66a1', scope: 'LinkLocal' });

/** One row: what is seen of a node, and what must be said of it. */
export interface Situation {
  readonly what: string;
  readonly node?: Deep<NodeFacts>;
  /** What the agent reports; absent: there is no agent. */
  readonly host?: Deep<HostReport>;
  /** Parts of the report that are exactly so. */
  readonly network?: Partial<HostReport['network']>;
  readonly outlook?: Partial<Outlook>;
  readonly known?: Partial<Known>;
  readonly cause: Cause | null;
  readonly says?: RegExp;
  /** What the command must match; null: there must be none. */
  readonly command?: RegExp | null;
  /** The operator may do it; a pattern: it may not, for this reason. */
  readonly may?: true | RegExp;
  readonly evidence?: RegExp;
}

/** Where IPv6 is known to come late. */
export const ROCKY = { providerID: 'digitalocean://123', osImage: 'Rocky Linux 9.4 (Blue Onyx)' };

/** What a restart for the host's IPv6 address was asked with, so many seconds ago. */
export const token = ({ at, count = 1 }: { readonly at: number; readonly count?: number }): string =>
  tokenOf({ count, at: AT / 1000 - at, since: Date.parse(own6().since) / 1000, address: V6 });

/** A host with these addresses beside its IPv4 one. */
export const host = (addresses: readonly HostAddress[], more: Deep<HostReport> = {}): Deep<HostReport> => ({
  addresses: [own4, ...addresses],
  ...more,
});

/** A host that has both addresses, and a kubelet with these arguments. */
export const kubelet = (
  args: Readonly<Record<string, string>>,
  startedAt = before(3600),
  more: Deep<HostReport['kubelet']> = {},
) => host([own6()], { kubelet: { running: running({ 'node-ip': '', ...args }, startedAt), ...more } });

export function nodeOf({ node, host: report, network }: Situation): NodeFacts {
  const facts = nodeFacts(1, report === undefined ? { agent: false } : {}, node, report);
  const seen = facts.agent?.report;
  if (facts.agent == null || seen == null) return facts;
  return { ...facts, agent: { ...facts.agent, report: { ...seen, network: { ...seen.network, ...network } } } };
}

export const diagnosed = (situation: Situation): Diagnosis | null =>
  diagnose(
    nodeOf(situation),
    { ...OUTLOOK, ...situation.outlook },
    { proof: null, guarded: false, since: null, ...situation.known },
  );
