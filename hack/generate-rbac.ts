// Writes the roles in config/rbac, and the lists of config/admission/workloads.yaml, from what each part of the program says that it needs and
// changes. `--check` only tells whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { workloadsPolicy } from './admission.ts';
import { rbacFiles } from './rbac.ts';

const config = new URL('../config/', import.meta.url);
const policy = 'admission/workloads.yaml';
const files = {
  ...Object.fromEntries(Object.entries(rbacFiles()).map(([name, text]) => [`rbac/${name}`, text])),
  [policy]: workloadsPolicy(readFileSync(new URL(policy, config), 'utf8')),
};
let stale = false;
for (const [name, text] of Object.entries(files)) {
  const file = new URL(name, config);
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text);
  } else if (readFileSync(file, 'utf8') !== text) {
    stale = true;
    console.error(`${fileURLToPath(file)} is out of date: run node hack/generate-rbac.ts`);
  }
}
if (stale) process.exitCode = 1;
