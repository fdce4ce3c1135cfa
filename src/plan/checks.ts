import type { BoundPlugins } from '../model/bound.ts';
import type { ClusterFacts, NodeFacts } from '../model/facts.ts';
import type { FindingReason } from '../model/finding-reasons.ts';
import type { Finding } from '../model/finding.ts';
import { listText, nameList } from '../model/list-text.ts';
import { oncePerText } from '../model/once.ts';
import { fromPhase, type Phase, PHASES } from '../model/phase.ts';
import { serviceKey } from '../model/service.ts';
import type { Step } from '../model/step.ts';
import type { Wanted } from '../model/wanted.ts';
import { parseAddress } from '../net/address.ts';
import { type Cidr, contains, overlaps, parseCidr, subnetCount } from '../net/cidr.ts';
import { type Family, hasFamily } from '../net/family.ts';
import { carriesPods } from '../net/interfaces.ts';
import { serviceViews } from '../services/inventory.ts';
import { isTooOld } from './by-hand.ts';
import { checkKubeDNS } from './kube-dns-check.ts';

/** What is to be known of any cluster, whatever distribution and CNI it has. */
export function checkCluster(
  wanted: Wanted,
  facts: ClusterFacts,
  plugins: BoundPlugins,
  steps: readonly Step[],
): readonly Finding[] {
  return [
    ...checkVersion(facts),
    ...checkAgents(facts, steps),
    ...(wanted.direction === 'Forward'
      ? [
          ...checkOverlaps(wanted, facts),
          ...checkCapacity(wanted, facts, plugins),
          ...checkNodesWithoutFamily(wanted, facts, steps),
          ...checkKubeDNS(wanted, facts),
        ]
      : checkDualStackServices(wanted, facts)),
  ];
}

function checkVersion(facts: ClusterFacts): readonly Finding[] {
  if (!isTooOld(facts)) return [];
  return [
    {
      reason: 'UnsupportedVersion',
      object: null,
      message: `The API server is ${facts.basics.kubernetesVersion}; the operator needs Kubernetes 1.31 or newer.`,
      remedy:
        'Upgrade the cluster first, or do it by hand: `kubectl dualstack plan` tells each step with its command, and how far the work is.',
      blocks: PHASES,
    },
  ];
}

function checkAgents({ nodes }: ClusterFacts, steps: readonly Step[]): readonly Finding[] {
  const unseen = nodes.filter((node) => (node.agent?.report ?? null) === null);
  if (unseen.length === 0) return [];
  const edits = steps.flatMap((step) =>
    step.kind === 'EditHost' && step.state.is !== 'Satisfied' && step.state.is !== 'Deferred' ? [step] : [],
  );
  const edited = new Set(edits.map((step) => step.node));
  const silent = unseen.filter((node) => edited.has(node.name));
  const [first] = silent;
  if (first === undefined) return [];
  const installed = nodes.some((node) => node.agent !== null);
  const names = new Set(silent.map((node) => node.name));
  return [
    {
      reason: 'AgentMissing',
      object: nodeRef(first),
      message: installed
        ? `${countOf(silent, nodes)} that have to be changed have no agent that reports: ${nameList(silent)}.`
        : 'The operator and its agents are not installed in this cluster yet.',
      remedy: installed
        ? `See the agent's pod there: kubectl -n dualstack-system get pods -o wide --field-selector spec.nodeName=${first.name}.`
        : 'Install them before you apply the DualStackCluster: kubectl apply -k config/default.',
      // Before the installation it is no obstacle, only the next thing to do.
      blocks: installed
        ? [...new Set<Phase>(edits.filter((step) => names.has(step.node)).map((step) => step.phase))]
        : [],
    },
  ];
}

interface Named {
  readonly name: string;
  readonly cidr: Cidr;
  /** Where it is written. */
  readonly field: string;
}

const POD_FIELD = 'spec.clusterNetwork.pods.cidrBlocks';
const SERVICE_FIELD = 'spec.clusterNetwork.services.cidrBlocks';

/** Networks must be apart from each other, from the nodes' own addresses and from Services that live elsewhere. */
function checkOverlaps(wanted: Wanted, facts: ClusterFacts): readonly Finding[] {
  const networks = wanted.families.flatMap((family) => [
    ...named(`pod network ${wanted.pods[family] ?? ''}`, wanted.pods[family], POD_FIELD),
    ...named(`service network ${wanted.services[family] ?? ''}`, wanted.services[family], SERVICE_FIELD),
  ]);
  return [...overlapsAmong(networks), ...overlapsWithNodes(networks, facts), ...overlapsWithServices(wanted, facts)];
}

