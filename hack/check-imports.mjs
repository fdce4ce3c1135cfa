// Checks what the linter has no rule for: which room of src/ may import what, which rooms know no clock and do no I/O,
// and that no file grows past its one job. Run by `npm run lint`.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from '@swc/core';

/** Rooms whose answers depend on their arguments alone. Each is used in dry runs, in the simulator and in tests without a cluster. */
const PURE_WORDS = ['result.ts', 'version.ts', 'net', 'model'];
const PURE_PACKAGES = ['zod', 'ip-address', 'yaml', 'diff', 'semver'];

/**
 * One row per room: the rooms it may import beside itself, the packages and Node modules beyond the pure ones, and why.
 * A room that is not listed is refused, so that whoever adds one decides.
 */
export const ROOMS = {
  'result.ts': { pure: true, rooms: [], why: 'it is below everything else' },
  net: { pure: true, rooms: ['result.ts'], why: 'addresses know nothing of Kubernetes' },
  model: { pure: true, rooms: PURE_WORDS, why: 'these are the words that all rooms share' },
  api: { pure: true, rooms: PURE_WORDS, why: 'the resources are described without the program around them' },
  plan: {
    pure: true,
    rooms: [...PURE_WORDS, 'api', 'nodes', 'services'],
    why: 'the same facts must always give the same plan',
  },
  report: {
    pure: true,
    rooms: [...PURE_WORDS, 'api', 'nodes', 'services', 'plan'],
    why: 'the same pass must always give the same status',
  },
  services: {
    pure: true,
    rooms: [...PURE_WORDS, 'api', 'providers'],
    why: 'inventory and rules are computed from facts',
  },
  distributions: {
    pure: true,
    rooms: [...PURE_WORDS, 'api', 'providers'],
    folders: true,
    why: 'each is a closed folder behind contract.ts',
  },
  cni: { pure: true, rooms: [...PURE_WORDS, 'api'], folders: true, why: 'each is a closed folder behind contract.ts' },
  generate: {
    pure: true,
    rooms: [...PURE_WORDS, 'api'],
    folders: true,
    why: 'the same request must always give the same files, and each system is a closed folder behind contract.ts',
  },
  nodes: {
    pure: true,
    rooms: [...PURE_WORDS, 'providers'],
    why: 'why a node lacks a family follows from what was seen of it, whoever asks',
  },
  providers: { pure: true, rooms: PURE_WORDS, why: 'it is data' },
  'registry.ts': {
    pure: true,
    rooms: [...PURE_WORDS, 'api', 'distributions', 'cni', 'generate'],
    why: 'it is the one list of plug-ins',
  },
  'permissions.ts': {
    pure: true,
    rooms: [...PURE_WORDS, 'api', 'registry.ts', 'apply', 'observe', 'reconcile', 'verify', 'kube'],
    why: 'it gathers what each part says that it needs',
  },
  observe: {
    rooms: [...PURE_WORDS, 'api', 'plan', 'providers', 'registry.ts'],
    why: 'it reads through the Reader it is handed',
  },
  verify: { rooms: [...PURE_WORDS, 'api', 'kube', 'runtime'], why: 'it proves by looking' },
  apply: { rooms: [...PURE_WORDS, 'api', 'kube', 'runtime', 'verify'], why: 'it does one Step and decides nothing' },
  reconcile: {
    rooms: [
      ...PURE_WORDS,
      'api',
      'plan',
      'report',
      'services',
      'providers',
      'registry.ts',
      'observe',
      'verify',
      'apply',
      'kube',
      'runtime',
    ],
    why: 'the loop uses the rooms; hosts and terminals are not its business',
  },
  probe: {
    rooms: [...PURE_WORDS, 'runtime'],
    node: ['http', 'net', 'dns/promises', 'fs/promises'],
    packages: ['p-queue'],
    why: 'it runs in pods that know nothing of the cluster but what they are asked to try',
  },
  agent: {
    rooms: [...PURE_WORDS, 'api', 'kube', 'runtime'],
    node: ['fs', 'fs/promises', 'path', 'http', 'https', 'net', 'os', 'events', 'stream', 'zlib'],
    packages: ['dbus-next', 'dbus-native'],
    why: 'it takes typed settings from its own object and nothing else',
  },
  kube: {
    rooms: [...PURE_WORDS, 'runtime'],
    node: '*',
    packages: ['@kubernetes/client-node', 'p-queue'],
    why: 'it talks to the API server and knows nothing of dual-stack',
  },
  runtime: {
    rooms: ['result.ts'],
    node: '*',
    packages: ['p-queue', 'prom-client', 'winston', 'logform', 'winston-transport'],
    why: 'it would serve any other operator as well',
  },
  cli: {
    rooms: [
      ...PURE_WORDS,
      'api',
      'generate',
      'nodes',
      'plan',
      'report',
      'services',
      'registry.ts',
      'observe',
      'kube',
      'runtime',
    ],
    node: ['fs', 'fs/promises', 'path', 'process', 'os', 'tty', 'util', 'events', 'readline', 'timers/promises'],
    packages: ['commander'],
    why: 'commands look and print; they change nothing',
  },
  'main.ts': { rooms: '*', node: '*', packages: ['commander'], why: 'it wires everything' },
  'version.ts': { pure: true, rooms: [], why: 'it is one constant' },
};

