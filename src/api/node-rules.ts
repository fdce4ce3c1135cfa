import {
  EDITABLE_FLAGS,
  EDITABLE_SYSCTLS,
  type HostSettings,
  K0S_SHOWN_FLAGS,
  STATIC_PODS,
  type StaticPod,
} from '../model/host.ts';
import { EDITABLE_K0S_SETTINGS, type EditableK0sSetting, k0sValueKind } from '../model/k0s.ts';
import { addressBits, parseAddress } from '../net/address.ts';
import { networkOf, parseCidr } from '../net/cidr.ts';
import { familyAtSight } from '../net/family.ts';
import { parseList } from '../net/list.ts';
import { unusablePart } from '../net/special.ts';
import { err, ok, type Result } from '../result.ts';
import { CEL_UNUSABLE, type CelRule, celList } from './cel.ts';
import { hostSettingsSchema } from './node.ts';
import { withoutNulls } from './nulls.ts';
import { toProblem } from './resolve.ts';
import type { Problem } from './rule.ts';

const K0S_SHOWN = STATIC_PODS.flatMap((component) =>
  K0S_SHOWN_FLAGS[component].map((flag) => [component, flag] as const),
);

/** Longest name of a network interface in Linux. */
const INTERFACE = /^[A-Za-z0-9@_.-]{1,15}$/;

/** A rule on the spec of a DualStackNode, said in CEL over `self`, the spec, and in code. */
export interface NodeRule extends CelRule {
  readonly name: string;
  check(settings: HostSettings): readonly Problem[];
}

const nodeIPs: NodeRule = {
  name: 'node-ips',
  fieldPath: '.kubelet.nodeIPs',
  rule: `!has(self.kubelet) || (self.kubelet.nodeIPs.all(a, isIP(a) && ip.isCanonical(a) && !${CEL_UNUSABLE}.exists(n, cidr(n).containsIP(a))) && (self.kubelet.nodeIPs.size() < 2 || !self.kubelet.nodeIPs.all(a, isIP(a)) || ip(self.kubelet.nodeIPs[0]).family() != ip(self.kubelet.nodeIPs[1]).family()))`,
  message:
    'must be canonical addresses that other hosts can reach, one per family: the kubelet takes no unspecified, loopback, link-local or multicast address',
  check: ({ kubelet }) => {
    const path = 'spec.kubelet.nodeIPs';
    const texts = kubelet?.nodeIPs ?? [];
    const wrong = texts.flatMap((text, index) => {
      const message = nodeIPProblem(text);
      return message === null ? [] : [{ path: `${path}[${index}]`, message }];
    });
    const families = texts.map(familyAtSight);
    if (wrong.length > 0 || new Set(families).size === families.length) return wrong;
    return [{ path, message: `[${texts.join(', ')}] are of one family: write one address per family` }];
  },
};

function nodeIPProblem(text: string): string | null {
  const address = parseAddress(text);
  if (!address.ok) return address.error.message;
  if (address.value.text !== text) return `"${text}" is not canonical: write ${address.value.text}`;
  const part = unusablePart(networkOf(address.value, addressBits(address.value.family)));
  return part === null ? null : `"${text}" lies in ${part}, which other hosts cannot reach`;
}

const SYSCTLS = Object.entries(EDITABLE_SYSCTLS);
const EXACT = SYSCTLS.filter(([key]) => !key.includes('*'));
const PATTERNS = SYSCTLS.flatMap(([key, values]) => {
  const [before, after] = key.split('*');
  return before !== undefined && after !== undefined ? [{ before, after, values }] : [];
});

