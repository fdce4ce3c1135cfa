// Part of `make bench`: how fast, and in how much memory, a cache of thousands of Nodes is filled; ours against a Go operator's.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findBinaries } from '../hack/binaries.mjs';
import { bundleParts } from '../hack/bundle.mjs';
import type { KubeClient } from '../src/kube/client.ts';
import { connect } from '../src/kube/connect.ts';
import { errorText } from '../src/kube/errors.ts';
import { systemClock } from '../src/runtime/clock.ts';
import { startApiServer } from './api-server.ts';
import { benchChanges } from './changes.ts';
import { endChild, linesOf, startChild } from './children.ts';
import { imageFlags } from './image-flags.ts';
import { AS_KUBELET, nodeObject } from './node-objects.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '5000,15000' },
    runs: { type: 'string', default: '5' },
    /** `no`: only how the cache is filled; `only`: that is left out. */
    changes: { type: 'string', default: 'yes' },
    'idle-seconds': { type: 'string', default: '300' },
  },
});
const sizes = values.nodes.split(',').map(Number);
const runs = Number(values.runs);
const AT_ONCE = 16;
/** The kernel counts time in hundredths of a second, whatever the machine. */
const TICKS = 100;

/** No kubeconfig of the user's own is found. */
const HOMELESS = { PATH: process.env['PATH'], HOME: '/nonexistent' };

const began = Date.now();
const progress = (text: string): void => console.error(`[${((Date.now() - began) / 1000).toFixed(0)} s] ${text}`);

const tell = (line: string): void => console.log(line);

interface Figures {
  readonly seconds: number;
  readonly peakMB: number;
  readonly cpuSeconds: number;
}

const { 'node-cache': reference = '' } = await findBinaries({ names: ['node-cache'] });
const server = await startApiServer();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void server.stop().then(() => process.exit(1)));
}
try {
  // As the operator is in its image.
  await bundleParts(fileURLToPath(new URL('cached-nodes.ts', import.meta.url)), join(server.folder, 'ours'));
  const bundle = join(server.folder, 'ours', 'main.js');
  // It is made of ES modules.
  writeFileSync(join(server.folder, 'package.json'), JSON.stringify({ type: 'module' }));
  const made = await connect({
    kubeconfig: server.kubeconfig,
    version: 'bench',
    clock: systemClock,
    random: Math.random,
    environment: {},
  });
  if (!made.ok) throw new Error(made.error);
  let there = 0;
  for (const size of sizes) {
    progress(`making ${size - there} Nodes`);
    there = await makeNodes(made.value.client, there, size);
    if (values.changes !== 'only') await benchCache(size, bundle);
    // What a change takes is measured with the fewest of them.
    if (size !== sizes[0] || values.changes === 'no') continue;
    const idleSeconds = Number(values['idle-seconds']);
    await benchChanges({ server, client: made.value.client, nodes: size, reference, idleSeconds, progress, say: tell });
  }
  await made.value.close();
} finally {
  await server.stop();
}

async function benchCache(size: number, bundle: string): Promise<void> {
  const sides = {
    ours: () =>
      sync(process.execPath, [...imageFlags(), bundle, server.account.folder], size, server.account.environment),
    reference: () => sync(reference, [server.kubeconfig], size),
  };
  // The first of each brings files and the server's own cache into memory.
  await sides.ours();
  await sides.reference();
  const [ours, theirs]: [Figures[], Figures[]] = [[], []];
  for (let run = 0; run < runs; run++) {
    progress(`${size} Nodes: run ${run + 1} of ${runs}`);
    ours.push(await sides.ours());
    theirs.push(await sides.reference());
  }
  say(`nodes-${size}-synced`, 's', ours, theirs, ({ seconds }) => seconds);
  say(`nodes-${size}-peak-memory`, 'MB', ours, theirs, ({ peakMB }) => peakMB);
  say(`nodes-${size}-cpu`, 's', ours, theirs, ({ cpuSeconds }) => cpuSeconds);
}

/** Gives how many there are then. A server that has just started refuses for a moment. */
async function makeNodes(client: KubeClient, from: number, to: number): Promise<number> {
  let next = from;
  const work = async (): Promise<void> => {
    while (next < to) {
      const created = await client.create(nodeObject(next++), AS_KUBELET);
      if (!created.ok) throw new Error(errorText(created.error));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return to;
}

/** Runs one side until it has all of them. What it took by then is read from the kernel, the same way for both. */
async function sync(
  program: string,
  args: readonly string[],
  size: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<Figures> {
  const started = performance.now();
  const env = { ...HOMELESS, ...environment };
  const child = startChild(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  try {
    for await (const line of linesOf(child)) {
      const seconds = (performance.now() - started) / 1000;
      if (line !== `synced ${size}`) throw new Error(`${program} said: ${line}`);
      return { seconds, ...usageOf(child.pid ?? 0) };
    }
    throw new Error(`${program} ended before it had all Nodes`);
  } finally {
    await endChild(child);
  }
}

function usageOf(pid: number): Omit<Figures, 'seconds'> {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  // Behind the program's name, which may hold spaces: fields 3 and up, of which 14 and 15 are user and system time.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /su, '')
    .split(' ');
  return { peakMB: Number(kilobytes) / 1024, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS };
}

function say(
  name: string,
  unit: string,
  ours: readonly Figures[],
  reference: readonly Figures[],
  figure: (one: Figures) => number,
): void {
  const [a, b] = [median(ours.map(figure)), median(reference.map(figure))];
  console.log(`${name} ours ${a.toFixed(2)}${unit} reference ${b.toFixed(2)}${unit} ratio ${(a / b).toFixed(2)}`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
