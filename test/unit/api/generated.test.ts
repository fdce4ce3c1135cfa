import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { generatedFiles } from '../../../hack/generated-files.ts';

test.each(Object.entries(generatedFiles()))('%s is what the schemas say', (path, text) => {
  const committed = readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
  // One boolean instead of a diff of the whole: the remedy is the same for every difference.
  expect({ upToDate: committed === text, remedy: 'run: npx node hack/generate-crds.ts' }).toMatchObject({
    upToDate: true,
  });
});

test('the reference explains every field', () => {
  const text = generatedFiles()['docs/reference.md'] ?? '';
  const rows = text.split('\n').filter((line) => /^\| `(spec|status)\./.test(line));
  expect(rows.length).toBeGreaterThan(100);
  expect(rows.filter((row) => row.endsWith('|  |'))).toEqual([]);
});

test('no field of a spec has a default: GitOps tools would see drift', () => {
  const crds = Object.entries(generatedFiles()).filter(([path]) => path.endsWith('.yaml'));
  for (const [path, text] of crds) {
    const defaults = text.split('\n').filter((line) => /^\s+default:/.test(line));
    expect({ path, defaults: defaults.length }).toEqual({ path, defaults: 1 });
    expect(text).toMatch(/default:\n\s+observedGeneration: -1\n/);
  }
});
