import { CORDON_MARK } from '../api/names.ts';
import type { ClusterFacts, NodeFacts } from '../model/facts.ts';
import type { Finding } from '../model/finding.ts';
import { listText } from '../model/list-text.ts';
import type { LoadPod, NodeLoad } from '../model/node-load.ts';
import type { Known } from '../model/reader.ts';
import type { Drain, ReplaceNode, Step, StepState } from '../model/step.ts';
import type { DrainRules, Wanted } from '../model/wanted.ts';

/** This program cordoned it, and has not uncordoned it yet. */
export const isCordonedByUs = ({ annotations }: NodeFacts): boolean => annotations[CORDON_MARK] !== undefined;

/**
 * The step of a Node with what comes before it is replaced, where Nodes are to be drained: cordon it, evict its pods, wait until they have ended and
 * their volumes are detached. All of that is seen from the cluster, so a drain goes on where the last one ended, whoever began it.
 */
export function withDrain(
  step: Step & ReplaceNode,
  node: NodeFacts,
  wanted: Wanted,
  facts: ClusterFacts,
  isTolerated: boolean,
): Step {
  const rules = wanted.nodes.drain;
  if (rules === undefined || step.state.is !== 'Pending') return step;
  const load = facts.loads?.[node.name];
  const { state, drain } = nextOf(node, load, facts.nodes, isTolerated);
  return {
    ...step,
    diff: [...step.diff, { path: 'drain', before: null, after: courseOf(node, load) }],
    state,
    disrupts: { text: disruptionOf(load), seconds: [1, rules.timeout] },
    timeoutSeconds: rules.timeout,
    ...(drain === null ? {} : { drain }),
  };
}

interface Next {
  readonly state: StepState;
  /** Null: the Node is empty. */
  readonly drain: Drain | null;
}

const awaiting = (why: string): Next => ({ state: { is: 'InProgress', why }, drain: { is: 'Await' } });

function nextOf(
  node: NodeFacts,
  load: Known<NodeLoad> | undefined,
  nodes: readonly NodeFacts[],
  isTolerated: boolean,
): Next {
  const others = whyNoQuorum(node, nodes);
  if (others !== null) {
    const mayPass = isTolerated && !isCordonedByUs(node);
    return mayPass ? { state: { is: 'Deferred', why: others }, drain: { is: 'Await' } } : awaiting(others);
  }
  if (!node.unschedulable) return { state: { is: 'Pending' }, drain: { is: 'Cordon' } };
  if (load === undefined || !load.known) {
    const why = load?.why ?? `nobody has looked at the pods on ${node.name}`;
    return { state: { is: 'Unknown', why }, drain: { is: 'Await' } };
  }
  const { pods, attachments } = load.value;
  const free = pods.filter((pod) => !pod.terminating && pod.heldBy === null);
  if (free.length > 0) return { state: { is: 'Pending' }, drain: { is: 'Evict', pods: free.map(refOf) } };
  const [held, ...more] = pods.filter((pod) => !pod.terminating);
  if (held !== undefined) {
    const rest = more.length === 0 ? '' : `, as ${more.length} more`;
    return awaiting(`Pod ${podText(held)} on ${node.name} is not evicted${rest}: ${held.heldBy ?? ''}`);
  }
  const [going] = pods;
  if (going !== undefined) {
    return awaiting(`${countText(pods.length)} on ${node.name} still to end, among them Pod ${podText(going)}`);
  }
  const volume = node.holders.find(({ is }) => is === 'Volumes')?.sign ?? attachments.map(attachmentText)[0];
  if (volume !== undefined) return awaiting(`${volume} is not detached from ${node.name} yet`);
  return { state: { is: 'Pending' }, drain: null };
}

const refOf = ({ namespace, name, uid }: LoadPod) => ({ namespace, name, uid });
const podText = ({ namespace, name }: LoadPod): string => `${namespace}/${name}`;
const attachmentText = (name: string): string => `VolumeAttachment ${name}`;
const countText = (count: number): string => `${count} ${count === 1 ? 'pod' : 'pods'}`;

/**
 * A control-plane node is drained only while most of the control plane is ready without it. Of one or two nodes there is never such a majority, so there it is all
 * others. Null: it may be drained.
 */
function whyNoQuorum(node: NodeFacts, nodes: readonly NodeFacts[]): string | null {
  if (!node.controlPlane) return null;
  const others = nodes.filter((other) => other.controlPlane && other.name !== node.name);
  const away = others.filter((other) => !other.ready);
  const needed = Math.min(others.length, Math.floor((others.length + 1) / 2) + 1);
  if (others.length - away.length >= needed) return null;
  const names = away.map(({ name }) => name).join(', ');
  return `control-plane node ${node.name} is drained when ${needed} others are ready; not ready: ${names}`;
}

