import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster, type TestNode } from '../../cluster/index.ts';
import { eventually } from '../../support/eventually.ts';
import { type Agents, install, startAgents } from '../../support/install.ts';
import { ask, askOn, openSession, type Outcome, type ServerAccess, watchAbsences } from '../../support/request-load.ts';
import { HOLD_LABEL, type SlowWebhook, startSlowWebhook } from '../../support/slow-webhook.ts';
import { accessOf } from '../../support/steady-client.ts';

/** As the kubelet's patience with a static pod of kubeadm. */
const GRACE_MS = 30_000;
const CONFIG_MAPS = 1_200;
const TEXT = 'x'.repeat(8_000);
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
    args.filter((argument) => !/^--(?:shutdown-watch|audit)/.test(argument)),
  );
  await install(cluster);
  const first = cluster.history.running('kube-apiserver', node.name);
  node.kill('kube-apiserver');
  await eventually('it has ended', () => first?.exitedAt !== undefined);
  await ready();
  webhook = await startSlowWebhook();
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(webhook.configuration));
  await fill();
}, 180_000);
afterAll(async () => {
  await webhook?.stop();
  await cluster?.stop();
});

const ready = (): Promise<void> =>
  eventually(
    'the API server is ready',
    async () => (await ask(access, { what: 'probe', path: '/readyz' })).status === 200,
    60_000,
  );

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';

/** Enough that a list of them takes its time. */
async function fill(): Promise<void> {
  const session = openSession(access);
  for (let from = 0; from < CONFIG_MAPS; from += 50) {
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        askOn(session, { what: 'fill', path: CONFIGMAPS, body: configMap(`big-${from + i}`, { text: TEXT }) }),
      ),
    );
    expect(made.map(({ status }) => status)).toEqual(made.map(() => 201));
  }
  session.close();
}

const configMap = (name: string, data: object, labels: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data,
});

/** Edits the API server by way of the agent, with requests of every kind in flight. */
async function restartUnderLoad(range: string, hold: readonly number[], agents: () => Promise<Agents>) {
  const probes = watchAbsences(access);
  const session = openSession(access);
  const serverBefore = cluster.history.running('kube-apiserver', node.name);
  const watch = askOn(session, { what: 'watch', path: `${CONFIGMAPS}?watch=true&timeoutSeconds=600` });
  const ownWatch = ask(access, { what: 'watch', path: '/api/v1/nodes?watch=true&timeoutSeconds=600' });
  const running = await agents();
  const wanted = {
    apiVersion: 'dualstack.dev/v1alpha1',
    kind: 'DualStackNode',
    metadata: { name: node.name },
    spec: { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': range } } },
  };
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(wanted));
  const before = await readFile(node.manifest('kube-apiserver'), 'utf8');

  // From now on until the server is seen away, requests begin all the time.
  const all: Promise<Outcome>[] = [];
  const holdUp = (ms: number, how: (one: Parameters<typeof ask>[1]) => Promise<Outcome>): void => {
    const name = `held-${all.length}-${Date.now()}`;
    all.push(
      how({ what: `POST held up ${ms} ms`, path: CONFIGMAPS, body: configMap(name, {}, { [HOLD_LABEL]: String(ms) }) }),
    );
  };
  const alone = (one: Parameters<typeof ask>[1]): Promise<Outcome> => ask(access, one);
  const shared = (one: Parameters<typeof ask>[1]): Promise<Outcome> => askOn(session, one);
  const deadline = performance.now() + 60_000;
  while (probes.absences.length === 0 && isUp(serverBefore) && (await canConnect()) && performance.now() < deadline) {
    for (const ms of hold) {
      holdUp(ms, alone);
      holdUp(ms, shared);
    }
    all.push(alone({ what: 'list', path: CONFIGMAPS }), shared({ what: 'list', path: CONFIGMAPS }));
    all.push(alone({ what: 'slowly read list', path: CONFIGMAPS, bytesPerSecond: 5_000_000 }));
    await sleep(200);
  }
  const outcomes = await Promise.all(all);
  const watches = await Promise.all([watch, ownWatch]);
  await eventually('the API is back', () => probes.absences.length > 0, 60_000);
  await probes.stop();
  session.destroy();
  expect(await readFile(node.manifest('kube-apiserver'), 'utf8')).not.toBe(before);
  await running.stop();
  const [absence] = probes.absences;
  return { outcomes, watches, away: absence!, awayMs: absence!.toMs - absence!.fromMs, exit: serverBefore?.exit };
}

