import type { Hop, HopName } from '../model/connectivity.ts';
import { HOPS } from '../model/connectivity.ts';
import { listText } from '../model/list-text.ts';
import { PROBE_FAILURES, type ProbedCheck, type ProbePath } from '../model/probe.ts';
import type { DNSServer } from '../model/step.ts';
import { type Family, isOfFamily } from '../net/family.ts';
import { unreachable } from '../result.ts';
import { type Attempt, locate, type Located } from './locate.ts';
import { remedyOf } from './remedies.ts';

/** So many hops at most, and so many names in one, stand in a status. */
const MOST_HOPS = 50;
const MOST_NAMES = 50;
/** More pairs than this without a pattern are told as one. */
const MOST_PAIRS = 10;

/** What was seen beside the packets. */
export interface Surroundings {
  readonly families: readonly Family[];
  readonly dns: readonly DNSServer[];
}

type Check = ProbedCheck;
interface Between extends Attempt {
  readonly check: Check;
}

/**
 * The smallest explanation of what failed. Goes from the bottom up, pod → pod before Services before DNS, and what a lower layer explains is not
 * told again of a higher one. Every failed check is counted in exactly one hop.
 */
export function failingHops(checks: readonly Check[], surroundings: Surroundings): readonly Hop[] {
  return surroundings.families.flatMap((family) => {
    const ledger = openLedger(checks.filter((check) => check.family === family));
    const hops = [
      ...withinNodes(family, ledger),
      ...largePackets(family, ledger),
      ...betweenNodes(family, ledger),
      ...fromHosts(family, ledger),
      ...services(family, ledger, 'PodToService', 'Service', 'kube-proxy'),
      ...services(family, ledger, 'HostToService', 'HostToService', 'kube-proxy'),
      ...nodePorts(family, ledger),
      ...dnsHops(family, ledger, surroundings.dns),
    ];
    return ledger.settle(hops);
  });
}

/** At most as many as a status holds, in the order in which one looks. */
export const shownHops = (hops: readonly Hop[]): readonly Hop[] =>
  hops
    .toSorted((a, b) => HOPS.indexOf(a.hop) - HOPS.indexOf(b.hop))
    .slice(0, MOST_HOPS)
    .map((each) => ({ ...each, nodes: each.nodes.slice(0, MOST_NAMES) }));

/** Keeps which failures are explained, and adds to a hop the later ones that it explains as well. */
interface Ledger {
  all(path: ProbePath): readonly Check[];
  /** Failures of that path that nothing explains yet. */
  open(path: ProbePath): readonly Check[];
  explain(hop: Draft, checks: readonly Check[]): Draft;
  /** True when one of these is known to have failed. */
  failed(path: ProbePath, matches: (check: Check) => boolean): boolean;
  /** Gives failures that a lower layer explains to the hop that explains it. */
  inherit(checks: readonly Check[], matches: (lower: Check, check: Check) => boolean): void;
  settle(hops: readonly Draft[]): readonly Hop[];
}

type Draft = Omit<Hop, 'checks'>;

function openLedger(checks: readonly Check[]): Ledger {
  const explained = new Map<Check, Draft>();
  const failures = checks.filter(({ result }) => !result.ok);
  return {
    all: (path) => checks.filter((check) => check.path === path),
    open: (path) => failures.filter((check) => check.path === path && !explained.has(check)),
    explain(hop, own) {
      for (const check of own) explained.set(check, hop);
      return hop;
    },
    failed: (path, matches) => failures.some((check) => check.path === path && matches(check)),
    inherit(own, matches) {
      const lower = [...explained.keys()];
      for (const check of own) {
        const cause = lower.find((each) => matches(each, check));
        const hop = cause === undefined ? undefined : explained.get(cause);
        if (hop !== undefined) explained.set(check, hop);
      }
    },
    settle: (hops) =>
      hops.map((hop) => ({ ...hop, checks: [...explained.values()].filter((each) => each === hop).length })),
  };
}

export const hopOf = (hop: HopName, family: Family | null, nodes: readonly string[], message: string): Draft => ({
  hop,
  family,
  nodes,
  message,
  remedy: remedyOf(hop, family, nodes),
});

/** Pods on one node among themselves: no route, tunnel or firewall between nodes has a part in it. */
function withinNodes(family: Family, ledger: Ledger): readonly Draft[] {
  const own = ledger.all('PodToPod').filter(isWithinNode);
  const failed = ledger.open('PodToPod').filter(isWithinNode);
  if (failed.length === 0) return [];
  const nodes = sourcesOf(failed);
  const everywhere = failed.length === own.length;
  const where = everywhere ? 'on every node' : `on ${listText(nodes)}`;
  const hop = hopOf(
    'WithinNode',
    family,
    everywhere ? [] : nodes,
    `${family} between pods on the same node fails ${where} (${why(failed)}).`,
  );
  const touched = new Set(nodes);
  ledger.explain(hop, [
    ...failed,
    ...ledger.open('PodToPod').filter(({ source, target }) => touched.has(source) || touched.has(target ?? '')),
  ]);
  return [hop];
}

