import { coerce } from 'semver';
import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { networksOf, sameRange } from '../../model/networks.ts';
import type { ObjectRef } from '../../model/object.ts';
import { phaseOrder } from '../../model/phase.ts';
import type { Known } from '../../model/reader.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { parseCidr } from '../../net/cidr.ts';
import type { Family, PerFamily } from '../../net/family.ts';
import type { KKPFacts } from './facts.ts';
import { DEFAULT_MASKS, network } from './network.ts';
import { providerOf } from './provider.ts';

/** A field of the Cluster that would have to change. */
interface Change {
  readonly field: string;
  readonly live: string;
  readonly asked: string;
}

/** Families that the cluster has, primary first; null: nothing tells. KKP gives Services as many networks as pods, so either is enough. */
export function liveFamilies(own: KKPFacts): readonly Family[] | null {
  const { pods, services } = network(own);
  return familiesOf(services) ?? familiesOf(pods);
}

const familiesOf = (networks: Known<readonly string[]>): readonly Family[] | null =>
  networks.known
    ? networks.value.flatMap((text) => {
        const cidr = parseCidr(text);
        return cidr.ok ? [cidr.value.family] : [];
      })
    : null;

/** What is asked for and differs from what there is, in KKP's own words. */
export function changesAsked(wanted: Wanted, own: KKPFacts): readonly Change[] {
  const live = network(own);
  const families = liveFamilies(own) ?? wanted.families;
  return [
    ...(families.join() === wanted.families.join()
      ? []
      : [{ field: 'ipFamily', live: families.join('+'), asked: wanted.families.join('+') }]),
    ...networkChange('pods.cidrBlocks', wanted.families, live.pods, wanted.pods),
    ...networkChange('services.cidrBlocks', wanted.families, live.services, wanted.services),
  ];
}

function networkChange(
  field: string,
  families: readonly Family[],
  live: Known<readonly string[]>,
  wanted: PerFamily<string>,
): readonly Change[] {
  const asked = cidrList(families, wanted);
  if (!live.known || asked.length < families.length || sameRange(live.value.join(','), asked.join(','))) return [];
  return [{ field, live: live.value.join(', '), asked: asked.join(', ') }];
}

/**
 * The API server of the Seed refuses such changes (github.com/kubermatic/kubermatic, pkg/validation/cluster.go:
 * `validateClusterNetworkingConfigUpdateImmutability`); and what it would have to restart runs there, not here.
 */
export function refusal(wanted: Wanted, facts: ClusterFacts, own: KKPFacts, changes: readonly Change[]): Finding {
  const said = changes.map(({ field, live, asked }) => `${field} from ${live} to ${asked}`).join('; ');
  return {
    reason: 'NetworkImmutable',
    object: clusterRef(own),
    message: `KKP takes no change of spec.clusterNetwork on a running Cluster, and its control plane runs on the Seed, out of reach of this cluster: ${said}.`,
    remedy: canBeMade(wanted)
      ? `Make a new cluster and move the workloads; its manifest: ${generateCommand(wanted, facts, own)}`
      : 'KKP makes clusters with IPv4 and with IPv4+IPv6 alone, IPv4 first: ask for one of them.',
    blocks: phaseOrder(wanted.direction),
  };
}

const clusterRef = ({ cluster }: KKPFacts): ObjectRef | null =>
  cluster === null ? null : { apiVersion: 'kubermatic.k8c.io/v1', kind: 'Cluster', name: cluster };

const canBeMade = ({ families }: Wanted): boolean => families[0] === 'IPv4';

/** With all that is known here; what only the Seed knows is in capitals. */
function generateCommand(wanted: Wanted, facts: ClusterFacts, own: KKPFacts): string {
  const { families, pods, services, nodeMask } = wanted;
  const version = coerce(facts.basics.kubernetesVersion)?.version ?? 'VERSION';
  const networks = (flag: string, values: PerFamily<string>): readonly string[] => {
    const list = cidrList(families, values);
    return list.length === families.length ? [`--${flag} ${list.join(',')}`] : [];
  };
  const masks = families.flatMap((family) => {
    const mask = nodeMask[family];
    return mask === undefined || mask === DEFAULT_MASKS[family]
      ? []
      : [`--node-cidr-mask-size-${family.toLowerCase()} ${mask}`];
  });
  return [
    'kubectl dualstack generate kkp',
    `--kubernetes-version ${version}`,
    `--provider ${providerOf(facts.nodes).name ?? 'PROVIDER'}`,
    '--datacenter DATACENTER',
    ...(families.length === 1 ? [`--ip-families ${families.join(',')}`] : []),
    ...networks('pod-network-cidr', pods),
    ...networks('service-cidr', services),
    ...masks,
    ...cniFlags(own),
    '-o new-cluster',
  ].join(' ');
}

/** KKP names releases of Canal without their patch. Which of Cilium runs is not looked at: then KKP takes its default. */
function cniFlags({ canalVersion }: KKPFacts): readonly string[] {
  const version = canalVersion.known ? coerce(canalVersion.value) : null;
  return version === null ? [] : [`--cni canal --cni-version v${version.major}.${version.minor}`];
}

/** Null where nothing tells: a list as KKP's rules want to see it. */
export const listOf = (networks: Known<readonly string[]>): readonly string[] | null =>
  networks.known ? networks.value.flatMap((text) => networksOf(text) ?? []) : null;
