import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusterStatusOf, type ClusterStatus } from '../../src/api/cluster-status.ts';
import { type ClusterOptions, type ProcessRecord, startCluster, type TestCluster } from '../cluster/index.ts';
import type { WatchOptions } from '../../src/agent/watch.ts';
import { type Agents, install, type OperatorProcess, startAgents, startOperator } from './install.ts';

export const SERVICES = '10.96.0.0/16,fd00:10:96::/112';
export const PODS = '10.244.0.0/16,fd00:10:244::/56';
const RESOURCE = '/apis/dualstack.dev/v1alpha1/dualstackclusters/cluster';

/** A cluster with the operator and its agents at work, and no DualStackCluster yet. */
export interface Installed {
  readonly cluster: TestCluster;
  readonly agents: Agents;
  /** The one that runs; when it ends another takes its place. */
  operator: OperatorProcess;
  stop(): Promise<void>;
}

export async function startInstalled(
  options: ClusterOptions,
  watch: Partial<WatchOptions> = {},
  operatorArguments: readonly string[] = [],
): Promise<Installed> {
  const cluster = await startCluster({ calico: { manifest: 'vxlan' }, ...options });
  try {
    await install(cluster);
    const [agents, operator] = await Promise.all([
      startAgents(cluster, watch),
      startOperator(cluster, operatorArguments),
    ]);
    const stopping = new AbortController();
    const installed: Installed = {
      cluster,
      agents,
      operator,
      async stop() {
        stopping.abort();
        await keeping;
        await installed.operator.stop();
        await agents.stop();
        await cluster.stop();
      },
    };
    const keeping = keepRunning(installed, stopping.signal, operatorArguments);
    return installed;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** As a Deployment does: an operator that ended, such as for a Lease that it could not renew, is started again. */
async function keepRunning(
  installed: Installed,
  signal: AbortSignal,
  operatorArguments: readonly string[],
): Promise<void> {
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  for (;;) {
    await Promise.race([installed.operator.exited, aborted]);
    if (signal.aborted) return;
    try {
      installed.operator = await startOperator(installed.cluster, operatorArguments);
    } catch {
      // The API is away, and with it the token for its account.
      await Promise.race([sleep(500), aborted]);
    }
  }
}

/** Asks for both families. `spec` adds to, and wins over, what is asked for. */
export async function askForDualStack(
  cluster: TestCluster,
  spec: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const resource = {
    apiVersion: 'dualstack.dev/v1alpha1',
    kind: 'DualStackCluster',
    metadata: { name: 'cluster' },
    spec: {
      ipFamilies: ['IPv4', 'IPv6'],
      clusterNetwork: {
        pods: { cidrBlocks: ['fd00:10:244::/56'] },
        services: { cidrBlocks: ['fd00:10:96::/112'] },
      },
      ...spec,
    },
  };
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], JSON.stringify(resource));
}

/** As it is in the API; undefined while no API server answers. */
export async function statusNow(cluster: TestCluster): Promise<ClusterStatus | undefined> {
  const resource = await cluster.api.get(RESOURCE).catch(() => undefined);
  return resource === undefined ? undefined : clusterStatusOf(resource);
}

export const conditionOf = (status: ClusterStatus | undefined, type: string) =>
  status?.conditions?.find((condition) => condition.type === type);

/** Waits for the status; gives it. A time-out tells the last one. */
export async function untilStatus(
  cluster: TestCluster,
  what: string,
  holds: (status: ClusterStatus) => boolean,
  deadlineMs: number,
): Promise<ClusterStatus> {
  const end = performance.now() + deadlineMs;
  let last: ClusterStatus | undefined;
  while (performance.now() < end) {
    last = await statusNow(cluster);
    if (last !== undefined && holds(last)) return last;
    await sleep(100);
  }
  throw new Error(`not within ${deadlineMs / 1000} s: ${what}; last seen: ${summary(last)}`);
}

export const isReady = (status: ClusterStatus): boolean => conditionOf(status, 'Ready')?.status === 'True';

export const isStalled = (status: ClusterStatus): boolean => conditionOf(status, 'Stalled')?.status === 'True';

export const summary = (status: ClusterStatus | undefined): string =>
  JSON.stringify({
    conditions: status?.conditions?.map(({ type, status: value, reason, message }) => [type, value, reason, message]),
    current: status?.plan?.current,
    blockers: status?.plan?.blockers,
  });

/** What the operator logged as carried out, in order; over all of its processes. */
export async function stepsCarriedOut(
  installed: Pick<Installed, 'operator'>,
): Promise<readonly { readonly at: number; readonly step: string; readonly outcome: string }[]> {
  const text = await readFile(installed.operator.log, 'utf8');
  return text.split('\n').flatMap((line) => {
    if (!line.includes('"carried out a step"')) return [];
    const { ts, step, outcome } = JSON.parse(line) as { ts: string; step: string; outcome: string };
    return [{ at: Date.parse(ts), step, outcome }];
  });
}

export const flagOf = ({ args }: Pick<ProcessRecord, 'args'>, flag: string): string | undefined =>
  args.find((argument) => argument.startsWith(`--${flag}=`))?.slice(flag.length + 3);
