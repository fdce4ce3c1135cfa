import type { BoundPlugins } from '../model/bound.ts';
import type { ClusterFacts, NodeFacts } from '../model/facts.ts';
import type { Finding } from '../model/finding.ts';
import { nameList } from '../model/list-text.ts';
import { remakeNode, RESTART_KUBELET } from '../model/remake-node.ts';
import type { ReplaceNode, Step, StepState } from '../model/step.ts';
import type { Wanted } from '../model/wanted.ts';
import { addressOf } from '../net/address.ts';
import { type Cidr, networkOf, overlaps, parseCidr } from '../net/cidr.ts';
import type { Family } from '../net/family.ts';
import { checkDrains, isCordonedByUs, withDrain } from './drain.ts';

const GROUP = 'pod-cidrs';

/**
 * One step for each Node that shall get its second pod CIDR, or lose it again on the way back. The API lets nobody change podCIDRs, so the Node
 * object is replaced. Only where it was asked for, and forward only for network plug-ins that read podCIDRs; back for all, because
 * kube-controller-manager does not start with one family while a Node holds two. Workers first, but before any other the one whose kubelet has not
 * been seen since it was replaced, and then one whose drain has begun.
 */
export function podCIDRSteps(wanted: Wanted, facts: ClusterFacts, { cni }: BoundPlugins): readonly Step[] {
  if (wanted.nodes.podCIDRs === 'Keep') return [];
  // Of a network plug-in that nobody here knows only the user can tell, and has told by asking.
  if (wanted.direction === 'Forward' && !cni.usesNodeIPAM && cni.name !== 'Unmanaged') return [];
  if (facts.nodes.every((node) => node.podCIDRs.length === 0)) return [];

  const goals = goalsOf(wanted, facts.nodes);
  const away = facts.nodes.filter((node) => !node.ready).length;
  const isTolerated = wanted.direction === 'Back' || away <= wanted.tolerateUnavailable;
  return workersFirst(facts.nodes)
    .map((node) => ({ node, lack: lackOf(node, facts.at) }))
    .toSorted((a, b) => turnOf(a.node, a.lack) - turnOf(b.node, b.lack))
    .map(({ node, lack }) => {
      const goal = goals.get(node.name) ?? null;
      const state = lack === null ? stateOf(node, goal, isTolerated) : awaitedState(node, lack, isTolerated);
      return withDrain(replaceStep(wanted, node, goal, state), node, wanted, facts, isTolerated);
    });
}

function turnOf(node: NodeFacts, lack: Lack | null): number {
  if (lack !== null) return 0;
  return isCordonedByUs(node) ? 1 : 2;
}

const workersFirst = (nodes: readonly NodeFacts[]): readonly NodeFacts[] =>
  nodes.toSorted((a, b) => Number(a.controlPlane) - Number(b.controlPlane) || (a.name < b.name ? -1 : 1));

/** The podCIDRs that each Node shall have. No entry: there is nothing to be had for it. */
function goalsOf(wanted: Wanted, nodes: readonly NodeFacts[]): ReadonlyMap<string, readonly string[]> {
  const used = nodes.flatMap((node) => node.podCIDRs.flatMap(cidrOf));
  const free = new Map(wanted.families.map((family) => [family, freeSubnets(wanted, family, used)]));
  const goals = new Map<string, readonly string[]>();
  for (const node of workersFirst(nodes)) {
    const [primary] = node.podCIDRs;
    if (primary === undefined) continue;
    const cidrs = wanted.families.flatMap((family, index): readonly string[] => {
      const held = index === 0 ? primary : node.podCIDRs.find((text) => familyOf(text) === family);
      return [held ?? free.get(family)?.next().value ?? []].flat();
    });
    if (cidrs.length === wanted.families.length) goals.set(node.name, cidrs);
  }
  return goals;
}

