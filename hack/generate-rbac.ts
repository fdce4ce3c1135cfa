// Writes the roles in config/rbac from what each part of the program says that it needs. `--check` only tells whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rbacFiles } from './rbac.ts';

const folder = new URL('../config/rbac/', import.meta.url);
let stale = false;
for (const [name, text] of Object.entries(rbacFiles())) {
  const file = new URL(name, folder);
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text);
  } else if (readFileSync(file, 'utf8') !== text) {
    stale = true;
    console.error(`${fileURLToPath(file)} is out of date: run node hack/generate-rbac.ts`);
  }
}
if (stale) process.exitCode = 1;
