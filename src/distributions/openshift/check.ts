import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import type { ObjectRef } from '../../model/object.ts';
import { fromPhase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import type { Family } from '../../net/family.ts';
import { INFRASTRUCTURE, NETWORK, type NetworkFacts, type OpenShiftFacts } from './facts.ts';
import { checkHosts } from './check-hosts.ts';
import { checkNetworks } from './check-networks.ts';
import { liveFamilies, networkFacts } from './network.ts';
import { changesTo, targetLists } from './patch.ts';
import { checkAddresses } from './vips.ts';

/** The rules by which OpenShift's own operator takes or refuses the patch: a patch that it refuses leaves the operator degraded. */
export function check(wanted: Wanted, facts: ClusterFacts, own: OpenShiftFacts): readonly Finding[] {
  const live = networkFacts(own);
  const families = liveFamilies(own);
  if (live === null || families === null) return [unreadable(wanted, own)];
  const isAsked = changesTo(targetLists(wanted, live.spec), live.spec).length === 0;
  const isForward = wanted.direction === 'Forward';
  return [
    ...(isAsked ? [] : [...checkHosted(wanted, own), ...checkPlugin(wanted, live), ...checkReady(wanted, live, own)]),
    ...(isForward && families.length < wanted.families.length
      ? [...checkPlatform(wanted, own), ...checkFirstFamily(families)]
      : []),
    ...(isForward && !isAsked ? [...checkNetworks(wanted, live), ...checkHosts(wanted, facts)] : []),
    ...(isForward ? checkAddresses(wanted, own) : []),
  ];
}

function unreadable({ direction }: Wanted, { network }: OpenShiftFacts): Finding {
  const why = network.known ? 'it is missing, or names no networks' : network.why;
  return {
    reason: 'ComponentUnreadable',
    object: NETWORK,
    message: `Network cluster of config.openshift.io, which says the networks of an OpenShift cluster, cannot be read: ${why}.`,
    remedy: 'Let the operator read networks.config.openshift.io: oc get network.config.openshift.io cluster.',
    blocks: fromPhase('NodeIPs', direction),
  };
}

const blocker = (
  { direction }: Wanted,
  reason: Finding['reason'],
  object: ObjectRef,
  message: string,
  remedy: string,
): Finding => ({ reason, object, message, remedy, blocks: fromPhase('NodeIPs', direction) });

/** openshift/hypershift, api/hypershift/v1beta1: the networks in `spec.networking` of a HostedCluster are immutable. */
function checkHosted(wanted: Wanted, { infrastructure }: OpenShiftFacts): readonly Finding[] {
  if (!infrastructure.known || infrastructure.value?.controlPlaneTopology !== 'External') return [];
  return [
    blocker(
      wanted,
      'NetworkImmutable',
      INFRASTRUCTURE,
      'The control plane of this cluster is hosted in another one (controlPlaneTopology: External), where spec.networking of its HostedCluster cannot change.',
      'Make a new HostedCluster with networks of both families, and move the workloads.',
    ),
  ];
}

/** Others bring an operator of their own, which the cluster-network-operator leaves alone. */
function checkPlugin(wanted: Wanted, { networkType }: NetworkFacts): readonly Finding[] {
  if (networkType === 'OVNKubernetes') return [];
  return [
    blocker(
      wanted,
      'PlatformUnsupported',
      NETWORK,
      `networkType of Network cluster is ${networkType === '' ? 'not told' : networkType}: OpenShift converts clusters with OVN-Kubernetes alone.`,
      networkType === 'OpenShiftSDN'
        ? 'Move the cluster to OVN-Kubernetes first.'
        : 'Follow the documentation of the network plug-in; OpenShift takes the same patch, and changes nothing but its own components.',
    ),
  ];
}

function checkReady(
  wanted: Wanted,
  { migrates, mtu }: NetworkFacts,
  { operators }: OpenShiftFacts,
): readonly Finding[] {
  const degraded = operators.known ? operators.value.filter((operator) => operator.degraded) : [];
  return [
    ...(operators.known ? [] : [unreadableOperators(wanted, operators.why)]),
    ...(migrates
      ? [
          blocker(
            wanted,
            'UnhealthyControlPlane',
            NETWORK,
            'Network cluster has a migration under way (status.migration), during which OpenShift refuses other Service networks.',
            'Finish it first: oc get network.config.openshift.io cluster -o yaml.',
          ),
        ]
      : []),
    ...degraded.map(({ name, message }) =>
      blocker(
        wanted,
        'UnhealthyControlPlane',
        { apiVersion: 'config.openshift.io/v1', kind: 'ClusterOperator', name },
        `ClusterOperator ${name} is degraded before the work begins: ${message}`,
        `Mend it first: oc describe clusteroperator ${name}.`,
      ),
    ),
    // IPv6 needs packets of 1280 bytes (RFC 8200), and OpenShift refuses less (`MinMTUIPv6` in pkg/network/mtu.go).
    ...(wanted.families.includes('IPv6') && mtu !== null && mtu < 1280
      ? [
          blocker(
            wanted,
            'CNIConfigBroken',
            NETWORK,
            `The MTU of the cluster network is ${mtu}; IPv6 needs 1280.`,
            'Raise it first, as OpenShift documents for changing the MTU of the cluster network.',
          ),
        ]
      : []),
  ];
}

const unreadableOperators = (wanted: Wanted, why: string): Finding =>
  blocker(
    wanted,
    'ComponentUnreadable',
    { apiVersion: 'config.openshift.io/v1', kind: 'ClusterOperator', name: 'network' },
    `How OpenShift's operators are cannot be read: ${why}.`,
    'Let the operator read clusteroperators.config.openshift.io.',
  );

/** Platforms on which the operator lets a running cluster become dual-stack (pkg/network/render.go: `isConversionToDualStackSupported`). */
const CONVERTIBLE = ['BareMetal', 'None', 'VSphere'];

function checkPlatform(wanted: Wanted, { infrastructure }: OpenShiftFacts): readonly Finding[] {
  const platform = infrastructure.known ? (infrastructure.value?.platform ?? '') : '';
  if (CONVERTIBLE.includes(platform)) return [];
  if (platform === '') {
    return [
      blocker(
        wanted,
        'ComponentUnreadable',
        INFRASTRUCTURE,
        `The platform of this cluster cannot be told${infrastructure.known ? '' : `: ${infrastructure.why}`}.`,
        'Let the operator read infrastructures.config.openshift.io.',
      ),
    ];
  }
  return [
    blocker(
      wanted,
      'PlatformUnsupported',
      INFRASTRUCTURE,
      `The platform is ${platform}: OpenShift converts running clusters on ${CONVERTIBLE.join(', ')} alone, and refuses the patch elsewhere.`,
      'Install a new cluster with both families in install-config.yaml, where the platform has them.',
    ),
  ];
}

/** Its rules are the same for either family; its documentation has spoken of IPv4 clusters alone until lately. */
const checkFirstFamily = ([first]: readonly Family[]): readonly Finding[] =>
  first === 'IPv4'
    ? []
    : [
        {
          reason: 'PlatformUnsupported',
          object: NETWORK,
          message:
            'The cluster began with IPv6 alone: the cluster-network-operator takes a second family there too, but what OpenShift documents begins with IPv4.',
          remedy: 'Try it with a cluster that nobody needs, or ask Red Hat.',
          blocks: [],
        },
      ];
