import semver from 'semver';
import type { FindingReason } from '../../api/reasons.ts';
import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { refText, type ObjectRef } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { parseAddress } from '../../net/address.ts';
import { networkOf } from '../../net/cidr.ts';
import { nodesWithoutIPv6 } from './agents.ts';
import {
  CONFIG_KEY,
  CONFIG_MAP,
  DAEMON_SET,
  ENV_NAMES,
  NODE_ANNOTATIONS,
  poolsOf,
  type CalicoFacts,
  type CalicoNodeFacts,
  type ConfigFacts,
} from './facts.ts';
import { readNetworkConfig } from './network-config.ts';
import { optionsOf } from './options.ts';
import { checkPools } from './pool-checks.ts';
import { agentNodes } from './rollout.ts';

/** All phases that change Calico. */
export const CALICO_PHASES: readonly Phase[] = ['Pools', 'CNIConfig', 'CNIAgents'];

export function check(wanted: Wanted, facts: ClusterFacts, own: CalicoFacts): readonly Finding[] {
  const common = [...checkReadable(own), ...checkMigration(own)];
  const { config, agent } = own;
  if (!config.known || !agent.known || config.value === null || agent.value === null) return common;
  const owned = checkOwner(agent.value);
  if (wanted.direction === 'Back') return [...common, ...owned];

  if (wanted.families.length === 1) return common;
  return [
    ...common,
    ...owned,
    ...checkDirection(wanted),
    ...checkConfig(config.value, agent.value),
    ...checkEnv(agent.value),
    ...checkVersion(wanted, own, config.value, agent.value),
    ...checkPools(wanted, own, config.value),
    ...checkNodes(wanted, facts, agent.value),
    ...checkLinks(wanted, facts, own, config.value, agent.value),
  ];
}

