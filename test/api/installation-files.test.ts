import { afterAll, beforeAll, expect } from '@jest/globals';
import { tigera } from '../../src/generate/tigera/index.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { crdsServed } from '../support/crds.ts';
import { manifestObjects } from '../support/real-manifests.ts';
import { testWith } from '../support/with-manifests.ts';
import { CASES, clusterFor, DUAL, fileNamed, filesOf } from '../unit/generate/support.ts';

/** What is generated for the tigera operator, as a real API server judges it by the released CRDs. */

const CRDS = ['installations.operator.tigera.io', 'apiservers.operator.tigera.io'];
const FILE = 'calico-v3.31.7/operator-crds.yaml';
const given = testWith(FILE);

let cluster: TestCluster | undefined;
beforeAll(async () => {
  cluster = await startCluster({ controlPlanes: 1 });
  const items = manifestObjects(FILE).filter(({ metadata }) => CRDS.includes(metadata.name));
  expect(items).toHaveLength(CRDS.length);
  await cluster.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await crdsServed(cluster);
});
afterAll(() => cluster?.stop());

const dryRun = async (text: string): Promise<string> =>
  (await cluster!.kubectl(['create', '--dry-run=server', '--validate=strict', '-f', '-'], text)).stdout;

given.each(CASES)('%s: the API server takes it, unknown fields being errors', async (_, families) => {
  const text = fileNamed(filesOf(tigera, clusterFor(tigera, families)), 'installation.yaml');
  expect((await dryRun(text)).trim().split('\n')).toHaveLength(2);
});

given.each([
  'first-found',
  'interface=eth.*',
  'skip-interface=docker.*',
  'can-reach=2001:db8::1',
  'cidr=2001:db8::/64',
])('autodetection by %s is taken', async (autodetectionMethod) => {
  const pool = { encapsulation: 'None', natOutgoing: false };
  const request = clusterFor(tigera, DUAL, { options: { calico: { autodetectionMethod, pool } } });
  await dryRun(fileNamed(filesOf(tigera, request), 'installation.yaml'));
});

given('a field that the CRD does not know is an error here, so the tests above can fail', async () => {
  const text = fileNamed(filesOf(tigera, clusterFor(tigera, DUAL)), 'installation.yaml');
  await expect(dryRun(text.replace('natOutgoing', 'natOutbound'))).rejects.toThrow(/natOutbound/u);
});
