import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const PODTOOL = join(import.meta.dirname, '../../../hack/tools/podtool');
const MINUTES = 60_000;

test(
  'the tool for pods passes its own tests, the prober above all',
  () => {
    const { status, stdout, stderr } = spawnSync('go', ['test', './...'], { cwd: PODTOOL, encoding: 'utf8' });
    expect({ status, output: status === 0 ? '' : `${stdout}${stderr}` }).toEqual({ status: 0, output: '' });
  },
  3 * MINUTES,
);
