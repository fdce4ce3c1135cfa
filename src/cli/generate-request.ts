import type { ClusterSpec } from '../api/cluster-spec.ts';
import { parseSpec, resolve } from '../api/resolve.ts';
import { problemText, type Problem } from '../api/rule.ts';
import { cidrBlocksOf, type Network } from '../api/rules.ts';
import type { NewCluster, Networks } from '../generate/contract.ts';
import { familyOfNetwork } from '../net/cidr.ts';
import type { Family } from '../net/family.ts';
import { vocabulary } from '../registry.ts';
import { ok, type Result } from '../result.ts';
import { type AskedByFlags, isAskedByFlags } from './asked.ts';
import type { Dependencies } from './dependencies.ts';
import { type Failure, fromFile, misused } from './look.ts';

/** Which network a new cluster shall have: from a file, or by flags. */
export interface NetworkOptions extends AskedByFlags {
  readonly filename?: string;
  /** Of the new cluster; absent: that of the resource. */
  readonly name?: string;
  readonly nodeCidrMaskSizeIpv4?: number;
  readonly nodeCidrMaskSizeIpv6?: number;
}

/** The cluster that is asked for, with `defaults` where no network is given. */
export async function newCluster(
  options: NetworkOptions,
  defaults: Readonly<Record<Family, Networks>>,
  dependencies: Dependencies,
): Promise<Result<NewCluster, Failure>> {
  const asked = await specOf(options, dependencies);
  if (!asked.ok) return asked;
  const spec = parseSpec(asked.value.spec, vocabulary);
  if (!spec.ok) return invalid(spec.error);
  // Once more as a whole: a network that was given may overlap one that is added.
  const whole = resolve(completed(spec.value, defaults), vocabulary);
  if (!whole.ok) return invalid(whole.error);
  const { families, pods, services, nodeMask, options: pluginOptions } = whole.value;
  return ok({ name: options.name ?? asked.value.name, families, pods, services, nodeMask, options: pluginOptions });
}

const invalid = (problems: readonly Problem[]): Result<never, Failure> =>
  misused(['what is asked for is not valid:', ...problems.map((each) => `  ${problemText(each)}`)].join('\n'));

interface Asked {
  readonly name: string;
  readonly spec: unknown;
}

async function specOf(options: NetworkOptions, dependencies: Dependencies): Promise<Result<Asked, Failure>> {
  if (options.filename === undefined) return ok({ name: 'cluster', spec: specFromFlags(options) });
  if (isAskedByFlags(options) || masksOf(options) !== null)
    return misused('give either -f or flags for the network, not both');
  const read = await fromFile(options.filename, dependencies);
  if (!read.ok) return read;
  const { resource } = read.value;
  return ok({ name: resource.metadata.name, spec: resource['spec'] ?? {} });
}

function specFromFlags(options: NetworkOptions): object {
  const pods = options.podNetworkCidr?.split(',');
  const services = options.serviceCidr?.split(',');
  return {
    ipFamilies: options.ipFamilies?.split(',') ?? ['IPv4', 'IPv6'],
    clusterNetwork: {
      ...(pods === undefined ? {} : { pods: { cidrBlocks: pods } }),
      ...(services === undefined ? {} : { services: { cidrBlocks: services } }),
      ...masksOf(options),
    },
  };
}

function masksOf({ nodeCidrMaskSizeIpv4, nodeCidrMaskSizeIpv6 }: NetworkOptions): object | null {
  if (nodeCidrMaskSizeIpv4 === undefined && nodeCidrMaskSizeIpv6 === undefined) return null;
  return {
    ...(nodeCidrMaskSizeIpv4 === undefined ? {} : { nodeCIDRMaskSizeIPv4: nodeCidrMaskSizeIpv4 }),
    ...(nodeCidrMaskSizeIpv6 === undefined ? {} : { nodeCIDRMaskSizeIPv6: nodeCidrMaskSizeIpv6 }),
  };
}

/** A new cluster has nothing live that could be left out: each family gets its networks here. */
function completed(spec: ClusterSpec, defaults: Readonly<Record<Family, Networks>>): ClusterSpec {
  const blocks = (network: Network): { readonly cidrBlocks: string[] } => ({
    cidrBlocks: spec.ipFamilies.map(
      (family) =>
        cidrBlocksOf(spec, network).find((text) => familyOfNetwork(text) === family) ?? defaults[family][network],
    ),
  });
  return { ...spec, clusterNetwork: { ...spec.clusterNetwork, pods: blocks('pods'), services: blocks('services') } };
}
