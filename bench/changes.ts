// Part of `make bench`: from the change of a Node's addresses until the status of the DualStackCluster counts it; against a bare watch in Go, which
// only says that the event has come.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { KubeClient } from '../src/kube/client.ts';
import { errorText } from '../src/kube/errors.ts';
import { reflector } from '../src/kube/reflector.ts';
import { asNumber, at, type KubeObject } from '../src/model/object.ts';
import { systemClock } from '../src/runtime/clock.ts';
import type { ApiServer } from './api-server.ts';
import { nodeAddresses, nodeName } from './node-objects.ts';

/** Changes a second, and how many. */
const RATES = [
  { rate: 1, changes: 20 },
  { rate: 10, changes: 100 },
  { rate: 100, changes: 500 },
] as const;
const PROGRAM = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const CRDS = fileURLToPath(new URL('../crds/', import.meta.url));
const CLUSTER = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackCluster', name: 'cluster' } as const;
const WITHIN_MS = 120_000;

export interface ChangesBench {
  readonly server: ApiServer;
  readonly client: KubeClient;
  /** Nodes that there are; each second one lacks IPv6. */
  readonly nodes: number;
  /** The Go program of `reference/`. */
  readonly reference: string;
  readonly progress: (text: string) => void;
  readonly say: (line: string) => void;
}

/** Milliseconds from each change until it was seen. */
type Latencies = readonly number[];

export async function benchChanges(bench: ChangesBench): Promise<void> {
  const reference = await inTurn(bench, 'a bare watch', startReference);
  const ours = await inTurn(bench, 'the operator', startOperator);
  RATES.forEach(({ rate }, index) => {
    const [a, b] = [ours.latencies[index] ?? [], reference.latencies[index] ?? []];
    for (const [name, share] of [
      ['median', 0.5],
      ['p99', 0.99],
    ] as const) {
      const [x, y] = [quantile(a, share), quantile(b, share)];
      const text = `change-to-status-${rate}-per-second-${name} ours ${x.toFixed(0)}ms reference ${y.toFixed(0)}ms ratio ${(x / y).toFixed(2)}`;
      bench.say(text);
    }
    const writes = ours.writes[index] ?? { count: 0, seconds: 1 };
    const most = Math.ceil(writes.seconds) + 1;
    bench.say(
      `status-writes-at-${rate}-per-second ours ${writes.count} reference ${most} ratio ${(writes.count / most).toFixed(2)}`,
    );
  });
}

interface Watcher {
  /** When the change of that Node, the n-th of the run, was seen; waits for it. */
  seen(node: string, n: number): Promise<number>;
  /** A new run begins. */
  begin(): Promise<void>;
  /** Status writes since then. */
  writes(): number;
  stop(): Promise<void>;
}

interface Measured {
  readonly latencies: readonly Latencies[];
  readonly writes: readonly { readonly count: number; readonly seconds: number }[];
}

async function inTurn(
  bench: ChangesBench,
  what: string,
  start: (bench: ChangesBench) => Promise<Watcher>,
): Promise<Measured> {
  bench.progress(`changes seen by ${what}: starting it`);
  const watcher = await start(bench);
  const latencies: Latencies[] = [];
  const writes: { count: number; seconds: number }[] = [];
  try {
    for (const { rate, changes } of RATES) {
      bench.progress(`changes seen by ${what}: ${rate} a second`);
      await watcher.begin();
      const began = performance.now();
      latencies.push(await run(bench, watcher, rate, changes));
      writes.push({ count: watcher.writes(), seconds: (performance.now() - began) / 1000 });
      for (let n = 0; n < changes; n++) await setAddresses(bench.client, lacking(n), false);
    }
  } finally {
    await watcher.stop();
  }
  return { latencies, writes };
}

/** Number of the n-th Node that lacks IPv6. */
const lacking = (n: number): number => 2 * n + 1;

