import semver from 'semver';
import { checkEgress } from '../../model/egress.ts';
import type { ClusterFacts } from '../../model/facts.ts';
import { type Finding, finding, notInstalled, unreadable } from '../../model/finding.ts';
import { imageVersion } from '../../model/image.ts';
import { refText, type ObjectRef } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';
import type { Known } from '../../model/reader.ts';
import { checkChangesIPv6 } from '../../model/second-ipv6.ts';
import type { Wanted } from '../../model/wanted.ts';
import { sameNetwork } from '../../net/cidr.ts';
import {
  CONFIG_MAP,
  DAEMON_SET,
  DEFAULT_POOL,
  OPERATOR,
  POOL_API,
  type CiliumFacts,
  type ConfigFacts,
} from './facts.ts';
import { sceneOf } from './scene.ts';
import { changesOf, CHARTS, commandFor, type IPAMMode, listOf, modeOf } from './settings.ts';

/** All phases that change Cilium. */
const CILIUM_PHASES: readonly Phase[] = ['Pools', 'CNIConfig', 'CNIAgents'];

export function check(wanted: Wanted, facts: ClusterFacts, own: CiliumFacts): readonly Finding[] {
  if (wanted.direction === 'Forward' && wanted.families.length === 1) return [];
  const unread = checkReadable(own);
  const config = own.config.known ? own.config.value : null;
  const agent = own.agent.known ? own.agent.value : null;
  if (config === null || agent === null) return unread;
  const mode = modeOf(config);
  if (mode === null) return [...unread, unsupportedMode(config)];
  const common = [
    ...unread,
    ...checkChangesIPv6(wanted, {
      cni: 'Cilium',
      object: null,
      blocks: CILIUM_PHASES,
      byHand: 'Change enable-ipv4 and its pool by hand',
    }),
    ...checkOwner(wanted, facts, own, agent.image),
  ];
  if (wanted.direction === 'Back') return common;
  return [
    ...common,
    ...checkChaining(config),
    ...checkOperator(mode, own),
    ...checkVersion(mode, agent.image),
    ...checkPool(wanted, mode, config),
    ...checkMultiPool(wanted, mode, own),
    ...checkEgress(wanted, facts, {
      isOn: config.data['enable-ipv6-masquerade'] !== 'false',
      object: CONFIG_MAP,
      off: `enable-ipv6-masquerade in ${refText(CONFIG_MAP)} is false`,
      remedy: `Set it to "true" (enableIPv6Masquerade: true in the values of the chart), before the agents are restarted`,
    }),
  ];
}

/** Null: a list of objects. */
const KINDS: readonly (readonly [part: 'config' | 'agent' | 'nodes' | 'operator', object: ObjectRef | null])[] = [
  ['config', CONFIG_MAP],
  ['agent', DAEMON_SET],
  ['operator', OPERATOR],
  ['nodes', null],
];

function checkReadable(own: CiliumFacts): readonly Finding[] {
  return KINDS.flatMap(([part, ref]): readonly Finding[] => {
    const fact: Known<unknown> = own[part];
    if (!fact.known) return [unreadable(ref ?? 'CiliumNodes', fact.why, CILIUM_PHASES)];
    if (fact.value !== null || ref === null || part === 'operator') return [];
    return [notInstalled(ref, 'Cilium was installed by its chart or its command line', CILIUM_PHASES)];
  });
}

const unsupportedMode = ({ data }: ConfigFacts): Finding =>
  finding('CNIConfigUnsupported', CONFIG_MAP, CILIUM_PHASES, {
    message: `${refText(CONFIG_MAP)}: ipam is "${data['ipam'] ?? ''}": pods take their addresses neither from Cilium's own pools nor from podCIDRs of Nodes`,
    remedy: 'Give pods IPv6 addresses where they are handed out, and set spec.cni: Unmanaged.',
  });

/** Another owner's ConfigMap is not written: the next upgrade would switch IPv6 off under pods that use it. */
function checkOwner(wanted: Wanted, facts: ClusterFacts, own: CiliumFacts, image: string): readonly Finding[] {
  const scene = sceneOf(wanted, facts, own);
  if (scene === null || scene.config.owner === null || scene.isConfigured) return [];
  const differs = changesOf(scene.config, scene.goal).map(({ path }) => path);
  const release = scene.config.release;
  const keeper =
    release === null ? scene.config.owner.text : `Helm release ${release.name} in namespace ${release.namespace}`;
  const command = commandFor(scene.config, scene.goal, imageVersion(image));
  const source = command.includes(CHARTS)
    ? ` (where the chart is not from ${CHARTS}: with your own source instead, which may be an oci:// reference)`
    : '';
  return [
    finding('AnotherOwner', CONFIG_MAP, CILIUM_PHASES, {
      message: `${refText(CONFIG_MAP)} is kept by something else (${keeper}), so ${differs.join(', ')} must be changed there`,
      remedy: `${wanted.direction === 'Forward' ? 'When every Node has an IPv6 address' : 'Now'}: ${command}${source}. The restarts that follow are made by this operator.`,
    }),
  ];
}

