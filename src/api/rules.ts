import { type Cidr, overlaps, parseCidr } from '../net/cidr.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { unusablePart } from '../net/special.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { CEL_UNUSABLE, type CelRule, celBlocks, celEachCidr, celFamily, celOverlap, celWhereGiven } from './cel.ts';
import { MAX_GRACE_SECONDS, secondsOf } from './duration.ts';
import type { Problem, Rule } from './rule.ts';

/** Prefix lengths of a Service network, shortest and longest. kube-apiserver takes at most 20 host bits and at least 8 addresses. */
const SERVICE_PREFIX: Readonly<Record<Family, readonly [number, number]>> = { IPv4: [12, 29], IPv6: [108, 125] };

/** kube-controller-manager refuses an IPv6 node mask that is longer than the pod network's by more than this. */
const MAX_IPV6_NODE_BITS = 16;

const NETWORKS = ['pods', 'services'] as const;
export type Network = (typeof NETWORKS)[number];

const blocksPath = (network: Network): string => `spec.clusterNetwork.${network}.cidrBlocks`;

export const cidrBlocksOf = (spec: ClusterSpec, network: Network): readonly string[] =>
  spec.clusterNetwork?.[network]?.cidrBlocks ?? [];

/** The CIDRs of a network that can be read; the others have been told by the rules on each text. */
const cidrsOf = (spec: ClusterSpec, network: Network): readonly Cidr[] =>
  cidrBlocksOf(spec, network).flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr.ok ? [cidr.value] : [];
  });

/** Rules on each text of `cidrBlocks`, where `self` is the text. */
export const CIDR_RULES: readonly (CelRule & { check(text: string): string | null })[] = [
  {
    rule: 'isCIDR(self) && string(cidr(self)) == self && cidr(self).masked() == cidr(self)',
    message:
      'must be a network address with a prefix length in canonical form, such as 10.96.0.0/16 or fd00:10:96::/112: no host bits, no zone, no IPv4-mapped address, lower case',
    check: (text) => {
      const cidr = parseCidr(text);
      if (!cidr.ok) return `${cidr.error.message}; write it like 10.96.0.0/16 or fd00:10:96::/112`;
      return cidr.value.text === text ? null : `"${text}" is not canonical: write ${cidr.value.text}`;
    },
  },
  {
    rule: `!isCIDR(self) || !${CEL_UNUSABLE}.exists(n, ${celOverlap('self', 'n')})`,
    message:
      'must not touch unspecified, loopback, link-local, multicast or reserved addresses: choose a private network such as 10.0.0.0/8 or fd00::/8 has',
    check: (text) => {
      const cidr = parseCidr(text);
      const part = cidr.ok ? unusablePart(cidr.value) : null;
      return part === null
        ? null
        : `"${text}" touches ${part}, which hosts cannot use: choose a private network such as 10.0.0.0/8 or fd00::/8 has`;
    },
  },
];

const familiesUnique: Rule = {
  name: 'families-unique',
  fieldPath: '.ipFamilies',
  cel: 'self.ipFamilies.size() < 2 || self.ipFamilies[0] != self.ipFamilies[1]',
  celValue: "self.ipFamilies.join(', ')",
  message: 'names a family twice: name each family once',
  check: ({ ipFamilies }) =>
    new Set(ipFamilies).size === ipFamilies.length
      ? []
      : [
          {
            path: 'spec.ipFamilies',
            message: `[${ipFamilies.join(', ')}] names a family twice: name each family once`,
          },
        ],
};

