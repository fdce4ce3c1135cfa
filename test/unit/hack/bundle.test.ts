import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';

const DIST = join(import.meta.dirname, '../../../dist');
const run = promisify(execFile);

/** What is printed, and how it ends, where there is no cluster. */
async function outcome(program: string, args: readonly string[]): Promise<readonly [string, number]> {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent' };
  try {
    const { stdout } = await run(process.execPath, [join(DIST, program), ...args], { env });
    return [stdout, 0];
  } catch (thrown) {
    const { stdout, stderr, code } = thrown as {
      readonly stdout: string;
      readonly stderr: string;
      readonly code: number;
    };
    return [`${stdout}${stderr}`.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/gu, 'TIME'), code];
  }
}

test.each([
  ['version', 0, /^\d+\.\d+\.\d+\n$/u],
  ['generate kubeadm', 2, /--kubernetes-version is missing/u],
  ['generate --help', 0, /kubeadm/u],
  ['--help', 0, /operator/u],
  ['check', 1, /kubeconfig/u],
  ['operator', 1, /kubeconfig/u],
  ['agent --node-name=n', 1, /kubeconfig/u],
  ['probe run', 2, /PROBE_ORDER/u],
])('in parts as in one file: %s', async (command, code, says) => {
  const [inParts, whole] = await Promise.all(
    ['image/main.js', 'main.js'].map((each) => outcome(each, command.split(' '))),
  );
  expect(inParts).toEqual([expect.stringMatching(says), code]);
  expect(inParts).toEqual(whole);
});

const textOf = (part: string): string => readFileSync(join(DIST, 'image', part), 'utf8');
const importedBy = (text: string, how: RegExp): readonly string[] =>
  [...text.matchAll(how)].map((match) => match.groups?.['part'] ?? '');

const partsOf = (name: string): readonly string[] =>
  importedBy(textOf('main.js'), new RegExp(`import\\("\\./(?<part>${name}-[^"]+)"\\)`, 'gu'));

describe('the parts', () => {
  /** All that is loaded with a part, whatever is done then. */
  const loadedWith = (part: string, before: ReadonlySet<string> = new Set()): ReadonlySet<string> =>
    before.has(part)
      ? before
      : importedBy(textOf(part), /(?:from|^import) "\.\/(?<part>[^"]+)";$/gmu).reduce(
          (loaded, next) => loadedWith(next, loaded),
          new Set([...before, part]) as ReadonlySet<string>,
        );
  const loaded = (part: string): string => [...loadedWith(part)].map(textOf).join('\n');

  test.each([
    ['operator', 'src/reconcile/operator.ts', ['src/cli/print-plan.ts', 'src/agent/run.ts', 'src/kube/kubeconfig.ts']],
    ['run', 'src/agent/run.ts', ['src/registry.ts', 'src/plan/plan.ts', 'src/kube/kubeconfig.ts']],
  ])('of %s hold what it needs, and nothing of the others', (name, own, others) => {
    const [part] = partsOf(name);
    const text = loaded('main.js') + loaded(part ?? '');
    expect(text).toContain(`// ${own}`);
    for (const other of others) expect(text).not.toContain(`// ${other}`);
  });
});
