// Bundles the program twice: `dist/main.js` is one file, which starts three times as fast as from node_modules and needs nothing beside it; that is
// the plug-in for kubectl. `dist/image/` is for the image: parts, of which the operator, an agent and a probe load what each needs.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Bundles in parts what a program imports when it comes to it: `main.js`, and beside it what that loads.
 * @param {string} entry
 * @param {string} folder What is there of another build is removed.
 */
export async function bundleParts(entry, folder) {
  const { outputFiles } = await build({
    ...common(requireBanner),
    entryPoints: [{ in: entry, out: 'main' }],
    outdir: folder,
    splitting: true,
    chunkNames: '[name]-[hash]',
  });
  replaceFiles(outputFiles);
  const made = new Set(outputFiles.map(({ path }) => basename(path)));
  for (const name of readdirSync(folder)) if (!made.has(name)) rmSync(join(folder, name));
}

/** @param {string} outfile */
async function bundleWhole(outfile) {
  const { outputFiles } = await build({
    ...common(`#!/usr/bin/env node\n${requireBanner}\n${versionGuard}`),
    entryPoints: ['src/main.ts'],
    outfile,
  });
  replaceFiles(outputFiles);
  // Under this name kubectl finds it on the PATH as `kubectl dualstack`.
  const plugin = join(dirname(outfile), 'kubectl-dualstack');
  rmSync(plugin, { force: true });
  symlinkSync(basename(outfile), plugin);
}

// CommonJS packages call `require`, which a module does not have.
const requireBanner = [
  "import { createRequire as __createRequire } from 'node:module';",
  'const require = __createRequire(import.meta.url);',
].join('\n');

// A name that is missing in an old Node.js would be all that its user gets to read.
const versionGuard = [
  "const [__major = 0, __minor = 0] = process.versions.node.split('.').map(Number);",
  'if (__major < 22 || (__major === 22 && __minor < 19)) {',
  '  process.stderr.write(`This program needs Node.js 22.19 or newer; this is ${process.version}.\\n`);',
  '  process.exit(1);',
  '}',
].join('\n');

/** @param {string} banner */
function common(banner) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return {
    absWorkingDir: root,
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    legalComments: 'linked',
    logLevel: 'warning',
    define: { DUALSTACK_VERSION: JSON.stringify(version) },
    banner: { js: banner },
    plugins: [builtinsAsTheyAreUsed],
  };
}

/**
 * What a module imports of Node.js is read whole: each export, of which some load a good deal more when they are read. `node:http` alone brings a second HTTP
 * client, undici: a tenth of the processor time in which an operator fills its cache of 5,000 Nodes. Taken this way, only what is used is read.
 * @type {import('esbuild').Plugin}
 */
const builtinsAsTheyAreUsed = {
  name: 'builtins-as-they-are-used',
  setup(build) {
    const names = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));
    build.onResolve({ filter: /^[a-z:_/0-9]+$/ }, ({ path }) =>
      names.has(path) ? { path: path.replace(/^node:/u, ''), namespace: 'builtin' } : undefined,
    );
    build.onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('node:${path}');`,
    }));
  },
};

/** 1 for what is started, 0 for what it loads. */
const isEntry = ({ path }) => Number(basename(path) === 'main.js');

/**
 * By rename, so that a program which is just starting reads the old bundle or the new one, and nothing in between. What others load comes first.
 * @param {{readonly path: string, readonly contents: Uint8Array}[]} files
 */
function replaceFiles(files) {
  for (const { path, contents } of files.toSorted((a, b) => isEntry(a) - isEntry(b))) {
    mkdirSync(dirname(path), { recursive: true });
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, contents, { mode: basename(path) === 'main.js' ? 0o755 : 0o644 });
    renameSync(draft, path);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await bundleParts('src/main.ts', join(root, 'dist/image'));
    await bundleWhole(join(root, 'dist/main.js'));
  } catch (thrown) {
    // What is wrong with the sources has been printed by then.
    if (!('errors' in thrown)) console.error(thrown);
    process.exit(1);
  }
}
