import type { ClusterFacts } from '../../model/facts.ts';
import { asString, at, type Json } from '../../model/object.ts';
import type { Recordable } from '../../model/record.ts';
import type { Wanted } from '../../model/wanted.ts';
import { type Family, otherFamily } from '../../net/family.ts';
import { err, ok, type Result } from '../../result.ts';
import { changedFamily, NAMES } from './family.ts';
import {
  CONFIG_HASH_ANNOTATION,
  CONFIG_KEY,
  ENV_NAMES,
  type CalicoFacts,
  type CalicoNodeFacts,
  type ConfigFacts,
  type EnvName,
  type PoolFacts,
} from './facts.ts';
import { configHash, readNetworkConfig, settingOf, withAssign } from './network-config.ts';
import { DEFAULTS, optionsOf } from './options.ts';

const CONFIG_RECORD = 'ConfigMap/kube-system/calico-config';
const AGENT_RECORD = 'DaemonSet/kube-system/calico-node';
/** One record for all pools, so that a pool made later is not taken for one that was there at first. */
const POOLS_RECORD = 'IPPools';

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

const poolsRecord = ({ pools }: PoolFacts): Json => pools.map(({ name, cidr, disabled }) => ({ name, cidr, disabled }));

/** Calico as it shall be. The same steps lead to it, whichever direction that is. */
export interface Goal {
  /** The family that comes or leaves. */
  readonly family: Family;
  /** The whole text of the network configuration. */
  readonly configText: Result<string, string>;
  /** What is set, and what shall not be there (null). Variables that are not named stay as they are. */
  readonly env: Readonly<Partial<Record<EnvName, string | null>>>;
  /** Value of the template's annotation; null: not there. */
  readonly annotation: string | null;
  /** Type of the DaemonSet's update strategy when all is done. */
  readonly strategy: string;
  /** The families that every node must prove. */
  readonly proves: readonly Family[];
}

/** Null: no family comes or leaves. */
export function makeGoal(
  wanted: Wanted,
  facts: ClusterFacts,
  config: ConfigFacts,
  agent: CalicoNodeFacts,
): Goal | null {
  const family = changedFamily(wanted);
  if (family === null) return null;
  return wanted.direction === 'Forward'
    ? forwardGoal(wanted, facts, config, agent, family)
    : backGoal(wanted, config, agent, family);
}

function forwardGoal(
  wanted: Wanted,
  facts: ClusterFacts,
  config: ConfigFacts,
  agent: CalicoNodeFacts,
  family: Family,
): Goal {
  const first = firstAgent(facts, agent);
  const configText = withFamily(config, family);
  const { address, method } = NAMES[family];
  const told = optionsOf(wanted.options).autodetectionMethod ?? recordedEnv(first, method);
  return {
    family,
    configText,
    env: {
      [address]: 'autodetect',
      [method]: told ?? DEFAULTS.autodetectionMethod,
      ...(family === 'IPv6' ? { FELIX_IPV6SUPPORT: 'true' } : {}),
    },
    annotation: configText.ok ? configHash(configText.value) : null,
    strategy: recordedStrategy(first),
    proves: [otherFamily(family), family],
  };
}

function backGoal(wanted: Wanted, config: ConfigFacts, agent: CalicoNodeFacts, family: Family): Goal {
  const first = wanted.restore[AGENT_RECORD];
  const restored = asString(at(wanted.restore[CONFIG_RECORD], CONFIG_KEY));
  return {
    family,
    configText: restored === undefined ? withoutFamily(config, family) : ok(restored),
    env: hasRecorded(first, NAMES[family].address) ? recordedEnvs(first, family) : envWithout(config, agent, family),
    annotation: asString(at(first, 'annotation')) ?? null,
    strategy: recordedStrategy(first),
    proves: [otherFamily(family)],
  };
}

/** What the way forward sets, as it was at first. */
function recordedEnvs(first: Json | undefined, family: Family): Goal['env'] {
  const { address, method } = NAMES[family];
  const names: readonly EnvName[] = family === 'IPv6' ? [address, method, 'FELIX_IPV6SUPPORT'] : [address, method];
  return Object.fromEntries(names.map((name) => [name, recordedEnv(first, name) ?? null]));
}

/** The cluster had both families before this program saw it. How an address is found is somebody else's, and means nothing without it. */
function envWithout(config: ConfigFacts, agent: CalicoNodeFacts, family: Family): Goal['env'] {
  const { address, method } = NAMES[family];
  const kept = Object.fromEntries(
    [method].flatMap((name) => {
      const live = agent.env[name];
      return live?.is === 'Value' ? [[name, live.value] as const] : [];
    }),
  );
  if (family === 'IPv6') {
    return { ...kept, [address]: agent.env[address] === undefined ? null : 'none', FELIX_IPV6SUPPORT: 'false' };
  }
  // Without the variable calico-node would look for an IPv4 address all the same, and without that address BGP has no router id.
  const live = agent.env['CALICO_ROUTER_ID'];
  const isOurs = live === undefined ? config.backend === 'bird' : live.is === 'Value' && live.value === ROUTER_ID;
  return { ...kept, [address]: 'none', ...(isOurs ? { CALICO_ROUTER_ID: ROUTER_ID } : {}) };
}

/** Four bytes made of the node's name (`hashToIPv4` in the templates of Calico's `confd`). */
const ROUTER_ID = 'hash';

/** True when calico-node looks for an address of that family then, or has been told one: it would write it to its Node again. */
export function looksFor({ env, family }: Goal): boolean {
  const value = env[NAMES[family].address] ?? null;
  return value === null || value === '' ? family === 'IPv4' : value !== 'none';
}

/** True when the pool of this name gave addresses before the first change: then it still does when all is undone. */
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

/** False for records of a version that did not know the variable. */
const hasRecorded = (record: Json | undefined, name: EnvName): boolean => at(record, 'env', name) !== undefined;

function withFamily({ text }: ConfigFacts, family: Family): Result<string, string> {
  if (text === null) return err(`key ${CONFIG_KEY} is not there`);
  const read = readNetworkConfig(text);
  if (!read.ok) return read;
  if (read.value.ipamType !== 'calico-ipam') return err(`its ipam type is ${read.value.ipamType}, not calico-ipam`);
  if (settingOf(read.value, family).is === 'WrongType') return err(`its ${NAMES[family].assign} is not a string`);
  return withAssign(text, family, true);
}

/** What cannot be read was never changed by this program, so there is nothing in it to take back. */
function withoutFamily({ text }: ConfigFacts, family: Family): Result<string, string> {
  const read = readNetworkConfig(text ?? '');
  return text === null || !read.ok ? ok(text ?? '') : withAssign(text, family, false);
}