function largePackets(family: Family, ledger: Ledger): readonly Draft[] {
  const lost = (['PodToPod', 'HostToPod', 'PodToService', 'HostToService', 'NodePort'] as const).flatMap((path) =>
    ledger.open(path).filter(({ result }) => !result.ok && result.failure === 'LargeLost'),
  );
  if (lost.length === 0) return [];
  const nodes = nodesOf(lost);
  const hop = hopOf(
    'LargePackets',
    family,
    nodes,
    `${family}: small packets pass and large ones are lost, seen with ${listText(nodes)}.`,
  );
  ledger.explain(hop, lost);
  return [hop];
}

function betweenNodes(family: Family, ledger: Ledger): readonly Draft[] {
  const known = new Set(ledger.open('PodToPod'));
  const attempts = ledger
    .all('PodToPod')
    // What is explained already is no evidence about the rest.
    .filter((check) => !isWithinNode(check) && (check.result.ok || known.has(check)))
    .map(toAttempt);
  return tellPlaces(
    locate(attempts),
    (place, checks) => {
      const reason = why(checks);
      switch (place.is) {
        case 'Everywhere':
          return hopOf(
            'BetweenNodes',
            family,
            [],
            `All ${family} between pods on different nodes fails, while pods on the same node reach each other (${reason}).`,
          );
        case 'Node':
          return hopOf(
            'Node',
            family,
            [place.node],
            `${family} between pods on ${place.node} and pods on any other node fails in both directions; others reach each other (${reason}).`,
          );
        case 'FromNode':
          return hopOf(
            'FromNode',
            family,
            [place.node],
            `${family} from pods on ${place.node} to pods on any other node fails, from others it works (${reason}).`,
          );
        case 'ToNode':
          return hopOf(
            'ToNode',
            family,
            [place.node],
            `${family} to pods on ${place.node} fails from any other node, from them it works (${reason}).`,
          );
        case 'Pair':
          return pairHop(family, checks, 'pods', reason);
        default:
          return unreachable(place);
      }
    },
    ledger,
  );
}

function fromHosts(family: Family, ledger: Ledger): readonly Draft[] {
  ledger.inherit(ledger.open('HostToPod'), (lower, check) => lower.path === 'PodToPod' && touches(lower, check));
  const open = ledger.open('HostToPod');
  if (open.length === 0) return [];
  const nodes = sourcesOf(open);
  const hop = hopOf(
    'HostToPod',
    family,
    nodes,
    `${family} from the network of ${listText(nodes)} to pods fails, while pods reach those pods (${why(open)}).`,
  );
  ledger.explain(hop, open);
  return [hop];
}

/** A Service's address leads to whichever pod: where pods of a node are not reached, some of these fail for that reason alone. */
function services(
  family: Family,
  ledger: Ledger,
  path: 'PodToService' | 'HostToService',
  name: 'Service' | 'HostToService',
  program: string,
): readonly Draft[] {
  const lowerPaths: readonly ProbePath[] =
    path === 'PodToService' ? ['PodToPod'] : ['PodToPod', 'HostToPod', 'PodToService'];
  ledger.inherit(ledger.open(path), (lower, check) => lowerPaths.includes(lower.path) && lower.source === check.source);
  const open = ledger.open(path);
  if (open.length === 0) return [];
  const sources = sourcesOf(open);
  const everywhere = sources.length === sourcesOf(ledger.all(path)).length && sources.length > 1;
  const who = path === 'PodToService' ? 'pods' : 'the network of the host';
  const message = everywhere
    ? `${family} from ${who} to the Service's address fails on every node, while pods reach each other (${why(open)}).`
    : `${family} from ${who} to the Service's address fails on ${listText(sources)}, while pods reach each other: ${program} there has no rules for it (${why(open)}).`;
  const hop = hopOf(name, family, everywhere ? [] : sources, message);
  ledger.explain(hop, open);
  return [hop];
}

/** The node whose port it is leads on to whichever pod: what does not get from there to a pod is no matter of node ports. */
function nodePorts(family: Family, ledger: Ledger): readonly Draft[] {
  ledger.inherit(
    ledger.open('NodePort'),
    (lower, check) =>
      (lower.path === 'PodToPod' && (touches(lower, check) || lower.source === check.target)) ||
      (lower.path === 'PodToService' && (lower.source === check.source || lower.source === check.target)),
  );
  const known = new Set(ledger.open('NodePort'));
  const attempts = ledger
    .all('NodePort')
    .filter((check) => check.result.ok || known.has(check))
    .map(toAttempt);
  return tellPlaces(
    locate(attempts),
    (place, checks) => {
      const reason = why(checks);
      switch (place.is) {
        case 'Everywhere':
          return hopOf(
            'NodePort',
            family,
            [],
            `${family} to the node port fails on every node, while the Service's own address works (${reason}).`,
          );
        case 'Node':
        case 'ToNode':
          return hopOf(
            'NodePort',
            family,
            [place.node],
            `${family} to the node port of ${place.node} fails, on other nodes it works (${reason}).`,
          );
        case 'FromNode':
          return hopOf(
            'NodePort',
            family,
            [place.node],
            `${family} from pods on ${place.node} to node ports fails, from others it works (${reason}).`,
          );
        case 'Pair':
          return hopOf(
            'NodePort',
            family,
            nodesOf(checks),
            `${family} to the node port fails ${pairsText(checks)} (${reason}).`,
          );
        default:
          return unreachable(place);
      }
    },
    ledger,
  );
}

