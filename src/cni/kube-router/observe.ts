import { asArray, asString, at } from '../../model/object.ts';
import { ownerOf } from '../../model/owner.ts';
import { known, unknown, type Reader } from '../../model/reader.ts';
import { readWorkload } from '../../model/workload.ts';
import { AGENT_CONTAINER, DAEMON_SET, type KubeRouterFacts } from './facts.ts';

export async function observe(reader: Reader): Promise<KubeRouterFacts> {
  const read = await reader.get(DAEMON_SET);
  if (read.is === 'Missing') return known(null);
  if (read.is === 'Unreadable') return unknown(read.why);
  const workload = await readWorkload(reader, 'DaemonSet', 'kube-system', DAEMON_SET.name);
  if (!workload.known) return workload;
  if (workload.value === null) return known(null);

  const containers = asArray(at(read.value, 'spec', 'template', 'spec', 'containers'));
  const container = containers.find((each) => at(each, 'name') === AGENT_CONTAINER) ?? containers[0];
  if (container === undefined) return known(null);
  return known({
    workload: workload.value,
    container: asString(at(container, 'name')) ?? AGENT_CONTAINER,
    image: asString(at(container, 'image')) ?? '',
    args: words(at(container, 'args')),
    flagsInCommand: words(at(container, 'command')).some((word) => word.startsWith('-')),
    owner: ownerOf(read.value),
  });
}

const words = (value: unknown): readonly string[] => asArray(value).flatMap((word) => asString(word) ?? []);
