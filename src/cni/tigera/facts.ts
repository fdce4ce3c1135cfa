import type { WorkloadFacts } from '../../model/facts.ts';
import { asArray, asNumber, asString, at, type KubeObject, type ObjectRef } from '../../model/object.ts';
import { ifThere, known, unknown, type Known, type Reader } from '../../model/reader.ts';
import { readWorkload } from '../../model/workload.ts';
import { type Cidr, parseCidr } from '../../net/cidr.ts';

export const GROUP = 'operator.tigera.io';
export const INSTALLATION: ObjectRef = { apiVersion: `${GROUP}/v1`, kind: 'Installation', name: 'default' };
export const DAEMON_SET: ObjectRef = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: 'calico-system',
  name: 'calico-node',
};

export interface TigeraFacts {
  /** Installation `default`. Known null: it does not exist. */
  readonly installation: Known<InstallationFacts | null>;
  /** What the tigera operator says of the parts that it keeps. Empty: it has said nothing yet. */
  readonly statuses: Known<readonly PartStatus[]>;
  /** DaemonSet calico-node. Known null: it does not exist. */
  readonly agent: Known<WorkloadFacts | null>;
}

interface InstallationFacts {
  readonly generation: number;
  /** Entries of `spec.calicoNetwork.ipPools`, whole. */
  readonly pools: readonly unknown[];
}

/** A TigeraStatus. */
export interface PartStatus {
  readonly name: string;
  readonly available: boolean;
  readonly progressing: boolean;
  readonly degraded: boolean;
  /** Generation of the Installation that it speaks of, the least of its conditions; null: such an operator does not tell. */
  readonly generation: number | null;
  /** Of the condition that is in the way. */
  readonly message: string;
}

export async function observe(reader: Reader): Promise<TigeraFacts> {
  const [installation, statuses, agent] = await Promise.all([
    readInstallation(reader),
    readStatuses(reader),
    readWorkload(reader, 'DaemonSet', 'calico-system', DAEMON_SET.name),
  ]);
  return { installation, statuses, agent };
}

async function readInstallation(reader: Reader): Promise<TigeraFacts['installation']> {
  return ifThere(await reader.get(INSTALLATION), (object) => ({
    generation: object.metadata.generation ?? 0,
    pools: asArray(at(object, 'spec', 'calicoNetwork', 'ipPools')),
  }));
}

async function readStatuses(reader: Reader): Promise<TigeraFacts['statuses']> {
  const read = await reader.list({ apiVersion: `${GROUP}/v1`, kind: 'TigeraStatus' });
  if (read.is === 'Unreadable') return unknown(read.why);
  return known(read.is === 'Found' ? read.value.map(toStatus) : []);
}

function toStatus(object: KubeObject): PartStatus {
  const conditions = asArray(at(object, 'status', 'conditions'));
  const isTrue = (type: string): boolean =>
    conditions.some((each) => at(each, 'type') === type && at(each, 'status') === 'True');
  const [progressing, degraded] = [isTrue('Progressing'), isTrue('Degraded')];
  const told = conditions.find((each) => at(each, 'type') === (degraded ? 'Degraded' : 'Progressing'));
  const generations = conditions.flatMap((each) => asNumber(at(each, 'observedGeneration')) ?? []);
  return {
    name: object.metadata.name,
    available: isTrue('Available'),
    progressing,
    degraded,
    generation: generations.length === 0 ? null : Math.min(...generations),
    message: progressing || degraded ? (asString(at(told, 'message')) ?? '') : '',
  };
}

/** Pools that the Installation names, in its order. */
export const poolsOf = ({ installation }: TigeraFacts): readonly unknown[] =>
  installation.known && installation.value !== null ? installation.value.pools : [];

/** Their networks. */
export const networksOf = (own: TigeraFacts): readonly Cidr[] => poolsOf(own).flatMap((pool) => networkOf(pool) ?? []);

export function networkOf(pool: unknown): Cidr | null {
  const cidr = parseCidr(asString(at(pool, 'cidr')) ?? '');
  return cidr.ok ? cidr.value : null;
}