/** Subnets of the pod network that no Node holds a part of, in the order in which kube-controller-manager counts them. */
function* freeSubnets(wanted: Wanted, family: Family, used: readonly Cidr[]): Generator<string, undefined> {
  const network = parseCidr(wanted.pods[family] ?? '');
  const mask = wanted.nodeMask[family];
  if (!network.ok || mask === undefined || mask < network.value.prefix) return;
  const subnetAt = (first: bigint): Cidr => networkOf(addressOf(family, first), mask);
  const mine = used.filter((cidr) => cidr.family === family);
  const taken = new Set(mine.map((cidr) => subnetAt(cidr.first).first));
  const wide = mine.filter((cidr) => cidr.prefix < mask);
  for (let first = network.value.first; first <= network.value.last; first = subnetAt(first).last + 1n) {
    const subnet = subnetAt(first);
    if (!taken.has(first) && !wide.some((cidr) => overlaps(cidr, subnet))) yield subnet.text;
  }
}

function replaceStep(
  wanted: Wanted,
  node: NodeFacts,
  goal: readonly string[] | null,
  state: StepState,
): Step & ReplaceNode {
  const after = (goal ?? node.podCIDRs).join(',');
  const before = node.podCIDRs.join(',');
  return {
    kind: 'ReplaceNode',
    id: `${GROUP}/${node.name}`,
    phase: 'PodCIDRs',
    group: GROUP,
    target: `Node ${node.name}`,
    why:
      wanted.direction === 'Forward'
        ? 'Pods get an address of each family only where their Node has a pod CIDR of each, which a Node that is there can get only by being replaced.'
        : 'kube-controller-manager does not start with one family while a Node holds two pod CIDRs.',
    diff: before === after ? [] : [{ path: 'spec.podCIDRs', before, after }],
    state,
    disrupts:
      state.is === 'Satisfied'
        ? null
        : { text: 'the Node object is absent for a moment (about 0.2 s); no pod is touched', seconds: [0, 1] },
    timeoutSeconds: 300,
    node: node.name,
    uid: node.uid,
    podCIDRs: goal ?? node.podCIDRs,
  };
}

/** Seconds. A kubelet renews its Lease every 10 s, and where it does not its pods are taken away after 5 min. */
const SEEN_WITHIN_SECONDS = 180;

/** What is not seen yet of a Node that was replaced; null: nothing. */
type Lack = { readonly is: 'Unreadable' | 'Awaited' | 'Overdue'; readonly why: string };

/**
 * A new Node object has the status of the old one and is Ready from the first; whether its kubelet goes on working with it shows its Lease, the same
 * as to the node life-cycle controller (`tryUpdateNodeHealth` in `pkg/controller/nodelifecycle/node_lifecycle_controller.go`). The
 * kubelet itself reports its status only every 5 min, unless that changes.
 */
function lackOf({ name, createdAt, ready, renewedAt }: NodeFacts, now: number): Lack | null {
  if (renewedAt === undefined) return null;
  const isOverdue = now - Date.parse(createdAt) > SEEN_WITHIN_SECONDS * 1000;
  if (!renewedAt.known) return { is: 'Unreadable', why: renewedAt.why };
  // A time of creation is cut off to whole seconds.
  if (Date.parse(renewedAt.value ?? '') >= Date.parse(createdAt) + 1000) {
    // From then on it is a node that is away, as any other may be.
    return ready || isOverdue ? null : { is: 'Awaited', why: `Node ${name} is not Ready again` };
  }
  const last = renewedAt.value === null ? 'there is none' : `the last time was ${renewedAt.value}`;
  const lease = `its Lease kube-node-lease/${name} since the Node was replaced at ${createdAt} (${last})`;
  return { is: isOverdue ? 'Overdue' : 'Awaited', why: `the kubelet of ${name} has not renewed ${lease}` };
}

function awaitedState({ name, ready }: NodeFacts, { is, why }: Lack, isTolerated: boolean): StepState {
  if (is === 'Unreadable') return { is: 'Unknown', why };
  if (is === 'Awaited') return { is: 'InProgress', why };
  if (!ready && isTolerated) return { is: 'Deferred', why };
  return {
    is: 'Failed',
    why: `${why}, for more than ${SEEN_WITHIN_SECONDS} s: no other Node is replaced.`,
    remedy: `See to the kubelet of ${name} (on that host: systemctl status kubelet, journalctl -u kubelet), and that its clock is right; it goes on by itself as soon as the Lease is renewed. Where the host is gone for good: kubectl delete node ${name}.`,
  };
}

