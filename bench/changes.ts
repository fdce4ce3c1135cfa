// Part of `make bench`: from the change of a Node's addresses until the status of the DualStackCluster counts it; against a bare watch in Go, which
// only says that the event has come.
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { KubeClient } from '../src/kube/client.ts';
import { errorText } from '../src/kube/errors.ts';
import { reflector } from '../src/kube/reflector.ts';
import { asNumber, at, type KubeObject } from '../src/model/object.ts';
import { GATHER_MS } from '../src/reconcile/gather.ts';
import { systemClock } from '../src/runtime/clock.ts';
import type { ApiServer } from './api-server.ts';
import { endChild, linesOf, startChild } from './children.ts';
import { imageFlags } from './image-flags.ts';
import { AS_KUBELET, nodeAddresses, nodeName } from './node-objects.ts';

/** Changes a second, and how many. */
const RATES = [
  { rate: 1, changes: 20 },
  { rate: 10, changes: 100 },
  { rate: 100, changes: 500 },
] as const;
const PROGRAM = fileURLToPath(new URL('../dist/image/main.js', import.meta.url));
const CRDS = fileURLToPath(new URL('../crds/', import.meta.url));
const NAMESPACE = 'dualstack-system';
const CLUSTER = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackCluster', name: 'cluster' } as const;
const WITHIN_MS = 120_000;
/** After the last change: what has not been told by then is lost. */
const LOST_AFTER_MS = 30_000;

export interface ChangesBench {
  readonly server: ApiServer;
  readonly client: KubeClient;
  /** Nodes that there are; each second one lacks IPv6. */
  readonly nodes: number;
  /** The Go program of `reference/`. */
  readonly reference: string;
  /** How long nothing happens in the end. */
  readonly idleSeconds: number;
  readonly progress: (text: string) => void;
  readonly say: (line: string) => void;
}

type Rate = (typeof RATES)[number];

/** What became of the changes of one run. */
interface Run {
  /** Milliseconds from each change until it was seen; those that never were are left out. */
  readonly latencies: readonly number[];
  readonly seconds: number;
  /** Of the status meanwhile. */
  readonly writes: number;
}

export async function benchChanges(bench: ChangesBench): Promise<void> {
  const { progress } = bench;
  const most = Math.max(...RATES.map(({ changes }) => changes));
  if (2 * most > bench.nodes) throw new Error(`${bench.nodes} Nodes are too few: ${most} that lack IPv6 are changed`);
  const bare = await withReference(bench, async (watcher) => {
    const runs = new Map<Rate, Run>();
    for (const rate of RATES) {
      progress(`changes seen by a bare watch: ${rate.rate} a second`);
      runs.set(rate, await run(bench, watcher, rate));
    }
    return runs;
  });
  await withOperator(bench, async (operator) => {
    for (const rate of RATES) {
      progress(`changes told by the operator: ${rate.rate} a second`);
      const reference = bare.get(rate);
      if (reference !== undefined) await sayRate(bench, operator, rate, reference);
    }
    await sayIdle(bench, operator);
  });
}

async function sayRate(bench: ChangesBench, operator: Operator, rate: Rate, reference: Run): Promise<void> {
  await operator.rests();
  const ours = await run(bench, operator, rate);
  const name = `${rate.rate}-per-second`;
  for (const [which, share] of [
    ['median', 0.5],
    ['p99', 0.99],
  ] as const) {
    // The time for which changes are gathered is no delay but on purpose.
    const theirs = quantile(reference.latencies, share) + GATHER_MS;
    say(bench, `change-to-status-${name}-${which}`, quantile(ours.latencies, share), theirs, 'ms', 1);
  }
  say(bench, `changes-seen-${name}`, ours.latencies.length, reference.latencies.length, '');
  say(bench, `status-writes-${name}`, ours.writes, Math.ceil((ours.seconds * 1000) / GATHER_MS), '');
}

/** All writes but of Leases, while nothing happens; the reference are the renewals of the Lease, which any operator makes. */
async function sayIdle(bench: ChangesBench, operator: Operator): Promise<void> {
  await operator.rests();
  // What the last change set off has come to rest by then.
  await sleep(5_000);
  bench.progress(`idle for ${bench.idleSeconds} s`);
  const [writes, renewals] = [await writesServed(bench.client), operator.renewals()];
  await sleep(bench.idleSeconds * 1000);
  const written = [...(await writesServed(bench.client))].map(
    ([what, count]) => [what, count - (writes.get(what) ?? 0)] as const,
  );
  for (const [what, count] of written) if (count > 0) bench.progress(`written while idle: ${count} ${what}`);
  const sum = written.reduce((all, [, count]) => all + count, 0);
  say(bench, `idle-${bench.idleSeconds}-seconds-writes`, sum, operator.renewals() - renewals, '');
}