/** Globals through which time, chance, the network or the process leak in. */
const IMPURE_GLOBALS = [
  'process',
  'fetch',
  'console',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'require',
  'WebSocket',
];
const IMPURE_MEMBERS = { Date: ['now'], Math: ['random'], crypto: ['randomUUID', 'getRandomValues'] };
const PURE_NODE_MODULES = ['crypto'];
const IMPURE_CRYPTO_NAMES = ['randomUUID', 'randomBytes', 'randomInt', 'getRandomValues', 'webcrypto'];

const LINES_WARNED = 400;
const LINES_REFUSED = 450;

/**
 * All that is wrong with one file of src/.
 * @param {string} path from the root of the project, with `/`
 * @param {string} text
 * @returns {{line: number, message: string}[]}
 */
export function checkSource(path, text) {
  const room = roomOf(path);
  const rule = ROOMS[room];
  if (rule === undefined) {
    return [
      { line: 1, message: `src/${room} is no known room; add it to ROOMS in hack/check-imports.mjs with the reason` },
    ];
  }
  const tree = parseSync(text, { syntax: 'typescript', target: 'es2024' });
  // swc counts bytes from wherever its last file ended, and a file's span begins at its first token, not at its first byte.
  const start = tree.span.end - Buffer.byteLength(text.trimEnd());
  const lineOf = (span) =>
    Buffer.from(text)
      .subarray(0, Math.max(0, span.start - start))
      .toString()
      .split('\n').length;
  const problems = [];
  const say = (node, message) => problems.push({ line: lineOf(node.span), message });
  walk(tree, (node) => {
    const source = importedFrom(node);
    if (source !== null) checkImport(path, room, rule, source, node, say);
    if (rule.pure === true) checkPurity(room, node, say);
  });
  return problems;
}

function checkImport(path, room, rule, source, node, say) {
  if (source.startsWith('.')) {
    checkRoom(path, room, rule, source, node, say);
    return;
  }
  if (source.startsWith('node:')) {
    checkNodeModule(room, rule, source.slice('node:'.length), node, say);
    return;
  }
  const name = source
    .split('/')
    .slice(0, source.startsWith('@') ? 2 : 1)
    .join('/');
  if (![...PURE_PACKAGES, ...(rule.packages ?? [])].includes(name)) {
    const owners = Object.keys(ROOMS).filter((other) => ROOMS[other].packages?.includes(name));
    const where = owners.length === 0 ? 'no room may' : `only ${owners.join(', ')} may`;
    say(node, `${room} must not import the package ${name} (${where}): ${rule.why}`);
  }
}

function checkRoom(path, room, rule, source, node, say) {
  const target = posix.normalize(posix.join(posix.dirname(path), source));
  const targetRoom = roomOf(target);
  const [own, other] = [folderOf(path), folderOf(target)];
  if (!target.startsWith('src/')) {
    say(node, `${room} must not import ${target}: the program stands on src/ alone`);
  } else if (targetRoom !== room) {
    if (rule.rooms !== '*' && !rule.rooms.includes(targetRoom)) {
      say(node, `${room} must not import from ${targetRoom}: ${rule.why}`);
    }
  } else if (rule.folders === true && other !== own && !other.endsWith('.ts')) {
    say(node, `${room}/${own} must not import from ${room}/${other}: ${rule.why}`);
  }
}

