import { asString, at, type Json } from '../../model/object.ts';
import type { Change } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { CHANGED_KEYS, type ChangedKey, type ConfigFacts } from './facts.ts';

/** How pods get their addresses, as far as this program converts it. */
export type IPAMMode = 'cluster-pool' | 'kubernetes' | 'multi-pool';
const MODES: readonly IPAMMode[] = ['cluster-pool', 'kubernetes', 'multi-pool'];

/** Null: a mode in which a cloud, a chained plug-in or an unknown party gives the addresses. */
export const modeOf = ({ data }: ConfigFacts): IPAMMode | null => MODES.find((mode) => mode === data['ipam']) ?? null;

/** Lists are written with blanks by the chart and with commas by people. */
export const listOf = (text: string | undefined): readonly string[] =>
  (text ?? '').split(/[\s,]+/u).filter((each) => each !== '');

/** Values of the settings that are changed; null: the key shall not be there. A key that is absent stays as it is. */
export type Settings = Readonly<Partial<Record<ChangedKey, string | null>>>;

export function goalOf(wanted: Wanted, config: ConfigFacts, first: Json | undefined): Settings {
  return wanted.direction === 'Forward' ? forwardSettings(wanted, config) : backSettings(config, first);
}

function forwardSettings({ pods, nodeMask }: Wanted, config: ConfigFacts): Settings {
  const { data } = config;
  const network = pods.IPv6;
  if (network === undefined) return {};
  const pool: Settings =
    modeOf(config) === 'cluster-pool'
      ? {
          'cluster-pool-ipv6-cidr': filled(data['cluster-pool-ipv6-cidr']) ?? network,
          'cluster-pool-ipv6-mask-size': filled(data['cluster-pool-ipv6-mask-size']) ?? String(nodeMask.IPv6 ?? 64),
        }
      : {};
  const routed: Settings = needsNativeCIDR(data) ? { 'ipv6-native-routing-cidr': network } : {};
  return { 'enable-ipv6': 'true', ...pool, ...routed };
}

const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/**
 * Without a tunnel the agent ends at its start when it shall masquerade IPv6 and does not know what not to masquerade
 * (`checkIPv6NativeRoutingCIDR` in Cilium's `pkg/option/config.go`).
 */
function needsNativeCIDR(data: ConfigFacts['data']): boolean {
  const isNative = data['routing-mode'] === 'native' || data['tunnel'] === 'disabled';
  const masquerades = data['enable-ipv6-masquerade'] !== 'false' && data['enable-ip-masq-agent'] !== 'true';
  return isNative && masquerades && (data['ipv6-native-routing-cidr'] ?? '') === '';
}

/**
 * The first values where they were recorded. Else IPv6 is switched off, and the pool goes with it: the operator ends at its start where it is told a
 * pool of a family that is off (`Init` in Cilium's `pkg/ipam/allocator/clusterpool/clusterpool.go`).
 */
function backSettings(config: ConfigFacts, first: Json | undefined): Settings {
  const wasOff = first !== undefined && at(first, 'enable-ipv6') !== 'true';
  if (wasOff) return Object.fromEntries(CHANGED_KEYS.map((key) => [key, asString(at(first, key)) ?? null]));
  const pool: Settings =
    modeOf(config) === 'cluster-pool' ? { 'cluster-pool-ipv6-cidr': null, 'cluster-pool-ipv6-mask-size': null } : {};
  return { 'enable-ipv6': 'false', ...pool };
}

/** What differs from the live ConfigMap. A key that is not there is as good as `false`. */
export function changesOf({ data }: ConfigFacts, goal: Settings): readonly Change[] {
  return CHANGED_KEYS.flatMap((key): readonly Change[] => {
    const [before, after] = [data[key] ?? null, goal[key]];
    if (after === undefined || before === after) return [];
    if (key === 'enable-ipv6' && (before ?? 'false') === (after ?? 'false')) return [];
    return [{ path: `data["${key}"]`, before, after }];
  });
}

/**
 * What somebody else must change before it goes on. Not `ipv6-native-routing-cidr` where IPv6 is off: the chart writes it by a value of its own, whatever
 * `ipv6.enabled` says, and no agent reads it then.
 */
export const awaitedOf = (config: ConfigFacts, goal: Settings): readonly Change[] => {
  const isOff = config.data['enable-ipv6'] !== 'true' && goal['enable-ipv6'] !== 'true';
  return changesOf(config, goal).filter(({ path }) => !isOff || path !== 'data["ipv6-native-routing-cidr"]');
};

/** The part of a merge patch that makes these changes. */
export const patchOf = (config: ConfigFacts, goal: Settings): Readonly<Record<string, string | null>> => {
  const changed = new Set(changesOf(config, goal).map(({ path }) => path));
  return Object.fromEntries(
    CHANGED_KEYS.flatMap((key) => (changed.has(`data["${key}"]`) ? [[key, goal[key] ?? null] as const] : [])),
  );
};

/** Values of the chart that become these settings. Pools of a family that is off it leaves out by itself. */
function valuesOf({ data }: ConfigFacts, goal: Settings): readonly (readonly [name: string, value: string])[] {
  const cidr = goal['cluster-pool-ipv6-cidr'];
  const mask = goal['cluster-pool-ipv6-mask-size'];
  const native =
    goal['ipv6-native-routing-cidr'] === null && filled(data['ipv6-native-routing-cidr'])
      ? ''
      : goal['ipv6-native-routing-cidr'];
  return [
    ['ipv6.enabled', goal['enable-ipv6'] ?? 'false'],
    ...(typeof cidr === 'string'
      ? [['ipam.operator.clusterPoolIPv6PodCIDRList', `{${listOf(cidr).join(',')}}`] as const]
      : []),
    ...(typeof mask === 'string' ? [['ipam.operator.clusterPoolIPv6MaskSize', mask] as const] : []),
    ...(typeof native === 'string' ? [['ipv6NativeRoutingCIDR', native] as const] : []),
  ];
}

/** Where Cilium publishes its chart. */
export const CHARTS = 'https://helm.cilium.io';

/**
 * How the one who owns the ConfigMap is told the change. The version stands in the command because Helm would take the newest chart without it, and
 * the repository because nobody knows by which name it was added, if at all.
 * @param version Of Cilium; null: unknown.
 */
export function commandFor(config: ConfigFacts, goal: Settings, version: string | null): string {
  const { owner, release } = config;
  const values = valuesOf(config, goal);
  if (release === null || owner === null || owner.watches) {
    const text = values
      .map(([name, value]) => `${name}: ${value === '' ? '""' : value.replace(/^\{(.*)\}$/u, '[$1]')}`)
      .join(', ');
    return `set in the values that it is made of (${owner?.text ?? 'its source'}): ${text}`;
  }
  const flags = values.map(([name, value]) => `--set '${name}=${value}'`);
  return [
    `helm upgrade ${release.name} cilium --repo ${CHARTS}`,
    `--namespace ${release.namespace}`,
    `--version ${version ?? '<the version that runs>'}`,
    '--reuse-values',
    ...flags,
  ].join(' ');
}
