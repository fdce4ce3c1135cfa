import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditedWrite, KubeObject, TestCluster } from '../cluster/index.ts';
import type { Installed } from './conversion.ts';

/** Thousands of Services of many kinds, an operator that is killed while it changes them, and what the API servers counted meanwhile. */

export const NAMESPACES = Array.from({ length: 10 }, (_, n) => `shop-${n}`);
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/dualstack-system/leases/dualstack-operator';
const OPERATOR = 'system:serviceaccount:dualstack-system:dualstack-operator';
export const FIRST_STATE = 'dualstack.dev/first-state';
const AT_ONCE = 8;

/** There are 2,768 node ports in a cluster. */
const PORTED = 20;

/** The n-th of each twenty is of that kind; all others have a cluster IP and nothing else. */
const KINDS: Readonly<Record<number, object>> = {
  0: { type: 'NodePort', externalTrafficPolicy: 'Local' },
  1: { clusterIP: 'None' },
  2: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } },
  3: { type: 'NodePort' },
  4: { internalTrafficPolicy: 'Local', publishNotReadyAddresses: true },
  5: { clusterIP: 'None', publishNotReadyAddresses: true },
  6: { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.0/24'] },
  // On a server with one family it has one, and keeps it when the server has both.
  7: { ipFamilyPolicy: 'PreferDualStack' },
};

const serviceOf = (n: number): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: `s${n}`,
    annotations: { note: `of people ${n}` },
    // A load balancer that nobody knows has to be asked for by name.
    ...(n % PORTED === 6 ? { labels: { 'dualstack.dev/migrate': 'true' } } : {}),
  },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...KINDS[n % PORTED] },
});

/** One pod in each namespace is behind all of its Services. */
const webOf = (namespace: string): readonly object[] => [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web' }] } },
    },
  },
];

export async function openShops(cluster: TestCluster, count: number): Promise<void> {
  await apply(cluster, NAMESPACES.flatMap(webOf));
  await eachOf(
    Array.from({ length: count }, (_, n) => n),
    (n) => cluster.api.create(`/api/v1/namespaces/${NAMESPACES[n % NAMESPACES.length] ?? ''}/services`, serviceOf(n)),
  );
  for (const namespace of NAMESPACES) {
    await cluster.kubectl(['-n', namespace, 'rollout', 'status', 'deployment/web', '--timeout=60s']);
  }
}

export const apply = (cluster: TestCluster, items: readonly object[]): Promise<unknown> =>
  cluster.kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));

/** A few at a time. */
export async function eachOf<T>(items: readonly T[], use: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await use(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** What people see of a Service, but for what the server counts. */
export interface Seen {
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly ipFamilies: readonly string[];
    readonly clusterIPs: readonly string[];
  };
}

/** All Services of the shops by `namespace/name`. */
export async function seenServices(cluster: TestCluster, namespaces = NAMESPACES): Promise<ReadonlyMap<string, Seen>> {
  const seen = new Map<string, Seen>();
  for (const namespace of namespaces) {
    const list = await cluster.api.get(`/api/v1/namespaces/${namespace}/services`);
    for (const { metadata, spec } of (list?.['items'] ?? []) as readonly KubeObject[]) {
      seen.set(`${namespace}/${metadata.name}`, {
        annotations: metadata.annotations ?? {},
        labels: metadata.labels ?? {},
        spec: spec as Seen['spec'],
      });
    }
  }
  return seen;
}

/** Services that are not as a migration has to leave them, with what they are. */
export function notMigrated(before: ReadonlyMap<string, Seen>, after: ReadonlyMap<string, Seen>): readonly string[] {
  return [...before].flatMap(([key, first]) => {
    const now = after.get(key);
    const { clusterIPs, ...rest } = now?.spec ?? { clusterIPs: [] };
    const isHeadless = first.spec.clusterIPs[0] === 'None';
    const isRight =
      clusterIPs[0] === first.spec.clusterIPs[0] &&
      (isHeadless ? clusterIPs.length === 1 : clusterIPs.length === 2 && clusterIPs[1]?.includes(':') === true) &&
      same(rest, {
        ...first.spec,
        clusterIPs: undefined,
        ipFamilies: ['IPv4', 'IPv6'],
        ipFamilyPolicy: 'PreferDualStack',
      }) &&
      same(now?.annotations, {
        ...first.annotations,
        [FIRST_STATE]: JSON.stringify({
          ipFamilyPolicy: first.spec['ipFamilyPolicy'],
          ipFamilies: first.spec.ipFamilies,
        }),
      });
    return isRight ? [] : [`${key}: ${JSON.stringify(now)}`];
  });
}

/** Services of which a byte of spec or annotations differs, with what they are. */
export const notRestored = (before: ReadonlyMap<string, Seen>, after: ReadonlyMap<string, Seen>): readonly string[] =>
  [...before].flatMap(([key, { spec, annotations }]) => {
    const now = after.get(key);
    return same(now?.spec, spec) && same(now?.annotations, annotations) ? [] : [`${key}: ${JSON.stringify(now)}`];
  });

/** The server gives keys back in an order of its own. */
const same = (left: unknown, right: unknown): boolean =>
  JSON.stringify(ordered(left)) === JSON.stringify(ordered(right));

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, ordered(entry)]),
  );
}

