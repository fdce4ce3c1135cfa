import type { WorkloadFacts } from '../../model/facts.ts';
import { asArray, asString, asStrings, at, type KubeObject } from '../../model/object.ts';
import { ownerOf } from '../../model/owner.ts';
import type { Reader } from '../../model/reader.ts';
import { readWorkloadWith } from '../../model/workload.ts';
import { AGENT_CONTAINER, DAEMON_SET, type AgentFacts, type KubeRouterFacts } from './facts.ts';

export const observe = (reader: Reader): Promise<KubeRouterFacts> => readWorkloadWith(reader, DAEMON_SET, toAgent);

function toAgent(object: KubeObject, workload: WorkloadFacts): AgentFacts | null {
  const containers = asArray(at(object, 'spec', 'template', 'spec', 'containers'));
  const container = containers.find((each) => at(each, 'name') === AGENT_CONTAINER) ?? containers[0];
  if (container === undefined) return null;
  return {
    workload,
    container: asString(at(container, 'name')) ?? AGENT_CONTAINER,
    image: asString(at(container, 'image')) ?? '',
    args: asStrings(at(container, 'args')),
    flagsInCommand: asStrings(at(container, 'command')).some((word) => word.startsWith('-')),
    owner: ownerOf(object),
  };
}