async function run(bench: ChangesBench, watcher: Watcher, rate: number, changes: number): Promise<Latencies> {
  const began = performance.now();
  const made: Promise<{ readonly node: string; readonly at: number }>[] = [];
  for (let n = 0; n < changes; n++) {
    await sleep(Math.max(0, began + (n * 1000) / rate - performance.now()));
    const node = lacking(n);
    made.push(setAddresses(bench.client, node, true).then(() => ({ node: nodeName(node), at: performance.now() })));
  }
  const inOrder = (await Promise.all(made)).toSorted((a, b) => a.at - b.at);
  return Promise.all(inOrder.map(async ({ node, at: changed }, n) => (await watcher.seen(node, n)) - changed));
}

async function setAddresses(client: KubeClient, node: number, dual: boolean): Promise<void> {
  const patched = await client.mergePatch(
    { apiVersion: 'v1', kind: 'Node', name: nodeName(node) },
    { status: { addresses: nodeAddresses(node, dual) } },
    { subresource: 'status' },
  );
  if (!patched.ok) throw new Error(errorText(patched.error));
}

async function startReference({ server, reference, nodes }: ChangesBench): Promise<Watcher> {
  const child = spawn(reference, [server.kubeconfig, 'watch'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const seen = new Map<string, number>();
  let synced = false;
  lines.on('line', (line) => {
    const [word, name = ''] = line.split(' ');
    if (word === 'synced') synced = true;
    else if (!seen.has(name)) seen.set(name, performance.now());
  });
  await until(`the reference has ${nodes} Nodes`, () => synced);
  return {
    begin: () => {
      seen.clear();
      return Promise.resolve();
    },
    async seen(node) {
      await until(`the change of ${node} is told`, () => seen.has(node));
      return seen.get(node) ?? Number.NaN;
    },
    writes: () => 0,
    stop: () => end(child),
  };
}

async function startOperator({ server, client, nodes, progress }: ChangesBench): Promise<Watcher> {
  await install(client);
  const args = ['--max-semi-space-size=2', PROGRAM, 'operator', '--no-leader-elect'];
  const ports = ['--metrics-bind-address=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0'];
  const child = spawn(process.execPath, [...args, ...ports, `--kubeconfig=${server.kubeconfig}`], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const stopping = new AbortController();
  /** How many Nodes each version of the status counted, and when it came. */
  let versions: { readonly at: number; readonly dualStack: number }[] = [];
  const cache = reflector({
    client,
    clock: systemClock,
    random: Math.random,
    query: { apiVersion: CLUSTER.apiVersion, kind: CLUSTER.kind },
    trim: countOf,
    onChange: (change) => {
      if (change.type !== 'Deleted') versions.push({ at: performance.now(), dualStack: change.item });
    },
  });
  const watching = cache.run(stopping.signal);
  /** Each second one has both families. */
  const base = Math.ceil(nodes / 2);
  const rests = (): Promise<void> =>
    until('the status counts the Nodes as they are', () => versions.at(-1)?.dualStack === base);
  progress(`${nodes} DualStackNodes are being made`);
  await rests();
  return {
    async begin() {
      await rests();
      versions = versions.slice(-1);
    },
    async seen(node, n) {
      const counts = (): number | undefined => versions.find(({ dualStack }) => dualStack >= base + n + 1)?.at;
      await until(`the status counts ${node}`, () => counts() !== undefined);
      return counts() ?? Number.NaN;
    },
    writes: () => versions.length - 1,
    async stop() {
      stopping.abort();
      await watching;
      await end(child);
    },
  };
}

const countOf = (cluster: KubeObject): number => asNumber(at(cluster, 'status', 'nodes', 'dualStack')) ?? -1;

/** The kinds, a namespace, and a resource of which nothing is to be carried out. */
async function install(client: KubeClient): Promise<void> {
  const files = readdirSync(CRDS).filter((file) => file.startsWith('dualstack.dev_'));
  const manifests = files.map((file) => parse(readFileSync(join(CRDS, file), 'utf8')) as KubeObject);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'dualstack-system' } };
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
    },
  };
  await until('the new kind is served', async () => (await client.create(cluster)).ok);
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${WITHIN_MS / 1000} s: ${what}`);
    await sleep(5);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

function quantile(values: Latencies, share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
