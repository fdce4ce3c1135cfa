import semver from 'semver';
import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
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
import { refText, type ObjectRef } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { nodesWithPod } from '../../model/workload.ts';
import { sameNetwork } from '../../net/cidr.ts';
import { configMapRef, daemonSetRef, type ConfigFacts, type FlannelAgentFacts, type FlannelFacts } from './facts.ts';
import { type NetConf, readNetConf } from '../../model/net-conf.ts';

/** All phases that change flannel. */
const FLANNEL_PHASES: readonly Phase[] = ['Pools', 'CNIConfig', 'CNIAgents'];

export function check(wanted: Wanted, facts: ClusterFacts, own: FlannelFacts): readonly Finding[] {
  const common = [...checkReadable(own), ...checkOthers(own)];
  const { config, agent, namespace } = own;
  if (!config.known || !agent.known || config.value === null || agent.value === null) return common;
  const owned = checkOwner(namespace, agent.value);
  if (wanted.direction === 'Back') return [...common, ...owned];
  if (wanted.families.length === 1) return common;
  return [...common, ...owned, ...checkForward(wanted, facts, namespace, config.value, agent.value)];
}

function checkForward(
  wanted: Wanted,
  facts: ClusterFacts,
  namespace: string,
  config: ConfigFacts,
  agent: FlannelAgentFacts,
): readonly Finding[] {
  const conf = config.text === null ? null : readNetConf(config.text);
  if (conf === null || !conf.ok) {
    return [
      unsupported(configMapRef(namespace), {
        message: `${refText(configMapRef(namespace))}: net-conf.json cannot be edited: ${conf === null ? 'the key is not there' : conf.error}`,
        remedy: 'Restore it from the flannel manifest of your version.',
      }),
    ];
  }
  return [
    ...checkSource(namespace, agent),
    ...checkBackend(namespace, conf.value),
    ...checkNetwork(wanted, namespace, conf.value),
    ...checkVersion(namespace, conf.value, agent),
    ...checkHosts(wanted, facts, namespace, agent),
    ...checkAway(facts, namespace, agent),
    ...checkEgress(wanted, facts, {
      isOn: masquerades(agent.flags),
      object: daemonSetRef(namespace),
      off: 'flanneld runs without --ip-masq',
      remedy: `Add --ip-masq to the arguments of flanneld in ${refText(daemonSetRef(namespace))}`,
    }),
  ];
}

function checkReadable({ namespace, config, agent }: FlannelFacts): readonly Finding[] {
  const parts = [
    { ref: configMapRef(namespace), fact: config },
    { ref: daemonSetRef(namespace), fact: agent },
  ];
  return parts.flatMap(({ ref, fact }): readonly Finding[] => {
    if (!fact.known) return [unreadable(ref, fact.why, FLANNEL_PHASES)];
    return fact.value === null
      ? [notInstalled(ref, 'flannel was installed by its manifest or chart', FLANNEL_PHASES)]
      : [];
  });
}

function checkOthers({ namespace, others }: FlannelFacts): readonly Finding[] {
  return others.map((other) =>
    unsupported(daemonSetRef(other), {
      message: `${refText(daemonSetRef(other))} is there beside the one in ${namespace}: two flannels write the same routes and Node annotations`,
      remedy: `Remove the older one when the other runs everywhere: kubectl -n ${other} delete daemonset ${daemonSetRef(other).name}`,
    }),
  );
}

function checkOwner(namespace: string, { owner }: FlannelAgentFacts): readonly Finding[] {
  if (owner === null) return [];
  const ref = daemonSetRef(namespace);
  return [
    keptElsewhere(ref, owner, FLANNEL_PHASES, {
      atOnce: 'Make the change there (podCidrv6 in the values of its chart), or take flannel out of its care.',
      later: 'Set podCidrv6 in its values too.',
    }),
  ];
}

function checkSource(namespace: string, { flags, readsConfig }: FlannelAgentFacts): readonly Finding[] {
  const ref = daemonSetRef(namespace);
  return [
    ...(flags['kube-subnet-mgr']?.at(-1) === 'true'
      ? []
      : [
          unsupported(ref, {
            message: `${refText(ref)}: flanneld runs without --kube-subnet-mgr, so it takes its networks from etcd, where it can do one family`,
            remedy: 'Let flannel keep its networks in Kubernetes first (--kube-subnet-mgr).',
          }),
        ]),
    ...(readsConfig
      ? []
      : [
          unsupported(ref, {
            message: `${refText(ref)}: its pods do not mount ${refText(configMapRef(namespace))}, so editing that has no effect`,
            remedy: 'Let them mount it at /etc/kube-flannel, or convert with the tool that installed flannel.',
          }),
        ]),
  ];
}

