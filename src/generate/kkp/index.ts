import { coerce, lt, type SemVer } from 'semver';
import type { Family } from '../../net/family.ts';
import { ok, unreachable } from '../../result.ts';
import type { Flag, FlagValues, Generator, NewCluster, Networks } from '../contract.ts';
import { asked, first, impossible, isBefore, parseVersion, VERSION } from '../flags.ts';
import { inOrder, isDual, maskField, maskProblems, networkOf } from '../networks.ts';
import { note, type Tree, yamlText } from '../yaml.ts';
import { DUAL_STACK, type Outcome, type Provider, PROVIDERS, SYSTEMS, type System } from './providers.ts';

const PROVIDER: Flag = {
  name: 'provider',
  value: 'provider',
  description: 'provider, as spec.cloud names it; packet is Equinix Metal',
  choices: PROVIDERS,
};
const DATACENTER: Flag = {
  name: 'datacenter',
  value: 'name',
  description: 'datacenter of the Seed, for spec.cloud.dc',
};
const SYSTEM: Flag = {
  name: 'operating-system',
  value: 'system',
  description: 'operating system of the nodes: tells whether KKP has seen it work',
  choices: SYSTEMS,
};
const PROJECT: Flag = { name: 'project', value: 'id', description: 'project of KKP that owns the cluster' };
const CNI: Flag = {
  name: 'cni',
  value: 'type',
  description: "network plug-in: canal or cilium; else KKP's own default",
  choices: ['canal', 'cilium'],
};
const CNI_VERSION: Flag = { name: 'cni-version', value: 'version', description: 'release of the network plug-in' };

/** KKP's own defaults (pkg/resources, DefaultClusterPodsCIDR and those beside it). */
const NETWORKS: Readonly<Record<Family, Networks>> = {
  IPv4: { pods: '172.25.0.0/16', services: '10.240.16.0/20' },
  IPv6: { pods: 'fd01::/48', services: 'fd02::/108' },
};
const KUBEVIRT_IPV4: Networks = { pods: '172.26.0.0/16', services: '10.241.0.0/20' };
const NODE_MASKS: Readonly<Record<Family, number>> = { IPv4: 24, IPv6: 64 };

/** A Cluster of the Kubermatic Kubernetes Platform. */
export const kkp: Generator = {
  name: 'kkp',
  summary: 'Cluster for the Kubermatic Kubernetes Platform (KKP).',
  flags: [VERSION, PROVIDER, DATACENTER, SYSTEM, PROJECT, CNI, CNI_VERSION],
  defaults: (values) => (first(values, PROVIDER) === 'kubevirt' ? { ...NETWORKS, IPv4: KUBEVIRT_IPV4 } : NETWORKS),
  generate(cluster, values) {
    const provider = PROVIDERS.find((each) => each === first(values, PROVIDER));
    const version = parseVersion(first(values, VERSION) ?? '');
    const refused = refusalOf(cluster, values);
    if (refused !== null) return impossible(refused);
    const problems = [
      ...missing(values),
      ...(version.ok || first(values, VERSION) === undefined ? [] : [version.error]),
      ...maskProblems(cluster, NODE_MASKS),
      ...longerMasks(cluster),
      ...(cluster.name.length > 36 ? [`metadata.name: KKP takes at most 36 characters: shorten ${cluster.name}`] : []),
    ];
    if (problems.length > 0 || provider === undefined || !version.ok) return asked(...problems);
    return ok({
      files: [{ name: 'cluster.yaml', text: clusterText(cluster, values, provider, version.value) }],
      notes: notesOf(cluster, values, provider, version.value),
    });
  },
};

/** KKP's own reasons (pkg/validation/cluster.go: `ValidateClusterNetworkConfig`, `ValidateClusterSpec`). */
function refusalOf(cluster: NewCluster, values: FlagValues): string | null {
  if (cluster.families[0] !== 'IPv4') {
    return 'KKP knows IPv4 and IPv4+IPv6 alone, IPv4 first: choose one of them';
  }
  const release = coerce(first(values, CNI_VERSION) ?? '');
  if (isDual(cluster) && first(values, CNI) === 'canal' && release !== null && lt(release, '3.22.0')) {
    return `KKP has no dual-stack with Canal ${release.version}: choose --cni-version v3.22 or newer`;
  }
  return null;
}

