import { readdirSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { vocabulary } from '../../src/registry.ts';
import type { Scene } from './cni-scene.ts';
import { conforms } from './cni-suite.ts';

// A file for each, so that one more is one file more.
const files = readdirSync(new URL('cnis/', import.meta.url)).toSorted();
const scenes = await Promise.all(
  files.map(async (file) => ((await import(`./cnis/${file}`)) as { readonly scene: Scene }).scene),
);

test('every network plug-in of the registry has a scene in test/conformance/cnis', () => {
  expect(scenes.map(({ cni }) => cni.name).toSorted()).toEqual(vocabulary.cnis.toSorted());
});

for (const scene of scenes) conforms(scene);
