import type { ClusterStatus } from '../api/cluster-status.ts';
import { clip, LIMITS } from '../api/fields.ts';
import type { Connectivity } from '../model/connectivity.ts';

type ConnectivityStatus = NonNullable<ClusterStatus['connectivity']>;

/** The last proof with packets as the status holds it: what is null there is absent here. */
export function connectivityStatus({ nodes, families, hops, ...rest }: Connectivity): ConnectivityStatus {
  return {
    fingerprint: rest.fingerprint,
    at: rest.at,
    failedInRow: rest.failedInRow,
    pairs: rest.pairs,
    checks: rest.checks,
    nodes: {
      ready: nodes.ready,
      probed: nodes.probed,
      ...(nodes.newest === '' ? {} : { newest: nodes.newest }),
      leftOut: [...nodes.leftOut].slice(0, LIMITS.exceptions),
    },
    families: families.map(({ family, total, failed, latency }) => ({
      family,
      total,
      failed,
      ...(latency === null ? {} : { latencyMicroseconds: latency }),
    })),
    hops: hops.slice(0, LIMITS.exceptions).map(({ hop, family, nodes: names, checks, message, remedy }) => ({
      hop,
      ...(family === null ? {} : { family }),
      nodes: [...names].slice(0, LIMITS.exceptions),
      checks,
      message: clip(message),
      remedy: clip(remedy),
    })),
  };
}

export const connectivityOf = (status: ConnectivityStatus | undefined): Connectivity | null =>
  status === undefined
    ? null
    : {
        ...status,
        nodes: { ...status.nodes, newest: status.nodes.newest ?? '' },
        families: status.families.map(({ latencyMicroseconds, ...figures }) => ({
          ...figures,
          latency: latencyMicroseconds ?? null,
        })),
        hops: status.hops.map((hop) => ({ ...hop, family: hop.family ?? null })),
      };
