import { vocabulary } from '../../src/registry.ts';

/** Resources by a table of changes to a good one: each entry says which field gets which value, and whether the result is good. */
export interface Case {
  readonly name: string;
  readonly spec: unknown;
  readonly good: boolean;
}

type Value = unknown;
type Path = readonly (string | number)[];

/** Leaves a field out. */
const ABSENT = Symbol('absent');

export const DUAL = {
  ipFamilies: ['IPv4', 'IPv6'],
  mode: 'Apply',
  paused: false,
  approvedPlanHash: '',
  distribution: 'Auto',
  cni: 'Auto',
  clusterNetwork: {
    pods: { cidrBlocks: ['10.244.0.0/16', 'fd00:10:244::/56'] },
    services: { cidrBlocks: ['10.96.0.0/16', 'fd00:10:96::/112'] },
    nodeCIDRMaskSizeIPv4: 24,
    nodeCIDRMaskSizeIPv6: 64,
  },
  calico: {
    pool: { blockSize: 122, encapsulation: 'Auto', natOutgoing: false, nodeSelector: 'all()' },
    autodetectionMethod: 'kubernetes-internal-ip',
  },
  nodes: {
    nodeIP: 'Manage',
    gracePeriod: '5m',
    remediation: 'Auto',
    podCIDRs: 'Keep',
    drain: { standalonePods: 'Refuse', emptyDir: 'Refuse', timeout: '30m' },
    guard: 'None',
    maxUnavailable: 1,
  },
  services: { migration: 'Selected' },
  workloads: { restart: 'None' },
  rollout: { onFailure: 'Halt', tolerateUnavailable: 0 },
  verification: { mode: 'Probes' },
  deletionPolicy: 'Orphan',
};

/** What a case about networks starts from: no masks and no pool options, which have rules with the pod network of their own. */
const PLAIN = {
  ipFamilies: ['IPv4', 'IPv6'],
  clusterNetwork: {
    pods: { cidrBlocks: ['10.244.0.0/16', 'fd00:10:244::/56'] },
    services: { cidrBlocks: ['10.96.0.0/16', 'fd00:10:96::/112'] },
  },
};

interface Field {
  readonly path: Path;
  readonly good: readonly Value[];
  readonly bad: readonly Value[];
}

const PODS: Path = ['clusterNetwork', 'pods', 'cidrBlocks'];
const SERVICES: Path = ['clusterNetwork', 'services', 'cidrBlocks'];

/** Texts that are no network of a cluster, whatever the field. */
const BAD_IPV6_CIDRS = [
  '',
  'fd00:10:244::',
  'fd00:10:244::/',
  'fd00:10:244::/056',
  'fd00:10:244::/+56',
  'fd00:10:244::/129',
  'fd00:10:244::1/56',
  'FD00:10:244::/56',
  'fd00:10:244:0::/56',
  'fd00:10:244:0:0:0:0:0/56',
  'fd00:10:244::%eth0/56',
  ' fd00:10:244::/56',
  'fd00:10:244::/56 ',
  'fd00:10:244:::/56',
  'fe80::/64',
  'fec0::1/64',
  'ff02::/64',
  '::1/128',
  '::/64',
  '::/0',
  '64:ff9b::/96',
  '::ffff:10.0.0.0/104',
  '::ffff:a00:0/104',
  'fd00:10:244::/56,fd00::/64',
  'ipv6',
  6,
  null,
];

const BAD_IPV4_CIDRS = [
  '010.244.0.0/16',
  '10.244.0.0',
  '10.244.0.0/33',
  '10.244.0.0/016',
  '10.244.0.1/16',
  '10.244.0/16',
  '10.244.0.0/255.255.0.0',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/8',
  '239.0.0.0/8',
  '0.0.0.0/0',
  '128.0.0.0/1',
];

const choice = (path: Path, values: readonly string[], ...bad: readonly Value[]): Field => ({
  path,
  good: [...values, ABSENT],
  bad: ['', values[0]?.toLowerCase(), 'Other', true, null, ...bad],
});

