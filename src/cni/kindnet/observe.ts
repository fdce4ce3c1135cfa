import { asArray, asString, at } from '../../model/object.ts';
import { ownerOf } from '../../model/owner.ts';
import { known, unknown, type Reader } from '../../model/reader.ts';
import { readWorkload } from '../../model/workload.ts';
import { AGENT_CONTAINER, DAEMON_SET, type KindnetFacts, SUBNET_ENV, type Subnet } from './facts.ts';

export async function observe(reader: Reader): Promise<KindnetFacts> {
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
    subnet: subnetOf(container),
    owner: ownerOf(read.value),
  });
}

function subnetOf(container: unknown): Subnet | null {
  const entry = asArray(at(container, 'env')).find((each) => at(each, 'name') === SUBNET_ENV);
  if (entry === undefined) return null;
  const source = at(entry, 'valueFrom');
  return source === undefined
    ? { is: 'Value', value: asString(at(entry, 'value')) ?? '' }
    : { is: 'From', source: JSON.stringify(source) };
}