function stateOf(node: NodeFacts, goal: readonly string[] | null, isTolerated: boolean): StepState {
  if (node.podCIDRs.length === 0) return { is: 'Deferred', why: `Node ${node.name} has not been given a pod CIDR yet` };
  if (goal !== null && goal.join() === node.podCIDRs.join()) {
    return { is: 'Satisfied', evidence: `Node has ${node.podCIDRs.join(' and ')}` };
  }
  if (!node.ready && isTolerated) return { is: 'Deferred', why: `Node ${node.name} is not ready` };
  if (goal === null) {
    return {
      is: 'Failed',
      why: `the pod network has no subnet left for Node ${node.name}`,
      remedy: 'Choose a shorter prefix for the pod network in spec.clusterNetwork.pods.cidrBlocks.',
    };
  }
  return { is: 'Pending' };
}

const cidrOf = (text: string): readonly Cidr[] => {
  const cidr = parseCidr(text);
  return cidr.ok ? [cidr.value] : [];
};
const familyOf = (text: string): Family | null => cidrOf(text)[0]?.family ?? null;

/** What is to be known before Nodes are replaced, and where they lack a pod CIDR and nobody asked for it. */
export function checkPodCIDRs(
  wanted: Wanted,
  facts: ClusterFacts,
  { cni }: BoundPlugins,
  steps: readonly Step[],
): readonly Finding[] {
  const open = new Set(steps.flatMap((step) => (step.kind === 'ReplaceNode' && isOpen(step) ? [step.node] : [])));
  const nodes = facts.nodes.filter((node) => open.has(node.name));
  return [
    ...shared(facts.nodes),
    ...(wanted.direction === 'Forward' && cni.usesNodeIPAM && wanted.nodes.podCIDRs === 'Keep'
      ? missing(wanted, facts.nodes)
      : []),
    ...(nodes.length === 0 ? [] : [...notReady(wanted, facts.nodes), ...held(wanted, nodes), ...calico(facts, cni)]),
    ...checkDrains(wanted, facts, steps),
  ];
}

const isOpen = ({ state, drain }: Step & ReplaceNode): boolean => state.is === 'Pending' || drain !== undefined;

/** Two Nodes that were given the same at the same moment. Pods of one of them cannot be reached. */
function shared(nodes: readonly NodeFacts[]): readonly Finding[] {
  const given = nodes.flatMap((node) => node.podCIDRs.map((text) => ({ text, node })));
  return [...Map.groupBy(given, ({ text }) => text)].flatMap(([text, entries]): readonly Finding[] => {
    const holders = entries.map(({ node }) => node);
    const newest = holders.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))[0];
    if (newest === undefined || holders.length < 2) return [];
    return [
      {
        reason: 'PodCIDRShared',
        object: nodeRef(newest),
        message: `${nameList(holders)} hold the same pod CIDR ${text}: pods of one of them cannot be reached.`,
        remedy: `Make one of them anew, the one that has fewer pods; it is given another. For ${newest.name}: ${remakeNode(newest.name, 'None', RESTART_KUBELET)}.`,
        blocks: ['PodCIDRs'],
      },
    ];
  });
}

function missing({ families, nodes: { podCIDRs } }: Wanted, nodes: readonly NodeFacts[]): readonly Finding[] {
  const lacking = nodes.filter(
    (node) => node.podCIDRs.length > 0 && families.some((family) => !node.podCIDRs.map(familyOf).includes(family)),
  );
  const [first] = lacking;
  if (first === undefined) return [];
  return [
    {
      reason: 'PodCIDRsMissing',
      object: nodeRef(first),
      message: `${lacking.length} of ${nodes.length} Nodes have a pod CIDR of one family only, and this network plug-in takes the addresses of pods from them: ${nameList(lacking)}. spec.nodes.podCIDRs is ${podCIDRs}.`,
      remedy:
        'Set spec.nodes.podCIDRs: Replace (each Node object is absent for a moment, no pod is touched) or Drain (its pods move away before), or make these nodes anew once kube-controller-manager has both networks.',
      blocks: ['Pools', 'CNIConfig', 'CNIAgents'],
    },
  ];
}

