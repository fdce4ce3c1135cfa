import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from '../../../hack/binaries.mjs';
import { type Binaries, CONTAINERD } from './disk.ts';
import { run, tryRun } from './run.ts';

const KEPT = 3;
const READY_DEADLINE_MS = 20_000;
const POLL_MS = 50;

/**
 * A containerd folder that holds these images, unpacked, for nodes to start with. It is made once and kept beside the binaries' cache:
 * five nodes that each unpack half a gigabyte would take most of the time of a start.
 */
export async function imageStore(
  archives: readonly string[],
  binaries: Binaries,
  log: (line: string) => void,
): Promise<string> {
  const stores = join(dirname(cacheFolder()), 'image-stores');
  const store = join(stores, keyOf(archives));
  if (!existsSync(store)) {
    const started = Date.now();
    log(`unpacking ${archives.length} image archives, once`);
    mkdirSync(stores, { recursive: true });
    const partial = `${store}.partial-${process.pid}`;
    try {
      await fill(partial, archives, binaries);
      renameSync(join(partial, 'root'), store);
    } catch (error) {
      // Another run was faster: its store is as good.
      if (!existsSync(store)) throw error;
    } finally {
      await run(['rm', '-rf', '--one-file-system', partial]);
    }
    log(`unpacked in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    await removeOld(stores);
  }
  utimesSync(store, new Date(), new Date());
  return store;
}

function keyOf(archives: readonly string[]): string {
  const hash = createHash('sha256');
  for (const archive of archives) {
    const { size, mtimeMs } = statSync(archive);
    hash.update(`${archive}\0${size}\0${mtimeMs}\0`);
  }
  return hash.digest('hex').slice(0, 16);
}

async function fill(folder: string, archives: readonly string[], binaries: Binaries): Promise<void> {
  mkdirSync(folder, { recursive: true });
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
    for (const archive of archives) await run([...ctr, 'images', 'import', '--no-unpack=false', archive]);
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
