import type { WorkloadFacts } from '../../model/facts.ts';
import { flagsOf, type Flags } from '../../model/flanneld.ts';
import { asArray, asString, at, type KubeObject } from '../../model/object.ts';
import { lastChange, ownerOf } from '../../model/owner.ts';
import { ifThere, type Reader } from '../../model/reader.ts';
import { readWorkloadWith } from '../../model/workload.ts';
import {
  CONFIG_MAP,
  DAEMON_SET,
  ENV_NAMES,
  FELIX_CONTAINER,
  FLANNEL_CONTAINER,
  FLANNEL_KEY,
  NETWORK_KEY,
  type AgentFacts,
  type CanalFacts,
  type ConfigFacts,
} from './facts.ts';

export async function observe(reader: Reader): Promise<CanalFacts> {
  const read = await reader.get(CONFIG_MAP);
  const data = read.is === 'Found' ? at(read.value, 'data') : {};
  const agent = await readWorkloadWith(reader, DAEMON_SET, (object, workload) => toAgent(object, workload, data));
  return { config: ifThere(read, toConfig), agent };
}

function toConfig(object: KubeObject): ConfigFacts {
  const { metadata } = object;
  const changedAt = lastChange(object);
  return {
    flannel: asString(at(object, 'data', FLANNEL_KEY)) ?? null,
    network: asString(at(object, 'data', NETWORK_KEY)) ?? null,
    resourceVersion: metadata.resourceVersion ?? '',
    changedAt,
    untouched: changedAt !== null && changedAt === metadata.creationTimestamp,
  };
}

/** @param data Of the ConfigMap. */
function toAgent(object: KubeObject, workload: WorkloadFacts, data: unknown): AgentFacts {
  const template = at(object, 'spec', 'template', 'spec');
  const felix = containerOf(template, FELIX_CONTAINER);
  const flannel = containerOf(template, FLANNEL_CONTAINER);
  return {
    workload,
    images: { felix: asString(at(felix, 'image')) ?? '', flannel: asString(at(flannel, 'image')) ?? '' },
    env: envOf(felix),
    flags: { ...handedOver(data), ...flagsOf(flannel) },
    readsConfig: felix !== undefined && flannel !== undefined && readsNetwork(template) && readsFlannel(template),
    owner: ownerOf(object),
  };
}

const containerOf = (template: unknown, name: string): unknown =>
  asArray(at(template, 'containers')).find((each) => at(each, 'name') === name);

/** The manifest hands these over in variables that come from the ConfigMap. An empty interface is that of the default route. */
const handedOver = (data: unknown): Flags =>
  Object.fromEntries(
    [
      ['iface', asString(at(data, 'canal_iface'))] as const,
      ['ip-masq', asString(at(data, 'masquerade'))] as const,
    ].flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, [value]] as const])),
  );

function envOf(container: unknown): AgentFacts['env'] {
  const entries = asArray(at(container, 'env'));
  return Object.fromEntries(
    ENV_NAMES.flatMap((name) => {
      const entry = entries.find((each) => at(each, 'name') === name);
      if (entry === undefined) return [];
      const source = at(entry, 'valueFrom');
      const value = asString(at(entry, 'value')) ?? '';
      return [[name, source === undefined ? { is: 'Value', value } : { is: 'From', source: JSON.stringify(source) }]];
    }),
  ) as AgentFacts['env'];
}

const readsFlannel = (template: unknown): boolean =>
  asArray(at(template, 'volumes')).some((volume) => at(volume, 'configMap', 'name') === CONFIG_MAP.name);

/** Some installers write the network configuration into the DaemonSet itself; then the ConfigMap has no effect. */
function readsNetwork(template: unknown): boolean {
  const references = asArray(at(template, 'initContainers'))
    .flatMap((container) => asArray(at(container, 'env')))
    .filter((entry) => at(entry, 'name') === 'CNI_NETWORK_CONFIG')
    .map((entry) => at(entry, 'valueFrom', 'configMapKeyRef'));
  return (
    references.length > 0 &&
    references.every((each) => at(each, 'name') === CONFIG_MAP.name && at(each, 'key') === NETWORK_KEY)
  );
}
