import type { Basics, ClusterFacts, NodeFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { nameList } from '../../model/list-text.ts';
import { agreed, type Mention, mention } from '../../model/networks.ts';
import { addressOfFamily, familyOf } from '../../model/node-address.ts';
import { phaseOrder } from '../../model/phase.ts';
import { type Known, unknown } from '../../model/reader.ts';
import { remakeNode } from '../../model/remake-node.ts';
import { readServiceNetworks, SEE_SERVICE_NETWORKS } from '../../model/service-networks.ts';
import { everyWay } from '../../model/support.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { FAMILIES, type Family, type PerFamily } from '../../net/family.ts';
import type { Distribution } from '../contract.ts';

/** What the API shows of the servers of k3s or RKE2. */
export interface K3sFacts {
  /** Those that have a Node; a server without a kubelet has none. */
  readonly servers: readonly Server[];
  /** Networks of ServiceCIDR `kubernetes`, primary first. Known null: the server has no such object. */
  readonly serviceCIDR: Known<readonly string[] | null>;
}

interface Server {
  readonly node: string;
  /** Family of the default networks: that of its first address. */
  readonly family: Family;
  /** With which it was started last, file and command line together. */
  readonly args: Readonly<Record<string, string>>;
}

interface Program {
  readonly name: 'K3s' | 'RKE2';
  /** As people write it. */
  readonly title: 'k3s' | 'RKE2';
  /** Domain of the annotations that it gives to its Nodes. */
  readonly domain: 'k3s.io' | 'rke2.io';
  /** How it marks the version of the components that it builds. */
  readonly version: RegExp;
  readonly file: string;
}

export const k3s: Distribution<K3sFacts> = distribution({
  name: 'K3s',
  title: 'k3s',
  domain: 'k3s.io',
  version: /\+k3s[0-9]/u,
  file: '/etc/rancher/k3s/config.yaml',
});

/** Built on k3s: the same options, the same rule. */
export const rke2: Distribution<K3sFacts> = distribution({
  name: 'RKE2',
  title: 'RKE2',
  domain: 'rke2.io',
  version: /\+rke2r[0-9]/u,
  file: '/etc/rancher/rke2/config.yaml',
});

/**
 * Both take the networks from the options of their servers and say that dual-stack must be configured when a cluster is made (docs.k3s.io,
 * networking/basic-network-options; github.com/rancher/rke2-docs/pull/415). So a cluster of one family is refused, and one that has both is gone on with.
 */
function distribution(program: Program): Distribution<K3sFacts> {
  return {
    name: program.name,
    support: { page: program.name.toLowerCase(), ways: everyWay({ is: 'Refused', reason: 'NetworkImmutable' }) },
    defaultNodeMask: { IPv4: 24, IPv6: 64 },
    permissions: [SEE_SERVICE_NETWORKS],
    detect: (basics) => detect(program, basics),
    observe: async (reader, { nodes }) => ({
      servers: nodes.flatMap((node) => toServers(program, node)),
      serviceCIDR: await readServiceNetworks(reader),
    }),
    network,
    components: ({ servers }) =>
      servers.map((server) => ({
        component: program.title,
        where: server.node,
        source: `annotation ${program.domain}/node-args`,
        settings: { 'cluster-cidr': valueOf(server, 'cluster-cidr'), 'service-cidr': valueOf(server, 'service-cidr') },
      })),
    check: (wanted, facts, own) => check(program, wanted, facts, own),
    records: () => [],
    steps: () => [],
  };
}

function detect({ domain, version }: Program, { kubernetesVersion, nodes }: Basics): string | null {
  if (version.test(kubernetesVersion)) return `Kubernetes version ${kubernetesVersion}`;
  const node = nodes.find(({ annotations }) => `${domain}/node-args` in annotations);
  return node === undefined ? null : `annotation ${domain}/node-args of Node ${node.name}`;
}

/** Each start writes the arguments into an annotation of the Node, those of the file first (k3s: pkg/nodeconfig/nodeconfig.go). */
function toServers({ domain }: Program, node: NodeFacts): readonly Server[] {
  const words = wordsOf(node.annotations[`${domain}/node-args`] ?? '');
  if (words[0] !== 'server') return [];
  const args: Record<string, string> = {};
  words.forEach((word, index) => {
    const name = /^--([a-z0-9-]+)$/u.exec(word)?.[1];
    const value = words[index + 1];
    // Options that may be given several times add up (`cluster-cidr`, `service-cidr`).
    if (name !== undefined && value !== undefined && !value.startsWith('--')) {
      args[name] = args[name] === undefined ? value : `${args[name]},${value}`;
    }
  });
  return [{ node: node.name, family: familyOf(node.internalIPs[0] ?? '') ?? 'IPv4', args }];
}

function wordsOf(text: string): readonly string[] {
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) ? words.filter((word) => typeof word === 'string') : [];
  } catch {
    return [];
  }
}

type Option = 'cluster-cidr' | 'service-cidr';

/** Of a server that was told nothing (k3s: `GetDefaultAddresses` in pkg/util/net.go). */
const DEFAULTS: Readonly<Record<Option, Required<PerFamily<string>>>> = {
  'cluster-cidr': { IPv4: '10.42.0.0/16', IPv6: 'fd00:42::/56' },
  'service-cidr': { IPv4: '10.43.0.0/16', IPv6: 'fd00:43::/112' },
};

const valueOf = ({ args, family }: Server, option: Option): string => args[option] ?? DEFAULTS[option][family];

const mentions = (servers: readonly Server[], option: Option): readonly Mention[] =>
  servers.flatMap((server) => mention(`--${option} of ${server.node}`, valueOf(server, option)));

