import type { Basics, WorkloadFacts } from '../../model/facts.ts';
import { asArray, asNumber, asString, at, type JsonObject, type KubeObject } from '../../model/object.ts';
import { lastChange, ownerOf } from '../../model/owner.ts';
import { ifThere, known, unknown, type Known, type Reader } from '../../model/reader.ts';
import { readWorkloadWith } from '../../model/workload.ts';
import { parseCidr } from '../../net/cidr.ts';
import {
  AGENT_CONTAINER,
  CONFIG_KEY,
  CONFIG_MAP,
  DAEMON_SET,
  type CalicoFacts,
  type CalicoNodeFacts,
  type ConfigFacts,
  type EnvEntry,
  type Pool,
  type PoolAPI,
  type PoolFacts,
} from './facts.ts';

const CRD_API = 'crd.projectcalico.org/v1';
const V3_API = 'projectcalico.org/v3';
const MIGRATION_GROUP = 'migration.projectcalico.org';

export async function observe(reader: Reader, basics: Basics): Promise<CalicoFacts> {
  const agent = await readWorkloadWith(reader, DAEMON_SET, toAgent);
  const [config, pools, migrating, bpf] = await Promise.all([
    readConfig(reader),
    readPools(reader, basics, agent),
    readMigrating(reader, basics),
    readBPF(reader, agent),
  ]);
  return { config, agent, pools, migrating, bpf };
}

async function readConfig(reader: Reader): Promise<Known<ConfigFacts | null>> {
  return ifThere(await reader.get(CONFIG_MAP), (object) => ({
    backend: asString(at(object, 'data', 'calico_backend')) ?? '',
    text: asString(at(object, 'data', CONFIG_KEY)) ?? null,
    changedAt: lastChange(object),
  }));
}

function toAgent(object: KubeObject, workload: WorkloadFacts): CalicoNodeFacts {
  const template = at(object, 'spec', 'template', 'spec');
  const container = asArray(at(template, 'containers')).find((each) => at(each, 'name') === AGENT_CONTAINER);
  return {
    workload,
    updateStrategy: (at(object, 'spec', 'updateStrategy') ?? {}) as JsonObject,
    env: toEnv(container),
    image: asString(at(container, 'image')) ?? '',
    nodeSelector: (at(template, 'nodeSelector') ?? {}) as Readonly<Record<string, string>>,
    owner: ownerOf(object),
    configSource: toConfigSource(template),
  };
}

/** Follows Calico's own choice: the group it was told, else its older one as long as that is served. */
async function readPools(
  reader: Reader,
  basics: Basics,
  agent: Known<CalicoNodeFacts | null>,
): Promise<Known<PoolFacts>> {
  const api = await poolAPI(reader, basics, agent);
  if (!api.known) return api;
  const read = await reader.list({ apiVersion: api.value, kind: 'IPPool' });
  if (read.is === 'Unreadable') return unknown(read.why);
  if (read.is === 'Missing') return unknown(`the server does not serve IPPools in ${api.value}`);
  return known({ apiVersion: api.value, pools: read.value.flatMap(toPool) });
}

async function poolAPI(reader: Reader, basics: Basics, agent: Known<CalicoNodeFacts | null>): Promise<Known<PoolAPI>> {
  const crd = basics.groupVersions.includes(CRD_API);
  const v3 = basics.groupVersions.includes(V3_API);
  if (!crd && !v3) return unknown(`the server serves neither ${CRD_API} nor ${V3_API}`);
  if (!v3) return known(CRD_API);
  if (!crd) return known(V3_API);

  const told = agent.known ? agent.value?.env['CALICO_API_GROUP'] : undefined;
  if (told?.is === 'Value' && told.value === 'projectcalico.org/v3') return known(V3_API);

  const service = await reader.get({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    name: 'v3.projectcalico.org',
  });
  if (service.is === 'Unreadable') return unknown(service.why);
  const aggregated = service.is === 'Found' && at(service.value, 'spec', 'service') !== undefined;
  return known(aggregated && conditionIs(service.value, 'Available', 'True') ? V3_API : CRD_API);
}

