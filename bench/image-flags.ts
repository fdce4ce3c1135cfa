import { readFileSync } from 'node:fs';
import { imageConfig } from '../test/e2e/cluster/dockerfile.ts';

/** With these the image starts Node.js: what is measured is what is run. */
export function imageFlags(): readonly string[] {
  const { Entrypoint = [] } = imageConfig(readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8'));
  return Entrypoint.filter((word) => word.startsWith('--'));
}
