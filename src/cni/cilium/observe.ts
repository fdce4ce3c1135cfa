import type { WorkloadFacts } from '../../model/facts.ts';
import { asArray, asString, asStringMap, asStrings, at, type KubeObject } from '../../model/object.ts';
import { lastChange, ownerOf } from '../../model/owner.ts';
import { ifThere, known, unknown, type Known, type Reader } from '../../model/reader.ts';
import { readWorkload, readWorkloadWith } from '../../model/workload.ts';
import {
  AGENT_CONTAINER,
  CONFIG_MAP,
  DAEMON_SET,
  DEFAULT_POOL,
  NODE_API,
  OPERATOR,
  POOL_API,
  type AgentFacts,
  type CiliumFacts,
  type CiliumNodeFacts,
  type ConfigFacts,
} from './facts.ts';

export async function observe(reader: Reader): Promise<CiliumFacts> {
  const [config, agent, operator, nodes] = await Promise.all([
    readConfig(reader),
    readWorkloadWith(reader, DAEMON_SET, toAgent),
    readWorkload(reader, 'Deployment', 'kube-system', OPERATOR.name),
    readNodes(reader),
  ]);
  const isMultiPool = config.known && config.value?.data['ipam'] === 'multi-pool';
  return { config, agent, operator, nodes, pool: isMultiPool ? await readPool(reader) : known(null) };
}

async function readConfig(reader: Reader): Promise<Known<ConfigFacts | null>> {
  return ifThere(await reader.get(CONFIG_MAP), (object) => ({
    data: asStringMap(at(object, 'data')),
    resourceVersion: object.metadata.resourceVersion ?? '',
    changedAt: lastChange(object),
    owner: ownerOf(object),
    release: releaseOf(object),
  }));
}

/** Helm leaves these annotations on all that it installs; `cilium install` is Helm as well. */
function releaseOf({ metadata: { annotations = {} } }: KubeObject): ConfigFacts['release'] {
  const [name, namespace] = [annotations['meta.helm.sh/release-name'], annotations['meta.helm.sh/release-namespace']];
  return name === undefined || namespace === undefined ? null : { name, namespace };
}

function toAgent(object: KubeObject, workload: WorkloadFacts): AgentFacts {
  const containers = asArray(at(object, 'spec', 'template', 'spec', 'containers'));
  const container = containers.find((each) => at(each, 'name') === AGENT_CONTAINER);
  return { workload, image: asString(at(container, 'image')) ?? '' };
}

async function readNodes(reader: Reader): Promise<CiliumFacts['nodes']> {
  const read = await reader.list({
    apiVersion: NODE_API,
    kind: 'CiliumNode',
    fields: ['spec.addresses', 'spec.ipam.podCIDRs', 'status.ipam.operator-status'],
  });
  if (read.is === 'Unreadable') return unknown(read.why);
  if (read.is === 'Missing') return unknown(`the server does not serve CiliumNodes in ${NODE_API}`);
  return known(Object.fromEntries(read.value.map((object) => [object.metadata.name, toNode(object)])));
}

function toNode(object: KubeObject): CiliumNodeFacts {
  const internal = asArray(at(object, 'spec', 'addresses')).filter((each) => at(each, 'type') === 'CiliumInternalIP');
  return {
    resourceVersion: object.metadata.resourceVersion ?? '',
    podCIDRs: asStrings(at(object, 'spec', 'ipam', 'podCIDRs')),
    internalIPs: internal.flatMap((each) => asString(at(each, 'ip')) ?? []),
    operatorError: asString(at(object, 'status', 'ipam', 'operator-status', 'error')) ?? '',
  };
}

async function readPool(reader: Reader): Promise<CiliumFacts['pool']> {
  const read = await reader.get({ apiVersion: POOL_API, kind: 'CiliumPodIPPool', name: DEFAULT_POOL });
  return ifThere(read, (object) => {
    // From 1.19 on an entry may be an object that says more of its CIDR.
    const cidrs = asArray(at(object, 'spec', 'ipv6', 'cidrs'));
    return { ipv6: cidrs.flatMap((each) => asString(each) ?? asString(at(each, 'cidr')) ?? []) };
  });
}
