import semver from 'semver';
import type { ClusterFacts } from '../../model/facts.ts';
import {
  type Finding,
  finding,
  type FindingWords,
  keptElsewhere,
  notInstalled,
  unreadable,
} from '../../model/finding.ts';
import { checkEgress } from '../../model/egress.ts';
import { DUAL_BACKENDS, masquerades, whyNoInterface } from '../../model/flanneld.ts';
import { imageVersion } from '../../model/image.ts';
import { nameList } from '../../model/list-text.ts';
import { type NetConf, readNetConf } from '../../model/net-conf.ts';
import { refText, type ObjectRef } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';
import { changesIPv6, checkChangesIPv6 } from '../../model/second-ipv6.ts';
import type { Wanted } from '../../model/wanted.ts';
import { sameNetwork } from '../../net/cidr.ts';
import {
  CONFIG_MAP,
  DAEMON_SET,
  ENV_NAMES,
  FLANNEL_KEY,
  NETWORK_KEY,
  type AgentFacts,
  type CanalFacts,
  type ConfigFacts,
} from './facts.ts';
import { agentNodes, makeGoal } from './goal.ts';
import { readNetworkConfig } from './network-config.ts';

/** All phases that change Canal. */
const CANAL_PHASES: readonly Phase[] = ['Pools', 'CNIConfig', 'CNIAgents'];

export function check(wanted: Wanted, facts: ClusterFacts, own: CanalFacts): readonly Finding[] {
  if (wanted.direction === 'Forward' && wanted.families.length === 1) return [];
  const common = checkReadable(own);
  const config = own.config.known ? own.config.value : null;
  const agent = own.agent.known ? own.agent.value : null;
  if (config === null || agent === null) return common;
  const owned = [
    ...common,
    ...checkChangesIPv6(wanted, {
      cni: 'Canal',
      object: null,
      blocks: CANAL_PHASES,
      byHand: `Change ${FLANNEL_KEY} and ${NETWORK_KEY} of ${refText(CONFIG_MAP)} by hand`,
    }),
    ...checkOwner(agent),
  ];
  if (wanted.direction === 'Back' || !changesIPv6(wanted)) return owned;
  const conf = readNetConf(config.flannel ?? '');
  return [
    ...owned,
    ...checkTexts(wanted, config, agent),
    ...checkSource(agent),
    ...(conf.ok ? [...checkBackend(conf.value), ...checkNetwork(wanted, conf.value)] : []),
    ...checkVersions(agent),
    ...checkHosts(wanted, facts, agent),
    ...checkAway(facts, agent),
    ...checkEgress(wanted, facts, {
      isOn: masquerades(agent.flags),
      object: DAEMON_SET,
      off: 'flanneld runs without --ip-masq',
      remedy: `Add --ip-masq to the arguments of flanneld in ${refText(DAEMON_SET)}`,
    }),
  ];
}

function checkReadable({ config, agent }: CanalFacts): readonly Finding[] {
  const parts = [
    { ref: CONFIG_MAP, fact: config },
    { ref: DAEMON_SET, fact: agent },
  ];
  return parts.flatMap(({ ref, fact }): readonly Finding[] => {
    if (!fact.known) return [unreadable(ref, fact.why, CANAL_PHASES)];
    return fact.value === null ? [notInstalled(ref, 'Canal was installed by its manifest', CANAL_PHASES)] : [];
  });
}

function checkOwner({ owner }: AgentFacts): readonly Finding[] {
  if (owner === null) return [];
  const where = `EnableIPv6 and IPv6Network in ${FLANNEL_KEY}, a range usePodCidrIPv6 in ${NETWORK_KEY}, ${ENV_NAMES.join(' and ')} in ${refText(DAEMON_SET)}`;
  return [
    keptElsewhere(DAEMON_SET, owner, CANAL_PHASES, {
      atOnce: `Make the change there (${where}), or take Canal out of its care.`,
      later: `Make the change there too: ${where}.`,
    }),
  ];
}

function checkTexts(wanted: Wanted, config: ConfigFacts, agent: AgentFacts): readonly Finding[] {
  const read = config.network === null ? null : readNetworkConfig(config.network);
  if (read?.ok === true && read.value.ipamType !== 'host-local') {
    return [
      unsupported(CONFIG_MAP, {
        message: `${refText(CONFIG_MAP)}: ipam type is "${read.value.ipamType}", so pods do not take their addresses from podCIDRs of Nodes as they do in Canal`,
        remedy: 'Convert by hand and set spec.cni: Unmanaged.',
      }),
    ];
  }
  const goal = makeGoal(wanted, config, agent);
  return [
    { key: FLANNEL_KEY, text: goal.flannel },
    { key: NETWORK_KEY, text: goal.network },
  ].flatMap(({ key, text }) =>
    text.ok
      ? []
      : [
          unsupported(CONFIG_MAP, {
            message: `${refText(CONFIG_MAP)}: ${key} cannot be edited: ${text.error}`,
            remedy: 'Restore it from the Canal manifest of your version.',
          }),
        ],
  );
}

