import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import type { Network } from '../../model/networks.ts';
import { fromPhase, type Phase } from '../../model/phase.ts';
import { DEFAULT_SERVICE_CIDR } from '../../model/service-networks.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { readClusterConfig } from './cluster-config.ts';
import type { KubeadmFacts } from './facts.ts';
import { familyOf } from '../../model/node-address.ts';
import { mirrorPodRef } from './check-health.ts';
import { flagOf, instancesOf } from './instances.ts';
import { readProxyCIDR } from './proxy-config.ts';
import { isPrefixOf, type Mention, networksOf, podMentions, serviceMentions } from './ranges.ts';

/** What runs must be a beginning of what is wanted: networks are added, never changed. */
export function checkNetworks(wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Finding[] {
  if (wanted.direction === 'Back') return [];
  const services = cidrList(wanted.families, wanted.services);
  const pods = cidrList(wanted.families, wanted.pods);
  return [
    ...checkMentions(wanted, 'services', serviceMentions(own), services, 'APIServer'),
    ...checkMentions(wanted, 'pods', podMentions(own), pods, 'ControllerManager'),
    ...checkTexts(own, services, pods),
    ...checkServiceCIDR(facts, services),
    ...checkAdvertiseAddress(wanted, own),
  ];
}

function checkMentions(
  wanted: Wanted,
  field: Network,
  mentions: readonly Mention[],
  networks: readonly string[],
  phase: Phase,
): readonly Finding[] {
  const isOneForAll = new Set(mentions.map((mention) => networksOf(mention.text)?.join(','))).size <= 1;
  const bad = mentions.flatMap((mention): readonly Finding[] => {
    const live = networksOf(mention.text);
    if (live === null) return [malformed(mention, phase)];
    if (isPrefixOf(live, networks)) return [];
    if (live[0] !== undefined && familyOf(live[0].split('/')[0] ?? '') !== wanted.families[0]) {
      return [primaryMismatch(wanted, mention)];
    }
    return [isOneForAll ? immutable(wanted, field, mention, networks) : inconsistent(wanted, mention, networks, phase)];
  });
  // One is enough where all say the same.
  return isOneForAll ? bad.slice(0, 1) : bad;
}

const malformed = ({ where, text }: Mention, phase: Phase): Finding => ({
  reason: 'ComponentUnreadable',
  object: null,
  message: `${where} is "${text}", which is no list of CIDRs.`,
  remedy: 'Write it as one or two CIDRs with a comma between them and nothing else.',
  blocks: [phase],
});

const primaryMismatch = (wanted: Wanted, { where, text }: Mention): Finding => ({
  reason: 'PrimaryFamilyMismatch',
  object: null,
  message: `${where} is ${text}, but spec.ipFamilies begins with ${wanted.families[0] ?? ''}: the primary family of a running cluster cannot change.`,
  remedy: 'Put the live family first in spec.ipFamilies.',
  blocks: fromPhase('NodeIPs', 'Forward'),
});

const immutable = (wanted: Wanted, field: string, { where, text }: Mention, networks: readonly string[]): Finding => ({
  reason: 'ExistingCIDRImmutable',
  object: null,
  message: `${where} is ${text}, but spec.clusterNetwork.${field}.cidrBlocks asks for ${networks.join(',')}: a CIDR that is in use cannot change.`,
  remedy: `Write ${text} into spec.clusterNetwork.${field}.cidrBlocks, or take the added family out of the cluster first.`,
  blocks: fromPhase('NodeIPs', wanted.direction),
});

const inconsistent = (
  wanted: Wanted,
  { where, text }: Mention,
  networks: readonly string[],
  phase: Phase,
): Finding => ({
  reason: 'InconsistentControlPlane',
  object: null,
  message: `${where} is ${text}, which is neither what the other instances have nor the beginning of ${networks.join(',')}.`,
  remedy: 'Make this flag the same on all control-plane nodes, or ask for the value that it has.',
  blocks: [phase],
});

/** kubeadm's and kube-proxy's texts are brought in line with what runs, but not where they speak of another primary network. */
function checkTexts(own: KubeadmFacts, services: readonly string[], pods: readonly string[]): readonly Finding[] {
  const config =
    own.clusterConfig.known && own.clusterConfig.value ? readClusterConfig(own.clusterConfig.value.text) : null;
  const proxy = own.proxyConfig.known && own.proxyConfig.value ? readProxyCIDR(own.proxyConfig.value.text) : null;
  const texts: readonly {
    where: string;
    text: string | null | undefined;
    networks: readonly string[];
    phase: Phase;
  }[] = [
    {
      where: 'podSubnet in ConfigMap kube-system/kubeadm-config',
      text: config?.podSubnet,
      networks: pods,
      phase: 'ClusterConfig',
    },
    {
      where: 'serviceSubnet in ConfigMap kube-system/kubeadm-config',
      text: config?.serviceSubnet,
      networks: services,
      phase: 'ClusterConfig',
    },
    { where: 'clusterCIDR in ConfigMap kube-system/kube-proxy', text: proxy, networks: pods, phase: 'Proxy' },
  ];
  return texts.flatMap(({ where, text, networks, phase }): readonly Finding[] => {
    const live = networksOf(text ?? '');
    if (live !== null && isPrefixOf(live, networks)) return [];
    return [
      {
        reason: 'InconsistentControlPlane',
        object: null,
        message: `${where} is ${text ?? ''}, which is not the beginning of ${networks.join(',')}.`,
        remedy: 'Write the primary network there that the control plane runs with, or ask for the one that is there.',
        blocks: [phase],
      },
    ];
  });
}

/** Addresses come from this object, also when the flags say otherwise: another second range in the flags would be ignored. */
function checkServiceCIDR(facts: ClusterFacts, services: readonly string[]): readonly Finding[] {
  if (!facts.serviceCIDR.known) return [];
  const live = facts.serviceCIDR.value;
  const networks = live.map((cidr) => networksOf(cidr)?.[0] ?? cidr);
  if (isPrefixOf(networks, services)) return [];
  return [
    {
      reason: 'ServiceCIDRMismatch',
      object: DEFAULT_SERVICE_CIDR,
      message: `ServiceCIDR kubernetes holds ${live.join(',')}, and a range in the API servers' flags that differs from it (${services.join(',')}) is ignored.`,
      remedy: `Ask for ${live.join(',')} in spec.clusterNetwork.services.cidrBlocks.`,
      blocks: ['APIServer'],
    },
  ];
}

function checkAdvertiseAddress(wanted: Wanted, own: KubeadmFacts): readonly Finding[] {
  return instancesOf(own.instances, 'kube-apiserver').flatMap((instance): readonly Finding[] => {
    const address = flagOf(instance, 'advertise-address');
    const family = address === undefined ? null : familyOf(address);
    if (family === null || family === wanted.families[0] || flagOf(instance, 'endpoint-reconciler-type') === 'none')
      return [];
    return [
      {
        reason: 'AdvertiseAddressFamily',
        object: mirrorPodRef(instance.component, instance.node),
        message: `kube-apiserver on ${instance.node} has --advertise-address=${address ?? ''}, but the primary Service family is ${wanted.families[0] ?? ''}.`,
        remedy: `Give kube-apiserver on ${instance.node} an --advertise-address of the primary family.`,
        blocks: ['APIServer'],
      },
    ];
  });
}
