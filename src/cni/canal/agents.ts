import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { nodeAnnotations } from '../../model/flanneld.ts';
import { nameList } from '../../model/list-text.ts';
import { refText, type JsonObject } from '../../model/object.ts';
import { crashText, progressOf, rolloutState } from '../../model/rollout.ts';
import type { Change, Step, StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { isRolledOut } from '../../model/workload.ts';
import {
  DAEMON_SET,
  ENV_NAMES,
  FELIX_CONTAINER,
  ROLLOUT_ANNOTATION,
  type AgentFacts,
  type ConfigFacts,
} from './facts.ts';
import { agentNodes, type Goal, hasTold, liveEnv, markOf } from './goal.ts';

interface Scene {
  readonly wanted: Wanted;
  readonly facts: ClusterFacts;
  readonly config: ConfigFacts;
  readonly agent: AgentFacts;
  readonly goal: Goal;
  /** The configuration is as wanted, so that a new pod installs and reads the right one. */
  readonly isConfigured: boolean;
}

const MARKS = { first: 'IPv6, roll-out 1 of 2', second: 'IPv6, roll-out 2 of 2', without: 'without IPv6' } as const;

export const agentSteps = (scene: Scene): readonly Step[] =>
  scene.wanted.direction === 'Forward' ? forwardSteps(scene) : [backStep(scene)];

/**
 * Two roll-outs, as with flannel on its own: flanneld takes no notice when another node tells of a second family only, so one that started before the last
 * node told has no routes to it (`handleUpdateLeaseEvent` in flannel's `pkg/subnet/kube/kube.go`).
 */
function forwardSteps(scene: Scene): readonly Step[] {
  const { agent, config, facts, isConfigured } = scene;
  const live = markOf(agent);
  const untold = agentNodes(facts, agent).filter((node) => !hasTold(node, agent, config));
  const isEnvRight = envDiff(scene).length === 0;
  const wasDual =
    live === null &&
    isConfigured &&
    config.untouched &&
    isEnvRight &&
    untold.length === 0 &&
    isRolledOut(agent.workload);
  const told = toldState(scene, untold, {
    evidence: `all ${agent.workload.pods.length} pods are new, their Nodes carry ${nodeAnnotations(agent.flags, 'IPv6').publicIP}`,
    waits: `waits until flanneld has told of IPv6 on ${nameList(untold)}`,
  });
  const evidence = 'Canal has had both families since it was installed';
  const firstState: StepState = wasDual
    ? { is: 'Satisfied', evidence }
    : !isEnvRight || (live !== MARKS.first && live !== MARKS.second)
      ? { is: 'Pending' }
      : live === MARKS.second && untold.length === 0
        ? { is: 'Satisfied', evidence: 'it was followed by the second' }
        : told;
  const secondState: StepState = wasDual
    ? { is: 'Satisfied', evidence }
    : isEnvRight && live === MARKS.second
      ? told
      : { is: 'Pending' };
  return [
    step(scene, {
      id: 'canal/rollout-1',
      why: 'Felix and flanneld read their configuration, and the network configuration is installed, only when a pod starts.',
      // After the second one its mark stays, whatever else has to be put right.
      mark: live === MARKS.second ? live : wasDual ? null : MARKS.first,
      state: firstState,
    }),
    step(scene, {
      id: 'canal/rollout-2',
      why: 'flanneld overlooks what nodes tell of IPv6 after it has started, so nodes that started earlier have no routes to later ones.',
      mark: wasDual ? null : MARKS.second,
      state: secondState,
    }),
  ];
}

/** On the way back the first annotation again; one of ours where pods have that already and read the configuration before it changed. */
function backStep(scene: Scene): Step {
  const { agent, config, facts, goal, isConfigured } = scene;
  const live = markOf(agent);
  const changedAt = config.changedAt === null ? 0 : Date.parse(config.changedAt);
  const told = new Set(
    agentNodes(facts, agent)
      .filter((node) => hasTold(node, agent, config))
      .map((node) => node.name),
  );
  // One that has published nothing of IPv6 never knew it.
  const isFresh = agent.workload.pods.every(
    (pod) => !told.has(pod.node) || (isConfigured && Date.parse(pod.startedAt) >= changedAt),
  );
  const isOurs = live === goal.firstMark || live === MARKS.without;
  const isTold = isOurs && (isFresh || !isRolledOut(agent.workload));
  const mark = isTold ? live : live === goal.firstMark ? MARKS.without : goal.firstMark;
  const isEnvRight = envDiff(scene).length === 0;
  return step(scene, {
    id: 'canal/rollout',
    why: 'Felix and flanneld give up IPv6 only when they start anew.',
    mark,
    state:
      isTold && isEnvRight
        ? toldState(scene, [], { evidence: 'all pods have read the configuration without IPv6', waits: '' })
        : { is: 'Pending' },
  });
}

interface Parts {
  readonly id: string;
  readonly why: string;
  /** Value of the template's annotation; null: none. */
  readonly mark: string | null;
  readonly state: StepState;
}

/**
 * Environment and annotation in one write, so that it makes new pods once. All that is wanted of the object stands in each: server-side apply removes what
 * its manager leaves out.
 */
function step(scene: Scene, { id, why, mark, state }: Parts): Step {
  const { agent, goal, isConfigured } = scene;
  const live = markOf(agent);
  const path = `spec.template.metadata.annotations[${ROLLOUT_ANNOTATION}]`;
  const changes: readonly Change[] = [
    ...envDiff(scene),
    ...(live === mark ? [] : [{ path, before: live, after: mark }]),
  ];
  // What has nothing to change needs not wait for the configuration either.
  const mayBegin = isConfigured || state.is === 'Pending' || changes.length === 0;
  return {
    id,
    phase: 'CNIAgents',
    group: id.replace('/', '-'),
    target: refText(DAEMON_SET),
    why,
    disrupts: {
      text: 'canal restarts node by node; pods keep running and keep their connections',
      seconds: [5, 20],
    },
    timeoutSeconds: 180 + 60 * agent.workload.desired,
    kind: 'ApplyObject',
    ref: DAEMON_SET,
    write: { is: 'Apply', force: true, body: daemonSet(goal, mark) },
    diff: mayBegin && state.is === 'Satisfied' ? [] : changes,
    state: mayBegin ? state : { is: 'Pending' },
  };
}

function daemonSet({ env }: Goal, mark: string | null): JsonObject {
  const entries = ENV_NAMES.flatMap((name) => (env[name] === null ? [] : [{ name, value: env[name] }]));
  return {
    spec: {
      template: {
        ...(mark === null ? {} : { metadata: { annotations: { [ROLLOUT_ANNOTATION]: mark } } }),
        spec: { containers: [{ name: FELIX_CONTAINER, ...(entries.length === 0 ? {} : { env: entries }) }] },
      },
    },
  };
}

const envDiff = ({ agent, goal }: Pick<Scene, 'agent' | 'goal'>): readonly Change[] =>
  ENV_NAMES.flatMap((name) => {
    const [before, after] = [liveEnv(agent, name), goal.env[name]];
    const path = `spec.template.spec.containers[${FELIX_CONTAINER}].env[${name}]`;
    return before === after ? [] : [{ path, before, after }];
  });

/** The state of a roll-out that was begun. */
function toldState(
  { agent, facts }: Scene,
  untold: readonly NodeFacts[],
  { evidence, waits }: { readonly evidence: string; readonly waits: string },
): StepState {
  return rolloutState(progressOf(agent.workload, facts.nodes, facts.at), {
    done: untold.length === 0 ? { is: 'Satisfied', evidence } : { is: 'InProgress', why: waits },
    stuck: (why, next) => ({
      is: 'InProgress',
      why: `${why}, so the DaemonSet goes no further by itself: kubectl -n kube-system delete pod ${next.name}`,
    }),
    crashing: (pod) => ({
      why: `canal on ${pod.node} does not start (${crashText(pod)}); pods there keep the network that they have`,
      remedy: `See why: kubectl -n kube-system logs ${pod.name} --all-containers --previous; mend it on that host.`,
    }),
  });
}
