/** A change of a spec, and the spec that was applied before it, if any. */
export interface Transition {
  readonly name: string;
  readonly before: object;
  readonly after: object;
  readonly applied?: object;
  readonly good: boolean;
  /** What both answers have in their words. */
  readonly says?: string;
}

const dual = (pods: readonly string[], services: readonly string[] = ['10.96.0.0/16', 'fd00:10:96::/112']) => ({
  ipFamilies: ['IPv4', 'IPv6'],
  clusterNetwork: { pods: { cidrBlocks: pods }, services: { cidrBlocks: services } },
});

const DUAL = dual(['10.244.0.0/16', 'fd00:10:244::/56']);
const SINGLE = {
  ipFamilies: ['IPv4'],
  clusterNetwork: { pods: { cidrBlocks: ['10.244.0.0/16'] }, services: { cidrBlocks: ['10.96.0.0/16'] } },
};
const FAMILIES_ONLY = { ipFamilies: ['IPv4', 'IPv6'] };
const IPV6_FIRST = { ipFamilies: ['IPv6', 'IPv4'] };

export const TRANSITIONS: readonly Transition[] = [
  { name: 'before anything was applied the primary may change', before: FAMILIES_ONLY, after: IPV6_FIRST, good: true },
  {
    name: 'before anything was applied a CIDR may change',
    before: DUAL,
    after: dual(['10.245.0.0/16', 'fd00::/56']),
    good: true,
  },
  {
    name: 'the primary is kept once applied',
    before: FAMILIES_ONLY,
    applied: FAMILIES_ONLY,
    after: IPV6_FIRST,
    good: false,
    says: 'the primary family IPv4 cannot be changed once applied',
  },
  {
    name: 'the primary cannot leave once applied',
    before: FAMILIES_ONLY,
    applied: FAMILIES_ONLY,
    after: { ipFamilies: ['IPv6'] },
    good: false,
    says: 'the primary family IPv4 cannot be changed once applied',
  },
  { name: 'the second family may be removed', before: DUAL, applied: DUAL, after: SINGLE, good: true },
  { name: 'a second family may be added', before: SINGLE, applied: SINGLE, after: DUAL, good: true },
  {
    name: 'the primary pod network is kept',
    before: DUAL,
    applied: DUAL,
    after: dual(['10.245.0.0/16', 'fd00:10:244::/56']),
    good: false,
    says: '10.244.0.0/16',
  },
  {
    name: 'the second pod network is kept',
    before: DUAL,
    applied: DUAL,
    after: dual(['10.244.0.0/16', 'fd00:10:245::/56']),
    good: false,
    says: 'fd00:10:244::/56',
  },
  {
    name: 'the service network is kept',
    before: DUAL,
    applied: DUAL,
    after: dual(['10.244.0.0/16', 'fd00:10:244::/56'], ['10.96.0.0/16', 'fd00:10:97::/112']),
    good: false,
    says: 'fd00:10:96::/112',
  },
  {
    name: 'another prefix length is another network',
    before: DUAL,
    applied: DUAL,
    after: dual(['10.244.0.0/15', 'fd00:10:244::/56']),
    good: false,
  },
  {
    name: 'a CIDR may be left out',
    before: DUAL,
    applied: DUAL,
    after: { ...DUAL, clusterNetwork: { services: DUAL.clusterNetwork.services } },
    good: true,
  },
  { name: 'all networks may be left out', before: DUAL, applied: DUAL, after: FAMILIES_ONLY, good: true },
  { name: 'the applied CIDR may be written down later', before: FAMILIES_ONLY, applied: DUAL, after: DUAL, good: true },
  {
    name: 'another than the applied CIDR may not be written down later',
    before: FAMILIES_ONLY,
    applied: DUAL,
    after: dual(['10.244.0.0/16', 'fd00:1::/56']),
    good: false,
    says: 'fd00:10:244::/56',
  },
  {
    name: 'after one family was applied the second may come back with another network',
    before: SINGLE,
    applied: SINGLE,
    after: dual(['10.244.0.0/16', 'fd00:99::/56'], ['10.96.0.0/16', 'fd00:98::/112']),
    good: true,
  },
  {
    name: 'other fields change freely',
    before: DUAL,
    applied: DUAL,
    after: { ...DUAL, paused: true, mode: 'Plan', rollout: { onFailure: 'RollBack' } },
    good: true,
  },
  {
    name: 'a spec that already differs from what was applied does not stand in the way of other fields',
    before: dual(['10.244.0.0/16', 'fd00:77::/56']),
    applied: DUAL,
    after: { ...dual(['10.244.0.0/16', 'fd00:77::/56']), paused: true },
    good: true,
  },
];