const FIELDS: readonly Field[] = [
  choice(['mode'], ['Apply', 'Plan']),
  { path: ['paused'], good: [true, false, ABSENT], bad: ['true', 0, null] },
  {
    path: ['approvedPlanHash'],
    good: ['', 'abc123', 'f'.repeat(64), ABSENT],
    bad: ['g', 'F0', 'f'.repeat(65), 'a b', 7, null],
  },
  choice(['distribution'], ['Auto', ...vocabulary.distributions]),
  choice(['cni'], ['Auto', ...vocabulary.cnis]),
  choice(['nodes', 'nodeIP'], ['Manage', 'Leave']),
  {
    path: ['nodes', 'gracePeriod'],
    good: ['0s', '90s', '5m', '24h', '1h30m', '1440m', '86400s', '23h59m60s', ABSENT],
    bad: ['', '5', 'm', '5 m', '-5m', '1.5h', '24h1s', '25h', '1441m', '86401s', '5M', '5d', '1m1h', 300, null],
  },
  choice(['nodes', 'remediation'], ['Auto', 'None']),
  choice(['nodes', 'podCIDRs'], ['Keep', 'Replace', 'Drain']),
  choice(['nodes', 'drain', 'standalonePods'], ['Refuse', 'Evict']),
  choice(['nodes', 'drain', 'emptyDir'], ['Refuse', 'Evict']),
  {
    path: ['nodes', 'drain', 'timeout'],
    good: ['0s', '30m', '24h', ABSENT],
    bad: ['', '5', '24h1s', '1441m', '-5m', 300, null],
  },
  { path: ['nodes', 'drain', 'force'], good: [], bad: [true] },
  choice(['nodes', 'guard'], ['None', 'Taint']),
  { path: ['nodes', 'maxUnavailable'], good: [1, 100, ABSENT], bad: [0, -1, 101, 1.5, '1', '10%', null] },
  { path: ['nodes', 'maxSurge'], good: [], bad: [1] },
  choice(['services', 'migration'], ['None', 'Selected', 'All']),
  choice(['workloads', 'restart'], ['None', 'Selected', 'All']),
  choice(['rollout', 'onFailure'], ['Halt', 'RollBack']),
  { path: ['rollout', 'tolerateUnavailable'], good: [0, 1000, ABSENT], bad: [-1, 1001, 0.5, '0', null] },
  choice(['verification', 'mode'], ['Probes', 'None']),
  choice(['deletionPolicy'], ['Orphan', 'Revert']),
  { path: ['calico', 'pool', 'natOutgoing'], good: [true, ABSENT], bad: ['Enabled', null] },
  {
    path: ['calico', 'pool', 'blockSize'],
    good: [116, 122, 128, ABSENT],
    bad: [115, 129, 64, 26, 20, 32, 0, '122', 122.5, null],
  },
  { path: ['calico', 'pool', 'nodeSelector'], good: ["has(ipv6) && region == 'eu'", ABSENT], bad: ['', 3, null] },
  {
    path: ['calico', 'autodetectionMethod'],
    good: ['first-found', 'interface=eth.*', 'can-reach=2001:db8::1', 'cidr=fd00::/64', ABSENT],
    bad: ['last-found', 'interface=', 'interface', '', null],
  },
  choice(['calico', 'pool', 'encapsulation'], ['Auto', 'None', 'VXLAN', 'VXLANCrossSubnet']),
  { path: ['calico'], good: [{}, ABSENT], bad: [[], 'on', null, { ippool: {} }] },
  { path: ['clusterNetwork'], good: [{}, ABSENT], bad: [[], 'x', null, { nodes: {} }] },
  { path: ['clusterNetwork', 'pods'], good: [ABSENT], bad: [{}, [], null, { cidrs: [] }] },
  { path: ['nodes'], good: [{}, ABSENT], bad: [[], null] },
  { path: ['cilium'], good: [], bad: [{}] },
  {
    path: ['ipFamilies'],
    good: [['IPv4', 'IPv6']],
    bad: [
      ABSENT,
      null,
      [],
      ['IPv4', 'IPv4'],
      ['IPv6', 'IPv6'],
      ['IPv4', 'IPv6', 'IPv4'],
      ['ipv4'],
      ['IPv4', null],
      'IPv4',
      {},
      [4],
    ],
  },
];

/** Changes to `PLAIN`, where rules between fields count. */
const NETWORKS: readonly Field[] = [
  {
    path: PODS,
    good: [
      ['10.244.0.0/16'],
      ['fd00:10:244::/56'],
      ['10.0.0.0/12', 'fd10::/20'],
      ['100.64.0.0/10', '2001:db8::/32'],
      ['240.0.0.0/8', 'fc00::/64'],
    ],
    bad: [
      [],
      ['fd00:10:244::/56', '10.244.0.0/16'],
      ['10.244.0.0/16', '10.245.0.0/16'],
      ['10.244.0.0/16', 'fd00::/64', 'fd01::/64'],
      ['10.96.0.0/16', 'fd00:10:244::/56'],
      ['10.96.128.0/17', 'fd00:10:244::/56'],
      ['10.0.0.0/8', 'fd00:10:244::/56'],
      ['10.244.0.0/16', 'fd00::/8'],
      ['10.244.0.0/16', 'fd00:10:96::/112'],
      ['10.244.0.0/16', 'fd00:10:96::8000/113'],
      '10.244.0.0/16',
      '10.244.0.0/16,fd00:10:244::/56',
      ...BAD_IPV6_CIDRS.map((cidr) => ['10.244.0.0/16', cidr]),
      ...BAD_IPV4_CIDRS.map((cidr) => [cidr, 'fd00:10:244::/56']),
    ],
  },
  {
    path: SERVICES,
    good: [
      ['10.96.0.0/12', 'fd00:10:96::/108'],
      ['10.96.0.0/29', 'fd00:10:96::/125'],
      ['10.96.0.0/24'],
      ['fd00:10:96::/120'],
    ],
    bad: [
      ['10.96.0.0/11', 'fd00:10:96::/112'],
      ['10.96.0.0/30', 'fd00:10:96::/112'],
      ['10.96.0.0/16', 'fd00:10:96::/107'],
      ['10.96.0.0/16', 'fd00:10:96::/64'],
      ['10.96.0.0/16', 'fd00:10:96::/126'],
      ['10.96.0.0/16', 'fd00:10:96::1/112'],
      ['10.244.0.0/16', 'fd00:10:96::/112'],
      ['10.96.0.0/16', '10.97.0.0/16'],
      [],
    ],
  },
  {
    path: ['clusterNetwork', 'nodeCIDRMaskSizeIPv4'],
    good: [16, 24, 32, ABSENT],
    bad: [15, 33, 7, 0, 24.5, '24', null],
  },
  { path: ['clusterNetwork', 'nodeCIDRMaskSizeIPv6'], good: [56, 64, 72, ABSENT], bad: [55, 73, 129, 7, '64', null] },
  {
    path: ['ipFamilies'],
    good: [],
    bad: [['IPv4'], ['IPv6'], ['IPv6', 'IPv4']],
  },
  { path: ['calico'], good: [{ pool: { blockSize: 116 } }], bad: [{ pool: { blockSize: 26 } }] },
];