/**
 * SIGKILL in the middle of batches of Services, so many times: each a little later in its batch than the last. Nobody waits for the Lease of the dead. Gives
 * how often.
 */
export async function killDuringBatches(installed: Installed, times: number, signal: AbortSignal): Promise<number> {
  let killed = 0;
  let begun = await batchesBegun(installed);
  while (killed < times && !signal.aborted) {
    const now = await batchesBegun(installed);
    if (now > begun) {
      await sleep(600 + 500 * killed);
      await installed.operator.stop('SIGKILL');
      await installed.cluster.api.delete(LEASE).catch(() => undefined);
      killed += 1;
      begun = await batchesBegun(installed);
    }
    await sleep(50);
  }
  return killed;
}

async function batchesBegun({ operator }: Installed): Promise<number> {
  const text = await readFile(operator.log, 'utf8');
  return text
    .split('\n')
    .filter((line) => line.includes('"carrying out a step"') && line.includes('"services/families"')).length;
}

/** The operator's changes of Services. */
export const changesOf = (writes: readonly AuditedWrite[]): readonly AuditedWrite[] =>
  writes.filter(
    ({ user, verb, resource, namespace }) =>
      user === OPERATOR && verb === 'patch' && resource === 'services' && namespace.startsWith('shop-'),
  );

/** Most of them within any one second. */
export function mostPerSecond(writes: readonly AuditedWrite[]): number {
  const times = writes.map(({ at }) => at).toSorted((a, b) => a - b);
  let first = 0;
  return times.reduce((most, at, index) => {
    while ((times[first] ?? at) <= at - 1000) first += 1;
    return Math.max(most, index - first + 1);
  }, 0);
}

/** What the API server has counted since it started. */
export interface Counted {
  readonly requests: number;
  /** Requests that it sent away because it had too much to do. */
  readonly sentAway: number;
  readonly lists: number;
}

export async function countedBy(cluster: TestCluster): Promise<Counted> {
  const { body } = await cluster.api.send('GET', '/metrics');
  const samples = String(body)
    .split('\n')
    .flatMap((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)\{(.*)\} (\S+)$/u.exec(line) ?? [];
      return name === '' ? [] : [{ name, labels, value: Number(value) }];
    });
  const sum = (name: string, label = ''): number =>
    samples
      .filter((sample) => sample.name === name && sample.labels.includes(label))
      .reduce((total, { value }) => total + value, 0);
  return {
    requests: sum('apiserver_request_total'),
    sentAway: sum('apiserver_request_total', 'code="429"') + sum('apiserver_flowcontrol_rejected_requests_total'),
    lists: sum('apiserver_request_total', 'verb="LIST"'),
  };
}