function network({ servers, serviceCIDR }: K3sFacts): ReturnType<Distribution<K3sFacts>['network']> {
  const objects = mention('ServiceCIDR kubernetes', serviceCIDR.known ? serviceCIDR.value?.join(',') : undefined);
  const masks = servers.map(({ args }) => maskArgs(args['kube-controller-manager-arg'] ?? ''));
  const [IPv4, IPv6] = (['node-cidr-mask-size-ipv4', 'node-cidr-mask-size-ipv6'] as const).map((flag) =>
    maskOf(masks.find((each) => flag in each)?.[flag]),
  );
  return {
    pods: said(mentions(servers, 'cluster-cidr')),
    services: said([...mentions(servers, 'service-cidr'), ...objects]),
    nodeMask: { ...(IPv4 === undefined ? {} : { IPv4 }), ...(IPv6 === undefined ? {} : { IPv6 }) },
  };
}

const maskOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^[1-9][0-9]*$/u.test(text) ? Number(text) : undefined;

const said = (places: readonly Mention[]): Known<readonly string[]> =>
  places.length === 0
    ? unknown('no server shows its options; write the live networks in spec.clusterNetwork')
    : agreed(places);

/** `node-cidr-mask-size-ipv4=24`, as they add up. */
const maskArgs = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split(',').flatMap((item) => {
      const [flag, value] = item.split('=');
      return flag === undefined || value === undefined ? [] : [[flag, value]];
    }),
  );

function check(program: Program, wanted: Wanted, facts: ClusterFacts, own: K3sFacts): readonly Finding[] {
  const live = network(own);
  const isAsWanted = [live.pods, live.services].every(
    (networks) => networks.known && sameFamilies(networks.value, wanted.families),
  );
  return isAsWanted ? halfMade(program, wanted, facts) : [refused(program, wanted, own)];
}

const sameFamilies = (networks: readonly string[], families: readonly Family[]): boolean =>
  FAMILIES.every((family) => hasFamily(networks, family) === families.includes(family));

const hasFamily = (networks: readonly string[], family: Family): boolean =>
  networks.some((cidr) => familyOf(cidr.split('/')[0] ?? '') === family);

function refused({ title, file }: Program, wanted: Wanted, { servers }: K3sFacts): Finding {
  const [server] = servers;
  const seen =
    server === undefined
      ? ''
      : ` Server ${server.node} runs with cluster-cidr ${valueOf(server, 'cluster-cidr')} and service-cidr ${valueOf(server, 'service-cidr')}.`;
  const options = [
    `cluster-cidr: ${cidrList(wanted.families, wanted.pods).join(',')}`,
    `service-cidr: ${cidrList(wanted.families, wanted.services).join(',')}`,
  ];
  return {
    reason: 'NetworkImmutable',
    object: null,
    message: `${title} fixes the families of a cluster when it is made: its servers take the networks from options that it does not support to change afterwards.${seen}`,
    remedy: `Make a new cluster with ${options.join(' and ')} in ${file} on every server and node-ip with ${wanted.families.join(' and ')} on every node, and move the workloads.`,
    blocks: phaseOrder(wanted.direction),
  };
}

/**
 * Somebody changed the options of a cluster that was there: Nodes keep the podCIDRs that they have, and flannel ends where one is missing. Nodes of etcd
 * members are told apart: whoever deletes one removes the member, and its server stays down until its database is deleted by hand
 * (github.com/k3s-io/k3s/issues/3973 and 13498), so three of them one after the other leave no quorum.
 */
function halfMade(program: Program, { families, direction }: Wanted, { nodes }: ClusterFacts): readonly Finding[] {
  if (direction === 'Back') return [];
  const behind = nodes.filter(
    ({ internalIPs, podCIDRs }) =>
      podCIDRs.length > 0 &&
      families.some((family) => !hasFamily(podCIDRs, family) || addressOfFamily(internalIPs, family) === undefined),
  );
  const { title } = program;
  return [
    ...lacking(
      program,
      families,
      behind.filter(isEtcdMember),
      () =>
        `Make a new cluster with both families and move the workloads. Do not delete these Nodes: that removes the members from etcd, ${title} does not start there again until its database is deleted by hand, and without a majority of the members the cluster is lost.`,
    ),
    ...lacking(
      program,
      families,
      behind.filter((node) => !isEtcdMember(node)),
      (first) =>
        `This was never supported by ${title}. Its makers advise to delete the Node and start ${title} again, one at a time: ${remakeNode(first, 'None', `restart ${title} there with node-ip of both families`)}.`,
    ),
  ];
}

/** By what the servers write on the Nodes of members: a label, and annotations of `etcd.k3s.cattle.io` or `etcd.rke2.cattle.io`. */
const isEtcdMember = ({ labels, annotations }: NodeFacts): boolean =>
  'node-role.kubernetes.io/etcd' in labels ||
  Object.keys(annotations).some((name) => /^etcd\.(?:k3s|rke2)\.cattle\.io\//u.test(name));

function lacking(
  { title }: Program,
  families: readonly Family[],
  behind: readonly NodeFacts[],
  remedyFor: (first: string) => string,
): readonly Finding[] {
  const [first] = behind;
  if (first === undefined) return [];
  const who = isEtcdMember(first) ? 'servers with embedded etcd' : 'Nodes';
  return [
    {
      reason: 'PodCIDRsMissing',
      object: { apiVersion: 'v1', kind: 'Node', name: first.name },
      message: `The servers of ${title} have networks of ${families.join(' and ')}, but ${who} lack an address or a pod CIDR of one: ${nameList(behind)}. They were there before.`,
      remedy: remedyFor(first.name),
      blocks: [],
    },
  ];
}
