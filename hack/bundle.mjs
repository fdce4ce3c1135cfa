// Bundles the program into one file: it starts three times as fast as from node_modules and needs nothing beside it.
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
// A name that is missing in an old Node.js would be all that its user gets to read.
const versionGuard = [
  "const [__major = 0, __minor = 0] = process.versions.node.split('.').map(Number);",
  'if (__major < 22 || (__major === 22 && __minor < 19)) {',
  '  process.stderr.write(`This program needs Node.js 22.19 or newer; this is ${process.version}.\\n`);',
  '  process.exit(1);',
  '}',
].join('\n');
const outfile = join(root, process.argv[2] ?? 'dist/main.js');

const bundled = await build({
  absWorkingDir: root,
  entryPoints: ['src/main.ts'],
  outfile,
  write: false,
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  legalComments: 'linked',
  logLevel: 'warning',
  define: { DUALSTACK_VERSION: JSON.stringify(version) },
  banner: {
    // CommonJS packages call `require`, which a module does not have.
    js: [
      '#!/usr/bin/env node',
      "import { createRequire as __createRequire } from 'node:module';",
      'const require = __createRequire(import.meta.url);',
      versionGuard,
    ].join('\n'),
  },
}).catch(() => null);
// What is wrong has been printed by then.
if (bundled === null) process.exit(1);
mkdirSync(dirname(outfile), { recursive: true });
// By rename, so that a program which is just starting reads the old bundle or the new one, and nothing in between.
for (const { path, contents } of bundled.outputFiles) replaceFile(path, contents);

// Under this name kubectl finds it on the PATH as `kubectl dualstack`.
const plugin = join(dirname(outfile), 'kubectl-dualstack');
rmSync(plugin, { force: true });
symlinkSync(basename(outfile), plugin);

function replaceFile(path, contents) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, contents, { mode: path.endsWith('.js') ? 0o755 : 0o644 });
  renameSync(draft, path);
}
