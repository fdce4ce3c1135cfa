import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findBinaries } from '../../hack/binaries.mjs';
import { at } from '../../src/model/object.ts';
import { DUAL_STACK, startCluster, type TestCluster } from '../cluster/index.ts';
import { eventually } from '../support/eventually.ts';
import { PODS } from '../support/facts.ts';
import { documentsOf } from '../unit/generate/support.ts';

/** `generate node-join --from-cluster` on a cluster that kubeadm made, beside what the real kubeadm itself says there. */

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const TOKEN = 'a1b2c3.d4e5f6a7b8c9d0e1';

const run = promisify(execFile);
let cluster: TestCluster;
let kubeadm: string;
let folder: string;

beforeAll(async () => {
  kubeadm = (await findBinaries({ names: ['kubeadm'] }))['kubeadm'] ?? '';
  folder = await mkdtemp(join(tmpdir(), 'node-join-'));
  cluster = await startCluster({ ...DUAL_STACK, controlPlanes: 1, workers: 1 });
  await eventually('each Node has both addresses', async () => {
    const { stdout } = await cluster.kubectl([
      'get',
      'nodes',
      '-o',
      'jsonpath={.items[*].status.addresses[*].address}',
    ]);
    return stdout.split(' ').filter((address) => address.includes(':')).length === 2;
  });
});

afterAll(async () => {
  await cluster?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const generate = (...args: readonly string[]) =>
  run(process.execPath, [MAIN, 'generate', 'node-join', '--from-cluster', '--kubeconfig', cluster.kubeconfig, ...args]);

test('a file for each node: endpoint and hash are those that kubeadm prints, and kubeadm takes the file', async () => {
  const { stdout } = await generate('--token', TOKEN, '-o', folder);
  const files = stdout.trim().split('\n');
  expect(files.map((file) => basename(file))).toEqual(['join-cp-1.yaml', 'join-worker-1.yaml']);

  // kubeadm prints the server of its kubeconfig: the one by which cluster-info was written.
  const { kubeconfig } = cluster.node('cp-1');
  const printed = await run(kubeadm, ['token', 'create', '--print-join-command', '--kubeconfig', kubeconfig]);
  const [, endpoint, hash] = /kubeadm join (\S+) .*--discovery-token-ca-cert-hash (\S+)/u.exec(printed.stdout) ?? [];
  expect(hash).toMatch(/^sha256:/u);
  for (const file of files) {
    const [document] = documentsOf(await readFile(file, 'utf8'));
    expect(at(document, 'discovery', 'bootstrapToken')).toEqual({
      apiServerEndpoint: endpoint,
      token: TOKEN,
      caCertHashes: [hash],
    });
    expect((await run(kubeadm, ['config', 'validate', '--config', file])).stdout.trim()).toBe('ok');
  }
  const [worker] = documentsOf(await readFile(files[1] ?? '', 'utf8'));
  expect(at(worker, 'nodeRegistration', 'kubeletExtraArgs')).toEqual([
    { name: 'node-ip', value: '192.0.2.11,2001:db8::11' },
  ]);
});

test('a node that is to come is named with its addresses, which the networks of the cluster must not hold', async () => {
  const { stdout, stderr } = await generate('--worker', 'worker-2=2001:db8::22,192.0.2.22');
  expect(stdout).toContain('value: "192.0.2.22,2001:db8::22"');
  expect(stderr).toContain('placeholder for the token');
  await expect(generate('--worker', 'worker-2=2001:db8::22,10.244.7.7')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`10.244.7.7 of worker-2 lies in ${PODS.IPv4}`),
  });
});
