import semver from 'semver';
import { checkEgress } from '../../model/egress.ts';
import type { ClusterFacts } from '../../model/facts.ts';
import { type Finding, finding, keptElsewhere, notInstalled, unreadable } from '../../model/finding.ts';
import { imageVersion } from '../../model/image.ts';
import { refText } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';
import { checkChangesIPv6 } from '../../model/second-ipv6.ts';
import type { Wanted } from '../../model/wanted.ts';
import { familyOf, flag, IPV6_FLAG, isOn, serviceRanges } from './args.ts';
import { DAEMON_SET, type AgentFacts, type KubeRouterFacts } from './facts.ts';
import { goalArgs, isOfK0s } from './steps.ts';

const PHASES: readonly Phase[] = ['CNIAgents'];

export function check(wanted: Wanted, facts: ClusterFacts, own: KubeRouterFacts): readonly Finding[] {
  if (wanted.direction === 'Forward' && wanted.families.length === 1) return [];
  if (!own.known) return [unreadable(DAEMON_SET, own.why, PHASES)];
  if (own.value === null) {
    return [notInstalled(DAEMON_SET, 'kube-router was installed by one of its manifests', PHASES)];
  }
  const agent = own.value;
  const common = [
    ...checkChangesIPv6(wanted, {
      cni: 'kube-router',
      object: DAEMON_SET,
      blocks: PHASES,
      byHand: 'Change --enable-ipv4 and --enable-ipv6 by hand',
    }),
    ...checkForm(agent),
    ...checkOwner(wanted, agent),
  ];
  if (wanted.direction === 'Back') return [...common, ...checkK0sRanges(agent), ...checkHostFiles(agent)];
  return [
    ...common,
    ...checkVersion(agent),
    ...checkServices(wanted, agent),
    ...checkK0sServices(wanted, agent),
    ...checkGrace(wanted, agent),
    ...checkEgress(wanted, facts, {
      isOn: isOn(agent.args, 'enable-pod-egress'),
      object: DAEMON_SET,
      off: `--enable-pod-egress of ${refText(DAEMON_SET)} is false`,
      remedy: 'Give kube-router --enable-pod-egress=true',
    }),
  ];
}

function checkForm({ args, flagsInCommand }: AgentFacts): readonly Finding[] {
  if (flagsInCommand) {
    return [
      finding('CNIConfigUnsupported', DAEMON_SET, PHASES, {
        message: `${refText(DAEMON_SET)}: flags stand in the command of its container, where they cannot be told from a program's own words`,
        remedy: 'Move them to args, as in the manifests.',
      }),
    ];
  }
  const off = ['run-router', 'enable-cni'].filter((name) => !isOn(args, name));
  if (off.length === 0) return [];
  return [
    finding('CNIConfigUnsupported', DAEMON_SET, PHASES, {
      message: `${refText(DAEMON_SET)}: --${off.join(' and --')} ${off.length > 1 ? 'are' : 'is'} false, so something else makes the network of pods`,
      remedy: `Set spec.cni to what that is, or to Unmanaged; give kube-router --${IPV6_FLAG}=true beside it by hand.`,
    }),
  ];
}

function checkOwner(wanted: Wanted, agent: AgentFacts): readonly Finding[] {
  const { owner } = agent;
  const args = goalArgs(wanted, agent);
  if (owner === null || args.join('\n') === agent.args.join('\n')) return [];
  if (isOfK0s(agent)) {
    return [
      finding('AnotherOwner', DAEMON_SET, PHASES, {
        message: `${refText(DAEMON_SET)} is kept by something else (${owner.text}): k0s makes its arguments from spec.network.dualStack of its configuration`,
        remedy: 'Set spec.network.dualStack.enabled: true there; k0s then changes kube-router itself.',
      }),
    ];
  }
  const wants = args.filter((arg) => !agent.args.includes(arg)).join(' ') || args.join(' ');
  return [
    keptElsewhere(DAEMON_SET, owner, PHASES, {
      atOnce: `Give its container these arguments there: ${wants}.`,
      later: `Give its container these arguments there too: ${wants}.`,
    }),
  ];
}

/** All of its parts know both families since 2.0 (its `docs/ipv6.md`). */
const LEAST = '2.0.0';

