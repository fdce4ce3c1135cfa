// Tests of the whole run the bundled program: it is made anew when a source is newer.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export default function setup() {
  const sources = readdirSync(`${root}src`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(`${entry.parentPath}/${entry.name}`).mtimeMs);
  const bundles = ['dist/main.js', 'dist/image/main.js'].map(
    (path) => statSync(`${root}${path}`, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  const built = Math.min(...bundles);
  if (Math.max(...sources) > built) execFileSync(process.execPath, [`${root}hack/bundle.mjs`], { stdio: 'inherit' });
}