const blocksFollowFamilies = (network: Network): Rule => ({
  name: `${network}-follow-families`,
  fieldPath: `.clusterNetwork.${network}.cidrBlocks`,
  celValue: `${celBlocks(network)}.join(', ')`,
  cel: `${celEachCidr(network, 'c', `${celFamily('c')} in self.ipFamilies`)} && ${celInOrder(network)}`,
  message: `must hold at most one CIDR of each family in ipFamilies, in the same order: remove the CIDR of a family that is not asked for`,
  check: (spec) => {
    const cidrs = cidrsOf(spec, network);
    if (cidrs.length !== cidrBlocksOf(spec, network).length) {
      return cidrs.flatMap((cidr) => strangerTo(spec, network, cidr));
    }
    const strangers = cidrs.flatMap((cidr) => strangerTo(spec, network, cidr));
    if (strangers.length > 0 || cidrs.length < 2) return strangers;
    const found = cidrs.map((cidr) => cidr.family);
    if (found[0] === spec.ipFamilies[0] && found[0] !== found[1]) return [];
    return [
      {
        path: blocksPath(network),
        message: `[${cidrs.map((cidr) => cidr.text).join(', ')}] are ${found.join(', ')}, but ipFamilies is [${spec.ipFamilies.join(', ')}]: write one CIDR per family in that order`,
      },
    ];
  },
});

function celInOrder(network: Network): string {
  const blocks = celBlocks(network);
  const [first, second] = [celFamily(`${blocks}[0]`), celFamily(`${blocks}[1]`)];
  const inOrder = `(${first} == self.ipFamilies[0] && ${first} != ${second})`;
  return celWhereGiven(network, `${blocks}.size() < 2 || !${blocks}.all(c, isCIDR(c)) || ${inOrder}`);
}

const strangerTo = (spec: ClusterSpec, network: Network, cidr: Cidr): readonly Problem[] =>
  spec.ipFamilies.includes(cidr.family)
    ? []
    : [
        {
          path: blocksPath(network),
          message: `"${cidr.text}" is ${cidr.family}, which is not in ipFamilies: remove it, or add ${cidr.family} to ipFamilies`,
        },
      ];

const networksDisjoint: Rule = {
  name: 'networks-disjoint',
  fieldPath: '.clusterNetwork.services.cidrBlocks',
  celValue: `${celBlocks('services')}.join(', ')`,
  cel: celEachCidr('pods', 'p', celEachCidr('services', 's', `!${celOverlap('p', 's')}`)),
  message: 'shares addresses with pods.cidrBlocks: choose networks that do not overlap',
  check: (spec) =>
    cidrsOf(spec, 'pods').flatMap((pods) =>
      cidrsOf(spec, 'services')
        .filter((services) => overlaps(pods, services))
        .map((services) => ({
          path: blocksPath('services'),
          message: `"${services.text}" overlaps the pod network ${pods.text}: choose networks that do not overlap`,
        })),
    ),
};

const servicePrefix: Rule = {
  name: 'service-prefix',
  fieldPath: '.clusterNetwork.services.cidrBlocks',
  celValue: `${celBlocks('services')}.join(', ')`,
  cel: celEachCidr(
    'services',
    's',
    `(cidr(s).ip().family() == 4 ? (cidr(s).prefixLength() >= ${SERVICE_PREFIX.IPv4[0]} && cidr(s).prefixLength() <= ${SERVICE_PREFIX.IPv4[1]}) : (cidr(s).prefixLength() >= ${SERVICE_PREFIX.IPv6[0]} && cidr(s).prefixLength() <= ${SERVICE_PREFIX.IPv6[1]}))`,
  ),
  message: `must have prefix lengths from /12 to /29 (IPv4) or from /108 to /125 (IPv6): kube-apiserver takes no other`,
  check: (spec) =>
    cidrsOf(spec, 'services').flatMap((cidr) => {
      const [shortest, longest] = SERVICE_PREFIX[cidr.family];
      if (cidr.prefix >= shortest && cidr.prefix <= longest) return [];
      return [
        {
          path: blocksPath('services'),
          message: `"${cidr.text}" must have a prefix length from /${shortest} to /${longest}: kube-apiserver takes no other`,
        },
      ];
    }),
};

const maskField = (family: Family): 'nodeCIDRMaskSizeIPv4' | 'nodeCIDRMaskSizeIPv6' => `nodeCIDRMaskSize${family}`;

