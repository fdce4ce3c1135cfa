import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { isProven, nodeAnnotations } from '../../model/flanneld.ts';
import { nameList } from '../../model/list-text.ts';
import { type ObjectRef, refText } from '../../model/object.ts';
import { crashText, progressOf, rolloutState } from '../../model/rollout.ts';
import type { Disruption, RolloutWorkload, Step, StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { isRolledOut, nodesWithPod } from '../../model/workload.ts';
import { ROLLOUT_ANNOTATION, type ConfigFacts, type FlannelAgentFacts } from './facts.ts';
import { type Goal, markOf } from './goal.ts';
import { readNetConf } from '../../model/net-conf.ts';

interface Scene {
  readonly wanted: Wanted;
  readonly facts: ClusterFacts;
  readonly ref: ObjectRef;
  readonly config: ConfigFacts;
  readonly agent: FlannelAgentFacts;
  readonly goal: Goal;
  /** The configuration is as wanted, so that a new pod reads the right one. */
  readonly isConfigured: boolean;
}

export function agentSteps(scene: Scene): readonly Step[] {
  return scene.wanted.direction === 'Forward' ? forwardSteps(scene) : [backStep(scene)];
}

/**
 * Two roll-outs, because flanneld takes no notice when another node tells of a second family only: it compares what it knew of the first.
 * (`handleUpdateLeaseEvent` in flannel's `pkg/subnet/kube/kube.go`.) One that starts after every node has told reads them all.
 */
function forwardSteps(scene: Scene): readonly Step[] {
  const { agent, goal } = scene;
  const [first, second] = [markText(goal, 1), markText(goal, 2)];
  const live = markOf(agent);
  const unproven = nodesWithoutProof(scene);
  const wasDual = live === null && isDualFromTheStart(scene) && unproven.length === 0 && isRolledOut(agent.workload);
  const evidence = `all ${agent.workload.pods.length} pods are new, their Nodes carry ${nodeAnnotations(agent.flags, goal.family).publicIP}`;

  const told = toldState(scene, unproven, evidence);
  const firstState: StepState =
    wasDual || (live === second && unproven.length === 0)
      ? { is: 'Satisfied', evidence }
      : live === first || live === second
        ? told
        : { is: 'Pending' };
  const secondState: StepState = wasDual
    ? { is: 'Satisfied', evidence: 'flannel has had both families since it was installed' }
    : live === second
      ? told
      : { is: 'Pending' };
  return [
    step(scene, 1, `flanneld reads its configuration only when it starts.`, first, firstState),
    step(
      scene,
      2,
      `flanneld overlooks what nodes tell of ${goal.family} after it has started, so nodes that started earlier have no routes to later ones.`,
      second,
      secondState,
    ),
  ];
}

/** On the way back the first annotation again; one of ours where pods have that already and read the configuration before it changed. */
function backStep(scene: Scene): Step {
  const { agent, goal, config } = scene;
  const live = markOf(agent);
  const own = `without ${goal.family}`;
  const changedAt = config.changedAt === null ? 0 : Date.parse(config.changedAt);
  const published = new Set(provenNodes(scene).map((node) => node.name));
  // One that has published nothing of that family never knew it.
  const isFresh = agent.workload.pods.every(
    (pod) => !published.has(pod.node) || Date.parse(pod.startedAt) >= changedAt,
  );
  const isOurs = live === goal.firstMark || live === own;
  const isTold = isOurs && (isFresh || !isRolledOut(agent.workload));
  const target = isTold ? live : live === goal.firstMark ? own : goal.firstMark;
  const why = `flanneld gives up ${goal.family} only when it starts anew.`;
  const state: StepState = isTold
    ? toldState(scene, [], `all pods have read the configuration without ${goal.family}`)
    : { is: 'Pending' };
  return step(scene, null, why, target, state);
}

function step(scene: Scene, round: 1 | 2 | null, why: string, mark: string | null, state: StepState): Step {
  const { ref, agent, isConfigured } = scene;
  const live = markOf(agent);
  const next: RolloutWorkload['next'] = { is: 'Annotate', annotation: ROLLOUT_ANNOTATION, value: mark };
  const path = `spec.template.metadata.annotations[${ROLLOUT_ANNOTATION}]`;
  return {
    kind: 'RolloutWorkload',
    id: round === null ? 'flannel/rollout' : `flannel/rollout-${round}`,
    phase: 'CNIAgents',
    group: round === null ? 'flannel-rollout' : `flannel-rollout-${round}`,
    target: refText(ref),
    why,
    disrupts: disruption(scene),
    timeoutSeconds: 180 + 60 * agent.workload.desired,
    ref,
    next,
    diff: state.is === 'Satisfied' || live === mark ? [] : [{ path, before: live, after: mark }],
    state: isConfigured || state.is === 'Pending' ? state : { is: 'Pending' },
  };
}

/** WireGuard's device is made anew with each start, and a peer that has not told of the new family is not taken up. */
const disruption = (scene: Scene): Disruption =>
  backendOf(scene) === 'wireguard'
    ? {
        text: 'pod traffic between nodes is cut on each node until the second roll-out has reached it',
        seconds: [10, 60],
      }
    : { text: 'flanneld restarts node by node; pods keep running and keep their connections', seconds: [2, 10] };

/** The state of a roll-out that was begun. */
function toldState(scene: Scene, unproven: readonly NodeFacts[], evidence: string): StepState {
  const { agent, facts, goal, ref } = scene;
  const namespace = ref.namespace ?? '';
  return rolloutState(progressOf(agent.workload, facts.nodes, facts.at), {
    done:
      unproven.length === 0
        ? { is: 'Satisfied', evidence }
        : {
            is: 'InProgress',
            why: `waits until flanneld has told of ${goal.family} on ${nameList(unproven)}`,
          },
    stuck: (why, next) => ({
      is: 'InProgress',
      why: `${why}, so the DaemonSet goes no further by itself: kubectl -n ${namespace} delete pod ${next.name}`,
    }),
    crashing: (pod) => ({
      why: `flanneld on ${pod.node} does not start (${crashText(pod)}); pods there keep the network that they have`,
      remedy: `See why: kubectl -n ${namespace} logs ${pod.name} --previous; mend it on that host.`,
    }),
  });
}

const markText = ({ family }: Goal, round: 1 | 2): string => `${family}, roll-out ${round} of 2`;

/** Nodes with a pod of flannel that have not told how they are reached in the family that comes. */
const nodesWithoutProof = (scene: Scene): readonly NodeFacts[] =>
  nodesOf(scene).filter(
    (node) => !isProven(node, nodeAnnotations(scene.agent.flags, scene.goal.family), backendOf(scene)),
  );

const provenNodes = (scene: Scene): readonly NodeFacts[] =>
  nodesOf(scene).filter((node) =>
    isProven(node, nodeAnnotations(scene.agent.flags, scene.goal.family), backendOf(scene)),
  );

const nodesOf = ({ facts, agent }: Scene): readonly NodeFacts[] => nodesWithPod(facts.nodes, agent.workload);

/** It was installed with both families, and nobody has changed that since: there is nothing that a node could have overlooked. */
const isDualFromTheStart = ({ config, goal }: Scene): boolean =>
  config.untouched && goal.text.ok && goal.text.value === config.text;

function backendOf({ config }: Scene): string {
  const read = readNetConf(config.text ?? '');
  return read.ok ? read.value.backend : '';
}