function say(bench: ChangesBench, name: string, ours: number, reference: number, unit: string, digits = 0): void {
  const [a, b] = [ours.toFixed(digits), reference.toFixed(digits)];
  bench.say(`${name} ours ${a}${unit} reference ${b}${unit} ratio ${(ours / reference).toFixed(2)}`);
}

interface Watcher {
  /** The changes of a run begin. */
  begin(): void;
  /** When the change of that Node was seen, which was the n-th of the run; undefined: it has not been. */
  seenAt(node: string, n: number): number | undefined;
  /** Of the DualStackCluster so far. */
  writes(): number;
}

async function run(bench: ChangesBench, watcher: Watcher, { rate, changes }: Rate): Promise<Run> {
  watcher.begin();
  const [began, writesBefore] = [performance.now(), watcher.writes()];
  const made: Promise<{ readonly node: string; readonly sent: number; readonly done: number }>[] = [];
  for (let n = 0; n < changes; n++) {
    await sleep(Math.max(0, began + (n * 1000) / rate - performance.now()));
    const [node, sent] = [lacking(n), performance.now()];
    made.push(
      setAddresses(bench.client, node, true).then(() => ({ node: nodeName(node), sent, done: performance.now() })),
    );
  }
  const inOrder = (await Promise.all(made)).toSorted((a, b) => a.done - b.done);
  const deadline = performance.now() + LOST_AFTER_MS;
  const isSeen = (): boolean => inOrder.every(({ node }, n) => watcher.seenAt(node, n) !== undefined);
  while (!isSeen() && performance.now() < deadline) await sleep(50);
  const [seconds, writes] = [(performance.now() - began) / 1000, watcher.writes() - writesBefore];
  const latencies = inOrder.flatMap(({ node, sent }, n) => {
    const seen = watcher.seenAt(node, n);
    return seen === undefined ? [] : [seen - sent];
  });
  for (let n = 0; n < changes; n++) await setAddresses(bench.client, lacking(n), false);
  // What tells of these is none of the next run's business.
  await sleep(1_000);
  return { latencies, seconds, writes };
}

/** Number of the n-th Node that lacks IPv6. */
const lacking = (n: number): number => 2 * n + 1;

async function setAddresses(client: KubeClient, node: number, dual: boolean): Promise<void> {
  const patched = await client.mergePatch(
    { apiVersion: 'v1', kind: 'Node', name: nodeName(node) },
    { status: { addresses: nodeAddresses(node, dual) } },
    { ...AS_KUBELET, subresource: 'status' },
  );
  if (!patched.ok) throw new Error(errorText(patched.error));
}

