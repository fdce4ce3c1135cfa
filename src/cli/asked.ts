import { createHash } from 'node:crypto';
import { parseAllDocuments } from 'yaml';
import { type Network, NETWORKS } from '../model/networks.ts';
import { at, type KubeObject } from '../model/object.ts';
import { type Family, FAMILIES, otherFamily } from '../net/family.ts';
import { err, ok, type Result } from '../result.ts';
import type { LiveCluster } from './session.ts';

/** The wanted state as flags of `check` and `plan` say it. Values are checked with the resource, not here. */
export interface AskedByFlags {
  readonly ipFamilies?: string;
  /** One CIDR or one per family, separated by a comma, as kubeadm takes them. */
  readonly podNetworkCidr?: string;
  readonly serviceCidr?: string;
}

export const isAskedByFlags = (flags: AskedByFlags): boolean =>
  flags.ipFamilies !== undefined || flags.podNetworkCidr !== undefined || flags.serviceCidr !== undefined;

/** The resource that says the same as the flags; what they leave out is proposed, but for networks that are `there` in both families. */
export function resourceFromFlags(flags: AskedByFlags, live: LiveCluster, there: readonly Network[] = []): KubeObject {
  const families = flags.ipFamilies?.split(',') ?? [live.primaryFamily, otherFamily(live.primaryFamily)];
  const proposal = proposeCIDRs(live);
  const asked = { pods: flags.podNetworkCidr, services: flags.serviceCidr };
  const networks = NETWORKS.filter((network) => asked[network] !== undefined || !there.includes(network));
  return {
    apiVersion: 'dualstack.dev/v1alpha1',
    kind: 'DualStackCluster',
    metadata: { name: 'cluster' },
    spec: {
      ipFamilies: families,
      ...(families.length === 1 || networks.length === 0
        ? {}
        : {
            clusterNetwork: Object.fromEntries(
              networks.map((network) => [network, { cidrBlocks: asked[network]?.split(',') ?? [proposal[network]] }]),
            ),
          }),
    },
  };
}

/**
 * Networks of the missing family for a cluster that was given none. IPv6: a unique local prefix (RFC 4193) whose 40 bits come from
 * the cluster's identity, so that two clusters hardly ever share one and the same cluster always gets the same proposal.
 * IPv4: the ones that most installers use. Both are proposals: overlaps are found by the checks.
 */
export function proposeCIDRs(live: LiveCluster): { readonly pods: string; readonly services: string } {
  if (live.primaryFamily === 'IPv6') return { pods: '10.244.0.0/16', services: '10.96.0.0/16' };
  const bits = createHash('sha256').update(live.uid).digest('hex');
  const site = [`fd${bits.slice(0, 2)}`, ...[bits.slice(2, 6), bits.slice(6, 10)].map(withoutLeadingZeros)].join(':');
  return { pods: `${site}::/52`, services: `${site}:f000::/112` };
}

const withoutLeadingZeros = (group: string): string => Number.parseInt(group, 16).toString(16);

/** The one DualStackCluster in a file, which may hold other objects as well. The error names the file. */
export function resourceFromFile(file: string, text: string): Result<KubeObject, string> {
  const documents = parseAllDocuments(text);
  for (const document of Array.isArray(documents) ? documents : []) {
    const [problem] = document.errors;
    if (problem !== undefined) return err(`${file} is no valid YAML: ${problem.message.split('\n')[0] ?? ''}`);
  }
  const found = (Array.isArray(documents) ? documents : [])
    .map((document): unknown => document.toJS())
    .filter((each) => at(each, 'kind') === 'DualStackCluster');
  const [resource, ...more] = found;
  if (resource === undefined) return err(`${file} holds no DualStackCluster: give a file that holds one`);
  if (more.length > 0) return err(`${file} holds ${found.length} DualStackClusters: only one can govern, leave one`);
  if (typeof at(resource, 'metadata', 'name') !== 'string')
    return err(`${file}: metadata.name is missing: name the resource`);
  return ok(resource as KubeObject);
}

/** The families that a resource asks for, as far as they are named correctly. */
export function familiesOf(resource: KubeObject): readonly Family[] {
  const named = at(resource, 'spec', 'ipFamilies');
  return Array.isArray(named) ? FAMILIES.filter((family) => named.includes(family)) : FAMILIES;
}
