import type { Connectivity, FamilyFigures, Hop } from '../model/connectivity.ts';
import { listText } from '../model/list-text.ts';
import type { ProbeCheck, ProbedCheck } from '../model/probe.ts';
import type { ProbePlan } from '../model/step.ts';
import type { Family } from '../net/family.ts';
import { failingHops, hopOf, shownHops } from './hops.ts';
import { ofFamily, type ProbeTargets } from './packets.ts';

/** A node on which something did not come about, and why. */
export interface NodeTrouble {
  readonly node: string;
  readonly why: string;
}

/** All that one run saw. */
export interface Harvest {
  readonly probed: readonly ProbedCheck[];
  /** Checks of runners that did not report. */
  readonly unreported: readonly ProbeCheck[];
  readonly notStarted: readonly NodeTrouble[];
  readonly noReport: readonly NodeTrouble[];
  /** Why the run could not be made at all; null: it was. */
  readonly notRun: string | null;
  /** Null: the run did not get that far. */
  readonly targets: ProbeTargets | null;
}

/** Of a run that came to nothing. */
export const nothingRun = (why: string): Harvest => ({
  probed: [],
  unreported: [],
  notStarted: [],
  noReport: [],
  notRun: why,
  targets: null,
});

export interface SummaryOf {
  readonly plan: ProbePlan;
  readonly fingerprint: string;
  readonly failedBefore: number;
  /** RFC 3339. */
  readonly at: string;
}

/** What is kept of a run. */
export function summarize(harvest: Harvest, { plan, fingerprint, failedBefore, at }: SummaryOf): Connectivity {
  const hops = shownHops(hopsOf(harvest, plan));
  const all: readonly ProbeCheck[] = [...harvest.probed, ...harvest.unreported];
  const failed = harvest.probed.filter(({ result }) => !result.ok).length + harvest.unreported.length;
  return {
    fingerprint,
    at,
    failedInRow: hops.length === 0 ? 0 : failedBefore + 1,
    nodes: { ready: plan.ready, probed: plan.nodes.length, newest: plan.newest, leftOut: plan.leftOut },
    pairs: { tested: plan.pairs.length, total: plan.ready * Math.max(0, plan.ready - 1) },
    checks: { total: all.length, failed },
    families: plan.families.map((family) => figuresOf(family, harvest)),
    hops,
  };
}

function hopsOf(harvest: Harvest, plan: ProbePlan): readonly Hop[] {
  const unreportedOn = (nodes: readonly string[]): number =>
    harvest.unreported.filter(({ source }) => nodes.includes(source)).length;
  return [
    ...(harvest.notRun === null ? [] : [alone(hopOf('NotRun', null, [], harvest.notRun))]),
    ...byReason(harvest.notStarted).map(({ nodes, why }) =>
      alone(hopOf('PodNotStarted', null, nodes, `The probe pod on ${listText(nodes)} did not start: ${why}.`)),
    ),
    ...byReason(harvest.noReport).map(({ nodes, why }) =>
      alone(
        hopOf('NoReport', null, nodes, `The checks on ${listText(nodes)} brought no results: ${why}.`),
        unreportedOn(nodes),
      ),
    ),
    ...plan.families.flatMap((family) => addressHops(family, harvest)),
    ...failingHops(harvest.probed, { families: plan.families, dns: plan.dns }),
  ];
}

const alone = (hop: Omit<Hop, 'checks'>, checks = 0): Hop => ({ ...hop, checks });

function addressHops(family: Family, { targets }: Harvest): readonly Hop[] {
  if (targets === null) return [];
  const lacking = [...targets.podIPs.entries()]
    .filter(([, addresses]) => ofFamily(addresses, family) === undefined)
    .map(([node]) => node);
  const everywhere = lacking.length === targets.podIPs.size && lacking.length > 1;
  const who = everywhere ? 'on every node' : `on ${listText(lacking)}`;
  return [
    ...(lacking.length === 0
      ? []
      : [
          {
            ...hopOf(
              'PodWithoutAddress',
              family,
              lacking,
              `A new pod ${who} gets no ${family} address from the network plug-in.`,
            ),
            checks: 0,
          },
        ]),
    ...(targets.clusterIPs.length > 0 && ofFamily(targets.clusterIPs, family) === undefined
      ? [
          {
            ...hopOf(
              'ServiceWithoutAddress',
              family,
              [],
              `A new Service that asks for ${family} gets no ${family} address.`,
            ),
            checks: 0,
          },
        ]
      : []),
  ];
}

/** Nodes with the same trouble are told together. */
function byReason(
  troubles: readonly NodeTrouble[],
): readonly { readonly nodes: readonly string[]; readonly why: string }[] {
  const groups = new Map<string, Set<string>>();
  for (const { node, why } of troubles) groups.set(why, (groups.get(why) ?? new Set()).add(node));
  return [...groups.entries()].map(([why, nodes]) => ({ why, nodes: [...nodes].sort() }));
}

function figuresOf(family: Family, { probed, unreported }: Harvest): FamilyFigures {
  const own = probed.filter((check) => check.family === family);
  const lost = unreported.filter((check) => check.family === family).length;
  return {
    family,
    total: own.length + lost,
    failed: own.filter(({ result }) => !result.ok).length + lost,
    latency: latencyOf(own.filter(({ path, source, target }) => path === 'PodToPod' && source !== target)),
  };
}

export function latencyOf(checks: readonly ProbedCheck[]): FamilyFigures['latency'] {
  const times = checks.flatMap(({ result }) => (result.ok ? [result.microseconds] : [])).toSorted((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.ceil(share * times.length) - 1)] ?? 0;
  return times.length === 0 ? null : { median: at(0.5), p99: at(0.99) };
}