function checkVersion({ image }: AgentFacts): readonly Finding[] {
  const version = imageVersion(image);
  if (version === null) {
    return [
      finding('UnknownVersion', DAEMON_SET, [], {
        message: `${refText(DAEMON_SET)}: the version of kube-router cannot be told from image ${image}`,
        remedy: `See that it is ${LEAST} or newer.`,
      }),
    ];
  }
  if (semver.gte(version, LEAST)) return [];
  return [
    finding('UnsupportedVersion', DAEMON_SET, PHASES, {
      message: `kube-router ${version} cannot do both families: that came with ${LEAST}`,
      remedy: 'Upgrade it first, and boot the nodes one by one: its tunnels have other names since then.',
    }),
  ];
}

function checkServices(wanted: Wanted, { args }: AgentFacts): readonly Finding[] {
  const asked = wanted.services.IPv6;
  const live = serviceRanges(args).find((range) => familyOf(range) === 'IPv6');
  if (!isOn(args, 'run-firewall') || asked === undefined || live === undefined || live.trim() === asked) return [];
  return [
    finding('ServiceCIDRMismatch', DAEMON_SET, PHASES, {
      message: `${refText(DAEMON_SET)}: --service-cluster-ip-range names ${live}, but the IPv6 service network is ${asked}: policies would cut Services off`,
      remedy: `Give both the same: spec.clusterNetwork.services.cidrBlocks, or --service-cluster-ip-range.`,
    }),
  ];
}

const K0S_RANGES = 'spec.network.kuberouter.extraArgs.service-cluster-ip-range';

/**
 * k0s gives kube-router `spec.network.serviceCIDR` alone, which is IPv4, or no range at all (its `pkg/component/controller/kuberouter.go`). kube-router starts
 * with that; what it lacks is the rule that lets traffic to addresses of Services in, which matters where these are on an interface of the host.
 */
function checkK0sServices({ services }: Wanted, agent: AgentFacts): readonly Finding[] {
  const { args } = agent;
  const hasRange = serviceRanges(args).some((range) => familyOf(range) === 'IPv6');
  if (!isOfK0s(agent) || hasRange || !isOn(args, IPV6_FLAG) || !isOn(args, 'run-firewall')) return [];
  return [
    finding('AnotherOwner', DAEMON_SET, [], {
      message: `${refText(DAEMON_SET)}: k0s gives kube-router the IPv4 network of Services alone, so where kube-proxy runs in mode ipvs its firewall drops what pods send to Services over IPv6`,
      remedy: `Set ${K0S_RANGES}: ${[services.IPv4, services.IPv6].filter(Boolean).join(',')} in the configuration of k0s; and take it out again before dual-stack is switched off.`,
    }),
  ];
}

function checkGrace(wanted: Wanted, agent: AgentFacts): readonly Finding[] {
  const { args } = agent;
  const isDone = goalArgs(wanted, agent).join('\n') === args.join('\n');
  if (isDone || !isOn(args, 'run-router') || isOn(args, 'bgp-graceful-restart')) return [];
  return [
    finding('TrafficInterrupted', DAEMON_SET, [], {
      message: `${refText(DAEMON_SET)}: --bgp-graceful-restart is ${flag(args, 'bgp-graceful-restart')}: routes to a node's pods go away while kube-router restarts there, and without it IPv6 routes between nodes have been seen missing (kube-router#1992)`,
      remedy: 'Add --bgp-graceful-restart=true to its arguments first.',
    }),
  ];
}

/** With two ranges and one family kube-router does not start, and k0s takes away the family alone. */
function checkK0sRanges(agent: AgentFacts): readonly Finding[] {
  if (!isOfK0s(agent) || serviceRanges(agent.args).length < 2) return [];
  return [
    finding('AnotherOwner', DAEMON_SET, ['ControllerManager', 'APIServer'], {
      message: `${refText(DAEMON_SET)}: it has Service networks of both families from ${K0S_RANGES}, with which kube-router does not start once k0s has dual-stack switched off`,
      remedy: `Take ${K0S_RANGES} out of the configuration of k0s.`,
    }),
  ];
}

/** `updateCNIConfig` in kube-router's `pkg/controllers/routing` only ever adds ranges to the file. */
function checkHostFiles({ args }: AgentFacts): readonly Finding[] {
  if (!isOn(args, 'enable-cni')) return [];
  return [
    finding('Unmanaged', DAEMON_SET, [], {
      message:
        'kube-router never takes a range out of the CNI configuration that it has written to the hosts, so new pods get IPv6 addresses without routes there as long as it stands in the file',
      remedy:
        'On each host, once kube-router runs without IPv6: rm /etc/cni/net.d/10-kuberouter.conflist, then delete its kube-router pod, which writes the file anew.',
    }),
  ];
}