/** On the way back a node that is away holds up only itself, and in the end kube-controller-manager. */
function notReady({ direction, tolerateUnavailable }: Wanted, nodes: readonly NodeFacts[]): readonly Finding[] {
  const away = nodes.filter((node) => !node.ready);
  const [first] = away;
  if (direction === 'Back' || first === undefined || away.length <= tolerateUnavailable) return [];
  return [
    {
      reason: 'NodesNotReady',
      object: nodeRef(first),
      message: `${away.length} Node(s) are not ready, more than spec.rollout.tolerateUnavailable=${tolerateUnavailable}: ${nameList(away)}.`,
      remedy: 'Bring them back, or raise spec.rollout.tolerateUnavailable to have them converted later.',
      blocks: ['PodCIDRs'],
    },
  ];
}

const REMEDIES = {
  Machine:
    'Let it make these machines anew instead: nodes that join now are given a pod CIDR of each family by themselves.',
  Cloud:
    'Make new nodes and remove the old ones instead: nodes that join now are given a pod CIDR of each family by themselves.',
  Volumes:
    'Set spec.nodes.podCIDRs: Drain, or move the pods that use them away (kubectl drain) until the volumes are detached; the Node is then replaced by itself.',
  Finalizer: 'Have its owner take the finalizer away while the Node is replaced.',
} as const;

/**
 * One finding for each kind of obstacle, so that hundreds of Nodes of one cloud are one sentence. A drain takes volumes out of the way; what goes by the Node
 * object itself does not care whether there are pods on it.
 */
function held({ nodes: { drain } }: Wanted, nodes: readonly NodeFacts[]): readonly Finding[] {
  const kinds = ['Machine', 'Cloud', ...(drain === undefined ? (['Volumes'] as const) : []), 'Finalizer'] as const;
  return kinds.flatMap((kind): readonly Finding[] => {
    const concerned = nodes.filter(({ holders }) => holders.some(({ is }) => is === kind));
    const [first] = concerned;
    const holder = first?.holders.find(({ is }) => is === kind);
    if (first === undefined || holder === undefined) return [];
    return [
      {
        reason: 'NodeReplacementUnsafe',
        object: nodeRef(first),
        message: `${concerned.length} of ${nodes.length} Nodes cannot be replaced safely because of ${holder.who} (${holder.sign} of ${first.name}): ${nameList(concerned)}.`,
        remedy: REMEDIES[kind],
        blocks: ['PodCIDRs'],
      },
    ];
  });
}

/** It gives back all that Calico keeps for a Node as soon as that is deleted. Where Calico does not keep the addresses there is nothing to give back. */
function calico({ basics }: ClusterFacts, { usesNodeIPAM }: BoundPlugins['cni']): readonly Finding[] {
  const pod = basics.objects.Pod.find((name) => name.split('/')[1]?.startsWith('calico-kube-controllers-') === true);
  if (usesNodeIPAM || pod === undefined) return [];
  const [namespace = '', name] = pod.split('/');
  return [
    {
      reason: 'NodeReplacementUnsafe',
      object: { apiVersion: 'v1', kind: 'Pod', namespace, ...(name === undefined ? { name: pod } : { name }) },
      message: `calico-kube-controllers runs (Pod ${pod}): it gives the addresses of a Node's pods back when the Node is deleted, also for a moment.`,
      remedy: `Stop it while Nodes are replaced: kubectl -n ${namespace} scale deployment calico-kube-controllers --replicas=0; start it again afterwards.`,
      blocks: ['PodCIDRs'],
    },
  ];
}

const nodeRef = ({ name }: NodeFacts) => ({ apiVersion: 'v1', kind: 'Node', name }) as const;