const isUnanswered = ({ result }: Check): boolean => !result.ok && result.failure !== 'NoRecord';

function dnsHops(family: Family, ledger: Ledger, servers: readonly DNSServer[]): readonly Draft[] {
  const drafts: Draft[] = [];
  const server = servers.find(({ address }) => isOfFamily(address, family));
  if (server !== undefined && !server.hasEndpoint && ledger.open('DNS').some(isUnanswered)) {
    const message = `DNS over ${family}: Service kube-dns has the address ${server.address}, but its pods have no ${family} address, so nobody answers there.`;
    const hop = hopOf('DNSWithoutEndpoint', family, [], message);
    drafts.push(ledger.explain(hop, ledger.open('DNS').filter(isUnanswered)));
  }
  ledger.inherit(
    ledger.open('DNS').filter(isUnanswered),
    (lower, check) => (lower.path === 'PodToService' || lower.path === 'PodToPod') && lower.source === check.source,
  );
  const unanswered = ledger.open('DNS').filter(isUnanswered);
  if (unanswered.length > 0) {
    const sources = sourcesOf(unanswered);
    const everywhere = sources.length === sourcesOf(ledger.all('DNS')).length && sources.length > 1;
    const where = everywhere ? 'on any node' : `on ${listText(sources)}`;
    const message = `DNS over ${family}: pods ${where} get no answer from ${server?.address ?? 'the DNS Service'} (${why(unanswered)}).`;
    drafts.push(ledger.explain(hopOf('DNSServer', family, everywhere ? [] : sources, message), unanswered));
  }
  const missing = ledger.open('DNS');
  if (missing.length > 0) {
    const types = [...new Set(missing.flatMap(({ task }) => (task.do === 'dns' ? [task.type] : [])))].sort();
    const names = [...new Set(missing.flatMap(({ task }) => (task.do === 'dns' ? [task.name] : [])))].sort();
    const message = `DNS over ${family} answers, but without the ${types.join(' and ')} record of ${names.join(' and ')}, asked from ${listText(sourcesOf(missing))}.`;
    drafts.push(ledger.explain(hopOf('DNSRecord', family, [], message), missing));
  }
  return drafts;
}

/** Pairs without a pattern are told one by one while they are few. */
function tellPlaces(
  located: readonly Located<Between>[],
  tell: (place: Located<Between>['place'], checks: readonly Check[]) => Draft,
  ledger: Ledger,
): readonly Draft[] {
  const pairs = located.filter(({ place }) => place.is === 'Pair');
  const others = located.filter(({ place }) => place.is !== 'Pair');
  const told = pairs.length > MOST_PAIRS ? [mergedPairs(pairs)] : pairs;
  return [...others, ...told].map(({ place, explains }) => {
    const checks = explains.map(({ check }) => check);
    return ledger.explain(tell(place, checks), checks);
  });
}

const mergedPairs = (pairs: readonly Located<Between>[]): Located<Between> => ({
  place: pairs[0]?.place ?? { is: 'Everywhere' },
  explains: pairs.flatMap(({ explains }) => explains),
});

const pairHop = (family: Family, checks: readonly Check[], what: string, reason: string): Draft =>
  hopOf('Pair', family, nodesOf(checks), `${family} between ${what} fails ${pairsText(checks)} (${reason}).`);

function pairsText(checks: readonly Check[]): string {
  const [first] = checks;
  if (checks.length === 1 && first !== undefined) return `from ${first.source} to ${first.target ?? 'any node'}`;
  return `for ${checks.length} pairs without a pattern, such as from ${first?.source ?? ''} to ${first?.target ?? ''}`;
}

const toAttempt = (check: Check): Between => ({
  source: check.source,
  target: check.target ?? '',
  ok: check.result.ok,
  check,
});

const isWithinNode = ({ source, target }: Check): boolean => source === target;

/** The same way, or one that begins or ends on the same node as a failure that is known. */
const touches = (lower: Check, check: Check): boolean =>
  (lower.source === check.source && lower.target === check.target) ||
  (lower.source === check.target && lower.target === check.source);

const sourcesOf = (checks: readonly Check[]): readonly string[] =>
  [...new Set(checks.map(({ source }) => source))].sort();
const nodesOf = (checks: readonly Check[]): readonly string[] =>
  [...new Set(checks.flatMap(({ source, target }) => (target === null ? [source] : [source, target])))].sort();

/** The usual reason first. */
function why(checks: readonly Check[]): string {
  const counts = new Map<string, number>();
  for (const { result } of checks) {
    if (!result.ok) counts.set(PROBE_FAILURES[result.failure], (counts.get(PROBE_FAILURES[result.failure]) ?? 0) + 1);
  }
  return [...counts.entries()]
    .toSorted(([, a], [, b]) => b - a)
    .map(([text]) => text)
    .join(', ');
}