async function readMigrating(reader: Reader, basics: Basics): Promise<Known<boolean>> {
  const apiVersion = basics.groupVersions.find((each) => each.startsWith(`${MIGRATION_GROUP}/`));
  if (apiVersion === undefined) return known(false);
  const read = await reader.list({ apiVersion, kind: 'DatastoreMigration' });
  if (read.is === 'Unreadable') return unknown(read.why);
  return known(read.is === 'Found' && read.value.some((each) => at(each, 'status', 'phase') === 'Migrating'));
}

/** The environment beats the resource. */
async function readBPF(reader: Reader, agent: Known<CalicoNodeFacts | null>): Promise<Known<boolean>> {
  const env = agent.known ? agent.value?.env['FELIX_BPFENABLED'] : undefined;
  if (env?.is === 'Value') return known(env.value.toLowerCase() === 'true');
  const read = await reader.get({ apiVersion: CRD_API, kind: 'FelixConfiguration', name: 'default' });
  if (read.is === 'Unreadable') return unknown(read.why);
  return known(read.is === 'Found' && at(read.value, 'spec', 'bpfEnabled') === true);
}

function toPool(object: KubeObject): readonly Pool[] {
  const cidr = parseCidr(asString(at(object, 'spec', 'cidr')) ?? '');
  // A pool without a readable CIDR gives no addresses to anybody.
  if (!cidr.ok) return [];
  return [
    {
      name: object.metadata.name,
      resourceVersion: object.metadata.resourceVersion ?? '',
      family: cidr.value.family,
      cidr: cidr.value.text,
      blockSize: asNumber(at(object, 'spec', 'blockSize')) ?? null,
      ipipMode: asString(at(object, 'spec', 'ipipMode')) ?? 'Never',
      vxlanMode: asString(at(object, 'spec', 'vxlanMode')) ?? 'Never',
      natOutgoing: at(object, 'spec', 'natOutgoing') === true,
      nodeSelector: asString(at(object, 'spec', 'nodeSelector')) ?? 'all()',
      disabled: at(object, 'spec', 'disabled') === true,
      allocatable: hasCondition(object, 'Allocatable') ? conditionIs(object, 'Allocatable', 'True') : null,
    },
  ];
}

function toEnv(container: unknown): Readonly<Record<string, EnvEntry>> {
  return Object.fromEntries(
    asArray(at(container, 'env')).flatMap((entry): readonly (readonly [string, EnvEntry])[] => {
      const name = asString(at(entry, 'name'));
      if (name === undefined) return [];
      const source = at(entry, 'valueFrom');
      return source === undefined
        ? [[name, { is: 'Value', value: asString(at(entry, 'value')) ?? '' }]]
        : [[name, { is: 'From', source: JSON.stringify(source) }]];
    }),
  );
}

/** Some installers write the configuration into the DaemonSet itself; then the ConfigMap has no effect. */
function toConfigSource(template: unknown): CalicoNodeFacts['configSource'] {
  const containers = [...asArray(at(template, 'initContainers')), ...asArray(at(template, 'containers'))];
  const references = containers
    .flatMap((container) => asArray(at(container, 'env')))
    .filter((entry) => at(entry, 'name') === 'CNI_NETWORK_CONFIG')
    .map((entry) => at(entry, 'valueFrom', 'configMapKeyRef'));
  const expected =
    references.length > 0 &&
    references.every((reference) => at(reference, 'name') === CONFIG_MAP.name && at(reference, 'key') === CONFIG_KEY);
  return expected ? 'ConfigMap' : 'Elsewhere';
}

const hasCondition = (object: KubeObject, type: string): boolean =>
  asArray(at(object, 'status', 'conditions')).some((condition) => at(condition, 'type') === type);

const conditionIs = (object: KubeObject, type: string, status: string): boolean =>
  asArray(at(object, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === type && at(condition, 'status') === status,
  );
