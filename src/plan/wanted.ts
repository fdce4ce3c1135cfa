import type { BoundPlugins } from '../model/bound.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { Finding } from '../model/finding.ts';
import type { Network } from '../model/networks.ts';
import { asStrings, at } from '../model/object.ts';
import { type Direction, PHASES } from '../model/phase.ts';
import type { Known } from '../model/reader.ts';
import type { Recorded } from '../model/record.ts';
import type { Request } from '../model/request.ts';
import type { Wanted } from '../model/wanted.ts';
import { parseCidr, sameNetwork } from '../net/cidr.ts';
import type { Family, PerFamily } from '../net/family.ts';
import { FIRST_FAMILIES_KEY } from './record-step.ts';

/** Where the plan leads: to what the spec asks, or back to the first state (roll-back and `deletionPolicy: Revert`). */
export type Goal = 'Spec' | 'FirstState';

interface Settled {
  readonly wanted: Wanted;
  readonly findings: readonly Finding[];
  /** Families that the control plane has now, primary first; empty: it could not be told. */
  readonly live: readonly Family[];
}

/**
 * Every value explicit: what the spec leaves out comes from the live cluster, then from the distribution's defaults. What cannot be
 * settled is told in a Finding that blocks every phase.
 */
export function settle(request: Request, facts: ClusterFacts, plugins: BoundPlugins, goal: Goal): Settled {
  const network = plugins.distribution.network();
  const livePods = byFamily(network.pods);
  const liveServices = byFamily(network.services);
  const live = familiesOf(network.services);
  const first = firstFamilies(facts);
  const families = goal === 'FirstState' ? (first ?? live.slice(0, 1)) : request.families;
  const direction: Direction = goal === 'FirstState' || families.length === 1 ? 'Back' : 'Forward';
  const keep = <T>(values: PerFamily<T>): PerFamily<T> =>
    Object.fromEntries(Object.entries(values).filter(([family]) => families.includes(family as Family)));

  const pods = keep({ ...livePods, ...(goal === 'Spec' ? request.pods : {}) });
  const services = keep({ ...liveServices, ...(goal === 'Spec' ? request.services : {}) });
  const wanted: Wanted = {
    direction,
    families,
    pods,
    services,
    nodeMask: nodeMasks(families, pods, { ...network.nodeMask, ...request.nodeMask }, plugins),
    nodes: request.nodes,
    serviceMigration: request.serviceMigration,
    workloadRestart: request.workloadRestart,
    tolerateUnavailable: request.tolerateUnavailable,
    verification: request.verification,
    options: request.options,
    // A first state of other families (a cluster that was dual-stack from the start) is no way to this one.
    restore: direction === 'Back' && first?.join() === families.join() ? recordsOf(facts) : {},
  };
  const findings =
    goal === 'FirstState'
      ? []
      : [
          ...primaryFindings(families, live),
          ...networkFindings('pods', wanted, livePods, request.pods, plugins),
          ...networkFindings('services', wanted, liveServices, request.services, plugins),
        ];
  return { wanted, findings, live };
}

/** The families that the first record speaks of; null: nothing was recorded. */
function firstFamilies(facts: ClusterFacts): readonly Family[] | null {
  const recorded = recordsOf(facts)[FIRST_FAMILIES_KEY];
  const families = asStrings(at(recorded, 'families'));
  return families.length === 0 ? null : families.filter((family) => family === 'IPv4' || family === 'IPv6');
}

const recordsOf = (facts: ClusterFacts): Recorded => (facts.records.known ? facts.records.value : {});

/** An IPv6 node mask may be at most 16 bits longer than the pod network (Kubernetes: `pkg/controller/nodeipam/ipam/cidrset`). */
const LONGEST_STEP = 16;

function nodeMasks(
  families: readonly Family[],
  pods: PerFamily<string>,
  asked: PerFamily<number>,
  plugins: BoundPlugins,
): PerFamily<number> {
  return Object.fromEntries(
    families.map((family) => {
      const network = parseCidr(pods[family] ?? '');
      const usual = plugins.distribution.defaultNodeMask[family];
      const fitting =
        network.ok && family === 'IPv6'
          ? Math.max(network.value.prefix, Math.min(usual, network.value.prefix + LONGEST_STEP))
          : usual;
      return [family, asked[family] ?? fitting];
    }),
  );
}

function primaryFindings(families: readonly Family[], live: readonly Family[]): readonly Finding[] {
  const [asked] = families;
  const [primary] = live;
  if (asked === undefined || primary === undefined || asked === primary) return [];
  return [
    {
      reason: 'PrimaryFamilyMismatch',
      object: null,
      message: `spec.ipFamilies[0] is ${asked}, but the primary family of the live cluster is ${primary}, which cannot change on a running cluster.`,
      remedy: `Write spec.ipFamilies: [${[primary, asked].join(', ')}], or make a new cluster.`,
      blocks: PHASES,
    },
  ];
}

function networkFindings(
  name: Network,
  wanted: Wanted,
  live: PerFamily<string>,
  asked: PerFamily<string>,
  { distribution }: BoundPlugins,
): readonly Finding[] {
  const field = `spec.clusterNetwork.${name}.cidrBlocks`;
  return wanted.families.flatMap((family, index): readonly Finding[] => {
    const [wants, has] = [asked[family], live[family]];
    if (wants !== undefined && has !== undefined && !sameNetwork(wants, has)) {
      return [
        {
          reason: 'ExistingCIDRImmutable',
          object: null,
          message: `${field} has ${wants}, but the live ${family} network for ${name} is ${has}, which cannot change on a running cluster.`,
          remedy: `Write ${has} in ${field}, or leave the ${family} network out.`,
          blocks: PHASES,
          liveNetwork: name,
        },
      ];
    }
    if (wanted[name][family] !== undefined || distribution.choosesNetworks) return [];
    return [
      {
        reason: index === 0 ? 'PrimaryCIDRUnknown' : 'SecondaryCIDRMissing',
        object: null,
        message:
          index === 0
            ? `The live ${family} network for ${name} could not be read from the control plane.`
            : `spec.ipFamilies asks for ${family}, but there is no ${family} network for ${name}, neither in ${field} nor in the cluster.`,
        remedy: `Add the ${family} network to ${field}.`,
        blocks: PHASES,
      },
    ];
  });
}

function byFamily(networks: Known<readonly string[]>): PerFamily<string> {
  if (!networks.known) return {};
  return Object.fromEntries(
    networks.value.flatMap((text) => {
      const cidr = parseCidr(text);
      return cidr.ok ? [[cidr.value.family, cidr.value.text]] : [];
    }),
  );
}

function familiesOf(networks: Known<readonly string[]>): readonly Family[] {
  if (!networks.known) return [];
  return networks.value.flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr.ok ? [cidr.value.family] : [];
  });
}
