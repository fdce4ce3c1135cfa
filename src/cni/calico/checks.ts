import semver from 'semver';
import type { ClusterFacts } from '../../model/facts.ts';
import { type Finding, keptElsewhere, unreadable } from '../../model/finding.ts';
import { imageVersion } from '../../model/image.ts';
import { refText } from '../../model/object.ts';
import type { Wanted } from '../../model/wanted.ts';
import type { Family } from '../../net/family.ts';
import {
  CONFIG_KEY,
  CONFIG_MAP,
  DAEMON_SET,
  type EnvName,
  type CalicoFacts,
  type CalicoNodeFacts,
  type ConfigFacts,
} from './facts.ts';
import { changedFamily, NAMES } from './family.ts';
import { blocker, CALICO_PHASES, warning } from './findings.ts';
import { makeGoal } from './goal.ts';
import { assigns, readNetworkConfig } from './network-config.ts';
import { checkLinks, checkNodes } from './node-checks.ts';
import { optionsOf } from './options.ts';
import { checkPools } from './pool-checks.ts';

export function check(wanted: Wanted, facts: ClusterFacts, own: CalicoFacts): readonly Finding[] {
  const common = [...checkReadable(own), ...checkMigration(own)];
  const { config, agent } = own;
  if (!config.known || !agent.known || config.value === null || agent.value === null) return common;
  const family = changedFamily(wanted);
  if (family === null) return common;
  const owned = checkOwner(agent.value, family);
  if (wanted.direction === 'Back') {
    return [...common, ...owned, ...checkIPv6Alone(wanted, facts, config.value, agent.value)];
  }
  return [
    ...common,
    ...owned,
    ...checkConfig(config.value, agent.value),
    ...checkEnv(agent.value, family),
    ...checkVersion(wanted, own, config.value, agent.value, family),
    ...checkPools(wanted, facts, own, config.value, family),
    ...checkNodes(wanted, facts, agent.value, family),
    ...checkLinks(wanted, facts, own, config.value, agent.value, family),
  ];
}

function checkReadable({ config, agent, pools }: CalicoFacts): readonly Finding[] {
  const parts = [
    { ref: CONFIG_MAP, fact: config },
    { ref: DAEMON_SET, fact: agent },
    { ref: null, fact: pools },
  ];
  return parts.flatMap(({ ref, fact }): readonly Finding[] => {
    if (!fact.known) return [unreadable(ref ?? 'IPPools', fact.why, CALICO_PHASES)];
    if (fact.value !== null) return [];
    return [
      blocker('CNIConfigUnsupported', ref, {
        message: `${ref === null ? 'IPPools' : refText(ref)} is not there, as it is where Calico was installed by its manifest`,
        remedy: 'Set spec.cni to how Calico is installed here, or to Unmanaged.',
      }),
    ];
  });
}

function checkMigration({ migrating }: CalicoFacts): readonly Finding[] {
  if (migrating.known && !migrating.value) return [];
  return [
    blocker('DatastoreMigration', null, {
      message: migrating.known
        ? 'A DatastoreMigration is Migrating: what is written to IPPools now may be lost'
        : `Whether a DatastoreMigration is under way could not be read: ${migrating.why}`,
      remedy: 'Wait until it has ended: kubectl get datastoremigrations',
    }),
  ];
}

function checkOwner({ owner }: CalicoNodeFacts, family: Family): readonly Finding[] {
  if (owner === null) return [];
  const names = envOf(family)
    .join(', ')
    .replace(/, ([^,]+)$/u, ' and $1');
  return [
    keptElsewhere(DAEMON_SET, owner, CALICO_PHASES, {
      atOnce: `Make the change there: ${names} in its source; or take calico-node out of its care.`,
      later: `Set ${names} in its values too.`,
    }),
  ];
}

/** The variables that say whether calico-node carries that family. */
const envOf = (family: Family): readonly EnvName[] => [
  NAMES[family].address,
  NAMES[family].method,
  ...(family === 'IPv6' ? (['FELIX_IPV6SUPPORT'] as const) : []),
];

/**
 * With IPv6 alone calico-node ends when it looks for an IPv4 address and there is none, and BGP takes its router id from that address unless it is told
 * another one (`bird6.cfg.template` of Calico's `confd`).
 */
function checkIPv6Alone(
  wanted: Wanted,
  facts: ClusterFacts,
  config: ConfigFacts,
  agent: CalicoNodeFacts,
): readonly Finding[] {
  const goal = makeGoal(wanted, facts, config, agent);
  if (goal === null || wanted.families[0] !== 'IPv6') return [];
  const valueOf = (name: EnvName): string | null => {
    const told = goal.env[name];
    if (told !== undefined) return told;
    const live = agent.env[name];
    return live === undefined ? null : live.is === 'Value' ? live.value : live.source;
  };
  const settings = [
    ...(valueOf('IP') === 'none' ? [] : ['IP=none']),
    ...(config.backend === 'bird' && (valueOf('CALICO_ROUTER_ID') ?? '') === '' ? ['CALICO_ROUTER_ID=hash'] : []),
  ];
  const network = goal.configText.ok ? readNetworkConfig(goal.configText.value) : null;
  const assignsIPv4 =
    network?.ok === true && network.value.ipamType === 'calico-ipam' && assigns(network.value, 'IPv4');
  return [
    ...(settings.length === 0
      ? []
      : [
          warning('CNIConfigBroken', DAEMON_SET, {
            message: `${refText(DAEMON_SET)}: with IPv6 alone it needs ${settings.join(' and ')}: calico-node would end where it looks for an IPv4 address, and BGP has no router id without one`,
            remedy: `kubectl -n kube-system set env daemonset/calico-node -c calico-node ${settings.join(' ')}`,
          }),
        ]),
    ...(assignsIPv4
      ? [
          warning('CNIConfigBroken', CONFIG_MAP, {
            message: `${refText(CONFIG_MAP)}: assign_ipv4 is not "false", so Calico gives IPv4 addresses to pods of a cluster of IPv6 alone`,
            remedy: `Write "assign_ipv4": "false" in its ipam section, then: kubectl -n kube-system rollout restart daemonset calico-node`,
          }),
        ]
      : []),
  ];
}