function checkChaining({ data }: ConfigFacts): readonly Finding[] {
  const mode = data['cni-chaining-mode'] ?? 'none';
  if (['', 'none', 'portmap'].includes(mode)) return [];
  return [
    finding('CNIConfigUnsupported', CONFIG_MAP, CILIUM_PHASES, {
      message: `${refText(CONFIG_MAP)}: cni-chaining-mode is "${mode}": another plug-in gives pods their addresses`,
      remedy: 'Convert that plug-in, switch enable-ipv6 on with it, and set spec.cni: Unmanaged.',
    }),
  ];
}

function checkOperator(mode: IPAMMode, { operator }: CiliumFacts): readonly Finding[] {
  if (mode === 'kubernetes' || !operator.known || operator.value !== null) return [];
  return [
    finding('CNIConfigUnsupported', OPERATOR, CILIUM_PHASES, {
      message: `${refText(OPERATOR)} is not there, and with ipam ${mode} it gives every node its pod CIDRs`,
      remedy: 'Install it, or set spec.cni: Unmanaged where something else does its work.',
    }),
  ];
}

/** When each mode came: `cluster-pool` took the place of the older ones with 1.8, `multi-pool` came with 1.14. */
const LEAST = { 'cluster-pool': '1.8.0', kubernetes: '1.8.0', 'multi-pool': '1.14.0' } as const;

function checkVersion(mode: IPAMMode, image: string): readonly Finding[] {
  const version = imageVersion(image);
  if (version === null) {
    return [
      finding('UnknownVersion', DAEMON_SET, [], {
        message: `${refText(DAEMON_SET)}: the version of Cilium cannot be told from image ${image}`,
        remedy: `See that it is ${LEAST[mode]} or newer.`,
      }),
    ];
  }
  if (semver.gte(version, LEAST[mode])) return [];
  return [
    finding('UnsupportedVersion', DAEMON_SET, CILIUM_PHASES, {
      message: `Cilium ${version} does not know ipam ${mode} as it is used here: that came with ${LEAST[mode]}`,
      remedy: 'Upgrade Cilium first.',
    }),
  ];
}

/** CIDRs of a pool must not be changed, only added to: nodes hold parts of them. */
function checkPool({ pods }: Wanted, mode: IPAMMode, { data }: ConfigFacts): readonly Finding[] {
  const [live, asked] = [listOf(data['cluster-pool-ipv6-cidr']), pods.IPv6];
  if (mode !== 'cluster-pool' || live.length === 0 || asked === undefined) return [];
  if (live.some((cidr) => sameNetwork(cidr, asked))) return [];
  return [
    finding('PoolConflict', CONFIG_MAP, CILIUM_PHASES, {
      message: `${refText(CONFIG_MAP)}: cluster-pool-ipv6-cidr is ${live.join(' ')}, but the IPv6 pod network is ${asked}`,
      remedy:
        'Ask for that network in spec.clusterNetwork.pods.cidrBlocks, or remove the key where no CiliumNode holds a part of it.',
    }),
  ];
}

function checkMultiPool({ pods, nodeMask }: Wanted, mode: IPAMMode, { pool }: CiliumFacts): readonly Finding[] {
  if (mode !== 'multi-pool') return [];
  const ref: ObjectRef = { apiVersion: POOL_API, kind: 'CiliumPodIPPool', name: DEFAULT_POOL };
  if (!pool.known) return [unreadable(ref, pool.why, CILIUM_PHASES)];
  if ((pool.value?.ipv6.length ?? 0) > 0) return [];
  const patch = { spec: { ipv6: { cidrs: [pods.IPv6 ?? ''], maskSize: nodeMask.IPv6 ?? 64 } } };
  return [
    finding('Unmanaged', ref, CILIUM_PHASES, {
      message: `${refText(ref)} has no IPv6 network, and with ipam multi-pool the pools are yours: an agent that runs with IPv6 would find no address in it`,
      remedy: `kubectl patch ciliumpodippool ${DEFAULT_POOL} --type=merge -p '${JSON.stringify(patch)}'; and every other pool that pods name likewise, with a network of its own.`,
    }),
  ];
}
