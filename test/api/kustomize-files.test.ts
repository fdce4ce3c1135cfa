import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { stringify } from 'yaml';
import { findBinaries } from '../../hack/binaries.mjs';
import { calico } from '../../src/generate/calico/index.ts';
import { canal } from '../../src/generate/canal/index.ts';
import type { FlagValues, Generator } from '../../src/generate/contract.ts';
import { asArray, asString, at } from '../../src/model/object.ts';
import type { Family } from '../../src/net/family.ts';
import { manifestObjects } from '../support/real-manifests.ts';
import { testWith } from '../support/with-manifests.ts';
import { clusterFor, documentsOf, DUAL, filesOf, IPV6_ONLY } from '../unit/generate/support.ts';

/** Patches laid over the released manifests by the real kubectl, as a user does it. */

const run = promisify(execFile);
let kubectl: string;
let folder: string;
beforeAll(async () => {
  kubectl = (await findBinaries({ names: ['kubectl'] }))['kubectl'] ?? '';
  folder = await mkdtemp(join(tmpdir(), 'kustomize-'));
});
afterAll(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const names = (of: unknown) =>
  asArray(at(of, 'spec', 'template', 'spec', 'containers')).map((each) => at(each, 'name'));

const released = (file: string): string => `calico-v3.31.7/${file}`;
const given = testWith(...['calico-vxlan.yaml', 'calico.yaml', 'canal.yaml'].map(released));

given.each<[string, readonly Family[], Generator, FlagValues]>([
  ['calico-vxlan.yaml', DUAL, calico, { backend: ['vxlan'] }],
  ['calico.yaml', IPV6_ONLY, calico, { backend: ['bird'] }],
  ['canal.yaml', DUAL, canal, {}],
])('%s with %j', async (manifest, families, generator, values) => {
  const home = await mkdtemp(join(folder, 'm-'));
  // Without the CRDs, which nothing is said of.
  const patched = manifestObjects(released(manifest)).filter(
    ({ kind }) => kind === 'ConfigMap' || kind === 'DaemonSet',
  );
  await writeFile(join(home, manifest), patched.map((object) => stringify(object)).join('---\n'));
  const { files } = filesOf(generator, clusterFor(generator, families), values);
  for (const { name, text } of files) await writeFile(join(home, name), text);
  const { stdout } = await run(kubectl, ['kustomize', home]);
  const documents = documentsOf(stdout);
  expect(documents).toHaveLength(patched.length);

  const agent = documents.find((document) => at(document, 'kind') === 'DaemonSet');
  const before = patched.find(({ kind }) => kind === 'DaemonSet');
  expect(names(agent)).toEqual(names(before));
  const container = asArray(at(agent, 'spec', 'template', 'spec', 'containers')).find(
    (each) => at(each, 'name') === 'calico-node',
  );
  const env = Object.fromEntries(
    asArray(at(container, 'env')).map((each) => [String(at(each, 'name')), at(each, 'value')]),
  );
  expect(env).toMatchObject({ FELIX_IPV6SUPPORT: 'true', CALICO_IPV6POOL_CIDR: 'fd00:10:244::/56' });
  // Left as they were released.
  expect(env).toMatchObject({ DATASTORE_TYPE: 'kubernetes', FELIX_HEALTHENABLED: 'true' });
  const config = documents.find((document) => at(document, 'kind') === 'ConfigMap');
  expect(asString(at(config, 'data', 'cni_network_config'))).toContain('"mtu": __CNI_MTU__');
  expect(at(config, 'data', 'veth_mtu')).toBe('0');
});
