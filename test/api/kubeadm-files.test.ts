import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findBinaries, kubernetesVersion } from '../../hack/binaries.mjs';
import { nodeJoin } from '../../src/generate/kubeadm/node-join.ts';
import { kubeadm } from '../../src/generate/kubeadm/index.ts';
import type { FlagValues, GeneratedFile } from '../../src/generate/contract.ts';
import type { Family } from '../../src/net/family.ts';
import { CASES, clusterFor, DUAL, filesOf, nodeFlag } from '../unit/generate/support.ts';

/** What is generated for kubeadm, as the real kubeadm judges it: unknown fields and values that do not go together are errors. */

const run = promisify(execFile);
let binary: string;
let folder: string;
beforeAll(async () => {
  const found = await findBinaries({ names: ['kubeadm'] });
  binary = found['kubeadm'] ?? '';
  folder = await mkdtemp(join(tmpdir(), 'kubeadm-files-'));
});
afterAll(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** What kubeadm says; rejects with it where it is not content. */
async function validate({ name, text }: GeneratedFile, ...flags: readonly string[]): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  const { stdout, stderr } = await run(binary, ['config', 'validate', '--config', file, ...flags]);
  return `${stdout}${stderr}`;
}

const flagsFor = (families: readonly Family[], version = kubernetesVersion()): FlagValues => ({
  'kubernetes-version': [version],
  'control-plane': [1, 2, 3].map((number) => nodeFlag(`cp-${number}`, 10 + number, families)),
  worker: [nodeFlag('worker-1', 21, families)],
  'control-plane-endpoint': [families.includes('IPv4') ? '192.0.2.10:7443' : '[2001:db8::10]:7443'],
  'bind-port': ['7443'],
});

const TRUST: FlagValues = {
  token: ['a1b2c3.d4e5f6a7b8c9d0e1'],
  'discovery-token-ca-cert-hash': [`sha256:${'ab'.repeat(32)}`],
  'certificate-key': ['cd'.repeat(32)],
};

test.each(CASES)('%s: kubeadm takes each file, and has nothing to say', async (_, families) => {
  for (const values of [flagsFor(families), { ...flagsFor(families), ...TRUST }]) {
    for (const file of filesOf(kubeadm, clusterFor(kubeadm, families), values).files) {
      // Values that kubeadm would have chosen otherwise are told as warnings: there are to be none.
      expect([file.name, (await validate(file)).trim()]).toEqual([file.name, 'ok']);
    }
  }
});

test('masks of nodes are taken in the form of v1beta4', async () => {
  const cluster = clusterFor(kubeadm, DUAL, { nodeMask: { IPv4: 25, IPv6: 66 } });
  const [init] = filesOf(kubeadm, cluster, flagsFor(DUAL)).files;
  expect((await validate(init!)).trim()).toBe('ok');
});

test.each(CASES)('%s: the form of v1beta3 is taken, too', async (_, families) => {
  const cluster = clusterFor(kubeadm, families, { nodeMask: { [families[0]!]: families[0] === 'IPv4' ? 25 : 66 } });
  for (const file of filesOf(kubeadm, cluster, flagsFor(families, '1.30.9')).files) {
    expect(file.text).toContain('kubeadm.k8s.io/v1beta3');
    // This kubeadm sets up no release as old as that, but it reads its configuration.
    const text = file.text.replace('kubernetesVersion: v1.30.9', `kubernetesVersion: v${kubernetesVersion()}`);
    expect(await validate({ ...file, text }, '--allow-deprecated-api')).toMatch(/ok\s*$/u);
  }
});

test('a field that kubeadm does not know is an error here, so the tests above can fail', async () => {
  const [init] = filesOf(kubeadm, clusterFor(kubeadm, DUAL), flagsFor(DUAL)).files;
  const text = init!.text.replace('podSubnet:', 'podsSubnet:');
  await expect(validate({ ...init!, text })).rejects.toThrow(/podsSubnet/u);
});

test('files for the nodes of a live cluster are taken', async () => {
  const generated = nodeJoin(
    {
      kubernetesVersion: `v${kubernetesVersion()}`,
      families: DUAL,
      pods: {},
      services: {},
      endpoint: '[2001:db8::10]:6443',
      caHash: `sha256:${'ab'.repeat(32)}`,
      nodes: [
        { name: 'cp-1', controlPlane: true, internalIPs: ['192.0.2.11', '2001:db8::11'] },
        { name: 'worker-1', controlPlane: false, internalIPs: ['192.0.2.21', '2001:db8::21'] },
      ],
    },
    {},
  );
  if (!generated.ok) throw new Error(generated.error.problems.join('\n'));
  expect(generated.value.files).toHaveLength(2);
  for (const file of generated.value.files) expect((await validate(file)).trim()).toBe('ok');
});
