import { expect, test } from '@jest/globals';
import { parseSettings } from '../../../src/api/node-rules.ts';
import { parseSpec } from '../../../src/api/resolve.ts';
import { vocabulary } from '../../../src/registry.ts';
import { CASES } from '../../api/crd-corpus.ts';
import { NODE_CASES } from '../../api/crd-node-corpus.ts';

test.each(CASES.map((entry) => [entry.name, entry] as const))('cluster: %s', (_name, { spec, good }) => {
  const parsed = parseSpec(spec, vocabulary);
  expect(parsed.ok ? [] : parsed.error).toEqual(good ? [] : expect.arrayContaining([expect.anything()]));
  if (!parsed.ok) {
    for (const problem of parsed.error) expect(problem.path).toMatch(/^spec/);
  }
});

test.each(NODE_CASES.map((entry) => [entry.name, entry] as const))('node: %s', (_name, { spec, good }) => {
  const parsed = parseSettings(spec);
  expect(parsed.ok ? [] : parsed.error).toEqual(good ? [] : expect.arrayContaining([expect.anything()]));
});
