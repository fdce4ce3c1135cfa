import type { ClusterFacts, NodeFacts, PodFacts, WorkloadFacts } from '../../model/facts.ts';
import { keyed } from '../../model/keyed.ts';
import { once, oncePer } from '../../model/once.ts';
import type { StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { listText } from '../../model/list-text.ts';
import type { CalicoNodeFacts } from './facts.ts';
import { NAMES } from './family.ts';
import type { Goal } from './goal.ts';

/** Seconds that calico-node has on one node, from the start of its pod, to prove itself. */
export const PROOF_SECONDS = 300;

interface Rollout {
  readonly state: StepState;
  /** Pods to replace now. Empty unless the state is Pending. */
  readonly next: readonly PodFacts[];
}

/**
 * Where the replacement of calico-node's pods stands. The shipped readiness probe sees one family, and a pod that fails takes down
 * the address of the other while the Node stays Ready: so the next pod goes only when every node before it has proven both families.
 */
export function rollout(wanted: Wanted, facts: ClusterFacts, agent: CalicoNodeFacts, goal: Goal): Rollout {
  const { workload } = agent;
  if (!isSeen(workload)) {
    return still({
      is: 'InProgress',
      why: 'the DaemonSet controller has not seen the newest template of calico-node yet',
    });
  }

  const nodes = byName(facts.nodes);
  const groups = groupPods(nodes, agent, goal);
  const failed = groups.unproven.find(
    (pod) => agent.updateStrategy['type'] === 'OnDelete' && isOverdue(pod, facts.at, nodes, goal),
  );
  if (failed !== undefined) return still(failure(failed, nodes, goal));

  if (groups.unproven.length > 0) return still({ is: 'InProgress', why: waitsFor(groups.unproven, nodes, goal) });
  const missing = workload.desired - new Set(workload.pods.map((pod) => pod.node)).size;
  if (missing > 0) return still({ is: 'InProgress', why: `${missing} pods of calico-node are still to be made` });

  const todo = groups.old.length + groups.awayTodo.length;
  if (todo > 0 && groups.away.length > wanted.tolerateUnavailable) {
    const tolerated = `(tolerated: ${wanted.tolerateUnavailable})`;
    return still({
      is: 'InProgress',
      why: `waits for nodes that are not Ready: ${nodeNames(groups.away)} ${tolerated}`,
    });
  }
  if (groups.old.length > 0 && agent.updateStrategy['type'] !== 'OnDelete') {
    return still({
      is: 'InProgress',
      why: `the DaemonSet replaces ${groups.old.length} older pods of calico-node by itself`,
    });
  }
  if (groups.old.length > 0) return { state: { is: 'Pending' }, next: batch(groups.old, wanted, nodes) };
  if (groups.awayTodo.length > 0) return still({ is: 'Deferred', why: `not Ready: ${nodeNames(groups.awayTodo)}` });

  const proof = goal.proves.includes(goal.family) ? `, their Nodes carry ${NAMES[goal.family].proof}` : '';
  return still({
    is: 'Satisfied',
    evidence: `all ${workload.pods.length} pods are of the newest template and ready${proof}`,
  });
}

/** True while a pod with an old template is on a node that is Ready and has not proven what is wanted. */
export function hasUnprovenOldPods(facts: ClusterFacts, agent: CalicoNodeFacts, goal: Goal): boolean {
  const isUnproven = (pod: PodFacts): boolean => {
    const nodes = byName(facts.nodes);
    return nodes.get(pod.node)?.ready !== false && missingProof(pod, nodes, goal).length > 0;
  };
  return agent.workload.pods.some((pod) => isOld(pod, agent) && isUnproven(pod));
}

/** The Nodes that calico-node runs on, or would. */
export const agentNodes: (facts: ClusterFacts, agent: CalicoNodeFacts) => readonly NodeFacts[] = oncePer(
  ({ nodes }, { nodeSelector, workload }) => {
    const running = new Set(workload.pods.map((pod) => pod.node));
    const selected = Object.entries(nodeSelector);
    return nodes.filter(
      (node) => selected.every(([key, value]) => node.labels[key] === value) || running.has(node.name),
    );
  },
);

type Nodes = ReadonlyMap<string, NodeFacts>;

const byName: (nodes: readonly NodeFacts[]) => Nodes = once((nodes) =>
  keyed(
    nodes,
    ({ name }) => name,
    (node) => node,
  ),
);

interface Groups {
  readonly old: readonly PodFacts[];
  /** Being replaced, or replaced and without proof. */
  readonly unproven: readonly PodFacts[];
  /** On nodes that are not Ready, old or new. */
  readonly away: readonly PodFacts[];
  /** Of those, the ones that are not proven: nodes that went down after their proof hold up nothing. */
  readonly awayTodo: readonly PodFacts[];
}

const isOld = ({ hash, terminating }: PodFacts, { workload }: CalicoNodeFacts): boolean =>
  hash !== workload.newestHash && !terminating;

function groupPods(nodes: Nodes, agent: CalicoNodeFacts, goal: Goal): Groups {
  const { workload } = agent;
  const isNew = (pod: PodFacts) => pod.hash === workload.newestHash && !pod.terminating;
  const notReady = new Set([...nodes.values()].flatMap(({ name, ready }) => (ready ? [] : [name])));
  const away = workload.pods.filter((pod) => notReady.has(pod.node));
  const here = away.length === 0 ? workload.pods : workload.pods.filter((pod) => !notReady.has(pod.node));
  return {
    old: here.filter((pod) => isOld(pod, agent)),
    unproven: here.filter(
      (pod) => pod.terminating || (isNew(pod) && (!pod.ready || missingProof(pod, nodes, goal).length > 0)),
    ),
    away,
    awayTodo: away.filter((pod) => !isNew(pod) || missingProof(pod, nodes, goal).length > 0),
  };
}

/** Annotations that calico-node has still to write to the Node of this pod. */
function missingProof(pod: PodFacts, nodes: Nodes, goal: Goal): readonly string[] {
  const annotations = nodes.get(pod.node)?.annotations ?? {};
  return goal.proves.map((family) => NAMES[family].proof).filter((key) => (annotations[key] ?? '') === '');
}

/** A pod that is merely not ready may recover by itself; one that cannot find its addresses, or crashes, does not. */
function isOverdue(pod: PodFacts, at: number, nodes: Nodes, goal: Goal): boolean {
  const startedAt = Date.parse(pod.startedAt);
  const stuck = missingProof(pod, nodes, goal).length > 0 || pod.waiting === 'CrashLoopBackOff';
  return stuck && !pod.terminating && at - startedAt > PROOF_SECONDS * 1000;
}

function failure(pod: PodFacts, nodes: Nodes, goal: Goal): StepState {
  const missing = missingProof(pod, nodes, goal);
  const what =
    missing.length > 0 ? `its Node lacks the annotation ${missing.join(' and ')}` : `it waits in ${pod.waiting ?? ''}`;
  return {
    is: 'Failed',
    why: `calico-node on node ${pod.node} did not prove itself within ${PROOF_SECONDS} s: ${what}; pods on other nodes were left alone`,
    remedy:
      `Look for "failed to autodetect" in: kubectl -n kube-system logs ${pod.name} -c calico-node; ` +
      `give the node an address that spec.calico.autodetectionMethod finds, then delete the pod`,
  };
}

function waitsFor(unproven: readonly PodFacts[], nodes: Nodes, goal: Goal): string {
  const parts = unproven.map((pod) => {
    const missing = missingProof(pod, nodes, goal);
    if (pod.terminating) return `${pod.node} (old pod ends)`;
    if (missing.length > 0) return `${pod.node} (no ${missing.join(', ')})`;
    return `${pod.node} (${pod.waiting ?? 'not ready'})`;
  });
  return `waits for calico-node on ${listText(parts, 3)}`;
}

/** Workers first; control-plane nodes last and one at a time. */
function batch(old: readonly PodFacts[], wanted: Wanted, nodes: Nodes): readonly PodFacts[] {
  const sorted = old.toSorted((a, b) => (a.node < b.node ? -1 : 1));
  const workers = sorted.filter((pod) => nodes.get(pod.node)?.controlPlane !== true);
  return workers.length > 0 ? workers.slice(0, Math.max(1, wanted.nodes.maxUnavailable)) : sorted.slice(0, 1);
}

const isSeen = (workload: WorkloadFacts): boolean =>
  workload.newestHash !== null && workload.observedGeneration >= workload.generation;

const still = (state: StepState): Rollout => ({ state, next: [] });

const nodeNames = (pods: readonly PodFacts[]): string => listText([...new Set(pods.map((pod) => pod.node))]);
