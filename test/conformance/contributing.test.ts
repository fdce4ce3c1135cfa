import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import type { Scene } from './cni-scene.ts';
import { conforms } from './cni-suite.ts';

/** The example that docs/contributing.md asks newcomers to copy is held to the same as what they make of it. */

const root = fileURLToPath(new URL('../../', import.meta.url));
const guide = await readFile(join(root, 'docs/contributing.md'), 'utf8');
const folder = await mkdtemp(join(tmpdir(), 'contributing-'));
afterAll(() => rm(folder, { recursive: true }));

/** Each file of the guide: its name in backticks, then its text as the next block. */
const files = new Map(
  [...guide.matchAll(/`((?:src|test)\/[\w/.-]*loom[\w/.-]*\.ts)`(?:(?!```)[^])*```ts\n([^]*?)```/gu)].map(
    ([, path = '', text = '']) => [path, text] as const,
  ),
);
const FOLDER = 'src/cni/loom/index.ts';
const SCENE = 'test/conformance/cnis/loom.ts';
const TESTS = 'test/unit/cni/loom.test.ts';

/** Files of the guide import each other where they are now, and all else where it is. */
const rewritten = (path: string, text: string): string =>
  text.replaceAll(/(from ')(\.[^']+)(')/gu, (_, before: string, specifier: string, after: string) => {
    const target = join(dirname(path), specifier);
    return `${before}${join(files.has(target) ? folder : root, target)}${after}`;
  });

for (const [path, text] of files) {
  await mkdir(join(folder, dirname(path)), { recursive: true });
  await writeFile(join(folder, path), rewritten(path, text));
}

test('the guide has the folder, its scene and its tests', () => {
  expect([...files.keys()]).toEqual([FOLDER, SCENE, TESTS]);
});

const { scene } = (await import(join(folder, SCENE))) as { readonly scene: Scene };
conforms(scene);
