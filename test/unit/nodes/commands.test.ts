import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { diagnosed, kubelet, V4, V6 } from './situation.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fix-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The file after the command that is told has been run on it; restarting a kubelet is left out. */
function mended(args: Readonly<Record<string, string>>, before: string): string {
  const file = join(folder, 'kubelet.env');
  writeFileSync(file, before);
  const command = diagnosed({
    what: '',
    cause: 'KubeletNodeIPSingleFamily',
    host: kubelet(args, undefined, { source: file }),
  })?.fix.command;
  const [edit = ''] = (command ?? '').split(' && systemctl');
  execFileSync('sh', ['-c', edit]);
  return readFileSync(file, 'utf8');
}

const PAIR = `--node-ip=${V4},${V6}`;

test.each([
  [V4, `KUBELET_KUBEADM_ARGS="--a=1 --node-ip=${V4} --b=2"\n`, `KUBELET_KUBEADM_ARGS="--a=1 ${PAIR} --b=2"\n`],
  [V4, `KUBELET_EXTRA_ARGS=--node-ip=${V4}\n`, `KUBELET_EXTRA_ARGS=${PAIR}\n`],
  [V4, `KUBELET_KUBEADM_ARGS="--node-ip ${V4}"\n`, `KUBELET_KUBEADM_ARGS="${PAIR}"\n`],
  ['', '# --node-ip\nX=1\nKUBELET_KUBEADM_ARGS="--a=1"\n', `# --node-ip\nX=1\nKUBELET_KUBEADM_ARGS="${PAIR} --a=1"\n`],
  ['', 'KUBELET_EXTRA_ARGS=\n', `KUBELET_EXTRA_ARGS=${PAIR} \n`],
])('the command that is told does it: --node-ip=%s, %s', (nodeIP, before, after) => {
  expect(mended({ 'node-ip': nodeIP }, before)).toBe(after);
});
