// Tools of the operating system that real kubelets need: the system's own, else unpacked from Debian's packages into this
// project's cache. Nothing is installed; the system's package database is only read.
// Plain Node without dependencies, like binaries.mjs.
import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.mjs';

const run = promisify(execFile);
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** What nodes call by name and each Linux distribution has; with the packages that bring them. */
const REQUIRED = {
  ip: 'iproute2',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  mount: 'mount',
  losetup: 'mount',
  cp: 'coreutils',
};

/** What kube-proxy and flannel call, on nodes or in their images. */
const PACKET_FILTERS = {
  nft: { binary: 'nft', package: 'nftables' },
  // The one program behind iptables, ip6tables and their -save and -restore, where it speaks to nftables in the kernel.
  iptables: { binary: 'xtables-nft-multi', package: 'iptables' },
};
const IPTABLES_NAMES = ['iptables', 'ip6tables'].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);

/**
 * The tools of the operating system, downloading those packet filters that are not installed.
 * @param {{env?: NodeJS.ProcessEnv, log?: (line: string) => void}} [options]
 */
export async function findDebianTools(options = {}) {
  const { env = process.env, log = (line) => process.stderr.write(`${line}\n`) } = options;
  const paths = requireAll(env);
  const missing = Object.values(PACKET_FILTERS).filter(({ binary }) => !which(binary, env));
  const root =
    missing.length > 0
      ? await unpacked(
          missing.map((tool) => tool.package),
          env,
          log,
        )
      : undefined;
  return {
    ...paths,
    nft: await packetFilter('nft', root, env),
    iptables: await packetFilter('iptables', root, env),
    systemd: firstOf(['/lib/systemd/systemd', '/usr/lib/systemd/systemd']),
    dbusDaemon: which('dbus-daemon', env),
  };
}

function requireAll(env) {
  const paths = Object.fromEntries(Object.keys(REQUIRED).map((name) => [name, which(name, env)]));
  const missing = Object.keys(REQUIRED).filter((name) => !paths[name]);
  if (missing.length === 0) return paths;
  const packages = [...new Set(missing.map((name) => REQUIRED[name]))];
  throw new Error(`not found: ${missing.join(', ')}. Install ${packages.join(' and ')} (Debian's names).`);
}

function which(name, env) {
  return firstOf(
    [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...SYSTEM_FOLDERS].map((folder) => join(folder, name)),
  );
}

function firstOf(paths) {
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** One tool: what to call on a node, and what an image needs to hold for it. */
async function packetFilter(name, root, env) {
  const { binary } = PACKET_FILTERS[name];
  const installed = which(binary, env);
  const file = installed ?? join(root, 'usr/sbin', binary);
  const plugins = name === 'iptables' ? pluginFiles(installed ? '/' : root) : [];
  const libraries = await sharedLibraries([file, ...plugins], installed ? undefined : root);
  const inImage = (path) => (installed ? path : path.slice(root.length));
  const files = Object.fromEntries(plugins.map((path) => [inImage(path), { file: path }]));
  for (const library of libraries) files[library.path] = { file: library.file };
  files[`/usr/sbin/${binary}`] = { file };
  if (name === 'iptables') for (const alias of IPTABLES_NAMES) files[`/usr/sbin/${alias}`] = { link: binary };
  return { path: installed ?? wrapper(root, name, binary), files };
}

/** The plug-ins of iptables are loaded by name at run time, so no list of libraries shows them. */
function pluginFiles(root) {
  const folder = pluginFolder(root);
  if (!folder)
    throw new Error(`iptables has no plug-ins below ${join(root, 'usr/lib')}: install the package iptables again`);
  return readdirSync(folder)
    .toSorted()
    .map((file) => join(folder, file));
}

function pluginFolder(root) {
  const usrLib = join(root, 'usr/lib');
  const multiArch = existsSync(usrLib) ? readdirSync(usrLib) : [];
  return [...multiArch.map((folder) => join(usrLib, folder)), usrLib, join(root, 'usr/lib64')]
    .map((folder) => join(folder, 'xtables'))
    .find((path) => existsSync(path));
}

/** A script that shows an unpacked tool the libraries unpacked with it. */
function wrapper(root, name, binary) {
  const path = join(root, 'bin', name);
  const libraries = libraryFolders(root).join(':');
  const folder = pluginFolder(root); // nft shows rules of iptables with the help of the same plug-ins
  const variables = [`LD_LIBRARY_PATH=${libraries}`, ...(folder ? [`XTABLES_LIBDIR=${folder}`] : [])].join(' ');
  const program = [join(root, 'usr/sbin', binary), ...(binary === name ? [] : [name])].join(' ');
  const text = `#!/bin/sh\nexec env ${variables} ${program} "$@"\n`;
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return path;
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, text, { mode: 0o755 });
  renameSync(partial, path);
  return path;
}

function libraryFolders(root) {
  return ['usr/lib', 'lib']
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => [folder, ...readdirSync(folder).map((entry) => join(folder, entry))])
    .filter((folder) => /\/lib$|-linux-gnu/.test(folder));
}

