import type { ClusterFacts, NodeFacts, PodFacts, WorkloadFacts } from '../../model/facts.ts';
import { asString, at } from '../../model/object.ts';
import type { Recordable } from '../../model/record.ts';
import { changesIPv6 } from '../../model/second-ipv6.ts';
import type { Wanted } from '../../model/wanted.ts';
import { nodesWithPod } from '../../model/workload.ts';
import { isIPv6 } from '../../net/family.ts';
import {
  CHANGED_KEYS,
  ROLLOUT_ANNOTATION,
  type AgentFacts,
  type CiliumFacts,
  type CiliumNodeFacts,
  type ConfigFacts,
} from './facts.ts';
import { awaitedOf, changesOf, goalOf, type IPAMMode, modeOf, type Settings } from './settings.ts';

const CONFIG_RECORD = 'ConfigMap/kube-system/cilium-config';
const AGENT_RECORD = 'DaemonSet/kube-system/cilium';
const OPERATOR_RECORD = 'Deployment/kube-system/cilium-operator';

/** First states of what the steps change. What could not be read is not recorded, and then not changed either. */
export function records({ config, agent, operator }: CiliumFacts): readonly Recordable[] {
  return [
    ...(config.known && config.value !== null ? [{ key: CONFIG_RECORD, value: configRecord(config.value) }] : []),
    ...(agent.known && agent.value !== null
      ? [{ key: AGENT_RECORD, value: { [ROLLOUT_ANNOTATION]: markOf(agent.value.workload) } }]
      : []),
    ...(operator.known && operator.value !== null
      ? [{ key: OPERATOR_RECORD, value: { [ROLLOUT_ANNOTATION]: markOf(operator.value) } }]
      : []),
  ];
}

const configRecord = ({ data }: ConfigFacts): Readonly<Record<string, string | null>> =>
  Object.fromEntries(CHANGED_KEYS.map((key) => [key, data[key] ?? null]));

/** What the template says it was restarted for; null: nothing. */
export const markOf = ({ templateAnnotations }: WorkloadFacts): string | null =>
  templateAnnotations[ROLLOUT_ANNOTATION] ?? null;

/** All that the steps are computed from. */
export interface Scene {
  readonly wanted: Wanted;
  readonly facts: ClusterFacts;
  readonly config: ConfigFacts;
  readonly mode: IPAMMode;
  readonly agent: AgentFacts;
  readonly operator: WorkloadFacts | null;
  readonly nodes: Readonly<Record<string, CiliumNodeFacts>>;
  readonly goal: Settings;
  readonly isConfigured: boolean;
  /** What they were marked with before anything was changed. */
  readonly first: { readonly agent: string | null; readonly operator: string | null };
}

/** Null: something is not as it must be, which has been told as a Finding that keeps the phases closed; or there is nothing to convert. */
export function sceneOf(wanted: Wanted, facts: ClusterFacts, own: CiliumFacts): Scene | null {
  const { config, agent, operator, nodes } = own;
  if (!config.known || !agent.known || !operator.known || !nodes.known) return null;
  if (config.value === null || agent.value === null || !changesIPv6(wanted)) return null;
  const mode = modeOf(config.value);
  if (mode === null) return null;
  const goal = goalOf(wanted, config.value, wanted.restore[CONFIG_RECORD]);
  const firstMark = (key: string) => asString(at(wanted.restore[key], ROLLOUT_ANNOTATION)) ?? null;
  return {
    wanted,
    facts,
    config: config.value,
    mode,
    agent: agent.value,
    operator: operator.value,
    nodes: nodes.value,
    goal,
    isConfigured: (config.value.owner === null ? changesOf : awaitedOf)(config.value, goal).length === 0,
    first: { agent: firstMark(AGENT_RECORD), operator: firstMark(OPERATOR_RECORD) },
  };
}

/** The agent on that node runs with IPv6. */
export const runsIPv6 = (node: CiliumNodeFacts | undefined): boolean => node?.internalIPs.some(isIPv6) === true;

/** Nodes that an agent runs on. */
export const agentNodes = ({ facts, agent }: Pick<Scene, 'facts' | 'agent'>): readonly NodeFacts[] =>
  nodesWithPod(facts.nodes, agent.workload);

/**
 * Nodes among these whose pod must be made anew, because it has not read the configuration as it is now. While a roll-out is under way that is true of none:
 * it goes on by itself.
 */
export function staleNodes(scene: Scene, workload: WorkloadFacts, nodes: readonly string[]): readonly string[] {
  if (workload.observedGeneration < workload.generation) return [];
  return workload.pods
    .filter((pod) => nodes.includes(pod.node) && pod.hash === workload.newestHash && !isFresh(pod, scene))
    .map((pod) => pod.node);
}

/** It started after the configuration became what it shall be, or has yet to start; in the same second counts as before. */
const isFresh = ({ startedAt }: PodFacts, { isConfigured, config: { changedAt } }: Scene): boolean =>
  isConfigured && changedAt !== null && (startedAt === '' || Date.parse(startedAt) > Date.parse(changedAt));
