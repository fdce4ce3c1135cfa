import { ok, type Result } from '../../result.ts';
import type { Family, PerFamily } from '../../net/family.ts';
import type { Flag, FlagValues, Generated, NewCluster, Refusal } from '../contract.ts';
import { all, asked, parseVersion } from '../flags.ts';
import { type NewNode, nodeOf, nodeProblems, parseNode } from '../nodes.ts';
import { configApiOf } from './config-api.ts';
import { parseEndpoint } from './endpoint.ts';
import {
  BIND_PORT,
  CERTIFICATE_KEY,
  CONTROL_PLANE,
  DEFAULT_PORT,
  parsePort,
  parseTrust,
  TOKEN,
  WORKER,
} from './flags.ts';
import { type Club, joinFile } from './join.ts';

/** What a live cluster that kubeadm made tells those that join it. */
export interface JoinFacts {
  readonly kubernetesVersion: string;
  /** Of its Service network, primary first. */
  readonly families: readonly Family[];
  readonly pods: PerFamily<string>;
  readonly services: PerFamily<string>;
  /** `host:port`. */
  readonly endpoint: string;
  /** `sha256:…` of its authority's public key. */
  readonly caHash: string;
  readonly nodes: readonly LiveNode[];
}

export interface LiveNode {
  readonly name: string;
  readonly controlPlane: boolean;
  readonly internalIPs: readonly string[];
}

export const NODE_JOIN_FLAGS: readonly Flag[] = [CONTROL_PLANE, WORKER, BIND_PORT, TOKEN, CERTIFICATE_KEY];

/** Files for `kubeadm join`: for the nodes that are named, or else for all that the cluster has. */
export function nodeJoin(facts: JoinFacts, values: FlagValues): Result<Generated, Refusal> {
  const version = parseVersion(facts.kubernetesVersion, 'kubernetesVersion in ConfigMap kube-system/kubeadm-config');
  const endpoint = parseEndpoint(facts.endpoint, 'endpoint of the cluster', DEFAULT_PORT);
  const port = parsePort(values);
  const trust = parseTrust(values);
  const chosen = choose(facts, values);
  const problems = [
    ...(version.ok ? [] : [version.error]),
    ...(endpoint.ok ? [] : [endpoint.error]),
    ...(port.ok ? [] : [port.error]),
    ...(trust.ok ? [] : trust.error),
    ...chosen.problems,
  ];
  if (problems.length > 0 || !version.ok || !endpoint.ok || !port.ok || !trust.ok) return asked(...problems);
  const club: Club = {
    api: configApiOf(version.value),
    endpoint: endpoint.value,
    bindPort: port.value,
    trust: { ...trust.value, caHash: facts.caHash },
  };
  return ok({
    files: chosen.nodes.map(({ node, role }) => joinFile(node, role, club)),
    notes: [
      ...chosen.notes,
      ...(trust.value.token === null
        ? [
            'The files hold a placeholder for the token: put in what "kubeadm token create" prints, or give it with --token.',
          ]
        : []),
    ],
  });
}

interface Chosen {
  readonly nodes: readonly { readonly node: NewNode; readonly role: 'ControlPlane' | 'Worker' }[];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

function choose(facts: JoinFacts, values: FlagValues): Chosen {
  const named = [
    ...all(values, CONTROL_PLANE).map((text) => ({ text, flag: CONTROL_PLANE.name, role: 'ControlPlane' as const })),
    ...all(values, WORKER).map((text) => ({ text, flag: WORKER.name, role: 'Worker' as const })),
  ];
  return named.length > 0 ? chooseNamed(facts, named) : chooseLive(facts);
}

type Named = readonly { readonly text: string; readonly flag: string; readonly role: 'ControlPlane' | 'Worker' }[];

function chooseNamed(facts: JoinFacts, named: Named): Chosen {
  const parsed = named.map(({ text, flag, role }) => ({ role, node: parseNode(text, flag, facts.families) }));
  const nodes = parsed.flatMap(({ node, role }) => (node.ok ? [{ node: node.value, role }] : []));
  const cluster: NewCluster = { name: 'cluster', nodeMask: {}, options: {}, ...facts };
  return {
    nodes,
    notes: [],
    problems: [
      ...parsed.flatMap(({ node }) => (node.ok ? [] : [node.error])),
      ...nodeProblems(
        nodes.map(({ node }) => node),
        cluster,
      ),
    ],
  };
}

/** A node that lacks a family is told and left out: its file would say what is not so. */
function chooseLive({ nodes, families }: JoinFacts): Chosen {
  const read = nodes.map(({ name, controlPlane, internalIPs }) => ({
    node: nodeOf(name, internalIPs, name, families),
    role: controlPlane ? ('ControlPlane' as const) : ('Worker' as const),
    flag: controlPlane ? CONTROL_PLANE.name : WORKER.name,
    name,
  }));
  const complete = read.flatMap(({ node, role }) => (node.ok ? [{ node: node.value, role }] : []));
  return {
    nodes: complete,
    problems:
      complete.length > 0
        ? []
        : ['no node of the cluster has an InternalIP of each family: name nodes with their addresses'],
    notes: read.flatMap(({ node, flag, name }) =>
      node.ok ? [] : [`No file for ${node.error}; or name its addresses with --${flag} ${name}=….`],
    ),
  };
}
