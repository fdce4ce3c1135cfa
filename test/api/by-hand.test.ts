import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../src/kube/connect.ts';
import { clientReader, readServerInfo } from '../../src/kube/reader.ts';
import { known } from '../../src/model/reader.ts';
import type { Handoff } from '../../src/model/step.ts';
import { observe } from '../../src/observe/observe.ts';
import { registry } from '../../src/registry.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { connectTo } from '../support/connect.ts';
import { asked, planScene } from '../support/plan-scene.ts';

/** What a plan for an older cluster tells to run is tried with the real kubectl. The cluster is a new one that is taken for an old one. */

let cluster: TestCluster;
let access: Cluster;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'by-hand-'));
  cluster = await startCluster({ controlPlanes: 1, workers: 1, nodeIP: 'pair', calico: { manifest: 'vxlan' } });
  access = await connectTo(cluster.kubeconfig);
}, 180_000);

afterAll(async () => {
  await access?.close();
  await cluster?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
}, 60_000);

async function handoffs(): Promise<readonly Handoff[]> {
  const server = await readServerInfo(access.client);
  if (!server.ok) throw new Error(JSON.stringify(server.error));
  const facts = await observe(
    clientReader(access.client),
    { ...server.value, kubernetesVersion: 'v1.28.4' },
    registry,
    { distribution: 'Auto', cni: 'Auto' },
    Date.now(),
    () => Promise.resolve(known([])),
  );
  if (!facts.ok) throw new Error(facts.error);
  const { steps } = planScene(facts.value, asked()).plan;
  return steps.flatMap((step) => (step.kind === 'Handoff' && step.state.is !== 'Satisfied' ? [step] : []));
}

/** Words of a command line, as a shell makes them. */
const wordsOf = (command: string): readonly string[] =>
  [...command.matchAll(/'(?<quoted>[^']*)'|(?<plain>\S+)/gu)].map(
    ({ groups }) => groups?.['quoted'] ?? groups?.['plain'] ?? '',
  );

test('each command is one that kubectl and the API server take', async () => {
  const tried: string[] = [];
  for (const { command, snippets } of await handoffs()) {
    // What kubectl would delete is named only when it is its turn, and Services get a family only from an API server that has it.
    const isLater = command.includes('<') || command.includes(' service kube-dns ');
    if (!command.startsWith('kubectl ') || isLater) continue;
    await Promise.all((snippets ?? []).map(({ file, text }) => writeFile(join(folder, file), text)));
    const files = new Map((snippets ?? []).map(({ file }) => [file, join(folder, file)]));
    const [, ...words] = wordsOf(command);
    const done = await cluster.kubectl([...words.map((word) => files.get(word) ?? word), '--dry-run=server']);
    tried.push(done.stdout.trim());
  }
  const text = tried.join('\n');
  expect(text).toMatch(/configmap\/kubeadm-config serverside-applied \(server dry run\)/u);
  expect(text).toMatch(/configmap\/kube-proxy serverside-applied \(server dry run\)/u);
  expect(text).toMatch(/daemonset\.apps\/kube-proxy patched/u);
  expect(text).toMatch(/ippool\S* created \(server dry run\)/u);
  expect(text).toMatch(/daemonset\.apps\/calico-node serverside-applied \(server dry run\)/u);
});