function overlapsAmong(networks: readonly Named[]): readonly Finding[] {
  return networks.flatMap((a, index) =>
    networks
      .slice(index + 1)
      .flatMap((b) =>
        overlaps(a.cidr, b.cidr)
          ? [
              overlapFinding(
                `The ${a.name} and the ${b.name} overlap.`,
                `Choose networks that share no address in ${[...new Set([a.field, b.field])].join(' and ')}.`,
              ),
            ]
          : [],
      ),
  );
}

function overlapsWithNodes(networks: readonly Named[], { nodes }: ClusterFacts): readonly Finding[] {
  const text = networks.map(({ name }) => name).join();
  const hits: (Hit & { readonly node: NodeFacts })[] = [];
  for (const node of nodes) for (const hit of hitsOf(node, networks, text)) hits.push({ ...hit, node });
  return networks.flatMap(({ name, field }) => {
    const found = hits.filter(({ network }) => network === name);
    const [first] = found;
    if (first === undefined) return [];
    const others = new Set(found.map(({ node }) => node.name)).size - 1;
    return [
      overlapFinding(
        `The ${name} holds ${first.address}, an address of Node ${first.node.name}${others > 0 ? ` (and of ${others} more)` : ''}.`,
        `Choose a network outside the one that the nodes are in, for ${field}.`,
      ),
    ];
  });
}

/** An address of a node in a network, by the network's name. */
interface Hit {
  readonly network: string;
  readonly address: string;
}

const hitsOf = oncePerText((node: NodeFacts, networks: readonly Named[]): readonly Hit[] =>
  addressesOf(node).flatMap((address) => {
    const parsed = parseAddress(address);
    if (!parsed.ok) return [];
    const within = networks.filter(({ cidr }) => contains(cidr, parsed.value));
    return within.map(({ name }) => ({ network: name, address }));
  }),
);

/** Those by which others reach it, each once. */
function addressesOf({ internalIPs, externalIPs, agent }: NodeFacts): readonly string[] {
  const all = new Set([...internalIPs, ...externalIPs]);
  for (const { scope, interface: device, address } of agent?.report?.addresses ?? []) {
    if ((scope === 'Global' || scope === 'UniqueLocal') && !carriesPods(device)) all.add(address);
  }
  return [...all];
}

/** A live address of a Service in a pod network would be shadowed, and one outside the service networks is of another range. */
function overlapsWithServices(wanted: Wanted, { services }: ClusterFacts): readonly Finding[] {
  if (!services.known) return [];
  return wanted.families.flatMap((family) => {
    const pods = parseCidr(wanted.pods[family] ?? '');
    if (!pods.ok) return [];
    const hit = services.value.find((service) =>
      service.clusterIPs.some((ip) => {
        const address = parseAddress(ip);
        return address.ok && contains(pods.value, address.value);
      }),
    );
    if (hit === undefined) return [];
    return [
      overlapFinding(
        `The pod network ${pods.value.text} holds an address of Service ${hit.namespace}/${hit.name} (${hit.clusterIPs.join(', ')}).`,
        `Choose a pod network that holds no address of a Service, for ${POD_FIELD}.`,
      ),
    ];
  });
}

const overlapFinding = (message: string, remedy: string): Finding => ({
  reason: 'CIDROverlap',
  object: null,
  message,
  remedy,
  blocks: PHASES,
});

/** Only where nodes take a share of the pod network each. */
function checkCapacity(wanted: Wanted, { nodes }: ClusterFacts, plugins: BoundPlugins): readonly Finding[] {
  return wanted.families.flatMap((family): readonly Finding[] => {
    const network = parseCidr(wanted.pods[family] ?? '');
    const mask = wanted.nodeMask[family];
    if (!network.ok || mask === undefined) return [];
    const field = `spec.clusterNetwork.nodeCIDRMaskSize${family}`;
    if (mask < network.value.prefix) {
      return [
        capacity(
          'PrefixNotAllowed',
          `${field} is /${mask}, shorter than the pod network ${network.value.text}.`,
          field,
        ),
      ];
    }
    if (family === 'IPv6' && mask - network.value.prefix > 16) {
      return [
        capacity(
          'PrefixNotAllowed',
          `${field} is /${mask}, more than 16 bits longer than the pod network ${network.value.text}: kube-controller-manager would not start.`,
          field,
        ),
      ];
    }
    const subnets = subnetCount(network.value, mask);
    const said = `The pod network ${network.value.text} has ${subnets} node subnets of /${mask} for ${nodes.length} Nodes`;
    if (subnets < BigInt(nodes.length)) {
      const finding = capacity('NodeCapacityExhausted', `${said}.`, field);
      // A CNI with an IPAM of its own does not use them, but kube-controller-manager still hands them out to new Nodes.
      return [plugins.cni.usesNodeIPAM || family !== wanted.families[0] ? finding : { ...finding, blocks: [] }];
    }
    if (subnets >= 2n * BigInt(nodes.length)) return [];
    return [{ ...capacity('NodeCapacityLow', `${said}: not enough for twice as many.`, field), blocks: [] }];
  });
}

