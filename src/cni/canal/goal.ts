import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { isProven, nodeAnnotations } from '../../model/flanneld.ts';
import { readNetConf, sameButFamily, withFamily, withoutFamily } from '../../model/net-conf.ts';
import { asString, at, type Json } from '../../model/object.ts';
import type { Recordable } from '../../model/record.ts';
import type { Wanted } from '../../model/wanted.ts';
import { nodesWithPod } from '../../model/workload.ts';
import { isIPv6 } from '../../net/family.ts';
import { err, ok, type Result } from '../../result.ts';
import {
  ENV_NAMES,
  FLANNEL_KEY,
  NETWORK_KEY,
  ROLLOUT_ANNOTATION,
  type AgentFacts,
  type CanalFacts,
  type ConfigFacts,
  type EnvName,
} from './facts.ts';
import { assignsIPv6, readNetworkConfig, sameButSubnets, withIPv6, withoutIPv6 } from './network-config.ts';

const CONFIG_RECORD = 'ConfigMap/kube-system/canal-config';
const AGENT_RECORD = 'DaemonSet/kube-system/canal';

/** First states of what the steps change. What could not be read is not recorded, and then not changed either. */
export function records({ config, agent }: CanalFacts): readonly Recordable[] {
  return [
    ...(config.known && config.value !== null
      ? [{ key: CONFIG_RECORD, value: { [FLANNEL_KEY]: config.value.flannel, [NETWORK_KEY]: config.value.network } }]
      : []),
    ...(agent.known && agent.value !== null ? [{ key: AGENT_RECORD, value: agentRecord(agent.value) }] : []),
  ];
}

const agentRecord = (agent: AgentFacts): Json => ({
  env: Object.fromEntries(ENV_NAMES.map((name) => [name, liveEnv(agent, name)])),
  [ROLLOUT_ANNOTATION]: markOf(agent),
});

/** What the template says of roll-outs; null: nothing. */
export const markOf = ({ workload }: AgentFacts): string | null =>
  workload.templateAnnotations[ROLLOUT_ANNOTATION] ?? null;

/** Null: it is not set to a value. */
export function liveEnv({ env }: AgentFacts, name: EnvName): string | null {
  const entry = env[name];
  return entry?.is === 'Value' ? entry.value : null;
}

/** Canal as it shall be. */
export interface Goal {
  /** Whole texts of both keys. */
  readonly flannel: Result<string, string>;
  readonly network: Result<string, string>;
  /** Null: not there. */
  readonly env: Readonly<Record<EnvName, string | null>>;
  /** Value of the template's annotation before anything was changed; null: it was not there. */
  readonly firstMark: string | null;
}

export function makeGoal(wanted: Wanted, config: ConfigFacts, agent: AgentFacts): Goal {
  const first = wanted.restore[AGENT_RECORD];
  const firstMark = asString(at(first, ROLLOUT_ANNOTATION)) ?? null;
  const texts = { flannel: flannelGoal(wanted, config), network: networkGoal(wanted, config) };
  if (wanted.direction === 'Forward') {
    const pool = liveEnv(agent, 'CALICO_IPV6POOL_CIDR') ?? wanted.pods.IPv6 ?? null;
    return { ...texts, firstMark, env: { FELIX_IPV6SUPPORT: 'true', CALICO_IPV6POOL_CIDR: pool } };
  }
  const firstEnv = (name: EnvName) => asString(at(first, 'env', name)) ?? null;
  const env =
    first === undefined
      ? { FELIX_IPV6SUPPORT: 'false', CALICO_IPV6POOL_CIDR: liveEnv(agent, 'CALICO_IPV6POOL_CIDR') }
      : { FELIX_IPV6SUPPORT: firstEnv('FELIX_IPV6SUPPORT'), CALICO_IPV6POOL_CIDR: firstEnv('CALICO_IPV6POOL_CIDR') };
  return { ...texts, firstMark, env };
}

function flannelGoal(wanted: Wanted, { flannel: text }: ConfigFacts): Result<string, string> {
  if (text === null) return err(`the key ${FLANNEL_KEY} is not there`);
  if (wanted.direction === 'Forward') {
    return wanted.pods.IPv6 === undefined
      ? err('no IPv6 pod network is known')
      : withFamily(text, 'IPv6', wanted.pods.IPv6);
  }
  // What somebody else changed meanwhile stays; only the family goes.
  const first = asString(at(wanted.restore[CONFIG_RECORD], FLANNEL_KEY));
  const read = readNetConf(first ?? '');
  const isFirst = first !== undefined && read.ok && !read.value.enabled.IPv6 && sameButFamily(first, text, 'IPv6');
  return isFirst ? ok(first) : withoutFamily(text, 'IPv6');
}

function networkGoal(wanted: Wanted, { network: text }: ConfigFacts): Result<string, string> {
  if (text === null) return err(`the key ${NETWORK_KEY} is not there`);
  if (wanted.direction === 'Forward') return withIPv6(text);
  const first = asString(at(wanted.restore[CONFIG_RECORD], NETWORK_KEY));
  const read = readNetworkConfig(first ?? '');
  const isFirst = first !== undefined && read.ok && !assignsIPv6(read.value) && sameButSubnets(first, text);
  return isFirst ? ok(first) : withoutIPv6(text);
}

/** Nodes that Canal runs on. */
export const agentNodes = (facts: ClusterFacts, { workload }: AgentFacts): readonly NodeFacts[] =>
  nodesWithPod(facts.nodes, workload);

/** True when flanneld there has told the others how it is reached over IPv6. */
export function hasTold(node: NodeFacts, { flags }: AgentFacts, { flannel }: ConfigFacts): boolean {
  const read = readNetConf(flannel ?? '');
  return isProven(node, nodeAnnotations(flags, 'IPv6'), read.ok ? read.value.backend : '');
}

export const hasIPv6 = (texts: readonly string[]): boolean => texts.some(isIPv6);
