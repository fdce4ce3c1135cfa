import type { ClusterFacts, ServiceFacts } from '../model/facts.ts';
import { at, type Json } from '../model/object.ts';
import type { PodOwner } from '../model/pod-owner.ts';
import { known, unknown, type Known, type Read, type Reader, type ServerInfo } from '../model/reader.ts';
import { fromRecordEntry, RECORDS_SECRET, type Recorded } from '../model/record.ts';
import type { BackendsByService } from '../model/service.ts';
import { DEFAULT_SERVICE_CIDR, networksOfServiceCIDR } from '../model/service-networks.ts';
import { readWorkload } from '../model/workload.ts';
import { err, ok, type Result } from '../result.ts';
import type { Registry } from '../registry.ts';
import { readAddOns } from './add-ons.ts';
import { readBasics } from './basics.ts';
import { SERVICE_FIELDS, toServiceFacts } from './services.ts';

const LEASE_TRANSFER_POLICY = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  name: 'dualstack-lease-transfer',
} as const;

export interface Choice {
  /** Names from the registry, or `Auto`. */
  readonly distribution: string;
  readonly cni: string;
}

/** Lists what keeps pods. Handed in, because a whole cluster's pods are too many for every look. */
export type ReadWorkloads = () => Promise<Known<readonly PodOwner[]>>;

/** Lists what is behind Services; handed in for the same reason. */
export type ReadBackends = () => Promise<Known<BackendsByService>>;

/**
 * Looks at the whole cluster once. What cannot be read is unknown and says why; only where not even Nodes and the objects of
 * kube-system can be read is there nothing to tell, and the error says so.
 */
export async function observe(
  reader: Reader,
  server: ServerInfo,
  registry: Registry,
  choice: Choice,
  now: number,
  readWorkloads: ReadWorkloads,
  readBackends?: ReadBackends,
): Promise<Result<ClusterFacts, string>> {
  const basics = await readBasics(reader, server, now);
  if (!basics.ok) return basics;

  const distribution = registry.distribution(choice.distribution, basics.value);
  if (!distribution.ok) return err(distribution.error);
  const cni = registry.cni(choice.cni, basics.value);
  if (!cni.ok) return err(cni.error);

  const [ownDistribution, ownCNI, serviceCIDR, services, records, coreDNS, workloads, backends, leaseTransfer, addOns] =
    await Promise.all([
      distribution.value.plugin.observe(reader, basics.value),
      cni.value.plugin.observe(reader, basics.value),
      readServiceCIDR(reader),
      readServices(reader),
      readRecords(reader),
      readWorkload(reader, 'Deployment', 'kube-system', 'coredns'),
      readWorkloads(),
      readBackends?.(),
      reader.get(LEASE_TRANSFER_POLICY),
      readAddOns(reader, basics.value),
    ]);

  return ok({
    at: now,
    basics: basics.value,
    nodes: basics.value.nodes,
    serviceCIDR,
    services,
    ...(backends === undefined ? {} : { backends }),
    records,
    distribution: {
      name: distribution.value.plugin.name,
      detectedBy: distribution.value.detectedBy,
      own: ownDistribution,
    },
    cni: { name: cni.value.plugin.name, detectedBy: cni.value.detectedBy, own: ownCNI },
    coreDNS,
    ...addOns,
    workloads,
    // Unreadable counts as there: without it several instances would be changed before one has proven itself as the leader.
    leaseTransfer: leaseTransfer.is !== 'Missing',
  });
}

async function readServiceCIDR(reader: Reader): Promise<Known<readonly string[]>> {
  const read = await reader.get(DEFAULT_SERVICE_CIDR);
  return fromRead(read, 'ServiceCIDR kubernetes', networksOfServiceCIDR);
}

async function readServices(reader: Reader): Promise<Known<readonly ServiceFacts[]>> {
  const read = await reader.list({ apiVersion: 'v1', kind: 'Service', fields: SERVICE_FIELDS });
  return fromRead(read, 'Services', (objects) => objects.map(toServiceFacts));
}

/** No Secret means that nothing has been recorded yet. A value that is not JSON was not written by this program: unknown. */
async function readRecords(reader: Reader): Promise<Known<Recorded>> {
  const read = await reader.get(RECORDS_SECRET);
  if (read.is === 'Missing') return known({});
  if (read.is === 'Unreadable') return unknown(read.why);
  const recorded: Record<string, Json> = {};
  for (const [key, encoded] of Object.entries((at(read.value, 'data') as Record<string, string> | undefined) ?? {})) {
    const entry = fromRecordEntry(Buffer.from(encoded, 'base64').toString('utf8'));
    if (entry === null)
      return unknown(`Secret ${RECORDS_SECRET.namespace}/${RECORDS_SECRET.name}: key ${key} is not a record`);
    recorded[entry.key] = entry.value;
  }
  return known(recorded);
}

function fromRead<T, U>(read: Read<T>, what: string, use: (value: T) => U): Known<U> {
  switch (read.is) {
    case 'Found':
      return known(use(read.value));
    case 'Missing':
      return unknown(`${what}: not there`);
    case 'Unreadable':
      return unknown(read.why);
  }
}
