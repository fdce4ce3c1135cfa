import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterStatus, clusterStatusOf } from '../../src/api/cluster-status.ts';
import { type KStatus, kstatus } from '../../src/api/conditions.ts';
import type { KubeObject, TestCluster } from '../cluster/index.ts';

const RESOURCE = '/apis/dualstack.dev/v1alpha1/dualstackclusters/cluster';
const LOOK_EVERY_MS = 100;

/** What a tool that watches the resource concludes, each time that it concludes something else. */
export interface Verdict {
  readonly at: number;
  readonly generation: number;
  readonly status: ClusterStatus;
  readonly kstatus: KStatus;
  readonly reason: string;
}

export interface Observer {
  readonly verdicts: readonly Verdict[];
  /** Statuses that contradict themselves, in words. */
  readonly contradictions: readonly string[];
  stop(): Promise<void>;
}

/** Follows the DualStackCluster as `kubectl wait` or a GitOps tool does. */
export function observe(cluster: TestCluster): Observer {
  const stopping = new AbortController();
  const verdicts: Verdict[] = [];
  const contradictions: string[] = [];
  const look = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const resource = await cluster.api.get(RESOURCE).catch(() => undefined);
      if (resource !== undefined) {
        const verdict = verdictOf(resource);
        const last = verdicts.at(-1);
        if (last === undefined || last.kstatus !== verdict.kstatus || last.reason !== verdict.reason) {
          verdicts.push(verdict);
        }
        const wrong = contradictionOf(verdict);
        if (wrong !== null && contradictions.at(-1) !== wrong) contradictions.push(wrong);
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const loop = look();
  return {
    verdicts,
    contradictions,
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

function verdictOf(resource: KubeObject): Verdict {
  const status = clusterStatusOf(resource);
  const { generation = 0, deletionTimestamp } = resource.metadata;
  const conditions = status.conditions ?? [];
  return {
    at: Date.now(),
    generation,
    status,
    kstatus: kstatus({
      deleting: deletionTimestamp !== undefined,
      generation,
      observedGeneration: status.observedGeneration,
      conditions,
    }),
    reason: conditions.find(({ type }) => type === 'Ready')?.reason ?? '',
  };
}

/** The three conditions of kstatus exclude each other, belong to one generation, and Ready is true only of what was carried out in full. */
function contradictionOf({ generation, status }: Verdict): string | null {
  const of = (type: string) => status.conditions?.find((condition) => condition.type === type);
  const [ready, reconciling, stalled] = [of('Ready'), of('Reconciling'), of('Stalled')];
  if (ready === undefined || reconciling === undefined || stalled === undefined) {
    return status.observedGeneration === -1 ? null : 'a status without one of Ready, Reconciling, Stalled';
  }
  const states = `Ready=${ready.status} Reconciling=${reconciling.status} Stalled=${stalled.status} (${ready.reason})`;
  if ([ready, reconciling, stalled].filter((condition) => condition.status === 'True').length > 1) return states;
  if (status.observedGeneration > generation) return `observedGeneration ${status.observedGeneration} of ${generation}`;
  if ([ready, reconciling, stalled].some((each) => each.observedGeneration !== status.observedGeneration)) {
    return `${states}: conditions of another generation than ${status.observedGeneration}`;
  }
  const isOpen = status.plan !== undefined && status.plan.done < status.plan.total;
  return ready.status === 'True' && isOpen
    ? `${states} with ${status.plan?.done} of ${status.plan?.total} steps`
    : null;
}

/** An Event about the DualStackCluster. */
export interface ToldEvent {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly count: number;
}

export async function eventsOf(cluster: TestCluster): Promise<readonly ToldEvent[]> {
  const list = await cluster.api.get('/apis/events.k8s.io/v1/events');
  const items = (list?.['items'] ?? []) as (KubeObject & {
    readonly type: string;
    readonly reason: string;
    readonly note: string;
    readonly eventTime: string;
    readonly regarding?: { readonly kind?: string };
    readonly series?: { readonly count: number };
  })[];
  return items
    .filter(({ regarding }) => regarding?.kind === 'DualStackCluster')
    .toSorted((a, b) => (a.eventTime < b.eventTime ? -1 : 1))
    .map(({ type, reason, note, series }) => ({ type, reason, note, count: series?.count ?? 1 }));
}

/** Writes of the operator and its agents to anything that is not their own: their resources, Leases, Events. */
export async function changesSince(cluster: TestCluster, since: number): Promise<readonly string[]> {
  const writes = await cluster.auditedWrites(since);
  return writes
    .filter(({ user, dryRun }) => user.startsWith('system:serviceaccount:dualstack-system:') && !dryRun)
    .filter(({ resource }) => !/^(dualstack\.dev|coordination\.k8s\.io\/leases|events\.k8s\.io)/u.test(resource))
    .map(({ verb, resource, namespace, name }) => `${verb} ${resource} ${namespace}/${name}`);
}
