import { gte, type SemVer } from 'semver';
import { ok, type Result } from '../../result.ts';
import type { Flag, FlagValues, GeneratedFile, Generator, NewCluster, Networks } from '../contract.ts';
import type { Family } from '../../net/family.ts';
import { all, asked, first, impossible, isBefore, parseVersion, VERSION } from '../flags.ts';
import { isDual, maskProblems, USUAL_NETWORKS } from '../networks.ts';
import { type NewNode, nodeFlag, nodeProblems, parseNode } from '../nodes.ts';
import { type Branch, note, type Tree, yamlText } from '../yaml.ts';

const CONTROLLER = nodeFlag('controller', 'controller; a file is written for each');
const CNI: Flag = {
  name: 'cni',
  value: 'provider',
  description: 'network plug-in: kuberouter (its default), calico, or custom for one that you install',
  choices: ['kuberouter', 'calico', 'custom'],
};

/** k0s leaves 11 bits to each node (pkg/component/controller/controllermanager.go), so its pod networks are small ones. */
const NODE_MASKS: Readonly<Record<Family, number>> = { IPv4: 24, IPv6: 117 };
const NETWORKS: Readonly<Record<Family, Networks>> = {
  IPv4: USUAL_NETWORKS.IPv4,
  IPv6: { pods: 'fd00:10:244::/108', services: USUAL_NETWORKS.IPv6.services },
};

/** Configuration of k0s controllers. */
export const k0s: Generator = {
  name: 'k0s',
  summary: 'Configuration (k0s.yaml) for the controllers of a k0s cluster.',
  flags: [VERSION, CONTROLLER, CNI],
  defaults: () => NETWORKS,
  generate(cluster, values) {
    const version = versionOf(values);
    const parsed = all(values, CONTROLLER).map((text) => parseNode(text, CONTROLLER.name, cluster.families));
    const controllers = parsed.flatMap((node) => (node.ok ? [node.value] : []));
    const problems = [
      ...(version.ok ? [] : [version.error]),
      ...parsed.flatMap((node) => (node.ok ? [] : [node.error])),
      ...nodeProblems(controllers, cluster),
      ...maskProblems(cluster, NODE_MASKS),
    ];
    if (problems.length > 0 || !version.ok) return asked(...problems);
    const refused = tooOld(cluster, version.value, controllers);
    if (refused !== null) return impossible(refused);
    return ok({ files: filesOf(cluster, version.value, controllers, first(values, CNI)), notes: notesOf(cluster) });
  },
};

function versionOf(values: FlagValues): Result<SemVer | null, string> {
  const text = first(values, VERSION);
  return text === undefined ? ok(null) : parseVersion(text);
}

/**
 * IPv6 alone came with 1.34 (https://github.com/k0sproject/k0s/issues/5875); before, the cluster DNS had to have an IPv4 address (`DNSAddress` in
 * pkg/apis/k0s/v1beta1/network.go). So did `primaryAddressFamily` (https://github.com/k0sproject/k0s/pull/5912); before, the first family was that of
 * `spec.api.address`.
 */
function tooOld(cluster: NewCluster, version: SemVer | null, controllers: readonly NewNode[]): string | null {
  if (version === null || !isBefore(version, 34) || cluster.families[0] === 'IPv4') return null;
  if (!isDual(cluster)) return `k0s ${version.version} has no clusters of IPv6 alone: take 1.34 or newer`;
  return controllers.length > 0
    ? null
    : `k0s ${version.version} takes its first family from the controller's address: give --controller with its addresses, or take 1.34 or newer`;
}

function filesOf(
  cluster: NewCluster,
  version: SemVer | null,
  controllers: readonly NewNode[],
  cni: string | undefined,
): readonly GeneratedFile[] {
  const provider = cni ?? 'kuberouter';
  if (controllers.length === 0)
    return [{ name: 'k0s.yaml', text: configText(cluster, version, null, controllers, provider) }];
  return controllers.map((node) => ({
    name: `k0s-${node.name}.yaml`,
    text: configText(cluster, version, node, controllers, provider),
  }));
}

function configText(
  cluster: NewCluster,
  version: SemVer | null,
  node: NewNode | null,
  controllers: readonly NewNode[],
  provider: string,
): string {
  return yamlText([
    {
      about: [...installation(cluster, node, controllers), ...workers(cluster)].join('\n'),
      value: {
        apiVersion: 'k0s.k0sproject.io/v1beta1',
        kind: 'ClusterConfig',
        metadata: { name: 'k0s' },
        spec: {
          api: node === null ? undefined : apiOf(node, controllers),
          controllerManager: nodeMasks(cluster),
          network: networkOf(cluster, version, provider),
        },
      },
    },
  ]);
}