function checkBackend(namespace: string, { backend }: NetConf): readonly Finding[] {
  const ref = configMapRef(namespace);
  if (!DUAL_BACKENDS.includes(backend)) {
    return [
      unsupported(ref, {
        message: `${refText(ref)}: the backend "${backend}" carries one family only`,
        remedy: `Move to one of ${DUAL_BACKENDS.join(', ')} first; flannel cannot change its backend at run time, so that takes new nodes.`,
      }),
    ];
  }
  if (backend !== 'wireguard') return [];
  return [
    finding('TrafficInterrupted', ref, [], {
      message: `${refText(ref)}: the backend is wireguard, whose tunnels are made anew at every start: pod traffic between nodes is cut on each node from the first roll-out until the second has reached it`,
      remedy: 'Convert in a quiet hour.',
    }),
  ];
}

/** A network that flannel has for that family already is in use: pods have addresses of it. */
function checkNetwork({ families, pods }: Wanted, namespace: string, conf: NetConf): readonly Finding[] {
  const ref = configMapRef(namespace);
  return families.flatMap((family): readonly Finding[] => {
    const [asked, live] = [pods[family], conf.networks[family]];
    if (asked === undefined || live === undefined || sameNetwork(asked, live)) return [];
    return [
      finding('PoolConflict', ref, FLANNEL_PHASES, {
        message: `${refText(ref)}: flannel's ${family} network is ${live}, but the pod network is ${asked}`,
        remedy: `Make both the same: spec.clusterNetwork.pods.cidrBlocks, or net-conf.json where no pod has an address of ${live}.`,
      }),
    ];
  });
}

function checkVersion(namespace: string, { backend }: NetConf, { image }: FlannelAgentFacts): readonly Finding[] {
  const ref = daemonSetRef(namespace);
  const version = imageVersion(image);
  if (version === null) {
    return [
      finding('UnknownVersion', ref, [], {
        message: `${refText(ref)}: the version of flannel cannot be told from image ${image}`,
        remedy: 'See that it is 0.15 or newer, and 0.16 or newer with the backend wireguard.',
      }),
    ];
  }
  const least = backend === 'wireguard' ? '0.16.0' : '0.15.0';
  if (semver.gte(version, least)) return [];
  return [
    finding('UnsupportedVersion', ref, FLANNEL_PHASES, {
      message: `flannel ${version} cannot do both families: that came with ${least}`,
      remedy: 'Upgrade flannel first.',
    }),
  ];
}

/**
 * flanneld takes the interface of the default route, and with both families it must be the same for both (`LookupExtIface` in
 * `pkg/ipmatch/match.go`); an interface that it is told must have an address of both. Else it ends, again and again.
 */
function checkHosts(
  { families }: Wanted,
  { nodes }: ClusterFacts,
  namespace: string,
  agent: FlannelAgentFacts,
): readonly Finding[] {
  const lacking = nodesWithPod(nodes, agent.workload).flatMap((node) => {
    const problem = whyNoInterface(node, families, agent.flags);
    return problem === null ? [] : [{ node, problem }];
  });
  const [first] = lacking;
  if (first === undefined) return [];
  return [
    finding('DefaultRouteMissing', nodeRef(first.node), ['CNIConfig', 'CNIAgents'], {
      message: `${lacking.length} of ${nodes.length} Nodes: flanneld would not start, for example on ${first.node.name}: ${first.problem}`,
      remedy: `Give each host a default route of both families over one interface, or name the interface in flanneld's --iface (${refText(daemonSetRef(namespace))}).`,
    }),
  ];
}

/** The roll-outs must reach every node in turn: one that is away holds the DaemonSet up, and overlooks the others when it is back. */
function checkAway({ nodes }: ClusterFacts, namespace: string, { workload }: FlannelAgentFacts): readonly Finding[] {
  const away = nodesWithPod(nodes, workload).filter((node) => !node.ready);
  const [first] = away;
  if (first === undefined) return [];
  return [
    finding('NodesNotReady', nodeRef(first), ['CNIAgents'], {
      message: `${nameList(away)}: not Ready, and the roll-out of ${refText(daemonSetRef(namespace))} must reach every node`,
      remedy: 'Bring the nodes back, or remove their Nodes.',
    }),
  ];
}

const nodeRef = (node: NodeFacts): ObjectRef => ({ apiVersion: 'v1', kind: 'Node', name: node.name });

const unsupported = (object: ObjectRef, words: FindingWords): Finding =>
  finding('CNIConfigUnsupported', object, FLANNEL_PHASES, words);
