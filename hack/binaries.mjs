// The real binaries that tests and the demo run: where they are, and how they come to be.
// Plain Node without dependencies, so that it works before `npm ci`.
//
// Order of search for each: KUBEBUILDER_ASSETS, this project's cache, a Go toolchain (which fills the cache).
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.mjs';
import { developmentFiles } from './debian.mjs';
import { BINARIES, buildArguments, isKubernetes, REAL_KUBELET_BINARIES, recipe } from './recipes.mjs';

export { cacheFolder } from './cache.mjs';
export { BINARIES, linkFlags, REAL_KUBELET_BINARIES, recipe } from './recipes.mjs';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const HEARTBEAT_MS = 10_000;
const LOCK_POLL_MS = 500;

export const DEFAULT_KUBERNETES_VERSION = '1.36.3';

/** The version asked for, without a leading `v`. */
export function kubernetesVersion(env = process.env) {
  return (env.K8S_VERSION || DEFAULT_KUBERNETES_VERSION).replace(/^v/, '');
}

/**
 * The folder of the cache that holds one binary. Families whose name does not tell their version carry a hash of their
 * sources, so that an edit there is never answered with yesterday's binary; the control plane's two came before that rule.
 */
function cachedPath(name, version, env) {
  const { family, folder, tags = [] } = recipe(name, version);
  const versioned =
    isKubernetes(name) || BINARIES.includes(name)
      ? family
      : `${family}-${sourceHash(sourceFolder(family, folder), tags)}`;
  return join(cacheFolder(env), versioned, name);
}

const sourceFolder = (family, folder) =>
  folder === undefined ? join(here, 'tools', family) : join(here, '..', folder);

function sourceHash(folder, tags) {
  const hash = createHash('sha256').update(tags.join());
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort()) {
    hash.update(path.slice(folder.length)).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex').slice(0, 12);
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
  if (!isKubernetes(name)) return path;
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
  const path = cachedPath(name, version, env);
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
    const { family, folder } = recipe(name, version);
    const source = sourceFolder(family, folder);
    if (!existsSync(source)) {
      throw new Error(
        `${name} ${version}: there is no hack/tools/${family} to build it from; choose another K8S_VERSION or put ${name} v${version} into KUBEBUILDER_ASSETS`,
      );
    }
    const target = cachedPath(name, version, env);
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
  const { cgo, args } = buildArguments(name, version, readFileSync(join(source, 'go.mod'), 'utf8'));
  if (cgo) await requireCompiler(name, env);
  const libraries = await findLibraries(recipe(name, version).libraries ?? [], env, log);
  const beat = setInterval(() => log(`${title}: still building, ${seconds(started)}`), HEARTBEAT_MS);
  try {
    await goBuild(
      ['build', '-o', partial, ...args],
      {
        cwd: source,
        env: { ...env, ...libraries, CGO_ENABLED: cgo ? '1' : '0', GOFLAGS: env.GOFLAGS ?? '', GOWORK: 'off' },
      },
      name,
    );
    renameSync(partial, target);
    log(`${title}: built in ${seconds(started)}`);
  } finally {
    clearInterval(beat);
    rmSync(partial, { force: true });
  }
}

async function requireCompiler(name, env) {
  const compiler = env.CC || 'gcc';
  try {
    await run(compiler, ['--version'], { env });
  } catch {
    throw new Error(
      `${name} is partly C, and there is no ${compiler}: install gcc and libc6-dev (Debian's names), or put ${name} into KUBEBUILDER_ASSETS`,
    );
  }
}

/** Variables that tell the build of C parts where these libraries are. */
async function findLibraries(names, env, log) {
  if (names.length === 0) return {};
  try {
    await run('pkg-config', ['--static', '--exists', ...names], { env });
    return {};
  } catch {
    return developmentFiles(
      names.map((name) => `${name}-dev`),
      { env, log },
    );
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
    `  - put them there: ${[...new Set(names.map((name) => dirname(cachedPath(name, version, env))))].join(', ')}`,
    `  - set KUBEBUILDER_ASSETS to a folder that has them`,
  ].join('\n');
}

const seconds = (since) => `${Math.round((Date.now() - since) / 1000)} s`;

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const named = process.argv.slice(2).filter((argument) => argument !== '--e2e');
    const all = process.argv.includes('--e2e') ? [...BINARIES, ...REAL_KUBELET_BINARIES] : BINARIES;
    const found = await findBinaries({ names: named.length > 0 ? named : all });
    for (const [name, path] of Object.entries(found)) console.log(`${name}\t${path}`);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