const nodeMask = (family: Family): Rule => {
  const field = maskField(family);
  const longest = (prefix: number): number => (family === 'IPv4' ? 32 : prefix + MAX_IPV6_NODE_BITS);
  const mask = `self.clusterNetwork.${field}`;
  const upper = family === 'IPv4' ? '' : ` && ${mask} <= cidr(p).prefixLength() + ${MAX_IPV6_NODE_BITS}`;
  return {
    name: `node-mask-${family.toLowerCase()}`,
    fieldPath: `.clusterNetwork.${field}`,
    // A number has no bounded text in CEL, so the networks that it has to fit stand for it.
    celValue: `${celBlocks('pods')}.join(', ')`,
    cel: `!has(self.clusterNetwork) || !has(${mask}) || ${celEachCidr('pods', 'p', `${celFamily('p')} != '${family}' || (${mask} >= cidr(p).prefixLength()${upper})`)}`,
    message:
      family === 'IPv4'
        ? 'the node mask must not be shorter than the prefix length of the IPv4 pod network: node networks lie in it'
        : `the node mask must be at least the prefix length of the IPv6 pod network and at most ${MAX_IPV6_NODE_BITS} more: kube-controller-manager takes no other`,
    check: (spec) => {
      const asked = spec.clusterNetwork?.[field];
      if (asked === undefined) return [];
      return cidrsOf(spec, 'pods')
        .filter((cidr) => cidr.family === family && (asked < cidr.prefix || asked > longest(cidr.prefix)))
        .map((cidr) => ({
          path: `spec.clusterNetwork.${field}`,
          message: `${asked} does not fit the pod network ${cidr.text}: write a value from ${cidr.prefix} to ${longest(cidr.prefix)}`,
        }));
    },
  };
};

const gracePeriod: Rule = {
  name: 'grace-period',
  fieldPath: '.nodes.gracePeriod',
  celValue: 'self.nodes.gracePeriod',
  cel: "!has(self.nodes) || !has(self.nodes.gracePeriod) || duration(self.nodes.gracePeriod) <= duration('24h')",
  message: 'must be at most 24h',
  check: ({ nodes }) =>
    nodes?.gracePeriod === undefined || secondsOf(nodes.gracePeriod) <= MAX_GRACE_SECONDS
      ? []
      : [{ path: 'spec.nodes.gracePeriod', message: `"${nodes.gracePeriod}" is too long: write at most 24h` }],
};

const drainTimeout: Rule = {
  name: 'drain-timeout',
  fieldPath: '.nodes.drain.timeout',
  celValue: 'self.nodes.drain.timeout',
  cel: "!has(self.nodes) || !has(self.nodes.drain) || !has(self.nodes.drain.timeout) || duration(self.nodes.drain.timeout) <= duration('24h')",
  message: 'must be at most 24h',
  check: ({ nodes }) =>
    nodes?.drain?.timeout === undefined || secondsOf(nodes.drain.timeout) <= MAX_GRACE_SECONDS
      ? []
      : [{ path: 'spec.nodes.drain.timeout', message: `"${nodes.drain.timeout}" is too long: write at most 24h` }],
};

/** Rules on the whole spec, without those of options. */
export const SPEC_RULES: readonly Rule[] = [
  familiesUnique,
  blocksFollowFamilies('pods'),
  blocksFollowFamilies('services'),
  networksDisjoint,
  servicePrefix,
  ...FAMILIES.map(nodeMask),
  gracePeriod,
  drainTimeout,
];

/** Everything that the static rules find wrong, in the order of the fields. */
export function checkSpec(spec: ClusterSpec, optionRules: readonly Rule[] = []): readonly Problem[] {
  const cidrProblems = NETWORKS.flatMap((network) =>
    cidrBlocksOf(spec, network).flatMap((text, index) =>
      CIDR_RULES.flatMap((rule) => {
        const message = rule.check(text);
        return message === null ? [] : [{ path: `${blocksPath(network)}[${index}]`, message }];
      }),
    ),
  );
  return [...cidrProblems, ...[...SPEC_RULES, ...optionRules].flatMap((rule) => rule.check(spec))];
}