/**
 * The shared libraries of programs and plug-ins, the loader among them: where each must be in an image, and the file.
 * Below `root` (an unpacked package) are looked for first, and lie in the image where the package would put them.
 * @param {readonly string[]} files
 * @param {string} [root]
 * @returns {Promise<readonly {readonly path: string, readonly file: string}[]>}
 */
export async function sharedLibraries(files, root) {
  const env = { ...process.env, LC_ALL: 'C', ...(root ? { LD_LIBRARY_PATH: libraryFolders(root).join(':') } : {}) };
  const { stdout } = await run('ldd', [...files], { env, maxBuffer: 1 << 24 }).catch((error) => error);
  const absent = /^\s*(\S+) => not found$/m.exec(stdout ?? '');
  if (absent) throw new Error(`${files[0]} needs ${absent[1]}, which is not there: install the package that has it`);
  const found = [...(stdout ?? '').matchAll(/(?:^|=>)\s+(\/\S+) \(0x/gm)].map((match) => match[1]);
  return [...new Set(found)].map((file) => ({
    file,
    path: root && file.startsWith(`${root}/`) ? file.slice(root.length) : file,
  }));
}

/**
 * Packages with headers and static libraries that the system lacks: variables for a build of C parts by cgo, which asks
 * pkg-config. The packages' own answers name the place where they would have been installed.
 * @param {readonly string[]} packages
 * @param {{env?: NodeJS.ProcessEnv, log?: (line: string) => void}} [options]
 */
export async function developmentFiles(packages, options = {}) {
  const { env = process.env, log = (line) => process.stderr.write(`${line}\n`) } = options;
  const root = await unpacked(packages, env, log);
  const libraries = libraryFolders(root).map((folder) => `-L${folder}`);
  const archives = libraryFolders(root).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.a'))
      .map((name) => `-l${name.slice('lib'.length, -'.a'.length)}`),
  );
  const answer = join(root, 'pkg-config');
  const compile = `-I${join(root, 'usr/include')}`;
  const link = [...libraries, ...archives].join(' ');
  // Go refuses flags of the one kind in the answer about the other.
  const text = `#!/bin/sh\ncase "$*" in *--cflags*) echo '${compile}' ;; *) echo '${link}' ;; esac\n`;
  if (!existsSync(answer) || readFileSync(answer, 'utf8') !== text) writeFileSync(answer, text, { mode: 0o755 });
  return { PKG_CONFIG: answer };
}

/** The folder with the packages' contents, and those of the packages they need that the system lacks. */
async function unpacked(packages, env, log) {
  const release = await releaseName(env);
  const root = join(dirname(cacheFolder(env)), 'debian', `${release}-${packages.toSorted().join('-')}`);
  if (existsSync(root)) return root;
  const scratch = `${root}.partial-${process.pid}`;
  log(`${packages.join(', ')}: not installed, downloading (nothing is installed)`);
  try {
    const archives = await download(packages, scratch, env);
    mkdirSync(join(scratch, 'root'));
    for (const archive of archives) await run('dpkg-deb', ['-x', archive, join(scratch, 'root')], { env });
    if (!existsSync(root)) renameSync(join(scratch, 'root'), root);
    log(`${packages.join(', ')}: unpacked ${archives.map((path) => basename(path).split('_')[0]).join(', ')}`);
    return root;
  } catch (error) {
    const reason = String(error.stderr || error.message)
      .trim()
      .split('\n')
      .slice(-5)
      .join('\n');
    throw new Error(
      `not installed and not to be downloaded with apt-get: ${packages.join(', ')}. Install these packages, or give this machine a Debian mirror.\n${reason}`,
      { cause: error },
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** `apt-get` with every folder it writes to below `scratch`; the system's sources, keys and package states are read. */
async function download(packages, scratch, env) {
  for (const folder of ['state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(scratch, folder), { recursive: true });
  const options = {
    'Dir::State': join(scratch, 'state'),
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::State::extended_states': join(scratch, 'state/extended_states'),
    'Dir::Cache': join(scratch, 'cache'),
    'Dir::Log': scratch,
    'APT::Sandbox::User': '', // its user may not read a folder in somebody's home
    'Debug::NoLocking': 'true',
    'Acquire::Languages': 'none',
  };
  const flags = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const apt = (...args) =>
    run('apt-get', ['-q', ...flags, ...args], { env: { ...env, LC_ALL: 'C' }, maxBuffer: 1 << 24 });
  await apt('update', '-o', 'APT::Update::Error-Mode=any');
  await apt('install', '--yes', '--download-only', '--no-install-recommends', ...packages);
  const folder = join(scratch, 'cache/archives');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.deb'))
    .sort()
    .map((name) => join(folder, name));
}

async function releaseName(env) {
  const { stdout } = await run('dpkg', ['--print-architecture'], { env }).catch(() => ({ stdout: '' }));
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const codename = /^VERSION_CODENAME=(\S+)/m.exec(text)?.[1] ?? 'unknown';
  return `${codename}-${stdout.trim() || process.arch}`;
}
