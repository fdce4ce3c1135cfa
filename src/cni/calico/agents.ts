import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { nameList } from '../../model/list-text.ts';
import { refText, type JsonObject } from '../../model/object.ts';
import { oncePer } from '../../model/once.ts';
import type { Change, Step, StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { type Family, hasFamily } from '../../net/family.ts';
import {
  AGENT_CONTAINER,
  CONFIG_HASH_ANNOTATION,
  CONFIG_KEY,
  CONFIG_MAP,
  DAEMON_SET,
  ENV_NAMES,
  type EnvName,
  type CalicoNodeFacts,
  type ConfigFacts,
} from './facts.ts';
import type { Goal } from './goal.ts';
import { agentNodes, hasUnprovenOldPods, PROOF_SECONDS, rollout } from './rollout.ts';

/** Seconds for one write to be seen again. */
const WRITE_SECONDS = 120;

export function configStep(wanted: Wanted, config: ConfigFacts, goal: Goal): Step {
  return {
    id: 'calico/cni-config',
    phase: 'CNIConfig',
    group: 'calico-cni-config',
    target: refText(CONFIG_MAP),
    why:
      wanted.direction === 'Forward'
        ? `New pods get an ${goal.family} address only when the Calico plug-in is told to assign one.`
        : `New pods shall get no ${goal.family} address any more.`,
    disrupts: null,
    timeoutSeconds: WRITE_SECONDS,
    kind: 'ApplyObject',
    ref: CONFIG_MAP,
    write: {
      is: 'Apply',
      force: true,
      body: { data: { [CONFIG_KEY]: goal.configText.ok ? goal.configText.value : (config.text ?? '') } },
    },
    diff: goal.configText.ok ? changes([[`data.${CONFIG_KEY}`, config.text, goal.configText.value]]) : [],
    state: configState(config, goal),
  };
}

function configState(config: ConfigFacts, goal: Goal): StepState {
  if (!goal.configText.ok) return { is: 'Unknown', why: `${refText(CONFIG_MAP)}: ${goal.configText.error}` };
  if ((config.text ?? '') !== goal.configText.value) return { is: 'Pending' };
  return { is: 'Satisfied', evidence: `${CONFIG_KEY} is as wanted` };
}

/**
 * Environment, roll-out and update strategy of calico-node.
 *
 * One field manager writes the DaemonSet, and server-side apply removes what that manager leaves out of its next apply: so
 * both writes below send everything that is wanted of this object at that moment.
 */
export function agentSteps(
  wanted: Wanted,
  facts: ClusterFacts,
  config: ConfigFacts,
  agent: CalicoNodeFacts,
  goal: Goal,
): readonly Step[] {
  const env = envState(facts, config, agent, goal);
  const rolling =
    env.is === 'Satisfied' ? rollout(wanted, facts, agent, goal) : { state: { is: 'Pending' } as const, next: [] };
  const strategy = strategyState(agent, goal, rolling.state);
  const common = { phase: 'CNIAgents', ref: DAEMON_SET, target: refText(DAEMON_SET) } as const;
  return [
    {
      ...common,
      id: 'calico/env',
      group: 'calico-env',
      why:
        wanted.direction === 'Forward'
          ? `calico-node must find the ${goal.family} address of its node and program ${goal.family} routes and policies.`
          : `calico-node shall look for no ${goal.family} address any more.`,
      disrupts: null,
      timeoutSeconds: WRITE_SECONDS,
      kind: 'ApplyObject',
      write: { is: 'Apply', force: true, body: daemonSet(goal, 'OnDelete') },
      diff:
        env.is === 'Satisfied'
          ? []
          : [...envDiff(agent, goal), ...changes([[STRATEGY_PATH, strategyOf(agent), 'OnDelete']])],
      state: env,
    },
    {
      ...common,
      id: 'calico/rollout',
      group: 'calico-rollout',
      why: 'calico-node and the network configuration that it installs are read only when its pod starts.',
      disrupts: {
        text: 'calico-node restarts node by node; pods keep running and keep their connections',
        seconds: [10, 20],
      },
      timeoutSeconds: PROOF_SECONDS * (agent.workload.desired + 1),
      kind: 'RolloutWorkload',
      next: { is: 'DeletePods', pods: rolling.next.map(({ name, uid }) => ({ name, uid })) },
      diff: [],
      state: rolling.state,
    },
    {
      ...common,
      id: 'calico/strategy',
      group: 'calico-strategy',
      why: 'While its pods are replaced one by one the DaemonSet must not replace them by itself; afterwards it may again.',
      disrupts: null,
      timeoutSeconds: WRITE_SECONDS,
      kind: 'ApplyObject',
      write: { is: 'Apply', force: true, body: daemonSet(goal, goal.strategy) },
      ends: true,
      diff: strategy.is === 'Satisfied' ? [] : changes([[STRATEGY_PATH, 'OnDelete', goal.strategy]]),
      state: strategy,
    },
  ];
}

/**
 * Only the strategy's type is changed: `rollingUpdate` with its own numbers stays where it is, and is ignored under OnDelete.
 */
function daemonSet(goal: Goal, strategy: string): JsonObject {
  const env = namesOf(goal).flatMap((name) => {
    const value = goal.env[name] ?? null;
    return value === null ? [] : [{ name, value }];
  });
  const metadata =
    goal.annotation === null ? {} : { metadata: { annotations: { [CONFIG_HASH_ANNOTATION]: goal.annotation } } };
  const spec = env.length === 0 ? {} : { spec: { containers: [{ name: AGENT_CONTAINER, env }] } };
  return { spec: { updateStrategy: { type: strategy }, template: { ...metadata, ...spec } } };
}

function envState(facts: ClusterFacts, config: ConfigFacts, agent: CalicoNodeFacts, goal: Goal): StepState {
  const differs = envDiff(agent, goal);
  const hasConfig = liveAnnotation(agent) === goal.annotation || startedWithConfig(config, agent, goal);
  // Without a pace of ours the DaemonSet would go on though a node fails. Nodes that are proven already have nothing to fear.
  const isPaced = strategyOf(agent) === 'OnDelete' || !hasUnprovenOldPods(facts, agent, goal);
  if (differs.every(({ path }) => path === ANNOTATION_PATH) && hasConfig && isPaced) {
    return { is: 'Satisfied', evidence: `env of container ${AGENT_CONTAINER} is as wanted` };
  }
  const lacking = goal.proves.includes(goal.family) ? nodesWithout(goal.family, facts, agent) : [];
  // Never autodetect while a Node has no such address: calico-node there would drop the address of the other family too.
  if (lacking.length > 0) {
    return {
      is: 'InProgress',
      why: `waits until every Node has an ${goal.family} InternalIP; without: ${nameList(lacking)}`,
    };
  }
  return { is: 'Pending' };
}

/** Nodes that run calico-node and have no InternalIP of that family. */
export const nodesWithout = (family: Family, facts: ClusterFacts, agent: CalicoNodeFacts): readonly NodeFacts[] =>
  WITHOUT[family](facts, agent);

const without = (family: Family): ((facts: ClusterFacts, agent: CalicoNodeFacts) => readonly NodeFacts[]) =>
  oncePer((facts, agent) => agentNodes(facts, agent).filter((node) => !hasFamily(node.internalIPs, family)));

const WITHOUT = { IPv4: without('IPv4'), IPv6: without('IPv6') };

/** Converted by hand: every pod started after the configuration was last changed, so it has installed what is there now. */
function startedWithConfig(config: ConfigFacts, agent: CalicoNodeFacts, goal: Goal): boolean {
  if (!goal.configText.ok || config.text !== goal.configText.value || config.changedAt === null) return false;
  const changedAt = Date.parse(config.changedAt);
  return liveAnnotation(agent) === null && agent.workload.pods.every((pod) => Date.parse(pod.startedAt) > changedAt);
}

function strategyState(agent: CalicoNodeFacts, goal: Goal, rolling: StepState): StepState {
  if (rolling.is !== 'Satisfied' && rolling.is !== 'Deferred') return { is: 'Pending' };
  if (strategyOf(agent) !== goal.strategy) return { is: 'Pending' };
  return { is: 'Satisfied', evidence: `updateStrategy is ${goal.strategy}` };
}

const STRATEGY_PATH = 'spec.updateStrategy.type';
const ANNOTATION_PATH = `spec.template.metadata.annotations[${CONFIG_HASH_ANNOTATION}]`;

function envDiff(agent: CalicoNodeFacts, goal: Goal): readonly Change[] {
  return changes([
    ...namesOf(goal).map((name): Row => [envPath(name), liveEnv(agent, name), goal.env[name] ?? null]),
    [ANNOTATION_PATH, liveAnnotation(agent), goal.annotation],
  ]);
}

const namesOf = ({ env }: Goal): readonly EnvName[] => ENV_NAMES.filter((name) => env[name] !== undefined);

const envPath = (name: string): string => `spec.template.spec.containers[${AGENT_CONTAINER}].env[${name}]`;

type Row = readonly [path: string, before: string | null, after: string | null];

const changes = (rows: readonly Row[]): readonly Change[] =>
  rows.flatMap(([path, before, after]) => (before === after ? [] : [{ path, before, after }]));

function liveEnv(agent: CalicoNodeFacts, name: string): string | null {
  const entry = agent.env[name];
  if (entry === undefined) return null;
  return entry.is === 'Value' ? entry.value : entry.source;
}

const liveAnnotation = (agent: CalicoNodeFacts): string | null =>
  agent.workload.templateAnnotations[CONFIG_HASH_ANNOTATION] ?? null;

const strategyOf = (agent: CalicoNodeFacts): string => {
  const type = agent.updateStrategy['type'];
  return typeof type === 'string' ? type : 'RollingUpdate';
};
