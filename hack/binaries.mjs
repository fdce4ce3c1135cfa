// The real binaries that tests and the demo run: where they are, and how they come to be.
// Plain Node without dependencies, so that it works before `npm ci`.
//
// Order of search for each: KUBEBUILDER_ASSETS, this project's cache, a Go toolchain (which fills the cache).
import { execFile, spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const HEARTBEAT_MS = 10_000;
const LOCK_POLL_MS = 500;

export const DEFAULT_KUBERNETES_VERSION = '1.36.3';
const KUBERNETES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubeadm', 'kubectl'];
export const BINARIES = [...KUBERNETES, 'etcd', 'kwok'];

/** The version asked for, without a leading `v`. */
export function kubernetesVersion(env = process.env) {
  return (env.K8S_VERSION || DEFAULT_KUBERNETES_VERSION).replace(/^v/, '');
}

/** Folder that keeps built binaries, one sub-folder per family and version. */
export function cacheFolder(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'dualstack-operator', 'bin');
}

/** What one binary is built from: its family's folder in the cache and in hack/tools, and its package. */
export function recipe(name, version) {
  if (name === 'etcd') return { family: 'etcd', package: 'go.etcd.io/etcd/server/v3' };
  if (name === 'kwok') return { family: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok' };
  if (KUBERNETES.includes(name)) return { family: `kubernetes-v${version}`, package: `k8s.io/kubernetes/cmd/${name}` };
  throw new Error(`no binary called ${name}: choose from ${BINARIES.join(', ')}`);
}

/**
 * Link flags that stamp the version: components refuse to work together, or with kubeadm, as v0.0.0.
 */
export function linkFlags(version) {
  const [major, minor] = version.split('.');
  const values = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  const stamps = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((target) =>
    Object.entries(values).map(([key, value]) => `-X ${target}.${key}=${value}`),
  );
  return ['-s', '-w', ...stamps].join(' ');
}

/**
 * Paths of the named binaries, building what is missing.
 * @param {{names?: readonly string[], version?: string, env?: NodeJS.ProcessEnv, log?: (line: string) => void}} [options]
 * @returns {Promise<Record<string, string>>}
 */
export async function findBinaries(options = {}) {
  const { names = BINARIES, env = process.env, log = (line) => process.stderr.write(`${line}\n`) } = options;
  const version = options.version ?? kubernetesVersion(env);
  const found = {};
  const missing = [];
  for (const name of names) {
    const path = (await fromAssets(name, version, env, log)) ?? fromCache(name, version, env);
    if (path) found[name] = path;
    else missing.push(name);
  }
  if (missing.length > 0) Object.assign(found, await build(missing, version, env, log));
  return found;
}

async function fromAssets(name, version, env, log) {
  if (!env.KUBEBUILDER_ASSETS) return undefined;
  const path = join(env.KUBEBUILDER_ASSETS, name);
  if (!isExecutable(path)) return undefined;
  if (!KUBERNETES.includes(name)) return path;
  const has = await versionOf(path, name);
  if (has === `v${version}`) return path;
  log(`${path} is ${has}, not v${version}: passed over (set K8S_VERSION to use it)`);
  return undefined;
}

async function versionOf(path, name) {
  const args = { kubectl: ['version', '--client'], kubeadm: ['version', '-o', 'short'] }[name] ?? ['--version'];
  try {
    return /v\d+\.\d+\.\d+\S*/.exec((await run(path, args)).stdout)?.[0] ?? 'of unknown version';
  } catch {
    return 'not able to tell its version';
  }
}

function fromCache(name, version, env) {
  const path = join(cacheFolder(env), recipe(name, version).family, name);
  return isExecutable(path) ? path : undefined;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function build(names, version, env, log) {
  const go = await goVersion(env);
  if (!go) throw new Error(howToGet(names, version, env));
  const built = {};
  const started = Date.now();
  for (const [index, name] of names.entries()) {
    const { family } = recipe(name, version);
    const source = join(here, 'tools', family);
    if (!existsSync(source)) {
      throw new Error(
        `${name} ${version}: there is no hack/tools/${family} to build it from; choose another K8S_VERSION or put ${name} v${version} into KUBEBUILDER_ASSETS`,
      );
    }
    const target = join(cacheFolder(env), family, name);
    await withLock(target, log, async () => {
      if (isExecutable(target)) return; // another run built it while this one waited
      await compile({ name, version, source, target, env, log, title: `[${index + 1}/${names.length}] ${name}` });
    });
    built[name] = target;
  }
  log(`built ${names.length} ${names.length === 1 ? 'binary' : 'binaries'} in ${seconds(started)}`);
  return built;
}

async function goVersion(env) {
  try {
    return (await run('go', ['env', 'GOVERSION'], { env })).stdout.trim();
  } catch {
    return undefined;
  }
}

/** Builds beside the target and renames: a build that was cut short never counts. */
async function compile({ name, version, source, target, env, log, title }) {
  const partial = `${target}.partial-${process.pid}`;
  const started = Date.now();
  log(`${title}: building (the first time takes minutes)`);
  const beat = setInterval(() => log(`${title}: still building, ${seconds(started)}`), HEARTBEAT_MS);
  const args = [
    'build',
    '-mod=readonly',
    '-trimpath',
    '-ldflags',
    linkFlags(version),
    '-o',
    partial,
    recipe(name, version).package,
  ];
  try {
    await goBuild(
      args,
      { cwd: source, env: { ...env, CGO_ENABLED: '0', GOFLAGS: env.GOFLAGS ?? '', GOWORK: 'off' } },
      name,
    );
    renameSync(partial, target);
    log(`${title}: built in ${seconds(started)}`);
  } finally {
    clearInterval(beat);
    rmSync(partial, { force: true });
  }
}

function goBuild(args, options, name) {
  return new Promise((done, failed) => {
    const child = spawn('go', args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    let tail = '';
    child.stderr.on('data', (chunk) => (tail = (tail + chunk).slice(-4000)));
    child.on('error', failed);
    child.on('exit', (code, signal) =>
      code === 0
        ? done()
        : failed(new Error(`building ${name} failed (${signal ?? `exit ${code}`}) in ${options.cwd}:\n${tail.trim()}`)),
    );
  });
}

/** One build of one target at a time, on this machine. A lock whose owner is gone is taken over. */
async function withLock(target, log, work) {
  mkdirSync(dirname(target), { recursive: true });
  const lock = `${target}.lock`;
  let told = false;
  while (!takeLock(lock)) {
    if (!told) log(`waiting for another run that builds ${target}`);
    told = true;
    await sleep(LOCK_POLL_MS);
  }
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function takeLock(lock) {
  try {
    const file = openSync(lock, 'wx');
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (!isStale(lock)) return false;
  const aside = `${lock}.stale-${process.pid}`;
  try {
    renameSync(lock, aside); // only one of several waiting runs wins this
    rmSync(aside, { force: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  return false;
}

function isStale(lock) {
  try {
    const owner = Number(readFileSync(lock, 'utf8'));
    if (!owner) return Date.now() - statSync(lock).mtimeMs > HEARTBEAT_MS;
    process.kill(owner, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function howToGet(names, version, env) {
  return [
    `not found: ${names.join(', ')} (Kubernetes ${version}). Any one of these helps:`,
    `  - install Go 1.26 or newer (https://go.dev/dl) and run this again: it builds them, about 7 minutes the first time`,
    `  - put them into ${cacheFolder(env)}/{kubernetes-v${version},etcd,kwok}/`,
    `  - set KUBEBUILDER_ASSETS to a folder that has them`,
  ].join('\n');
}

const seconds = (since) => `${Math.round((Date.now() - since) / 1000)} s`;

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const found = await findBinaries({ names: process.argv.length > 2 ? process.argv.slice(2) : BINARIES });
    for (const [name, path] of Object.entries(found)) console.log(`${name}\t${path}`);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