async function withReference<T>(bench: ChangesBench, use: (watcher: Watcher) => Promise<T>): Promise<T> {
  const { server, reference, nodes, progress } = bench;
  progress('changes seen by a bare watch: starting it');
  const child = startChild(reference, [server.kubeconfig, 'watch'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const seen = new Map<string, number>();
    let synced = false;
    linesOf(child).on('line', (line) => {
      const [word, name = ''] = line.split(' ');
      if (word === 'synced') synced = true;
      else if (!seen.has(name)) seen.set(name, performance.now());
    });
    await until(`the reference has ${nodes} Nodes`, () => synced);
    return await use({ begin: () => seen.clear(), seenAt: (node) => seen.get(node), writes: () => 0 });
  } finally {
    await endChild(child);
  }
}

interface Operator extends Watcher {
  /** The status counts the Nodes as they were in the beginning. */
  rests(): Promise<void>;
  /** Of the Lease. */
  renewals(): number;
}

async function withOperator(bench: ChangesBench, use: (operator: Operator) => Promise<void>): Promise<void> {
  const { server, client, nodes, progress } = bench;
  await install(client);
  const log = join(server.folder, 'operator.log');
  const output = openSync(log, 'a');
  const ports = ['--metrics-bind-address=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0'];
  const args = [...imageFlags(), PROGRAM, 'operator', ...ports, `--kubeconfig=${server.kubeconfig}`];
  const child = startChild(process.execPath, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  const stopping = new AbortController();
  /** How many Nodes each version of the status counts, and when it came. */
  const versions: { readonly at: number; readonly dualStack: number }[] = [];
  let renewals = 0;
  const watched = [
    follow(client, CLUSTER, stopping.signal, (cluster) =>
      versions.push({ at: performance.now(), dualStack: asNumber(at(cluster, 'status', 'nodes', 'dualStack')) ?? -1 }),
    ),
    follow(client, { ...LEASES, namespace: NAMESPACE }, stopping.signal, () => (renewals += 1)),
  ];
  /** Each second one has both families. */
  const base = Math.ceil(nodes / 2);
  /** The first version of the run that is under way. */
  let first = 0;
  try {
    progress(`changes told by the operator: starting it; ${nodes} DualStackNodes are being made`);
    const rests = (): Promise<void> =>
      until('the status counts the Nodes as they are', () => versions.at(-1)?.dualStack === base);
    await rests();
    const isWhole = async (): Promise<boolean> => (await countOf(client, 'DualStackNode')) === nodes;
    await until(`there are ${nodes} DualStackNodes`, isWhole, 2_000);
    await use({
      rests,
      begin: () => {
        first = versions.length;
      },
      seenAt: (_node, n) => versions.slice(first).find(({ dualStack }) => dualStack >= base + n + 1)?.at,
      writes: () => versions.length,
      renewals: () => renewals,
    });
  } catch (thrown) {
    progress(`the operator's log ends with:\n${readFileSync(log, 'utf8').split('\n').slice(-20).join('\n')}`);
    throw thrown;
  } finally {
    stopping.abort();
    await Promise.all(watched);
    await endChild(child);
  }
}

const LEASES = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' } as const;

/** Tells of each version of objects of one kind, until the signal aborts. */
function follow(
  client: KubeClient,
  { apiVersion, kind, namespace }: { readonly apiVersion: string; readonly kind: string; readonly namespace?: string },
  signal: AbortSignal,
  tell: (object: KubeObject) => unknown,
): Promise<void> {
  const cache = reflector({
    client,
    clock: systemClock,
    random: Math.random,
    query: { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }) },
    trim: (object) => object,
    onChange: (change) => {
      if (change.type !== 'Deleted') tell(change.item);
    },
  });
  return cache.run(signal);
}

async function countOf(client: KubeClient, kind: string): Promise<number> {
  const page = await client.list({ apiVersion: CLUSTER.apiVersion, kind });
  return page.ok ? page.value.items.length : -1;
}

/** Writes that the API server has carried out so far, by verb and resource; but of Leases, among which is one of its own. */
async function writesServed(client: KubeClient): Promise<ReadonlyMap<string, number>> {
  const metrics = await client.text('/metrics');
  if (!metrics.ok) throw new Error(errorText(metrics.error));
  const counts = new Map<string, number>();
  for (const line of metrics.value.split('\n')) {
    const count = /^apiserver_request_total\{(?<labels>.*)\} (?<count>\S+)$/u.exec(line)?.groups;
    const labels = count?.['labels'] ?? '';
    const [verb = '', resource] = ['verb', 'resource'].map(
      (name) => new RegExp(`\\b${name}="(.*?)"`, 'u').exec(labels)?.[1] ?? '',
    );
    if (!WRITES.has(verb) || resource === 'leases') continue;
    const what = `${verb} ${resource}`;
    counts.set(what, (counts.get(what) ?? 0) + Number(count?.['count']));
  }
  return counts;
}

const WRITES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE', 'DELETECOLLECTION']);

/** The kinds, a namespace, and a resource of which nothing is to be carried out. */
async function install(client: KubeClient): Promise<void> {
  const files = readdirSync(CRDS).filter((file) => file.startsWith('dualstack.dev_'));
  const manifests = files.map((file) => parse(readFileSync(join(CRDS, file), 'utf8')) as KubeObject);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  for (const object of [...manifests, namespace]) {
    const created = await client.create(object);
    if (!created.ok) throw new Error(errorText(created.error));
  }
  const cluster = {
    apiVersion: CLUSTER.apiVersion,
    kind: CLUSTER.kind,
    metadata: { name: CLUSTER.name },
    spec: {
      ipFamilies: ['IPv4', 'IPv6'],
      clusterNetwork: { pods: { cidrBlocks: ['fd00:10:200::/48'] }, services: { cidrBlocks: ['fd00:10:96::/112'] } },
      mode: 'Plan',
      // That a node has now been without for longer is a change, and would be told while nothing else happens.
      nodes: { gracePeriod: '1h' },
    },
  };
  await until('the new kind is served', async () => (await client.create(cluster)).ok);
}

async function until(what: string, holds: () => boolean | Promise<boolean>, everyMs = 50): Promise<void> {
  const deadline = performance.now() + WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${WITHIN_MS / 1000} s: ${what}`);
    await sleep(everyMs);
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
