import { execFile } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execute } from '../../../src/apply/execute.ts';
import type { KubeadmFacts } from '../../../src/distributions/kubeadm/facts.ts';
import { kubeadm } from '../../../src/distributions/kubeadm/index.ts';
import type { Cluster } from '../../../src/kube/connect.ts';
import { clientReader } from '../../../src/kube/reader.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import { isBlocker } from '../../../src/model/finding.ts';
import { known } from '../../../src/model/reader.ts';
import type { Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { readBasics } from '../../../src/observe/basics.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { findBinaries } from '../../../hack/binaries.mjs';
import { startCluster, type TestCluster } from '../../cluster/index.ts';
import { connectTo } from '../../support/connect.ts';
import { eventually } from '../../support/eventually.ts';
import { clusterFacts, POD_RANGES, SERVICE_RANGES, wantedDual, wantedSingle } from '../../support/facts.ts';

/** kubeadm's steps on what the real kubeadm wrote, without agents: their part is played by hand. */

let testCluster: TestCluster;
let cluster: Cluster;
beforeAll(async () => {
  testCluster = await startCluster({ controlPlanes: 1, workers: 1 });
  cluster = await connectTo(testCluster.kubeconfig);
});
afterAll(async () => {
  await cluster?.close();
  await testCluster?.stop();
});

async function look(): Promise<{ facts: ClusterFacts; own: KubeadmFacts }> {
  const reader = clientReader(cluster.client);
  const groups = await cluster.client.groupVersions();
  const server = {
    kubernetesVersion: testCluster.settings.kubernetesVersion,
    groupVersions: groups.ok ? groups.value : [],
  };
  const basics = await readBasics(reader, server, Date.now());
  if (!basics.ok) throw new Error(basics.error);
  const own = await kubeadm.observe(reader, basics.value);
  const { nodes } = basics.value;
  const serviceCIDR = known(own.defaultServiceCIDR.known ? (own.defaultServiceCIDR.value?.cidrs ?? []) : []);
  return { facts: clusterFacts({ nodes }, { basics: basics.value, serviceCIDR, at: Date.now() }), own };
}

const stepsOf = async (wanted: Wanted): Promise<readonly Step[]> => {
  const { facts, own } = await look();
  return kubeadm.steps(wanted, facts, own);
};
const stateOf = async (wanted: Wanted, id: string): Promise<string | undefined> =>
  (await stepsOf(wanted)).find((step) => step.id === id)?.state.is;

async function carryOut(wanted: Wanted, id: string): Promise<void> {
  const step = (await stepsOf(wanted)).find((candidate) => candidate.id === id);
  if (step === undefined) throw new Error(`no step ${id}`);
  const deps = {
    client: cluster.client,
    clock: systemClock,
    namespace: 'dualstack-system',
    suffix: () => 'x',
    attempt: () => '1-x',
    signal: new AbortController().signal,
  };
  expect(await execute(step, deps)).toMatchObject({ is: 'Changed' });
}

async function editFlag(component: string, change: (manifest: string) => string): Promise<void> {
  const file = testCluster.node('cp-1').manifest(component);
  const hidden = join(file, '..', `.${component}`);
  await writeFile(hidden, change(await readFile(file, 'utf8')));
  await rename(hidden, file);
}

const dataOf = async (name: string, key: string): Promise<string> => {
  const { stdout } = await testCluster.kubectl(['get', 'cm', '-n', 'kube-system', name, '-o', 'json']);
  return (JSON.parse(stdout) as { data: Record<string, string> }).data[key] ?? '';
};

test('a fresh cluster is recognised, read whole, and nothing is in the way', async () => {
  await eventually(
    'all is ready',
    async () => {
      const { facts, own } = await look();
      return kubeadm.check(wantedDual(), facts, own).filter(isBlocker).length === 0;
    },
    60_000,
  );
  const { facts, own } = await look();
  expect(kubeadm.detect(facts.basics)).not.toBeNull();
  expect(kubeadm.network(own)).toEqual({
    pods: known([POD_RANGES.single]),
    services: known([SERVICE_RANGES.single]),
    nodeMask: {},
  });
  expect(own.lease).toMatchObject({ known: true, value: { holder: expect.stringMatching(/^cp-1_/) } });
  expect(kubeadm.steps(wantedDual(), facts, own).map((step) => `${step.id} ${step.state.is}`)).toEqual([
    'node-ips/worker-1 Pending',
    'node-ips/cp-1 Pending',
    'api-server/cp-1 Pending',
    'service-cidr Pending',
    'controller-manager/cp-1 Pending',
    'controller-manager/lease Pending',
    'kubeadm-config Pending',
    'kube-proxy/config Pending',
    'kube-proxy/rollout Pending',
  ]);
});

test('the configuration that is written is one that kubeadm takes, and goes back byte for byte', async () => {
  const wanted = wantedDual({ nodeMask: { IPv6: 60 } });
  const first = await dataOf('kubeadm-config', 'ClusterConfiguration');
  const { facts, own } = await look();
  const restore = Object.fromEntries(kubeadm.records(facts, own).map(({ key, value }) => [key, value]));
  await carryOut(wanted, 'kubeadm-config');
  expect(await stateOf(wanted, 'kubeadm-config')).toBe('Satisfied');
  const text = await dataOf('kubeadm-config', 'ClusterConfiguration');
  expect(text).toContain(`podSubnet: ${POD_RANGES.dual}`);
  const file = join(testCluster.dir, 'edited-config.yaml');
  await writeFile(file, text);
  const { kubeadm: binary } = await findBinaries({ names: ['kubeadm'] });
  await promisify(execFile)(binary ?? '', ['config', 'validate', '--config', file]);

  await carryOut(wantedSingle({ restore }), 'kubeadm-config');
  expect(await dataOf('kubeadm-config', 'ClusterConfiguration')).toBe(first);
});

test('kube-proxy: its configuration, then pods that have read it; and back', async () => {
  const first = await dataOf('kube-proxy', 'config.conf');
  const { facts, own } = await look();
  const restore = Object.fromEntries(kubeadm.records(facts, own).map(({ key, value }) => [key, value]));
  for (const [wanted, text] of [
    [wantedDual(), first.replace(POD_RANGES.single, POD_RANGES.dual)],
    [wantedSingle({ restore }), first],
  ] as const) {
    await carryOut(wanted, 'kube-proxy/config');
    expect(await dataOf('kube-proxy', 'config.conf')).toBe(text);
    expect(await stateOf(wanted, 'kube-proxy/rollout')).toBe('Pending');
    await carryOut(wanted, 'kube-proxy/rollout');
    await eventually(
      'all pods are new',
      async () => (await stateOf(wanted, 'kube-proxy/rollout')) === 'Satisfied',
      60_000,
    );
  }
  const { stdout } = await testCluster.kubectl(['get', 'ds', '-n', 'kube-system', 'kube-proxy', '-o', 'json']);
  expect(stdout).not.toContain('dualstack.dev/config-hash');
});

const addRange = (manifest: string): string =>
  manifest.replace(`range=${SERVICE_RANGES.single}`, `range=${SERVICE_RANGES.dual}`);

test('the ServiceCIDR gains the range with the flag, and on the way back is made again with one', async () => {
  await editFlag('kube-apiserver', addRange);
  const reached = (wanted: Wanted, id: string) => async (): Promise<boolean> =>
    (await stateOf(wanted, id).catch(() => undefined)) === 'Satisfied';
  await eventually('dual', reached(wantedDual(), 'service-cidr'), 60_000);
  await eventually('its step is done', reached(wantedDual(), 'api-server/cp-1'), 60_000);

  await editFlag('kube-apiserver', (manifest) => manifest.replace(SERVICE_RANGES.dual, SERVICE_RANGES.single));
  await eventually('the flag is back', reached(wantedSingle(), 'api-server/cp-1'), 60_000);
  await eventually(
    'its turn',
    async () => (await stateOf(wantedSingle(), 'service-cidr/delete')) === 'Pending',
    20_000,
  );
  await carryOut(wantedSingle(), 'service-cidr/keep');
  await carryOut(wantedSingle(), 'service-cidr/delete');
  await eventually('single', reached(wantedSingle(), 'service-cidr'), 60_000);
  expect(await stateOf(wantedSingle(), 'service-cidr/delete')).toBe('Satisfied');
  await carryOut(wantedSingle(), 'service-cidr/release');
  await eventually('nothing of it is left', reached(wantedSingle(), 'service-cidr/release'), 60_000);
});