function courseOf(node: NodeFacts, load: Known<NodeLoad> | undefined): string {
  const isTheirs = node.unschedulable && !isCordonedByUs(node);
  const known = load?.known === true ? load.value : null;
  return [
    ...(isTheirs ? [] : ['cordon']),
    known === null ? 'evict its pods' : `evict ${countText(known.pods.length)}`,
    ...(known === null || known.attachments.length === 0 ? [] : ['wait until its volumes are detached']),
    'replace',
    'wait for its kubelet',
    isTheirs ? 'leave it cordoned, as it was' : 'uncordon',
  ].join(', ');
}

function disruptionOf(load: Known<NodeLoad> | undefined): string {
  const pods = load?.known === true ? countText(load.value.pods.length) : 'the pods';
  return `${pods} on it evicted, as PodDisruptionBudgets allow, to be made anew on other nodes or when it is uncordoned; those of DaemonSets and static pods stay; then the Node object is absent for a moment (about 0.2 s)`;
}

/** In order; the first is the one in turn. */
export const nodesToDrain = (steps: readonly Step[]): readonly string[] =>
  steps.flatMap((step) => (step.kind === 'ReplaceNode' && step.drain !== undefined ? [step.node] : []));

/**
 * Takes the cordon of this program off each Node that has been replaced, or is not to be drained any more. What somebody else cordoned has no mark, and stays
 * cordoned.
 */
export function uncordonSteps(wanted: Wanted, facts: ClusterFacts, steps: readonly Step[]): readonly Step[] {
  const open = new Set(
    steps.flatMap((step) => (step.kind === 'ReplaceNode' && step.state.is !== 'Satisfied' ? [step.node] : [])),
  );
  const isNeeded = ({ name }: NodeFacts): boolean => wanted.nodes.drain !== undefined && open.has(name);
  return facts.nodes.filter((node) => isCordonedByUs(node) && !isNeeded(node)).map(uncordon);
}

const uncordon = (node: NodeFacts): Step => ({
  kind: 'ApplyObject',
  id: `uncordon/${node.name}`,
  phase: 'PodCIDRs',
  group: 'uncordon',
  target: `Cordon of Node ${node.name}`,
  why: 'It was cordoned to be drained, which is over.',
  diff: node.unschedulable ? [{ path: 'spec.unschedulable', before: 'true', after: null }] : [],
  state: { is: 'Pending' },
  disrupts: null,
  timeoutSeconds: 60,
  // No blocker of the rest may leave a Node cordoned.
  remedy: true,
  ref: { apiVersion: 'v1', kind: 'Node', name: node.name },
  // With the version that was read: a cordon that somebody has set since must not be taken for this one.
  write: { is: 'MergePatch', body: UNCORDONED, resourceVersion: node.resourceVersion },
});

/** Cordon and mark go together. */
const UNCORDONED = { metadata: { annotations: { [CORDON_MARK]: null } }, spec: { unschedulable: null } };

/** Pods that would lose something by being evicted, which nobody has allowed. Told before the first Node is cordoned. */
export function checkDrains(wanted: Wanted, facts: ClusterFacts, steps: readonly Step[]): readonly Finding[] {
  const rules = wanted.nodes.drain;
  if (rules === undefined) return [];
  const found = nodesToDrain(steps).flatMap((node) => {
    const load = facts.loads?.[node];
    return load?.known === true ? load.value.pods.map((pod) => ({ node, pod })) : [];
  });
  return OBSTACLES.filter(({ isAllowed }) => !isAllowed(rules)).flatMap(
    ({ isOf, what, remedy }): readonly Finding[] => {
      const concerned = found.filter(({ pod }) => !pod.terminating && isOf(pod));
      const [first] = concerned;
      if (first === undefined) return [];
      const { namespace, name } = first.pod;
      return [
        {
          reason: 'PodsNotDrainable',
          object: { apiVersion: 'v1', kind: 'Pod', namespace, name },
          message: `${countText(concerned.length)} on Nodes that are to be drained ${what}: ${listOf(concerned)}.`,
          remedy,
          blocks: ['PodCIDRs'],
        },
      ];
    },
  );
}

const OBSTACLES = [
  {
    isAllowed: ({ standalonePods }: DrainRules) => standalonePods === 'Evict',
    isOf: ({ standalone }: LoadPod) => standalone,
    what: 'would not come back, since no controller keeps them',
    remedy: 'Delete them, or give them a controller; or set spec.nodes.drain.standalonePods: Evict, and they are gone.',
  },
  {
    isAllowed: ({ emptyDir }: DrainRules) => emptyDir === 'Evict',
    isOf: ({ emptyDir }: LoadPod) => emptyDir !== null,
    what: 'would lose what is in their emptyDir volumes',
    remedy:
      'See what they keep there; if it may be lost, set spec.nodes.drain.emptyDir: Evict. Or set spec.nodes.podCIDRs: Replace, which touches no pod.',
  },
] as const;

interface Placed {
  readonly node: string;
  readonly pod: LoadPod;
}

function listOf(placed: readonly Placed[]): string {
  const names = placed.map(({ node, pod }) => {
    const volume = pod.emptyDir === null ? '' : `, volume ${pod.emptyDir}`;
    return `${podText(pod)} (on ${node}${volume})`;
  });
  return listText(names);
}