const sysctls: NodeRule = {
  name: 'sysctls',
  fieldPath: '.sysctls',
  rule: `!has(self.sysctls) || self.sysctls.all(k, ${[
    ...EXACT.map(([key, values]) => `(k == '${key}' && self.sysctls[k] in ${celList(values)})`),
    ...PATTERNS.map(
      ({ before, after, values }) =>
        `(k.size() <= ${before.length + after.length + 15} && k.matches('^${celPattern(before)}[A-Za-z0-9@_.-]{1,15}${celPattern(after)}$') && self.sysctls[k] in ${celList(values)})`,
    ),
  ].join(' || ')})`,
  message: `takes only ${SYSCTLS.map(([key, values]) => `${key} (${values.join(', ')})`).join('; ')}, where * is one interface`,
  check: (settings) =>
    Object.entries(settings.sysctls ?? {})
      .filter(([key, value]) => !(allowedValues(key) ?? []).includes(value))
      .map(([key, value]) => ({
        path: `spec.sysctls.${key}`,
        message: `"${value}" cannot be set: ${allowedValues(key)?.join(', ') ?? 'this key is not one of those that may be changed'}`,
      })),
};

/** Values that a kernel setting may be given; null: it may not be changed. */
function allowedValues(key: string): readonly string[] | null {
  const exact = EXACT.find(([name]) => name === key);
  if (exact !== undefined) return exact[1];
  const pattern = PATTERNS.find(
    ({ before, after }) =>
      key.startsWith(before) &&
      key.endsWith(after) &&
      key.length > before.length + after.length &&
      INTERFACE.test(key.slice(before.length, key.length - after.length)),
  );
  return pattern?.values ?? null;
}

/** A literal text inside a pattern inside a CEL string. */
function celPattern(literal: string): string {
  return literal.replaceAll('.', String.raw`\\.`);
}

const cidrFlags: NodeRule = {
  name: 'cidr-flags',
  fieldPath: '.staticPods',
  rule: `!has(self.staticPods) || (${STATIC_PODS.flatMap((component) =>
    ['service-cluster-ip-range', 'cluster-cidr']
      .filter((flag) => component === 'kube-controller-manager' || flag !== 'cluster-cidr')
      .map((flag) => {
        const owner = `self.staticPods.${celName(component)}`;
        return `(!has(${owner}) || ${celCidrFlag(owner, flag)})`;
      }),
  ).join(' && ')})`,
  message: 'must be CIDRs, at most one per family, separated by a comma alone',
  check: ({ staticPods = {} }) =>
    STATIC_PODS.flatMap((component) =>
      Object.entries(staticPods[component] ?? {}).flatMap(([flag, value]) => {
        const message = flag.startsWith('node-cidr-mask-size') ? null : cidrListProblem(value);
        return message === null ? [] : [{ path: `spec.staticPods.${component}.${flag}`, message }];
      }),
    ),
};

/** Of one field of an object that is there. */
function celCidrFlag(owner: string, flag: string): string {
  const value = `${owner}.${celName(flag)}`;
  const items = `${value}.split(',')`;
  const familiesDiffer = `cidr(${items}[0]).ip().family() != cidr(${items}[1]).ip().family()`;
  return `(!has(${value}) || (${items}.all(c, isCIDR(c)) && (${items}.size() < 2 || ${familiesDiffer})))`;
}

/** A field name with dashes and dots, as the API server spells it in CEL. */
function celName(field: string): string {
  return field.replaceAll('-', '__dash__').replaceAll('.', '__dot__');
}

function cidrListProblem(value: string): string | null {
  const cidrs = parseList(value, parseCidr);
  if (!cidrs.ok) return cidrs.error.message;
  const families = cidrs.value.map((cidr) => cidr.family);
  return new Set(families).size === families.length
    ? null
    : `"${value}" names a family twice: write one CIDR per family`;
}

const notBoth: NodeRule = {
  name: 'set-or-absent',
  fieldPath: '.absent',
  rule: `!has(self.absent) || (${[
    '(!has(self.kubelet) || !has(self.absent.kubelet) || self.absent.kubelet.size() == 0)',
    ...STATIC_PODS.map(celNotBoth),
  ].join(' && ')})`,
  message: 'names a flag that is also given a value: either set it or take it out',
  check: (settings) => {
    const kubelet =
      settings.kubelet !== undefined && (settings.absent?.kubelet ?? []).length > 0 ? ['kubelet node-ip'] : [];
    const flags = STATIC_PODS.flatMap((component) =>
      (settings.absent?.[component] ?? [])
        .filter((flag) => settings.staticPods?.[component]?.[flag] !== undefined)
        .map((flag) => `${component} ${flag}`),
    );
    return [...kubelet, ...flags].map((flag) => ({
      path: 'spec.absent',
      message: `${flag} is also given a value: either set it or take it out`,
    }));
  },
};