function checkReadable({ config, agent, pools }: CalicoFacts): readonly Finding[] {
  const parts = [
    { ref: CONFIG_MAP, fact: config },
    { ref: DAEMON_SET, fact: agent },
    { ref: null, fact: pools },
  ];
  return parts.flatMap(({ ref, fact }): readonly Finding[] => {
    if (!fact.known) {
      return [
        blocker('ComponentUnreadable', ref, {
          message: `${ref === null ? 'IPPools' : refText(ref)} could not be read: ${fact.why}`,
          remedy: 'Give the operator the rights that its ClusterRole names, and see that the API server answers.',
        }),
      ];
    }
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

function checkOwner({ owner }: CalicoNodeFacts): readonly Finding[] {
  if (owner === null) return [];
  const message = `${refText(DAEMON_SET)} is kept by something else (${owner.text})`;
  return owner.watches
    ? [
        blocker('AnotherOwner', DAEMON_SET, {
          message: `${message}, which would undo every change`,
          remedy:
            'Make the change there: IP6, IP6_AUTODETECTION_METHOD and FELIX_IPV6SUPPORT in its source; or take calico-node out of its care.',
        }),
      ]
    : [
        warning('AnotherOwner', DAEMON_SET, {
          message: `${message}: its next upgrade will undo the change, which is then made again`,
          remedy: 'Set IP6, IP6_AUTODETECTION_METHOD and FELIX_IPV6SUPPORT in its values too.',
        }),
      ];
}

function checkDirection({ families }: Wanted): readonly Finding[] {
  if (families[0] === 'IPv4') return [];
  return [
    blocker('OptionNotCarriedOut', null, {
      message:
        'spec.ipFamilies: adding IPv4 to a Calico whose primary family is IPv6 is not carried out by this version',
      remedy: 'Add the IPv4 pool, assign_ipv4 and IP=autodetect by hand, and set spec.cni: Unmanaged.',
    }),
  ];
}

const unsupported = (message: string, remedy: string): Finding =>
  blocker('CNIConfigUnsupported', CONFIG_MAP, { message, remedy });

function checkConfig({ backend, text }: ConfigFacts, agent: CalicoNodeFacts): readonly Finding[] {
  if (backend !== 'bird' && backend !== 'vxlan') {
    return [
      unsupported(
        `${refText(CONFIG_MAP)}: calico_backend is "${backend}", so Calico does no networking of its own and IP6 has no effect`,
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

function checkEnv({ env }: CalicoNodeFacts): readonly Finding[] {
  return ENV_NAMES.flatMap((name): readonly Finding[] => {
    const entry = env[name];
    if (entry?.is === 'From') {
      return [
        blocker('CNIConfigUnsupported', DAEMON_SET, {
          message: `${refText(DAEMON_SET)}: env ${name} comes from ${entry.source}, so no value can be set beside it`,
          remedy: `Remove it: kubectl -n kube-system set env daemonset/calico-node -c calico-node ${name}-`,
        }),
      ];
    }
    if (name === 'IP6' && entry !== undefined && !['', 'none', 'autodetect'].includes(entry.value)) {
      return [
        warning('CNIConfigBroken', DAEMON_SET, {
          message: `${refText(DAEMON_SET)}: env IP6 is ${entry.value}, one address for all nodes; it becomes autodetect`,
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
): readonly Finding[] {
  const tag = /:([^:/@]+)(?:@.*)?$/u.exec(agent.image)?.[1];
  const version = /^v?\d+\.\d+/u.test(tag ?? '') ? semver.coerce(tag) : null;
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
            message: `Calico ${version.version} cannot do ${what}: that came with ${least}`,
            remedy: 'Upgrade Calico first.',
          }),
        ];
  const encapsulation = optionsOf(wanted.options).pool?.encapsulation ?? 'Auto';
  const usesVXLAN = config.backend === 'vxlan' || encapsulation.startsWith('VXLAN');
  return [
    ...(usesVXLAN ? tooOld('IPv6 over VXLAN', '3.23.0') : []),
    ...(own.bpf.known && own.bpf.value ? tooOld('both families with the eBPF data plane', '3.28.0') : []),
  ];
}

/**
 * calico-node that searches for an IPv6 address and finds none drops its IPv4 address, while the Node stays Ready. Nodes whose
 * host has a usable address, and whose kubelet is about to be told of it, are no reason to warn.
 */
function checkNodes(wanted: Wanted, facts: ClusterFacts, agent: CalicoNodeFacts): readonly Finding[] {
  const lacking = nodesWithoutIPv6(facts, agent).filter((node) => !willHaveIPv6(wanted, node));
  const lost = agentNodes(facts, agent).filter(
    (node) =>
      node.ready &&
      agent.env['IP6']?.is === 'Value' &&
      agent.env['IP6'].value === 'autodetect' &&
      node.annotations[NODE_ANNOTATIONS.IPv4] === undefined,
  );
  return [
    ...(lacking.length === 0
      ? []
      : [
          finding('NodesWithoutFamily', DAEMON_SET, ['CNIAgents'], {
            message: `${list(lacking.map((node) => node.name))}: no IPv6 InternalIP; with IP6=autodetect calico-node would take down IPv4 there too`,
            remedy: 'Give each host an IPv6 address and its kubelet --node-ip with both, or remove the Node.',
          }),
        ]),
    ...lost.map((node) =>
      warning(
        'CNILostPrimary',
        { apiVersion: 'v1', kind: 'Node', name: node.name },
        {
          message: `Node ${node.name} is Ready but has lost ${NODE_ANNOTATIONS.IPv4}: its pods are cut off from other nodes`,
          remedy: `Give it an IPv6 InternalIP, then delete its calico-node pod; see: kubectl -n kube-system get pods -l k8s-app=calico-node --field-selector spec.nodeName=${node.name}`,
        },
      ),
    ),
  ];
}

function willHaveIPv6(wanted: Wanted, { agent }: NodeFacts): boolean {
  const report = agent?.report;
  if (wanted.nodes.nodeIP === 'Leave' || report === undefined || report === null) return false;
  return report.addresses.some(
    ({ address, scope, flags }) =>
      address.includes(':') &&
      (scope === 'Global' || scope === 'UniqueLocal') &&
      !flags.some((flag) => ['tentative', 'dadfailed', 'deprecated', 'temporary'].includes(flag)),
  );
}

/** Routes without encapsulation reach only nodes on the same link; that different /64s are different links is a guess. */
function checkLinks(
  wanted: Wanted,
  facts: ClusterFacts,
  own: CalicoFacts,
  config: ConfigFacts,
  agent: CalicoNodeFacts,
): readonly Finding[] {
  const encapsulation = optionsOf(wanted.options).pool?.encapsulation ?? 'Auto';
  const usesVXLAN = poolsOf(own, 'IPv4').some((pool) => !pool.disabled && pool.vxlanMode !== 'Never');
  const isRouted = config.backend === 'bird' && (encapsulation === 'None' || (encapsulation === 'Auto' && !usesVXLAN));
  if (!isRouted) return [];
  const links = new Set(
    agentNodes(facts, agent).flatMap((node) =>
      node.internalIPs.flatMap((text) => {
        const address = parseAddress(text);
        return address.ok && address.value.family === 'IPv6' ? [networkOf(address.value, 64).text] : [];
      }),
    ),
  );
  if (links.size < 2) return [];
  return [
    warning('NodesOnDifferentLinks', null, {
      message: `Nodes have IPv6 addresses in ${links.size} networks (${list([...links])}); IPIP carries no IPv6, so pod traffic between them is routed as it is`,
      remedy:
        'See that the routers between them know the pod network (BGP), or set spec.calico.pool.encapsulation: VXLANCrossSubnet.',
    }),
  ];
}

interface Words {
  readonly message: string;
  readonly remedy: string;
}

function finding(reason: FindingReason, object: ObjectRef | null, blocks: readonly Phase[], words: Words): Finding {
  return { reason, object, blocks, ...words };
}

const blocker = (reason: FindingReason, object: ObjectRef | null, words: Words): Finding =>
  finding(reason, object, CALICO_PHASES, words);

const warning = (reason: FindingReason, object: ObjectRef | null, words: Words): Finding =>
  finding(reason, object, [], words);

const list = (all: readonly string[]): string =>
  all.length <= 5 ? all.join(', ') : `${all.slice(0, 5).join(', ')} and ${all.length - 5} more`;
