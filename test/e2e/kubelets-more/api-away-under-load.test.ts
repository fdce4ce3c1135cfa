import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster, type TestNode } from '../../cluster/index.ts';
import { eventually } from '../../support/eventually.ts';
import { install, startAgents } from '../../support/install.ts';
import {
  ask,
  awayMs,
  fillWithConfigMaps,
  loadText,
  loadThroughRestart,
  lostOf,
  type Outcome,
  type ServerAccess,
} from '../../support/request-load.ts';
import { type SlowWebhook, startSlowWebhook } from '../../support/slow-webhook.ts';
import { accessOf } from '../../support/steady-client.ts';

/** As the kubelet's patience with a static pod of kubeadm. */
const GRACE_MS = 30_000;
const GOAL_MS = 12_000;
const CONFIG_MAPS = 1_200;
const RANGES = ['10.96.0.0/16,fd00:10:96::/112', '10.96.0.0/16'] as const;

let cluster: TestCluster;
let node: TestNode;
let access: ServerAccess;
let webhook: SlowWebhook;

beforeAll(async () => {
  cluster = await startCluster({ controlPlanes: 1, timing: { stopGrace: GRACE_MS } });
  [node] = cluster.controlPlanes as [TestNode];
  const { ca, cert, key } = await accessOf(cluster.kubeconfig);
  access = { host: node.loopback, port: 6443, tls: { ca, cert, key } };
  // As kubeadm sets it up: no audit log, and nothing that ends watches.
  node.launchOverride('kube-apiserver', (args) =>
    args.filter((argument) => !/^--(?:shutdown-watch|audit)/u.test(argument)),
  );
  await install(cluster);
  const first = cluster.history.running('kube-apiserver', node.name);
  node.kill('kube-apiserver');
  await eventually('it has ended', () => first?.exitedAt !== undefined);
  const isReady = async (): Promise<boolean> => (await ask(access, { what: 'probe', path: '/readyz' })).status === 200;
  await eventually('the API server is ready', isReady, 60_000);
  webhook = await startSlowWebhook();
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(webhook.configuration));
  await fillWithConfigMaps(access, CONFIG_MAPS);
}, 180_000);
afterAll(async () => {
  await webhook?.stop();
  await cluster?.stop();
});

/** The API server is given another range by way of the agent, with requests in flight. */
async function restartUnderLoad(what: string, range: string, holdMs: readonly number[]) {
  const old = cluster.history.running('kube-apiserver', node.name);
  const agents = await startAgents(cluster);
  const loaded = loadThroughRestart(access, holdMs);
  const wanted = {
    apiVersion: 'dualstack.dev/v1alpha1',
    kind: 'DualStackNode',
    metadata: { name: node.name },
    spec: { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': range } } },
  };
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(wanted));
  const result = await loaded;
  await agents.stop();
  expect(await readFile(node.manifest('kube-apiserver'), 'utf8')).toContain(`--service-cluster-ip-range=${range}\n`);
  console.log(`${what}: ${loadText(result)}; the old process: ${JSON.stringify(old?.exit)}`);
  return { ...result, exit: old?.exit };
}

const answered = (outcomes: readonly Outcome[]): readonly Outcome[] => outcomes.filter(({ whole }) => whole);

test('an old API server ends as soon as it has answered everything, and not one request is lost', async () => {
  const result = await restartUnderLoad('with the second signal', RANGES[0], [400, 2_500]);
  expect(lostOf(result)).toEqual([]);
  // 503 is what a stopping server says to those who come late on a connection that they had.
  expect(answered(result.outcomes).filter(({ status }) => ![200, 201, 503].includes(status ?? 0))).toEqual([]);
  const heldUp = answered(result.outcomes).filter(({ what }) => what.includes('2500'));
  expect(heldUp.some(({ endedAt }) => endedAt > result.away.fromMs + 500)).toBe(true);
  expect(result.watches.every(({ bytes }) => bytes > 0)).toBe(true);
  expect(result.exit).toEqual({ code: 1, signal: null });
  expect(awayMs(result)).toBeLessThan(GOAL_MS);
}, 180_000);

test('a request that takes long is waited for', async () => {
  const result = await restartUnderLoad('with requests of 9 s', RANGES[1], [9_000]);
  expect(lostOf(result)).toEqual([]);
  const last = Math.max(...answered(result.outcomes).map(({ endedAt }) => endedAt)) - result.away.fromMs;
  expect(last).toBeGreaterThan(7_000);
  expect(awayMs(result)).toBeGreaterThan(last);
  expect(awayMs(result)).toBeLessThan(last + GOAL_MS);
}, 180_000);

test('without the right to ask nothing is sent: it ends when the kubelet kills it', async () => {
  const { stdout } = await cluster.kubectl(['get', 'clusterrole', 'dualstack-agent', '-o', 'json']);
  const role = JSON.parse(stdout) as { rules: { nonResourceURLs?: unknown }[] };
  const rules = role.rules.filter(({ nonResourceURLs }) => nonResourceURLs === undefined);
  await cluster.kubectl(['replace', '-f', '-'], JSON.stringify({ ...role, rules }));
  const result = await restartUnderLoad('without it', RANGES[0], [400]);
  expect(result.exit).toEqual({ code: null, signal: 'SIGKILL' });
  expect(awayMs(result)).toBeGreaterThan(GRACE_MS - 2_000);
}, 180_000);
