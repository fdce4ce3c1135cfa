import type { WorkloadFacts } from '../../model/facts.ts';
import { asArray, asString, at, type KubeObject } from '../../model/object.ts';
import { ownerOf } from '../../model/owner.ts';
import type { Reader } from '../../model/reader.ts';
import { readWorkloadWith } from '../../model/workload.ts';
import { AGENT_CONTAINER, DAEMON_SET, type AgentFacts, type KindnetFacts, SUBNET_ENV, type Subnet } from './facts.ts';

export const observe = (reader: Reader): Promise<KindnetFacts> => readWorkloadWith(reader, DAEMON_SET, toAgent);

function toAgent(object: KubeObject, workload: WorkloadFacts): AgentFacts | null {
  const containers = asArray(at(object, 'spec', 'template', 'spec', 'containers'));
  const container = containers.find((each) => at(each, 'name') === AGENT_CONTAINER) ?? containers[0];
  if (container === undefined) return null;
  return {
    workload,
    container: asString(at(container, 'name')) ?? AGENT_CONTAINER,
    image: asString(at(container, 'image')) ?? '',
    subnet: subnetOf(container),
    owner: ownerOf(object),
  };
}

function subnetOf(container: unknown): Subnet | null {
  const entry = asArray(at(container, 'env')).find((each) => at(each, 'name') === SUBNET_ENV);
  if (entry === undefined) return null;
  const source = at(entry, 'valueFrom');
  return source === undefined
    ? { is: 'Value', value: asString(at(entry, 'value')) ?? '' }
    : { is: 'From', source: JSON.stringify(source) };
}
