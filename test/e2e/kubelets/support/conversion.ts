import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusterStatusOf, type ClusterStatus } from '../../../../src/api/cluster-status.ts';
import { conditionOf, isReady, isStalled, summary } from '../../../support/conversion.ts';
import type { RealCluster, RealNode } from '../../cluster/index.ts';

const POLL_MS = 1000;
const PODS = { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' } as const;
const SERVICES = { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' } as const;

/** The resource that adds the family which the cluster was not made with; `spec` adds to what is asked for. */
export function dualStackCluster(cluster: RealCluster, spec: Readonly<Record<string, unknown>> = {}): object {
  const { primary } = cluster.settings;
  const added = primary === 'IPv4' ? 'IPv6' : 'IPv4';
  return {
    apiVersion: 'dualstack.dev/v1alpha1',
    kind: 'DualStackCluster',
    metadata: { name: 'cluster' },
    spec: {
      ipFamilies: [primary, added],
      clusterNetwork: {
        pods: { cidrBlocks: [PODS[added]] },
        services: { cidrBlocks: [SERVICES[added]] },
      },
      nodes: { podCIDRs: 'Replace' },
      ...spec,
    },
  };
}

export async function applyResource(cluster: RealCluster, resource: object): Promise<void> {
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(resource));
}

/** As it is in the API; undefined while no API server answers. */
export async function statusNow(cluster: RealCluster): Promise<ClusterStatus | undefined> {
  const read = await cluster.tryKubectl(['get', 'dualstackcluster', 'cluster', '-o', 'json', '--request-timeout=5s']);
  return read.code === 0 ? clusterStatusOf(JSON.parse(read.stdout) as Record<string, unknown>) : undefined;
}

export { conditionOf, isReady, isStalled };

/** All is converted, and no node lacks anything. */
export const isWhole = (status: ClusterStatus): boolean => isReady(status) && status.nodes?.exceptions.length === 0;

/** Waits for the status; gives it. A time-out tells the last one. */
export async function untilStatus(
  cluster: RealCluster,
  what: string,
  holds: (status: ClusterStatus) => boolean,
  deadlineMs: number,
): Promise<ClusterStatus> {
  const end = performance.now() + deadlineMs;
  let last: ClusterStatus | undefined;
  while (performance.now() < end) {
    last = (await statusNow(cluster)) ?? last;
    if (last !== undefined && holds(last)) return last;
    await sleep(POLL_MS);
  }
  throw new Error(
    `not within ${deadlineMs / 1000} s: ${what}; last seen: ${summary(last)}\n${await cluster.diagnose()}`,
  );
}

/** When each step was carried out, as the operator's pods logged it. */
export interface Done {
  readonly at: number;
  readonly step: string;
  readonly outcome: string;
}

export const stepsDone = (cluster: RealCluster): readonly Done[] =>
  cluster.nodes
    .flatMap((node) => linesOf(node, OPERATOR_LOG))
    .flatMap((line) => {
      if (!line.includes('"carried out a step"')) return [];
      const { ts, step, outcome } = JSON.parse(line.slice(line.indexOf('{'))) as Record<string, string>;
      return [{ at: Date.parse(ts ?? ''), step: step ?? '', outcome: outcome ?? '' }];
    })
    .toSorted((a, b) => a.at - b.at);

/** What the agent of a host said while it changed the API server there. */
export const agentsWords = (node: RealNode): readonly string[] =>
  linesOf(node, AGENT_LOG).filter((line) => /API server|kube-apiserver/u.test(line));

/** Read on the host: kubectl shows the logs of a container that was restarted only in part. */
function linesOf(node: RealNode, log: RegExp): readonly string[] {
  const folder = node.onDisk('/var/log/pods');
  const logs = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => log.test(name));
  return logs.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
}

const OPERATOR_LOG = /dualstack-operator[^/]*\/operator\/\d+\.log$/u;
const AGENT_LOG = /dualstack-agent[^/]*\/agent\/\d+\.log$/u;
