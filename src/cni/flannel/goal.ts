import { asString, at } from '../../model/object.ts';
import type { Recordable } from '../../model/record.ts';
import type { Wanted } from '../../model/wanted.ts';
import type { Family } from '../../net/family.ts';
import { err, type Result } from '../../result.ts';
import {
  CONFIG_KEY,
  CONFIG_MAP_NAME,
  DAEMON_SET_NAME,
  ROLLOUT_ANNOTATION,
  type ConfigFacts,
  type FlannelAgentFacts,
  type FlannelFacts,
} from './facts.ts';
import { readNetConf, sameButFamily, withFamily, withoutFamily } from '../../model/net-conf.ts';

const configRecord = (namespace: string): string => `ConfigMap/${namespace}/${CONFIG_MAP_NAME}`;
const agentRecord = (namespace: string): string => `DaemonSet/${namespace}/${DAEMON_SET_NAME}`;

/** First states of what the steps change. What could not be read is not recorded, and then not changed either. */
export function records({ namespace, config, agent }: FlannelFacts): readonly Recordable[] {
  return [
    ...(config.known && config.value !== null
      ? [{ key: configRecord(namespace), value: { [CONFIG_KEY]: config.value.text } }]
      : []),
    ...(agent.known && agent.value !== null
      ? [{ key: agentRecord(namespace), value: { [ROLLOUT_ANNOTATION]: markOf(agent.value) } }]
      : []),
  ];
}

/** What the template says of roll-outs; null: nothing. */
export const markOf = ({ workload }: FlannelAgentFacts): string | null =>
  workload.templateAnnotations[ROLLOUT_ANNOTATION] ?? null;

/** Flannel as it shall be. */
export interface Goal {
  /** The family that comes or goes. */
  readonly family: Family;
  /** The whole text of `net-conf.json`. */
  readonly text: Result<string, string>;
  /** Value of the template's annotation before anything was changed; null: it was not there. */
  readonly firstMark: string | null;
}

/** Null: both directions leave the families as they are. */
export function makeGoal(wanted: Wanted, { namespace }: FlannelFacts, config: ConfigFacts): Goal | null {
  const family = changing(wanted);
  if (family === null) return null;
  const firstMark = asString(at(wanted.restore[agentRecord(namespace)], ROLLOUT_ANNOTATION)) ?? null;
  const first = asString(at(wanted.restore[configRecord(namespace)], CONFIG_KEY));
  return { family, firstMark, text: goalText(wanted, family, config, first) };
}

function changing({ direction, families }: Wanted): Family | null {
  if (direction === 'Forward') return families[1] ?? null;
  const [left] = families;
  return families.length > 1 || left === undefined ? null : left === 'IPv4' ? 'IPv6' : 'IPv4';
}

function goalText(wanted: Wanted, family: Family, { text }: ConfigFacts, first: string | undefined) {
  if (text === null) return err(`the key ${CONFIG_KEY} is not there`);
  if (wanted.direction === 'Forward') {
    const cidr = wanted.pods[family];
    return cidr === undefined ? err(`no ${family} pod network is known`) : withFamily(text, family, cidr);
  }
  // What somebody else changed meanwhile stays; only the family goes.
  const isFirst = first !== undefined && readsWithout(first, family) && sameButFamily(first, text, family);
  return isFirst ? { ok: true as const, value: first } : withoutFamily(text, family);
}

function readsWithout(text: string, family: Family): boolean {
  const read = readNetConf(text);
  return read.ok && !read.value.enabled[family];
}