function checkSource({ readsConfig, env, flags }: AgentFacts): readonly Finding[] {
  const from = ENV_NAMES.filter((name) => env[name]?.is === 'From');
  return [
    ...(readsConfig
      ? []
      : [
          unsupported(DAEMON_SET, {
            message: `${refText(DAEMON_SET)} does not take both of its configurations from ${refText(CONFIG_MAP)}, so editing that has no effect`,
            remedy:
              'Let its containers read them there as in the manifest, or convert with the tool that installed it.',
          }),
        ]),
    ...(from.length === 0
      ? []
      : [
          unsupported(DAEMON_SET, {
            message: `${refText(DAEMON_SET)}: env ${from.join(' and ')} comes from elsewhere, so no value can be set beside it`,
            remedy: 'Change it there, or give it a literal value.',
          }),
        ]),
    ...(flags['kube-subnet-mgr']?.at(-1) === 'true'
      ? []
      : [
          unsupported(DAEMON_SET, {
            message: `${refText(DAEMON_SET)}: flanneld runs without --kube-subnet-mgr, so it takes its networks from etcd, where it can do one family`,
            remedy: 'Let flannel keep its networks in Kubernetes first (--kube-subnet-mgr).',
          }),
        ]),
  ];
}

function checkBackend({ backend }: NetConf): readonly Finding[] {
  if (!DUAL_BACKENDS.includes(backend)) {
    return [
      unsupported(CONFIG_MAP, {
        message: `${refText(CONFIG_MAP)}: the backend "${backend}" of flannel carries one family only`,
        remedy: `Move to one of ${DUAL_BACKENDS.join(', ')} first; flannel cannot change its backend at run time, so that takes new nodes.`,
      }),
    ];
  }
  if (backend !== 'wireguard') return [];
  return [
    finding('TrafficInterrupted', CONFIG_MAP, [], {
      message: `${refText(CONFIG_MAP)}: the backend is wireguard, whose tunnels are made anew at every start: pod traffic between nodes is cut on each node from the first roll-out until the second has reached it`,
      remedy: 'Convert in a quiet hour.',
    }),
  ];
}

/** A network that flannel has for that family already is in use: pods have addresses of it. */
function checkNetwork({ pods }: Wanted, conf: NetConf): readonly Finding[] {
  const [asked, live] = [pods.IPv6, conf.networks.IPv6];
  if (asked === undefined || live === undefined || sameNetwork(asked, live)) return [];
  return [
    finding('PoolConflict', CONFIG_MAP, CANAL_PHASES, {
      message: `${refText(CONFIG_MAP)}: flannel's IPv6 network is ${live}, but the pod network is ${asked}`,
      remedy: `Make both the same: spec.clusterNetwork.pods.cidrBlocks, or ${FLANNEL_KEY} where no pod has an address of ${live}.`,
    }),
  ];
}

/** Canal is offered with both families from Calico 3.22 on, whose manifest brought flannel 0.15; the backend wireguard came with 0.16. */
const LEAST_CALICO = '3.22.0';
const LEAST_FLANNEL = '0.15.0';

function checkVersions({ images }: AgentFacts): readonly Finding[] {
  return [
    ...checkVersion('Calico', images.felix, LEAST_CALICO),
    ...checkVersion('flannel', images.flannel, LEAST_FLANNEL),
  ];
}

function checkVersion(name: string, image: string, least: string): readonly Finding[] {
  const version = imageVersion(image);
  if (version === null) {
    return [
      finding('UnknownVersion', DAEMON_SET, [], {
        message: `${refText(DAEMON_SET)}: the version of ${name} cannot be told from image ${image}`,
        remedy: `See that it is ${least} or newer.`,
      }),
    ];
  }
  if (semver.gte(version, least)) return [];
  return [
    finding('UnsupportedVersion', DAEMON_SET, CANAL_PHASES, {
      message: `${name} ${version} cannot do both families in Canal: that came with ${least}`,
      remedy: 'Upgrade Canal first.',
    }),
  ];
}

/** flanneld takes the interface of the default route, and with both families it must be the same for both. Else it ends, again and again. */
function checkHosts({ families }: Wanted, facts: ClusterFacts, agent: AgentFacts): readonly Finding[] {
  const lacking = agentNodes(facts, agent).flatMap((node) => {
    const problem = whyNoInterface(node, families, agent.flags);
    return problem === null ? [] : [{ node, problem }];
  });
  const [first] = lacking;
  if (first === undefined) return [];
  return [
    finding(
      'DefaultRouteMissing',
      { apiVersion: 'v1', kind: 'Node', name: first.node.name },
      ['CNIConfig', 'CNIAgents'],
      {
        message: `${lacking.length} of ${facts.nodes.length} Nodes: flanneld would not start, for example on ${first.node.name}: ${first.problem}`,
        remedy: `Give each host a default route of both families over one interface, or name the interface in canal_iface (${refText(CONFIG_MAP)}).`,
      },
    ),
  ];
}

/** The roll-outs must reach every node in turn: one that is away holds the DaemonSet up, and overlooks the others when it is back. */
function checkAway(facts: ClusterFacts, agent: AgentFacts): readonly Finding[] {
  const away = agentNodes(facts, agent).filter((node) => !node.ready);
  const [first] = away;
  if (first === undefined) return [];
  return [
    finding('NodesNotReady', { apiVersion: 'v1', kind: 'Node', name: first.name }, ['CNIAgents'], {
      message: `${nameList(away)}: not Ready, and the roll-out of ${refText(DAEMON_SET)} must reach every node`,
      remedy: 'Bring the nodes back, or remove their Nodes.',
    }),
  ];
}

const unsupported = (object: ObjectRef, words: FindingWords): Finding =>
  finding('CNIConfigUnsupported', object, CANAL_PHASES, words);