function checkNodeModule(room, rule, name, node, say) {
  if (rule.node === '*' || [...PURE_NODE_MODULES, ...(rule.node ?? [])].includes(name)) return;
  say(node, `${room} must not import node:${name}: ${rule.why}`);
}

function checkPurity(room, node, say) {
  if (node.type === 'ImportDeclaration' && node.source.value === 'node:crypto') {
    for (const specifier of node.specifiers) {
      const name = specifier.imported?.value ?? specifier.local.value;
      if (IMPURE_CRYPTO_NAMES.includes(name)) say(node, `${room} knows no chance: pass ids in instead of ${name}`);
    }
  }
  if (node.type === 'NewExpression' && isGlobal(node.callee, 'Date') && (node.arguments ?? []).length === 0) {
    say(node, `${room} knows no clock: take the time from the facts or an argument instead of new Date()`);
  }
  if (node.type === 'MemberExpression' && node.object.type === 'Identifier' && node.property.type === 'Identifier') {
    const members = IMPURE_MEMBERS[node.object.value];
    if (members?.includes(node.property.value)) {
      say(
        node,
        `${room} knows no clock and no chance: pass a value in instead of ${node.object.value}.${node.property.value}`,
      );
    }
    if (IMPURE_GLOBALS.includes(node.object.value))
      say(node, `${room} does no I/O: ${node.object.value} is out of reach here`);
  }
  if (node.type === 'CallExpression' && IMPURE_GLOBALS.some((name) => isGlobal(node.callee, name))) {
    say(node, `${room} does no I/O: ${node.callee.value} is out of reach here`);
  }
}

const isGlobal = (node, name) => node?.type === 'Identifier' && node.value === name;

/** The module that a statement or call brings in, or null. Types count: they tie two rooms as firmly as values. */
function importedFrom(node) {
  if (['ImportDeclaration', 'ExportNamedDeclaration', 'ExportAllDeclaration'].includes(node.type))
    return node.source?.value ?? null;
  if (node.type === 'TsImportType') return node.argument?.value ?? null;
  if (node.type === 'CallExpression' && node.callee.type === 'Import')
    return node.arguments[0]?.expression.value ?? null;
  return null;
}

function walk(node, visit) {
  if (Array.isArray(node)) return node.forEach((each) => walk(each, visit));
  if (typeof node !== 'object' || node === null) return;
  if (typeof node.type === 'string') visit(node);
  for (const value of Object.values(node)) if (typeof value === 'object') walk(value, visit);
}

const roomOf = (path) => path.split('/')[1] ?? '';
const folderOf = (path) => path.split('/')[2] ?? '';

/** @returns {{warning: boolean, message: string} | null} */
export function checkLength(text) {
  const lines = text.trimEnd().split('\n').length;
  if (lines <= LINES_WARNED) return null;
  return {
    warning: lines <= LINES_REFUSED,
    message: `${lines} lines: a file past ${LINES_WARNED} has two jobs; split it`,
  };
}

function main() {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..');
  const files = ['src', 'test', 'bench', 'hack'].flatMap((folder) => sourceFiles(join(root, folder)));
  let failed = false;
  for (const file of files) {
    const path = relative(root, file).split(sep).join('/');
    const text = readFileSync(file, 'utf8');
    for (const { line, message } of path.startsWith('src/') ? checkSource(path, text) : []) {
      failed = true;
      console.error(`${path}:${line}: error: ${message}`);
    }
    const length = checkLength(text);
    if (length === null) continue;
    failed ||= !length.warning;
    console.error(`${path}: ${length.warning ? 'warning' : 'error'}: ${length.message}`);
  }
  if (failed) process.exitCode = 1;
}

function sourceFiles(folder) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(?:m?ts|mjs)$/u.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => !file.includes(`${sep}node_modules${sep}`));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
