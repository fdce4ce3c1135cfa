import type { SemVer } from 'semver';
import { addressCount } from '../../net/cidr.ts';
import { type Address, parseAddress } from '../../net/address.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Flag, FlagValues, Generated, Generator, NewCluster } from '../contract.ts';
import { all, asked, first, parseVersion, VERSION } from '../flags.ts';
import { inOrder, isDual, maskProblems, networkOf, USUAL_NETWORKS } from '../networks.ts';
import { type NewNode, nodeProblems, parseNode } from '../nodes.ts';
import { configApiOf } from './config-api.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import {
  BIND_PORT,
  CA_HASH,
  CERTIFICATE_KEY,
  CONTROL_PLANE,
  DEFAULT_PORT,
  ENDPOINT,
  parsePort,
  parseTrust,
  TOKEN,
  type Trust,
  WORKER,
} from './flags.ts';
import { initFile } from './init.ts';
import { type Club, joinFile } from './join.ts';

/** Files for kubeadm: one for each node. */
export const kubeadm: Generator = {
  name: 'kubeadm',
  summary: 'Files for "kubeadm init" and "kubeadm join", one for each node.',
  flags: [VERSION, CONTROL_PLANE, WORKER, ENDPOINT, BIND_PORT, TOKEN, CA_HASH, CERTIFICATE_KEY],
  defaults: () => USUAL_NETWORKS,
  generate(cluster, values) {
    const request = parseRequest(cluster, values);
    return request.ok ? ok(filesOf(request.value)) : asked(...request.error);
  },
};

interface Request {
  readonly cluster: NewCluster;
  readonly version: SemVer;
  readonly controlPlanes: readonly [NewNode, ...NewNode[]];
  readonly workers: readonly NewNode[];
  readonly endpoint: Endpoint | null;
  readonly bindPort: number;
  readonly trust: Trust;
}

function filesOf(request: Request): Generated {
  const { version, controlPlanes, workers, endpoint, bindPort, trust } = request;
  const [head, ...others] = controlPlanes;
  const club: Club = {
    api: configApiOf(version),
    endpoint: endpoint ?? { host: head.addresses[0], port: bindPort },
    bindPort,
    trust,
  };
  return {
    files: [
      initFile({ ...request, club }),
      ...others.map((node) => joinFile(node, 'ControlPlane', club)),
      ...workers.map((node) => joinFile(node, 'Worker', club)),
    ],
    notes: notesOf(request),
  };
}

function notesOf({ cluster, controlPlanes, workers, trust }: Request): readonly string[] {
  const joins = controlPlanes.length + workers.length > 1;
  return [
    ...(joins && (trust.token === null || trust.caHash === null)
      ? [
          'The files for kubeadm join hold placeholders: put in the token and the hash that kubeadm init prints, or make them with "generate node-join --from-cluster" once the first node runs.',
        ]
      : []),
    `Then install a network plug-in that serves ${isDual(cluster) ? 'both families' : (cluster.families[0] ?? '')}: "generate calico", "generate tigera" and "generate cilium" write its settings for the same networks.`,
  ];
}

function parseRequest(cluster: NewCluster, values: FlagValues): Result<Request, readonly string[]> {
  const version = parseVersion(first(values, VERSION) ?? '');
  const controlPlanes = nodesOf(values, CONTROL_PLANE, cluster);
  const workers = nodesOf(values, WORKER, cluster);
  const port = parsePort(values);
  const trust = parseTrust(values);
  const endpoint = endpointOf(values, port.ok ? port.value : DEFAULT_PORT);
  const [head, ...others] = controlPlanes.nodes;
  const problems = [
    ...(version.ok ? [] : [versionProblem(values, version.error)]),
    ...controlPlanes.problems,
    ...workers.problems,
    ...(head === undefined && controlPlanes.problems.length === 0 ? [NO_CONTROL_PLANE] : []),
    ...nodeProblems([...controlPlanes.nodes, ...workers.nodes], cluster),
    ...(port.ok ? [] : [port.error]),
    ...(trust.ok ? [] : trust.error),
    ...(endpoint.ok ? endpointProblems(endpoint.value, controlPlanes.nodes.length, cluster) : [endpoint.error]),
    ...maskProblems(cluster, DEFAULT_MASKS, MASK_LIMITS),
    ...smallServices(cluster),
  ];
  if (problems.length > 0 || head === undefined || !version.ok || !port.ok || !trust.ok || !endpoint.ok)
    return err(problems);
  return ok({
    cluster,
    version: version.value,
    controlPlanes: [head, ...others],
    workers: workers.nodes,
    endpoint: endpoint.value,
    bindPort: port.value,
    trust: trust.value,
  });
}

/** Those of kube-controller-manager; kubeadm checks them itself, and both families alike (`ValidatePodSubnetNodeMask`). */
const DEFAULT_MASKS = { IPv4: 24, IPv6: 64 } as const;
const MASK_LIMITS = { IPv4: 16, IPv6: 16 } as const;

const NO_CONTROL_PLANE = `--${CONTROL_PLANE.name} is missing: name each control-plane node with its addresses, such as --${CONTROL_PLANE.name} cp-1=192.0.2.11,2001:db8::11`;

const versionProblem = (values: FlagValues, error: string): string =>
  first(values, VERSION) === undefined
    ? `--${VERSION.name} is missing: the form of the files depends on it; write it like 1.33.2`
    : error;

function nodesOf(values: FlagValues, flag: Flag, cluster: NewCluster): Nodes {
  const parsed = all(values, flag).map((text) => parseNode(text, flag.name, cluster.families));
  return {
    nodes: parsed.flatMap((node) => (node.ok ? [node.value] : [])),
    problems: parsed.flatMap((node) => (node.ok ? [] : [node.error])),
  };
}

interface Nodes {
  readonly nodes: readonly NewNode[];
  readonly problems: readonly string[];
}

function endpointOf(values: FlagValues, defaultPort: number): Result<Endpoint | null, string> {
  const text = first(values, ENDPOINT);
  return text === undefined ? ok(null) : parseEndpoint(text, `--${ENDPOINT.name}`, defaultPort);
}

function endpointProblems(endpoint: Endpoint | null, controlPlanes: number, cluster: NewCluster): readonly string[] {
  if (endpoint === null) {
    return controlPlanes > 1
      ? [
          `--${ENDPOINT.name} is missing: with ${controlPlanes} control-plane nodes all others need one place where they find the API, and it cannot be added later`,
        ]
      : [];
  }
  const address = parseAddress(endpoint.host);
  return address.ok ? strange(address.value, cluster) : [];
}

const strange = ({ text, family }: Address, cluster: NewCluster): readonly string[] =>
  cluster.families.includes(family)
    ? []
    : [
        `--${ENDPOINT.name}: ${text} is ${family}, which the nodes shall not have: give one of ${cluster.families.join(' or ')}`,
      ];

/** kubeadm asks for ten addresses, since the cluster DNS has the tenth (`MinimumAddressesInServiceSubnet`). */
function smallServices(cluster: NewCluster): readonly string[] {
  return inOrder(cluster.families, cluster.services).flatMap((services) => {
    const { family } = networkOf(services);
    return addressCount(networkOf(services)) >= 10n
      ? []
      : [
          `the Service network ${services} is too small for kubeadm: choose /${family === 'IPv4' ? 28 : 124} or a shorter prefix`,
        ];
  });
}
