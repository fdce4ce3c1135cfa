import type { ClusterFacts } from '../../model/facts.ts';
import { asString, at, type Json } from '../../model/object.ts';
import type { Recordable } from '../../model/record.ts';
import type { Wanted } from '../../model/wanted.ts';
import { err, ok, type Result } from '../../result.ts';
import {
  CONFIG_HASH_ANNOTATION,
  CONFIG_KEY,
  ENV_NAMES,
  type CalicoFacts,
  type CalicoNodeFacts,
  type ConfigFacts,
  type EnvName,
} from './facts.ts';
import { configHash, readNetworkConfig, withAssignIPv6 } from './network-config.ts';
import { DEFAULTS, optionsOf } from './options.ts';

export const CONFIG_RECORD = 'ConfigMap/kube-system/calico-config';
export const AGENT_RECORD = 'DaemonSet/kube-system/calico-node';
/** One record for all IPv6 pools, so that a pool made later is not taken for one that was there at first. */
export const POOLS_RECORD = 'IPPools';

/** First states of what the steps change. What could not be read is not recorded, and then not changed either. */
export function records({ config, agent, pools }: CalicoFacts): readonly Recordable[] {
  return [
    ...(config.known && config.value !== null
      ? [{ key: CONFIG_RECORD, value: { [CONFIG_KEY]: config.value.text } }]
      : []),
    ...(agent.known && agent.value !== null ? [{ key: AGENT_RECORD, value: agentRecord(agent.value) }] : []),
    ...(pools.known ? [{ key: POOLS_RECORD, value: poolsRecord(pools.value) }] : []),
  ];
}

function agentRecord({ updateStrategy, env, workload }: CalicoNodeFacts): Json {
  return {
    updateStrategy,
    env: Object.fromEntries(ENV_NAMES.map((name) => [name, (env[name] ?? null) as Json])),
    annotation: workload.templateAnnotations[CONFIG_HASH_ANNOTATION] ?? null,
  };
}

const poolsRecord = ({
  pools,
}: {
  readonly pools: readonly { name: string; family: string; cidr: string; disabled: boolean }[];
}): Json =>
  pools.filter((pool) => pool.family === 'IPv6').map(({ name, cidr, disabled }) => ({ name, cidr, disabled }));

/** Calico as it shall be. The same steps lead to it, whichever direction that is. */
export interface Goal {
  /** The whole text of the network configuration. */
  readonly configText: Result<string, string>;
  /** Null: not there. */
  readonly env: Readonly<Record<EnvName, string | null>>;
  /** Value of the template's annotation; null: not there. */
  readonly annotation: string | null;
  /** Type of the DaemonSet's update strategy when all is done. */
  readonly strategy: string;
  /** Every node must prove this. */
  readonly ipv6: boolean;
}

export function makeGoal(wanted: Wanted, facts: ClusterFacts, config: ConfigFacts, agent: CalicoNodeFacts): Goal {
  return wanted.direction === 'Forward' ? forwardGoal(wanted, facts, config, agent) : backGoal(wanted, config, agent);
}

function forwardGoal(wanted: Wanted, facts: ClusterFacts, config: ConfigFacts, agent: CalicoNodeFacts): Goal {
  const first = firstAgent(facts, agent);
  const configText = withIPv6(config);
  const method = optionsOf(wanted.options).autodetectionMethod ?? recordedEnv(first, 'IP6_AUTODETECTION_METHOD');
  return {
    configText,
    env: {
      IP6: 'autodetect',
      IP6_AUTODETECTION_METHOD: method ?? DEFAULTS.autodetectionMethod,
      FELIX_IPV6SUPPORT: 'true',
    },
    annotation: configText.ok ? configHash(configText.value) : null,
    strategy: recordedStrategy(first),
    ipv6: true,
  };
}

function backGoal(wanted: Wanted, config: ConfigFacts, agent: CalicoNodeFacts): Goal {
  const first = wanted.restore[AGENT_RECORD];
  const restored = asString(at(wanted.restore[CONFIG_RECORD], CONFIG_KEY));
  const configText = restored === undefined ? withoutIPv6(config) : ok(restored);
  const common = { configText, strategy: recordedStrategy(first), ipv6: false };
  if (first === undefined) {
    // The cluster had both families before this program saw it. The method is somebody else's, and means nothing without IP6.
    const live = agent.env['IP6_AUTODETECTION_METHOD'];
    const method = live?.is === 'Value' ? live.value : null;
    return {
      ...common,
      env: {
        IP6: agent.env['IP6'] === undefined ? null : 'none',
        IP6_AUTODETECTION_METHOD: method,
        FELIX_IPV6SUPPORT: 'false',
      },
      annotation: null,
    };
  }
  return {
    ...common,
    env: {
      IP6: recordedEnv(first, 'IP6') ?? null,
      IP6_AUTODETECTION_METHOD: recordedEnv(first, 'IP6_AUTODETECTION_METHOD') ?? null,
      FELIX_IPV6SUPPORT: recordedEnv(first, 'FELIX_IPV6SUPPORT') ?? null,
    },
    annotation: asString(at(first, 'annotation')) ?? null,
  };
}

/** True when the IPv6 pool of this name gave addresses before the first change: then it still does when all is undone. */
export function wasEnabledAtFirst(wanted: Wanted, name: string): boolean {
  const pools = wanted.restore[POOLS_RECORD];
  return Array.isArray(pools) && pools.some((pool) => at(pool, 'name') === name && at(pool, 'disabled') === false);
}

const firstAgent = (facts: ClusterFacts, agent: CalicoNodeFacts): Json =>
  (facts.records.known ? facts.records.value[AGENT_RECORD] : undefined) ?? agentRecord(agent);

const recordedStrategy = (record: Json | undefined): string =>
  asString(at(record, 'updateStrategy', 'type')) ?? 'RollingUpdate';

const recordedEnv = (record: Json | undefined, name: EnvName): string | undefined =>
  asString(at(record, 'env', name, 'value'));

function withIPv6({ text }: ConfigFacts): Result<string, string> {
  if (text === null) return err(`key ${CONFIG_KEY} is not there`);
  const read = readNetworkConfig(text);
  if (!read.ok) return read;
  if (read.value.ipamType !== 'calico-ipam') return err(`its ipam type is ${read.value.ipamType}, not calico-ipam`);
  if (read.value.assignIPv6.is === 'WrongType') return err('its assign_ipv6 is not a string');
  return withAssignIPv6(text, 'true');
}

/** What cannot be read was never changed by this program, so there is nothing in it to take back. */
function withoutIPv6({ text }: ConfigFacts): Result<string, string> {
  const read = readNetworkConfig(text ?? '');
  if (text === null || !read.ok || read.value.assignIPv6.is === 'Absent') return ok(text ?? '');
  return withAssignIPv6(text, 'false');
}