function celNotBoth(component: StaticPod): string {
  const [absent, set] = [`self.absent.${celName(component)}`, `self.staticPods.${celName(component)}`];
  const both = EDITABLE_FLAGS[component].map((flag) => `('${flag}' in ${absent} && has(${set}.${celName(flag)}))`);
  return `(!has(${absent}) || !has(self.staticPods) || !has(${set}) || !(${both.join(' || ')}))`;
}

const K0S_CIDRS = EDITABLE_K0S_SETTINGS.filter((path) => k0sValueKind(path).startsWith('CIDR'));
/** Where k0s takes a network of IPv6 and no other. */
const K0S_IPV6 = K0S_CIDRS.filter((path) => path.startsWith('spec.network.dualStack.'));

const k0sNetworks: NodeRule = {
  name: 'k0s-networks',
  fieldPath: '.k0s',
  rule: `!has(self.k0s) || (${[
    ...K0S_CIDRS.map((path) => celCidrFlag('self.k0s.set', path)),
    ...K0S_IPV6.map((path) => {
      const value = `self.k0s.set.${celName(path)}`;
      return `(!has(${value}) || !isCIDR(${value}) || cidr(${value}).ip().family() == 6)`;
    }),
    ...K0S_SHOWN.map(
      ([component, flag]) =>
        `(!has(self.k0s.shows.${celName(component)}) || ${celCidrFlag(`self.k0s.shows.${celName(component)}`, flag)})`,
    ),
  ].join(' && ')})`,
  message: 'must be CIDRs, at most one per family, separated by a comma alone; those of dualStack are of IPv6',
  check: ({ k0s }) => {
    if (k0s === undefined) return [];
    const set = K0S_CIDRS.flatMap((path) => {
      const value = k0s.set[path];
      const message = value === undefined ? null : (cidrListProblem(value) ?? k0sFamilyProblem(path, value));
      return message === null ? [] : [{ path: `spec.k0s.set.${path}`, message }];
    });
    const shows = K0S_SHOWN.flatMap(([component, flag]) => {
      const value = k0s.shows[component]?.[flag];
      const message = value === undefined ? null : cidrListProblem(value);
      return message === null ? [] : [{ path: `spec.k0s.shows.${component}.${flag}`, message }];
    });
    return [...set, ...shows];
  },
};

const k0sFamilyProblem = (path: EditableK0sSetting, value: string): string | null =>
  K0S_IPV6.includes(path) && !value.includes(':') ? `"${value}" is no network of IPv6` : null;

const k0sNotBoth: NodeRule = {
  name: 'k0s-set-or-absent',
  fieldPath: '.k0s.absent',
  rule: `!has(self.k0s) || !(${EDITABLE_K0S_SETTINGS.map(
    (path) => `('${path}' in self.k0s.absent && has(self.k0s.set.${celName(path)}))`,
  ).join(' || ')})`,
  message: 'names a setting that is also given a value: either set it or take it out',
  check: ({ k0s }) =>
    (k0s?.absent ?? [])
      .filter((path) => k0s?.set[path] !== undefined)
      .map((path) => ({
        path: 'spec.k0s.absent',
        message: `${path} is also given a value: either set it or take it out`,
      })),
};

export const NODE_RULES: readonly NodeRule[] = [nodeIPs, sysctls, cidrFlags, notBoth, k0sNetworks, k0sNotBoth];

/** Reads the spec of a DualStackNode: the agent does it again before it touches the host. */
export function parseSettings(spec: unknown): Result<HostSettings, readonly Problem[]> {
  const parsed = hostSettingsSchema.safeParse(withoutNulls(spec), { reportInput: true });
  if (!parsed.success) return err(parsed.error.issues.map(toProblem));
  const problems = NODE_RULES.flatMap((rule) => rule.check(parsed.data));
  return problems.length > 0 ? err(problems) : ok(parsed.data);
}
