import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { CAUSES } from '../../../src/nodes/cause.ts';

const page = readFileSync(new URL('../../../docs/troubleshooting.md', import.meta.url), 'utf8');

test.each(CAUSES)('%s is in the table of causes', (cause) => {
  expect(page).toMatch(new RegExp(`^\\| \`${cause}\` \\|`, 'mu'));
});