/** Whole specs that a change of one field does not reach. */
const WHOLE: readonly Case[] = [
  { name: 'only the families', good: true, spec: { ipFamilies: ['IPv4', 'IPv6'] } },
  { name: 'one family', good: true, spec: { ipFamilies: ['IPv4'] } },
  { name: 'IPv6 first', good: true, spec: { ipFamilies: ['IPv6', 'IPv4'] } },
  {
    name: 'IPv6 alone with its networks',
    good: true,
    spec: { ipFamilies: ['IPv6'], clusterNetwork: { pods: { cidrBlocks: ['fd00::/56'] } } },
  },
  {
    name: 'IPv6 first with networks in that order',
    good: true,
    spec: { ipFamilies: ['IPv6', 'IPv4'], clusterNetwork: { pods: { cidrBlocks: ['fd00::/56', '10.0.0.0/16'] } } },
  },
  {
    name: 'a block size of IPv4 where IPv4 is added',
    good: true,
    spec: { ipFamilies: ['IPv6', 'IPv4'], calico: { pool: { blockSize: 26 } } },
  },
  {
    name: 'a block size of IPv6 where IPv4 is added',
    good: false,
    spec: { ipFamilies: ['IPv6', 'IPv4'], calico: { pool: { blockSize: 122 } } },
  },
  {
    name: 'a block size kept while there is one family',
    good: true,
    spec: { ipFamilies: ['IPv4'], calico: { pool: { blockSize: 122 } } },
  },
  {
    name: 'a block size of no family',
    good: false,
    spec: { ipFamilies: ['IPv4'], calico: { pool: { blockSize: 64 } } },
  },
  {
    name: 'a block larger than its pool',
    good: false,
    spec: {
      ipFamilies: ['IPv4', 'IPv6'],
      clusterNetwork: { pods: { cidrBlocks: ['10.0.0.0/16', 'fd00::/120'] } },
      calico: { pool: { blockSize: 118 } },
    },
  },
  {
    name: 'a mask of a family without a given network',
    good: true,
    spec: { ipFamilies: ['IPv4', 'IPv6'], clusterNetwork: { nodeCIDRMaskSizeIPv6: 120 } },
  },
  { name: 'an unknown field', good: false, spec: { ipFamilies: ['IPv4'], ipFamilyPolicy: 'RequireDualStack' } },
  { name: 'an empty spec', good: false, spec: {} },
];

export const CASES: readonly Case[] = [
  { name: 'the whole of it', good: true, spec: DUAL },
  ...FIELDS.flatMap((field) => casesOf(DUAL, field)),
  ...NETWORKS.flatMap((field) => casesOf(PLAIN, field)),
  ...WHOLE,
];

/** Null is what an empty value in YAML comes to: the server drops it, so it is as good as leaving the field out. */
function casesOf(base: object, { path, good, bad }: Field): readonly Case[] {
  const make = (value: Value, verdict: boolean): Case => ({
    name: `${path.join('.')} = ${value === ABSENT ? 'absent' : JSON.stringify(value)}`,
    spec: changed(base, path, value),
    good: verdict,
  });
  return [
    ...good.map((value) => make(value, true)),
    ...bad.map((value) => make(value, value === null && good.includes(ABSENT))),
  ];
}

/** A deep copy with one field set, or left out. */
export function changed(base: object, path: Path, value: Value): object {
  const copy = structuredClone(base) as Record<string | number, unknown>;
  let owner = copy;
  for (const key of path.slice(0, -1)) owner = owner[key] as Record<string | number, unknown>;
  const last = path.at(-1) ?? '';
  if (value === ABSENT) delete owner[last];
  else owner[last] = value;
  return copy;
}
