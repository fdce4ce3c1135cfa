import type { Network } from '../model/networks.ts';
import type { Request } from '../model/request.ts';
import { cidrList, type Wanted } from '../model/wanted.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { durationOf } from './duration.ts';

/**
 * The spec that was carried out, with every default explicit and what was found out filled in: `status.applied`. Whether a later
 * change is safe is judged by comparing with it.
 */
export function appliedSpec(
  request: Request,
  wanted: Wanted,
  found: { readonly distribution: string; readonly cni: string },
): ClusterSpec {
  return {
    ipFamilies: [...wanted.families],
    mode: request.mode,
    paused: request.paused,
    approvedPlanHash: request.approvedPlanHash,
    distribution: found.distribution,
    cni: found.cni,
    clusterNetwork: {
      ...networkOf('pods', cidrList(wanted.families, wanted.pods)),
      ...networkOf('services', cidrList(wanted.families, wanted.services)),
      ...(wanted.nodeMask.IPv4 === undefined ? {} : { nodeCIDRMaskSizeIPv4: wanted.nodeMask.IPv4 }),
      ...(wanted.nodeMask.IPv6 === undefined ? {} : { nodeCIDRMaskSizeIPv6: wanted.nodeMask.IPv6 }),
    },
    nodes: nodesOf(request.nodes),
    services: { migration: request.serviceMigration },
    workloads: { restart: request.workloadRestart },
    rollout: { onFailure: request.onFailure, tolerateUnavailable: request.tolerateUnavailable },
    verification: { mode: request.verification },
    deletionPolicy: request.deletionPolicy,
    ...request.options,
  };
}

const nodesOf = ({ drain, ...nodes }: Request['nodes']): NonNullable<ClusterSpec['nodes']> => ({
  ...nodes,
  gracePeriod: durationOf(nodes.gracePeriod),
  ...(drain === undefined ? {} : { drain: { ...drain, timeout: durationOf(drain.timeout) } }),
});

/** A network whose CIDR is not known is left out: the schema takes no empty list. */
const networkOf = (name: Network, cidrs: readonly string[]) =>
  cidrs.length === 0 ? {} : { [name]: { cidrBlocks: [...cidrs] } };
