import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { clientReader, readServerInfo } from '../../src/kube/reader.ts';
import type { Cluster } from '../../src/kube/connect.ts';
import { asArray, asString, at } from '../../src/model/object.ts';
import { known } from '../../src/model/reader.ts';
import type { Handoff, Step } from '../../src/model/step.ts';
import { observe } from '../../src/observe/observe.ts';
import { registry } from '../../src/registry.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { connectTo } from '../support/connect.ts';
import { PODS, SERVICES } from '../support/facts.ts';
import { asked, planScene } from '../support/plan-scene.ts';

/**
 * A control plane of real processes as one that nobody recognises: a person who follows the plan, and nothing else, converts it. Only what the plan hands over is done, from its
 * snippets.
 */

let cluster: TestCluster;
let access: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ controlPlanes: 1, workers: 1, nodeIP: 'single' });
  access = await connectTo(cluster.kubeconfig);
}, 180_000);

afterAll(async () => {
  await access?.close();
  await cluster?.stop();
}, 60_000);

/** Null: the API server is away, as while it restarts. */
async function openSteps(): Promise<readonly Step[] | null> {
  const reader = clientReader(access.client);
  const server = await readServerInfo(access.client);
  if (!server.ok) return null;
  const choice = { distribution: 'Unmanaged', cni: 'Unmanaged' };
  const facts = await observe(reader, server.value, registry, choice, Date.now(), () => Promise.resolve(known([])));
  if (!facts.ok) return null;
  const { steps, findings } = planScene(facts.value, asked()).plan;
  expect(findings.filter(({ blocks }) => blocks.includes('APIServer') && blocks.includes('NodeIPs'))).toEqual([]);
  const phases = ['NodeIPs', 'APIServer', 'ControllerManager', 'Proxy'];
  return steps.filter(({ phase, state }) => phases.includes(phase) && state.is !== 'Satisfied');
}

const linesOf = ({ snippets }: Handoff): readonly string[] =>
  (snippets ?? []).flatMap(({ text }) => text.split('\n').filter((line) => line !== ''));

/** As a person edits a manifest: the flag where it is, else at the end. */
async function setFlags(component: string, flags: readonly string[]): Promise<void> {
  const file = cluster.node('cp-1').manifest(component);
  const manifest: unknown = parse(await readFile(file, 'utf8'));
  const container = asArray(at(manifest, 'spec', 'containers'))[0] as { command: string[] };
  for (const flag of flags) {
    const name = `${flag.split('=')[0] ?? ''}=`;
    const index = container.command.findIndex((word) => word.startsWith(name));
    if (index < 0) container.command.push(flag);
    else container.command[index] = flag;
  }
  const fresh = join(dirname(file), `.${component}.new`);
  await writeFile(fresh, stringify(manifest));
  await rename(fresh, file);
}

async function setNodeIP(name: string, flags: readonly string[]): Promise<void> {
  const node = cluster.node(name);
  const file = join(node.hostRoot, 'var/lib/kubelet/kubeadm-flags.env');
  const pair = node.hostAddresses().flatMap(({ address }) => (address.startsWith('fe80') ? [] : [address]));
  const flag = (flags[0] ?? '').replace('<its IPv6 address>', pair.find((address) => address.includes(':')) ?? '');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/--node-ip=[^\s"]+/u, flag));
  node.kubelet.restart();
}

async function setProxyConfig(lines: readonly string[]): Promise<void> {
  const read = await cluster.kubectl(['-n', 'kube-system', 'get', 'configmap', 'kube-proxy', '-o', 'json']);
  const config = asString(at(JSON.parse(read.stdout), 'data', 'config.conf')) ?? '';
  const changed = config.replace(/^clusterCIDR:.*$/mu, lines[0] ?? '');
  const patch = JSON.stringify({ data: { 'config.conf': changed } });
  await cluster.kubectl(['-n', 'kube-system', 'patch', 'configmap', 'kube-proxy', '--type=merge', '-p', patch]);
  await cluster.kubectl(['-n', 'kube-system', 'rollout', 'restart', 'daemonset', 'kube-proxy']);
}

async function follow(step: Step & Handoff): Promise<void> {
  const lines = linesOf(step);
  if (step.phase === 'NodeIPs') return setNodeIP(step.node ?? '', lines);
  if (step.phase === 'Proxy') return setProxyConfig(lines);
  return setFlags(step.phase === 'APIServer' ? 'kube-apiserver' : 'kube-controller-manager', lines);
}

const argumentsOf = (component: string): readonly string[] => cluster.history.running(component, 'cp-1')?.args ?? [];

test('who follows the plan has a dual-stack control plane in the end, and the plan sees each step done', async () => {
  const done: string[] = [];
  const deadline = performance.now() + 150_000;
  let open = await openSteps();
  expect(open?.every(({ kind }) => kind === 'Handoff')).toBe(true);
  /** Nobody follows what a plan said for a moment only, while a pod of the control plane was being replaced. */
  let before = '';
  while (open === null || open.length > 0) {
    const next = open?.[0];
    if (performance.now() > deadline)
      throw new Error(`${next?.id ?? ''}: ${JSON.stringify(next?.state)}, done: ${done.join(' ')}`);
    if (next?.kind === 'Handoff' && next.state.is === 'Pending' && next.id === before && !done.includes(next.id)) {
      await follow(next);
      done.push(next.id);
    }
    before = next?.id ?? '';
    await new Promise((resolve) => setTimeout(resolve, 1000));
    open = await openSteps();
  }
  expect(done).toEqual([
    'node-ips/worker-1',
    'node-ips/cp-1',
    'api-server/cp-1',
    'controller-manager/cp-1',
    'kube-proxy',
  ]);

  expect(argumentsOf('kube-apiserver')).toContain(`--service-cluster-ip-range=${SERVICES.IPv4},${SERVICES.IPv6}`);
  expect(argumentsOf('kube-controller-manager')).toContain(`--cluster-cidr=${PODS.IPv4},${PODS.IPv6}`);
}, 180_000);

test('a Service gets both addresses then', async () => {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'both', namespace: 'default' },
    spec: { ipFamilyPolicy: 'RequireDualStack', ports: [{ port: 80 }] },
  };
  await cluster.kubectl(['create', '-f', '-'], JSON.stringify(service));
  const read = await cluster.kubectl(['get', 'service', 'both', '-o', 'jsonpath={.spec.clusterIPs}']);
  expect(JSON.parse(read.stdout)).toEqual([
    expect.stringMatching(/^10\.96\./u),
    expect.stringMatching(/^fd00:10:96:/u),
  ]);
});