const unsupported = (message: string, remedy: string): Finding =>
  blocker('CNIConfigUnsupported', CONFIG_MAP, { message, remedy });

function checkConfig({ backend, text }: ConfigFacts, agent: CalicoNodeFacts): readonly Finding[] {
  if (backend !== 'bird' && backend !== 'vxlan') {
    return [
      unsupported(
        `${refText(CONFIG_MAP)}: calico_backend is "${backend}", so Calico does no networking of its own, and finds no addresses of nodes`,
        'Convert the plug-in that does the networking, and set spec.cni to it.',
      ),
    ];
  }
  if (agent.configSource === 'Elsewhere') {
    return [
      unsupported(
        `${refText(DAEMON_SET)}: CNI_NETWORK_CONFIG does not come from ${CONFIG_MAP.name}/${CONFIG_KEY}, so editing that has no effect`,
        `Let its init container read CNI_NETWORK_CONFIG from key ${CONFIG_KEY} of that ConfigMap, or convert with the tool that installed it.`,
      ),
    ];
  }
  const read = text === null ? null : readNetworkConfig(text);
  if (read === null || !read.ok) {
    return [
      unsupported(
        `${refText(CONFIG_MAP)}: ${CONFIG_KEY} cannot be edited: ${read === null ? 'the key is not there' : read.error}`,
        'Restore the configuration from the Calico manifest of your version.',
      ),
    ];
  }
  if (read.value.ipamType !== 'calico-ipam') {
    return [
      unsupported(
        `${refText(CONFIG_MAP)}: ipam type is "${read.value.ipamType}": pods take their addresses from podCIDRs of Nodes, not from Calico's pools`,
        'Move to calico-ipam first, or convert by hand and set spec.cni: Unmanaged.',
      ),
    ];
  }
  return [
    ...brokenSetting('assign_ipv4', read.value.assignIPv4),
    ...brokenSetting('assign_ipv6', read.value.assignIPv6),
  ];
}

function brokenSetting(name: string, setting: { readonly is: string; readonly text?: string }): readonly Finding[] {
  if (setting.is !== 'WrongType') return [];
  return [
    blocker('CNIConfigBroken', CONFIG_MAP, {
      message: `${refText(CONFIG_MAP)}: ${name} is ${setting.text ?? ''}, but must be a JSON string: with it pods neither start nor end`,
      remedy: `Write "${name}": "${setting.text ?? ''}" with quotes, then restart calico-node: kubectl -n kube-system rollout restart daemonset calico-node`,
    }),
  ];
}

function checkEnv({ env }: CalicoNodeFacts, family: Family): readonly Finding[] {
  const { address } = NAMES[family];
  return envOf(family).flatMap((name): readonly Finding[] => {
    const entry = env[name];
    if (entry?.is === 'From') {
      return [
        blocker('CNIConfigUnsupported', DAEMON_SET, {
          message: `${refText(DAEMON_SET)}: env ${name} comes from ${entry.source}, so no value can be set beside it`,
          remedy: `Remove it: kubectl -n kube-system set env daemonset/calico-node -c calico-node ${name}-`,
        }),
      ];
    }
    if (name === address && entry !== undefined && !['', 'none', 'autodetect'].includes(entry.value)) {
      return [
        warning('CNIConfigBroken', DAEMON_SET, {
          message: `${refText(DAEMON_SET)}: env ${address} is ${entry.value}, one address for all nodes; it becomes autodetect`,
          remedy: 'Nothing, unless that was on purpose.',
        }),
      ];
    }
    return [];
  });
}

/** IPv6 over VXLAN since 3.23; both families with eBPF since 3.28. */
function checkVersion(
  wanted: Wanted,
  own: CalicoFacts,
  config: ConfigFacts,
  agent: CalicoNodeFacts,
  family: Family,
): readonly Finding[] {
  const version = imageVersion(agent.image);
  if (version === null) {
    return [
      warning('UnknownVersion', DAEMON_SET, {
        message: `${refText(DAEMON_SET)}: the version of Calico cannot be told from image ${agent.image}`,
        remedy: 'See that it is 3.23 or newer, and 3.28 or newer with eBPF.',
      }),
    ];
  }
  const tooOld = (what: string, least: string): readonly Finding[] =>
    semver.gte(version, least)
      ? []
      : [
          blocker('UnsupportedVersion', DAEMON_SET, {
            message: `Calico ${version} cannot do ${what}: that came with ${least}`,
            remedy: 'Upgrade Calico first.',
          }),
        ];
  const encapsulation = optionsOf(wanted.options).pool?.encapsulation ?? 'Auto';
  const usesVXLAN = family === 'IPv6' && (config.backend === 'vxlan' || encapsulation.startsWith('VXLAN'));
  return [
    ...(usesVXLAN ? tooOld('IPv6 over VXLAN', '3.23.0') : []),
    ...(own.bpf.known && own.bpf.value ? tooOld('both families with the eBPF data plane', '3.28.0') : []),
  ];
}
