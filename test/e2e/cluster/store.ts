import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from '../../../hack/binaries.mjs';
import { type Binaries, CONTAINERD } from './containerd.ts';
import { run, tryRun } from './run.ts';

/** Three for each state of the sources: its base, the CNIs and the operator. */
const KEPT = 9;
const MS = 1000;
const READY_DEADLINE_MS = 20_000;
const POLL_MS = 50;

/**
 * A containerd folder that holds these images, unpacked, for nodes to start with. It is made once and kept beside the binaries' cache:
 * five nodes that each unpack half a gigabyte would take most of the time of a start. Each archive is added to the store of those before
 * it, so that a change of the last one, the operator's, is soon unpacked.
 */
export async function imageStore(
  archives: readonly string[],
  binaries: Binaries,
  log: (line: string) => void,
): Promise<string> {
  const stores = join(dirname(cacheFolder()), 'image-stores');
  mkdirSync(stores, { recursive: true });
  let store: string | undefined;
  for (const [index, archive] of archives.entries()) {
    store = await storeWith(stores, store, archive, archives.slice(0, index + 1), binaries, log);
  }
  if (store === undefined) throw new Error('no image archives: nodes would have nothing to run');
  await removeOld(stores);
  return store;
}

async function storeWith(
  stores: string,
  before: string | undefined,
  archive: string,
  all: readonly string[],
  binaries: Binaries,
  log: (line: string) => void,
): Promise<string> {
  const store = join(stores, keyOf(all));
  if (!existsSync(store)) {
    const started = Date.now();
    const partial = `${store}.partial-${process.pid}`;
    try {
      mkdirSync(partial);
      if (before !== undefined) await copyStore(before, join(partial, 'root'));
      await unpack(partial, archive, binaries);
      renameSync(join(partial, 'root'), store);
    } catch (error) {
      // Another run was faster: its store is as good.
      if (!existsSync(store)) throw error;
    } finally {
      await run(['rm', '-rf', '--one-file-system', partial]);
    }
    log(`unpacked ${basename(archive)}, once, in ${((Date.now() - started) / MS).toFixed(1)} s`);
  }
  utimesSync(store, new Date(), new Date());
  return store;
}

/** Everything that never changes by hard links; containerd's databases as copies. */
export async function copyStore(from: string, to: string): Promise<void> {
  await run(['cp', '--archive', '--link', from, to]);
  const databases = (await run(['find', from, '-name', '*.db', '-printf', '%P\n'])).stdout.trim().split('\n');
  for (const database of databases) {
    // Not written over: that would write into the first store.
    rmSync(join(to, database));
    copyFileSync(join(from, database), join(to, database));
  }
}

function keyOf(archives: readonly string[]): string {
  const hash = createHash('sha256');
  for (const archive of archives) {
    const { size, mtimeMs } = statSync(archive);
    hash.update(`${archive}\0${size}\0${mtimeMs}\0`);
  }
  return hash.digest('hex').slice(0, 16);
}

async function unpack(folder: string, archive: string, binaries: Binaries): Promise<void> {
  const socket = join(folder, 'containerd.sock');
  const config = join(folder, 'config.toml');
  const cri = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime'];
  writeFileSync(
    config,
    `${CONTAINERD.split('\n[')[0]?.replace(/(disabled_plugins = \[)/, `$1${cri.map((plugin) => `"${plugin}", `).join('')}`)}
root = "${join(folder, 'root')}"
state = "${join(folder, 'state')}"
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
`,
  );
  const path = [...new Set(Object.values(binaries).map((file) => dirname(file)))].join(':');
  // Whatever it mounts is nobody else's.
  const daemon = spawn(
    'setpriv',
    [
      '--pdeathsig',
      'KILL',
      'unshare',
      '--mount',
      '--propagation',
      'private',
      binaries['containerd'] ?? 'containerd',
      '--config',
      config,
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
      env: { ...process.env, PATH: `${path}:${process.env['PATH'] ?? ''}` },
    },
  );
  let said = '';
  daemon.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const ended = once(daemon, 'exit');
  const ctr = [binaries['ctr'] ?? 'ctr', '--address', socket, '--namespace', 'k8s.io'];
  try {
    const deadline = Date.now() + READY_DEADLINE_MS;
    while ((await tryRun([...ctr, 'version'])).code !== 0) {
      if (daemon.exitCode !== null || Date.now() > deadline) throw new Error(`containerd does not answer: ${said}`);
      await sleep(POLL_MS);
    }
    await run([...ctr, 'images', 'import', archive]);
  } finally {
    daemon.kill('SIGTERM');
    await ended;
  }
}

/** Clusters that use an old one keep its files: each has links of its own. */
async function removeOld(stores: string): Promise<void> {
  const byAge = readdirSync(stores)
    .filter((name) => !name.includes('.'))
    .map((name) => ({ path: join(stores, name), used: statSync(join(stores, name)).mtimeMs }))
    .sort((a, b) => b.used - a.used);
  for (const { path } of byAge.slice(KEPT)) await run(['rm', '-rf', '--one-file-system', path]);
}
