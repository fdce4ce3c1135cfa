import { expect, test } from '@jest/globals';
import { checkLength, checkSource } from '../../../hack/check-imports.mjs';

test.each([
  ['src/plan/plan.ts', "import { readFileSync } from 'node:fs';", 'plan must not import node:fs'],
  ['src/plan/plan.ts', "import type { Client } from '../kube/client.ts';", 'plan must not import from kube'],
  ['src/plan/plan.ts', "export type X = import('../kube/client.ts').Client;", 'plan must not import from kube'],
  ['src/plan/plan.ts', "export * from '../apply/apply.ts';", 'plan must not import from apply'],
  ['src/plan/plan.ts', "await import('../apply/apply.ts');", 'plan must not import from apply'],
  ['src/plan/plan.ts', 'export const now = () => Date.now();', 'plan knows no clock and no chance'],
  ['src/plan/plan.ts', 'export const now = () => new Date();', 'plan knows no clock'],
  ['src/net/cidr.ts', 'export const any = () => Math.random();', 'net knows no clock and no chance'],
  ['src/report/report.ts', "import { randomUUID } from 'node:crypto';", 'report knows no chance'],
  ['src/api/rules.ts', 'export const home = process.env.HOME;', 'api does no I/O'],
  ['src/api/rules.ts', "export const get = () => fetch('http://x');", 'api does no I/O'],
  ['src/model/step.ts', "import type { Plan } from '../plan/plan.ts';", 'model must not import from plan'],
  ['src/apply/apply.ts', "import { KubeConfig } from '@kubernetes/client-node';", 'only kube may'],
  ['src/apply/apply.ts', "import { writeFile } from 'node:fs/promises';", 'apply must not import node:fs/promises'],
  ['src/agent/run.ts', "import { makePlan } from '../plan/plan.ts';", 'agent must not import from plan'],
  ['src/runtime/queue.ts', "import type { Family } from '../net/family.ts';", 'runtime must not import from net'],
  [
    'src/cni/calico/steps.ts',
    "import { x } from '../flannel/index.ts';",
    'cni/calico must not import from cni/flannel',
  ],
  [
    'src/generate/kubeadm/init.ts',
    "import { calico } from '../calico/index.ts';",
    'generate/kubeadm must not import from generate/calico',
  ],
  [
    'src/cni/calico/steps.ts',
    "import { x } from '../../distributions/contract.ts';",
    'cni must not import from distributions',
  ],
  ['src/cli/program.ts', "import { apply } from '../apply/apply.ts';", 'cli must not import from apply'],
  ['src/plan/plan.ts', "import left from 'left-pad';", 'no room may'],
  ['src/plan/plan.ts', "import { x } from '../../test/support/facts.ts';", 'the program stands on src/ alone'],
  ['src/attic/old.ts', 'export {};', 'src/attic is no known room'],
])('%s: %s is refused', (path, text, message) => {
  expect(checkSource(path, text)).toEqual([{ line: 1, message: expect.stringContaining(message) }]);
});

test.each([
  ['src/plan/plan.ts', "import { createHash } from 'node:crypto';"],
  [
    'src/plan/plan.ts',
    "// Date.now() and import('../kube/client.ts') are only spoken of here\nexport const text = 'process.env';",
  ],
  ['src/plan/plan.ts', 'export const at = (facts: { at: number }) => new Date(facts.at).toISOString();'],
  ['src/plan/plan.ts', 'export const f = (step: { process: string }) => step.process;'],
  ['src/kube/client.ts', "import { KubeConfig } from '@kubernetes/client-node';"],
  ['src/cni/calico/steps.ts', "import type { CNI } from '../contract.ts';\nimport { splice } from './splice.ts';"],
  ['src/generate/kubeadm/init.ts', "import { note } from '../yaml.ts';\nimport { joinFile } from './join.ts';"],
  ['src/main.ts', "import { run } from './agent/run.ts';\nimport { readFileSync } from 'node:fs';"],
])('%s: %s passes', (path, text) => {
  expect(checkSource(path, text)).toEqual([]);
});

test('the line is named, also after comments and several files', () => {
  const text = '/** Größe. */\n\nexport const a = 1;\nexport const now = () => Date.now();\n';
  expect(checkSource('src/plan/a.ts', text)).toEqual([{ line: 4, message: expect.any(String) }]);
  expect(checkSource('src/plan/a.ts', text)).toEqual([{ line: 4, message: expect.any(String) }]);
});

test('a file is warned about past 400 lines and refused past 450', () => {
  expect(checkLength('x\n'.repeat(400))).toBeNull();
  expect(checkLength('x\n'.repeat(401))).toMatchObject({ warning: true });
  expect(checkLength('x\n'.repeat(451))).toMatchObject({ warning: false });
});
