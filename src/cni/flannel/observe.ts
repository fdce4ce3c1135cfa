import type { Basics } from '../../model/facts.ts';
import { flagsOf } from '../../model/flanneld.ts';
import { asArray, asString, at } from '../../model/object.ts';
import { lastChange, ownerOf } from '../../model/owner.ts';
import { known, unknown, type Known, type Reader } from '../../model/reader.ts';
import { readWorkload } from '../../model/workload.ts';
import {
  AGENT_CONTAINER,
  CONFIG_KEY,
  CONFIG_MAP_NAME,
  configMapRef,
  DAEMON_SET_NAME,
  daemonSetRef,
  NAMESPACES,
  type ConfigFacts,
  type FlannelAgentFacts,
  type FlannelFacts,
} from './facts.ts';

/** Namespaces that hold flannel's DaemonSet, the newer place first. */
export const namespacesOf = ({ objects }: Basics): readonly string[] =>
  NAMESPACES.filter((namespace) => objects.DaemonSet.includes(`${namespace}/${DAEMON_SET_NAME}`));

export async function observe(reader: Reader, basics: Basics): Promise<FlannelFacts> {
  const [namespace = NAMESPACES[0], ...others] = namespacesOf(basics);
  const [config, agent] = await Promise.all([readConfig(reader, namespace), readAgent(reader, namespace)]);
  return { namespace, others, config, agent };
}

async function readConfig(reader: Reader, namespace: string): Promise<Known<ConfigFacts | null>> {
  const read = await reader.get(configMapRef(namespace));
  if (read.is === 'Missing') return known(null);
  if (read.is === 'Unreadable') return unknown(read.why);
  const { metadata } = read.value;
  const changedAt = lastChange(read.value);
  return known({
    text: asString(at(read.value, 'data', CONFIG_KEY)) ?? null,
    resourceVersion: metadata.resourceVersion ?? '',
    changedAt,
    untouched: changedAt !== null && changedAt === metadata.creationTimestamp,
  });
}

async function readAgent(reader: Reader, namespace: string): Promise<Known<FlannelAgentFacts | null>> {
  const read = await reader.get(daemonSetRef(namespace));
  if (read.is === 'Missing') return known(null);
  if (read.is === 'Unreadable') return unknown(read.why);
  const workload = await readWorkload(reader, 'DaemonSet', namespace, DAEMON_SET_NAME);
  if (!workload.known) return workload;
  if (workload.value === null) return known(null);

  const template = at(read.value, 'spec', 'template', 'spec');
  const container = asArray(at(template, 'containers')).find((each) => at(each, 'name') === AGENT_CONTAINER);
  return known({
    workload: workload.value,
    image: asString(at(container, 'image')) ?? '',
    flags: flagsOf(container),
    readsConfig: asArray(at(template, 'volumes')).some((volume) => at(volume, 'configMap', 'name') === CONFIG_MAP_NAME),
    owner: ownerOf(read.value),
  });
}