function missing(values: FlagValues): readonly string[] {
  return [
    ...[VERSION, PROVIDER, DATACENTER].flatMap((flag) =>
      first(values, flag) === undefined ? [`--${flag.name} is missing: ${flag.description}`] : [],
    ),
    ...((first(values, CNI) === undefined) === (first(values, CNI_VERSION) === undefined)
      ? []
      : [`--${CNI.name} and --${CNI_VERSION.name} go together: give both, or neither for KKP's default`]),
  ];
}

/** KKP asks for a mask that is longer than the pod network's, not only as long (`validateNodeCIDRMaskSize`). */
function longerMasks(cluster: NewCluster): readonly string[] {
  return inOrder(cluster.families, cluster.pods).flatMap((pods) => {
    const { family, prefix } = networkOf(pods);
    const mask = cluster.nodeMask[family] ?? NODE_MASKS[family];
    return mask === prefix
      ? [`${maskField(family)}: KKP wants it longer than the pod network ${pods}: write at least ${prefix + 1}`]
      : [];
  });
}

function clusterText(cluster: NewCluster, values: FlagValues, provider: Provider, version: SemVer): string {
  const project = first(values, PROJECT);
  return yamlText([
    {
      about: [
        'kubectl create -f cluster.yaml, on the Seed of the datacenter.',
        'KKP allows no change of families and networks later.',
      ].join('\n'),
      value: {
        apiVersion: 'kubermatic.k8c.io/v1',
        kind: 'Cluster',
        metadata: { name: cluster.name, labels: project === undefined ? undefined : { 'project-id': project } },
        spec: {
          humanReadableName: cluster.name,
          version: version.version,
          cloud: cloudOf(provider, first(values, DATACENTER) ?? ''),
          cniPlugin: cniPlugin(values),
          clusterNetwork: networkTree(cluster),
        },
      },
    },
  ]);
}

const cloudOf = (provider: Provider, datacenter: string): Tree => ({
  dc: datacenter,
  providerName: provider,
  [provider]:
    provider === 'bringyourown'
      ? {}
      : note({}, "Put in the provider's own fields and credentials, or a credentialsReference."),
});

function cniPlugin(values: FlagValues): Tree | undefined {
  const type = first(values, CNI);
  const version = first(values, CNI_VERSION);
  return type === undefined || version === undefined ? undefined : { type, version };
}

function networkTree(cluster: NewCluster): Tree {
  const { families, nodeMask } = cluster;
  const masks = families.map((family): [string, Tree] => [
    // KKP spells the field so, unlike DualStackCluster.
    `nodeCidrMaskSize${family}`,
    nodeMask[family] ?? NODE_MASKS[family],
  ]);
  return {
    ipFamily: isDual(cluster) ? 'IPv4+IPv6' : 'IPv4',
    pods: note({ cidrBlocks: inOrder(families, cluster.pods) }, 'As many as for Services, IPv4 first.'),
    services: { cidrBlocks: inOrder(families, cluster.services) },
    ...Object.fromEntries(masks),
    dnsDomain: 'cluster.local',
  };
}

function notesOf(cluster: NewCluster, values: FlagValues, provider: Provider, version: SemVer): readonly string[] {
  const notes = ['Put the fields and credentials of the provider into spec.cloud before you create it.'];
  if (!isDual(cluster)) return notes;
  const known = DUAL_STACK[provider];
  if (known === null)
    return [
      ...notes,
      `KKP does not list ${provider} among the providers with dual-stack: try it before you rely on it.`,
    ];
  const system = SYSTEMS.find((each) => each === first(values, SYSTEM));
  if (system === 'centos7' && first(values, CNI) === 'cilium') notes.push('Cilium does not run on CentOS 7.');
  return [
    ...notes,
    ...(system === undefined ? [] : systemNotes(known.systems[system], provider, system)),
    ...known.notes.flatMap(({ text, before }) => (before === undefined || isBefore(version, before) ? [text] : [])),
  ];
}

function systemNotes(outcome: Outcome, provider: Provider, system: System): readonly string[] {
  switch (outcome) {
    case 'Fails':
      return [`Dual-stack does not work with ${system} on ${provider}, says KKP: choose another operating system.`];
    case 'Late':
      return [
        `With ${system} on ${provider} the IPv6 address comes after the kubelet has started, and the Node lacks it: restart the kubelet or the machine.`,
      ];
    case 'Untested':
      return [`KKP has not tested ${system} on ${provider}.`];
    case 'Works':
      return [];
    default:
      return unreachable(outcome);
  }
}