const capacity = (reason: FindingReason, message: string, field: string): Finding => ({
  reason,
  object: null,
  message,
  remedy: `Choose a shorter prefix for the pod network in ${POD_FIELD}, or another ${field}.`,
  blocks: PHASES,
});

/**
 * Nodes whose own step cannot give them the family. Those that will get it by a step are no finding, nor those of which nobody has told yet
 * what addresses their hosts have.
 */
function checkNodesWithoutFamily(wanted: Wanted, { nodes }: ClusterFacts, steps: readonly Step[]): readonly Finding[] {
  if (steps.some(isAboutAllNodes)) return [];
  const open = new Map<string, Extract<Step, { readonly kind: 'EditHost' | 'Handoff' }>>();
  for (const step of steps) {
    if (step.kind !== 'EditHost' && step.kind !== 'Handoff') continue;
    if (step.node !== undefined && step.phase === 'NodeIPs' && isOpen(step)) open.set(step.node, step);
  }
  const lacking = nodes.filter((node) => {
    if (wanted.families.every((family) => hasFamily(node.internalIPs, family))) return false;
    const step = open.get(node.name);
    if (step === undefined) return true;
    // Which addresses these are is in what the user is told to do.
    if (step.kind === 'Handoff') return false;
    const given = step.settings.kubelet?.nodeIPs ?? [];
    return (
      node.agent?.report != null && missingFamilies(wanted.families, node).some((family) => !hasFamily(given, family))
    );
  });
  const [first] = lacking;
  if (first === undefined) return [];
  const missing = missingFamilies(wanted.families, first).join(' and ');
  const tolerated = lacking.every((node) => !node.ready) && lacking.length <= wanted.tolerateUnavailable;
  return [
    {
      reason: 'NodesWithoutFamily',
      object: nodeRef(first),
      message: `${countOf(lacking, nodes)} report no ${missing} address: ${nameList(lacking)}.`,
      remedy: `Give these hosts an ${missing} address (kubectl dualstack nodes tells why each has none); the rest follows by itself.`,
      blocks: tolerated ? [] : fromPhase('APIServer', 'Forward'),
    },
  ];
}

/** The user is told to have all nodes get their addresses, as where a cloud makes them anew. */
const isAboutAllNodes = (step: Step): boolean =>
  step.kind === 'Handoff' && step.phase === 'NodeIPs' && step.node === undefined && isOpen(step);

const isOpen = ({ state }: Step): boolean =>
  state.is === 'Pending' || state.is === 'InProgress' || state.is === 'Unknown';

const missingFamilies = (families: readonly Family[], node: NodeFacts): readonly Family[] =>
  families.filter((family) => !hasFamily(node.internalIPs, family));

/** After the API server is back to one family, the addresses of the other could not be given back. */
function checkDualStackServices(wanted: Wanted, facts: ClusterFacts): readonly Finding[] {
  const { services } = facts;
  if (!services.known) return [];
  const views = serviceViews(facts, wanted);
  const verdicts = new Map((views.known ? views.value : []).map((view) => [serviceKey(view.service), view.verdict]));
  const using = services.value.filter(
    (service) =>
      service.families.some((family) => !wanted.families.includes(family)) &&
      // What this program gave, a step of the plan takes back before that.
      verdicts.get(serviceKey(service))?.is !== 'Migrate' &&
      !(service.namespace === 'kube-system' && service.name === 'kube-dns') &&
      service.labels['dualstack.dev/probe'] === undefined,
  );
  const [first] = using;
  if (first === undefined) return [];
  const verdict = verdicts.get(serviceKey(first));
  const patch = `{"spec":{"ipFamilyPolicy":"SingleStack","ipFamilies":["${wanted.families[0] ?? ''}"]}}`;
  return [
    {
      reason: 'DualStackServicesRemain',
      object: { apiVersion: 'v1', kind: 'Service', namespace: first.namespace, name: first.name },
      message: `${using.length} Services still use the family that leaves: ${listText(using.map(serviceKey))}.`,
      remedy: `${verdict?.is === 'Blocked' ? verdict.remedy : `Make each single-stack: kubectl -n ${first.namespace} patch service ${first.name} -p '${patch}'.`}${using.length === 1 ? '' : ' Of each: kubectl dualstack services --only blocked.'}`,
      blocks: fromPhase('CNIConfig', 'Back'),
    },
  ];
}

const nodeRef = (node: NodeFacts) => ({ apiVersion: 'v1', kind: 'Node', name: node.name }) as const;

const countOf = (some: readonly NodeFacts[], all: readonly NodeFacts[]): string =>
  `${some.length} of ${all.length} Nodes`;

function named(name: string, text: string | undefined, field: string): readonly Named[] {
  const cidr = parseCidr(text ?? '');
  return cidr.ok ? [{ name, cidr: cidr.value, field }] : [];
}