/** The first controller begins the cluster; the others are let in by a token of it (https://docs.k0sproject.io/stable/k0s-multi-node/). */
function installation(cluster: NewCluster, node: NewNode | null, controllers: readonly NewNode[]): readonly string[] {
  const gate = cluster.families.includes('IPv4') ? '' : ' --feature-gates=IPv6SingleStack=true';
  const command = `  k0s install controller -c /etc/k0s/k0s.yaml${gate}`;
  const start = ' && k0s start';
  const join = `${command} --token-file /etc/k0s/join-token${start}`;
  const [head] = controllers;
  if (node === null) {
    return [
      '/etc/k0s/k0s.yaml of each controller, then on the first one:',
      `${command}${start}`,
      'On each other one, with what "k0s token create --role=controller" says on the first in /etc/k0s/join-token:',
      join,
    ];
  }
  if (head === undefined || head.name === node.name)
    return [`/etc/k0s/k0s.yaml of ${node.name}, then:`, `${command}${start}`];
  return [
    `/etc/k0s/k0s.yaml of ${node.name}, and in /etc/k0s/join-token what this says on ${head.name}:`,
    '  k0s token create --role=controller',
    'Then:',
    join,
  ];
}

const workers = ({ families }: NewCluster): readonly string[] =>
  families.length === 1
    ? []
    : [
        'Workers, and controllers with --enable-worker: give the kubelet both addresses; without, it starts only where the name of the host resolves in both families:',
        `  --kubelet-extra-args=--node-ip=${families.map((family) => family.toUpperCase()).join(',')}`,
      ];

const apiOf = ({ addresses: [primary] }: NewNode, controllers: readonly NewNode[]): Tree => ({
  address: note(primary, 'Of the primary family.'),
  sans: note(
    controllers.flatMap(({ addresses }) => addresses),
    'The API can be asked by any address of any controller.',
  ),
});

function nodeMasks({ families, nodeMask }: NewCluster): Tree | undefined {
  const args = families.flatMap((family): [string, Tree][] => {
    const mask = nodeMask[family];
    return mask === undefined ? [] : [[`node-cidr-mask-size-${family.toLowerCase()}`, String(mask)]];
  });
  return args.length === 0 ? undefined : { extraArgs: Object.fromEntries(args) };
}

function networkOf(cluster: NewCluster, version: SemVer | null, provider: string): Tree {
  const { pods, services } = cluster;
  return {
    provider: provider === 'custom' ? note(provider, 'Install one that serves the families below.') : provider,
    calico:
      provider === 'calico' && isDual(cluster)
        ? note({ mode: 'bird' }, 'k0s takes no other with two families.')
        : undefined,
    primaryAddressFamily: primaryOf(cluster, version),
    podCIDR: isDual(cluster) ? orNone(pods.IPv4) : orNone(pods.IPv4 ?? pods.IPv6),
    serviceCIDR: isDual(cluster) ? orNone(services.IPv4) : orNone(services.IPv4 ?? services.IPv6),
    dualStack: isDual(cluster) ? dualStack(cluster, version) : undefined,
  };
}

/** Each family that is asked for has its networks. */
const orNone = (network: string | undefined): string => network ?? '';

/** Older releases do not know the field, and IPv4 is first where nothing is said. */
function primaryOf(cluster: NewCluster, version: SemVer | null): Tree | undefined {
  if (!isDual(cluster) || cluster.families[0] === 'IPv4') return undefined;
  if (version !== null && isBefore(version, 34)) return undefined;
  return note(
    'IPv6',
    'kube-dns has an IPv4 address all the same in some releases: https://github.com/k0sproject/k0s/issues/7294',
  );
}

function dualStack(cluster: NewCluster, version: SemVer | null): Tree {
  const fields: Branch = {
    enabled: true,
    IPv6podCIDR: orNone(cluster.pods.IPv6),
    IPv6serviceCIDR: orNone(cluster.services.IPv6),
  };
  // What stands behind a plus sign does not count: v1.36.1+k0s.0 is no older than 1.36.1.
  const orderFollows = version !== null && gte(version, '1.36.1');
  if (orderFollows || cluster.families[0] === 'IPv6') return fields;
  return note(
    fields,
    'Before v1.36.1+k0s.0 the pod CIDRs of Nodes have IPv6 first whatever is primary: they work so, and stay so (https://github.com/k0sproject/k0s/issues/7927).',
  );
}

function notesOf(cluster: NewCluster): readonly string[] {
  return [
    ...(cluster.families.includes('IPv4')
      ? []
      : [
          'IPv6 alone is alpha in k0s: start every controller with --feature-gates=IPv6SingleStack=true (https://docs.k0sproject.io/stable/single-stack-ipv6).',
        ]),
    'The Service networks of a k0s cluster are read from this file alone: all controllers need the same, also with dynamic configuration.',
  ];
}