const isUp = (server: { readonly exitedAt?: number } | undefined): boolean => server?.exitedAt === undefined;
const canConnect = async (): Promise<boolean> => (await ask(access, { what: 'probe', path: '/livez' })).status !== null;

/** Accepted by the old server, and not answered to the end. A request of the last moments may have been refused at the door: no answer at all. */
const lost = (outcomes: readonly Outcome[], awayFromMs: number): readonly Outcome[] =>
  outcomes.filter((one) => !one.whole && (one.status !== null || one.beganAt < awayFromMs - 300));

function tell(what: string, result: Awaited<ReturnType<typeof restartUnderLoad>>): void {
  const late = result.outcomes.filter((one) => one.whole && one.endedAt > result.away.fromMs);
  const refused = result.outcomes.filter((one) => one.status === null);
  console.log(
    `${what}: away for ${(result.awayMs / 1000).toFixed(1)} s; ${result.outcomes.length} requests, of which ${late.length} were answered after the ` +
      `server had stopped listening, ${refused.length} refused at the door, ${lost(result.outcomes, result.away.fromMs).length} lost; ` +
      `old process: ${JSON.stringify(result.exit)}`,
  );
}

const served = (outcomes: readonly Outcome[]): readonly Outcome[] => outcomes.filter(({ whole }) => whole);

test('an old API server ends as soon as it has answered everything, and not one request is lost', async () => {
  const result = await restartUnderLoad(RANGES[0], [400, 2_500], () => startAgents(cluster));
  tell('with the second signal', result);
  expect(lost(result.outcomes, result.away.fromMs)).toEqual([]);
  expect(served(result.outcomes).filter(({ status }) => status !== 200 && status !== 201 && status !== 503)).toEqual(
    [],
  );
  expect(
    served(result.outcomes).some((one) => one.what.includes('2500') && one.endedAt > result.away.fromMs + 500),
  ).toBe(true);
  expect(result.watches.map(({ bytes }) => bytes > 0)).toEqual([true, true]);
  expect(result.exit).toEqual({ code: 1, signal: null });
  expect(result.awayMs).toBeLessThan(12_000);
}, 180_000);

test('a request that takes long is waited for', async () => {
  const result = await restartUnderLoad(RANGES[1], [9_000], () => startAgents(cluster));
  tell('with requests of 9 s', result);
  expect(lost(result.outcomes, result.away.fromMs)).toEqual([]);
  const last = Math.max(...served(result.outcomes).map(({ endedAt }) => endedAt));
  expect(last).toBeGreaterThan(result.away.fromMs + 7_000);
  expect(result.awayMs).toBeGreaterThan(last - result.away.fromMs);
  expect(result.awayMs).toBeLessThan(20_000);
}, 180_000);

test('without the right to ask, nothing is sent: it ends when the kubelet kills it', async () => {
  const { stdout } = await cluster.kubectl(['get', 'clusterrole', 'dualstack-agent', '-o', 'json']);
  const role = JSON.parse(stdout) as { rules: { nonResourceURLs?: unknown }[] };
  const rules = role.rules.filter(({ nonResourceURLs }) => nonResourceURLs === undefined);
  await cluster.kubectl(['replace', '-f', '-'], JSON.stringify({ ...role, rules }));
  const result = await restartUnderLoad(RANGES[0], [400], () => startAgents(cluster));
  tell('without it', result);
  expect(result.exit).toEqual({ code: null, signal: 'SIGKILL' });
  expect(result.awayMs).toBeGreaterThan(GRACE_MS - 2_000);
}, 180_000);
