import type { Basics, WorkloadFacts } from '../../model/facts.ts';
import { flagsOf } from '../../model/flanneld.ts';
import { asArray, asString, at, type KubeObject } from '../../model/object.ts';
import { lastChange, ownerOf } from '../../model/owner.ts';
import { ifThere, type Known, type Reader } from '../../model/reader.ts';
import { readWorkloadWith } from '../../model/workload.ts';
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
  const [config, agent] = await Promise.all([
    readConfig(reader, namespace),
    readWorkloadWith(reader, daemonSetRef(namespace), toAgent),
  ]);
  return { namespace, others, config, agent };
}

async function readConfig(reader: Reader, namespace: string): Promise<Known<ConfigFacts | null>> {
  return ifThere(await reader.get(configMapRef(namespace)), (object) => {
    const { metadata } = object;
    const changedAt = lastChange(object);
    return {
      text: asString(at(object, 'data', CONFIG_KEY)) ?? null,
      resourceVersion: metadata.resourceVersion ?? '',
      changedAt,
      untouched: changedAt !== null && changedAt === metadata.creationTimestamp,
    };
  });
}

function toAgent(object: KubeObject, workload: WorkloadFacts): FlannelAgentFacts {
  const template = at(object, 'spec', 'template', 'spec');
  const container = asArray(at(template, 'containers')).find((each) => at(each, 'name') === AGENT_CONTAINER);
  return {
    workload,
    image: asString(at(container, 'image')) ?? '',
    flags: flagsOf(container),
    readsConfig: asArray(at(template, 'volumes')).some((volume) => at(volume, 'configMap', 'name') === CONFIG_MAP_NAME),
    owner: ownerOf(object),
  };
}
