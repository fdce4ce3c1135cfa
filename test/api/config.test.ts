import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { clientReader, pagedReader } from '../../src/kube/reader.ts';
import { readPodOwners } from '../../src/observe/workloads.ts';
import { observe } from '../../src/observe/observe.ts';
import { registry } from '../../src/registry.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { connectTo } from '../support/connect.ts';

const CONFIG = fileURLToPath(new URL('../../config/', import.meta.url));
const NAMESPACE = 'dualstack-system';

let cluster: TestCluster;
let folder: string;
let dryRun: { ok: boolean; text: string };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'));
  cluster = await startCluster({ controlPlanes: 1, workers: 1, calico: { manifest: 'bird' } });
  // A dry run does not keep the namespace in which the rest would be made.
  await must('apply', '-f', join(CONFIG, 'manager/namespace.yaml'));
  dryRun = await kubectl('apply', '-k', join(CONFIG, 'default'), '--dry-run=server');
  await must('apply', '-k', join(CONFIG, 'default'));
});
afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true });
});

/** What kubectl said, or the error that it ended with. */
async function kubectl(...args: string[]): Promise<{ ok: boolean; text: string }> {
  try {
    return { ok: true, text: (await cluster.kubectl(args)).stdout };
  } catch (error) {
    return { ok: false, text: String((error as { stderr?: string }).stderr ?? error) };
  }
}

async function must(...args: string[]): Promise<string> {
  const { ok, text } = await kubectl(...args);
  if (!ok) throw new Error(`kubectl ${args.join(' ')}: ${text}`);
  return text;
}

async function eventually(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not within 60 s: ${what}`);
    await sleep(200);
  }
}

/** A kubeconfig for a token alone: with a client certificate beside it the server would look at that first. */
async function kubeconfigFor(token: string): Promise<string> {
  const config = parse(await readFile(cluster.kubeconfig, 'utf8')) as { users: { user: object }[] };
  for (const entry of config.users) entry.user = { token };
  const file = join(folder, `${createHash('sha256').update(token).digest('hex').slice(0, 8)}.kubeconfig`);
  await writeFile(file, stringify(config));
  return file;
}

test('the server takes all manifests without a change to them', async () => {
  expect(dryRun).toMatchObject({ ok: true });
  expect(dryRun.text).toContain('daemonset.apps/dualstack-agent created (server dry run)');
  const again = await must('apply', '-k', join(CONFIG, 'default'));
  expect(again.split('\n').filter((line) => line !== '' && !line.endsWith(' unchanged'))).toEqual([]);
});

test.each(['dualstackcluster', 'dualstackcluster-reviewed', 'dualstackcluster-back'])(
  'the sample %s is valid',
  async (sample) => {
    const { ok, text } = await kubectl('create', '-f', join(CONFIG, 'samples', `${sample}.yaml`), '--dry-run=server');
    expect({ ok, text }).toMatchObject({ ok: true });
  },
);

test('the server finds no fault in the policies', async () => {
  for (const policy of ['dualstack-agent-own-node', 'dualstack-lease-transfer']) {
    await eventually(`${policy} is type-checked`, async () => {
      const status = await must('get', 'validatingadmissionpolicy', policy, '-o', 'jsonpath={.status}');
      return status.includes('observedGeneration');
    });
    const warnings = 'jsonpath={.status.typeChecking.expressionWarnings}';
    expect(await must('get', 'validatingadmissionpolicy', policy, '-o', warnings)).toBe('');
  }
});

test('the operator sees the whole cluster with the rights of its own service account', async () => {
  const token = (await must('create', 'token', 'dualstack-operator', '-n', NAMESPACE)).trim();
  const kubeconfig = await kubeconfigFor(token);
  const operator = await connectTo(kubeconfig);
  const { client } = operator;
  try {
    const [version, groupVersions] = await Promise.all([client.serverVersion(), client.groupVersions()]);
    if (!version.ok || !groupVersions.ok) throw new Error('the server does not say what it is');
    const server = { kubernetesVersion: version.value.gitVersion, groupVersions: groupVersions.value };
    const auto = { distribution: 'Auto', cni: 'Auto' };
    const facts = await observe(clientReader(client), server, registry, auto, Date.now(), () =>
      readPodOwners(pagedReader(client)),
    );
    if (!facts.ok) throw new Error(facts.error);
    expect(facts.value).toMatchObject({
      distribution: { name: 'Kubeadm' },
      cni: { name: 'Calico' },
      serviceCIDR: { known: true },
      services: { known: true },
      records: { known: true },
      coreDNS: { known: true },
      workloads: { known: true },
      leaseTransfer: true,
    });
    // Whatever a folder could not read it keeps as unknown, with the server's words.
    expect(JSON.stringify(facts.value)).not.toContain('forbidden');
  } finally {
    await operator.close();
  }
});

/** What came of writing that node's report with that identity. */
function report(kubeconfig: string, node: string): Promise<{ ok: boolean; text: string }> {
  const patch = ['patch', 'dualstacknode', node, '--subresource=status', '--type=merge'];
  return kubectl('--kubeconfig', kubeconfig, ...patch, '-p', '{"status":{"observedGeneration":1}}');
}

describe('an agent', () => {
  let asAgent: string;
  let unbound: string;

  beforeAll(async () => {
    const create = ['create', 'token', 'dualstack-agent', '-n', NAMESPACE];
    asAgent = await kubeconfigFor(
      (await must(...create, '--bound-object-kind', 'Node', '--bound-object-name', 'worker-1')).trim(),
    );
    unbound = await kubeconfigFor((await must(...create)).trim());
    for (const name of ['worker-1', 'cp-1']) {
      const file = join(folder, `${name}.yaml`);
      await writeFile(
        file,
        stringify({ apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode', metadata: { name }, spec: {} }),
      );
      await must('apply', '-f', file);
    }
    // A policy counts only some moments after it was made.
    await eventually('the policy is in force', async () =>
      (await report(asAgent, 'cp-1')).text.includes('may not write'),
    );
  });

  test('reports for its own node', async () => {
    expect(await report(asAgent, 'worker-1')).toMatchObject({ ok: true });
  });

  test('cannot speak for another node', async () => {
    const { ok, text } = await report(asAgent, 'cp-1');
    expect(ok).toBe(false);
    expect(text).toContain('the agent on node worker-1 may not write DualStackNode cp-1');
  });

  test('cannot speak at all with a token that belongs to no node', async () => {
    const { ok, text } = await report(unbound, 'worker-1');
    expect(ok).toBe(false);
    expect(text).toContain('the agent on an unknown node may not write');
  });

  test.each([
    ['get', 'dualstacknodes', 'yes'],
    ['watch', 'dualstacknodes', 'yes'],
    ['patch', 'dualstacknodes', 'no'],
    ['create', 'dualstacknodes', 'no'],
    ['get', 'secrets', 'no'],
    ['get', 'nodes', 'no'],
  ])('asked whether it may %s %s: %s', async (verb, resource, answer) => {
    const said = await cluster
      .kubectl(['--kubeconfig', asAgent, 'auth', 'can-i', verb, resource, '--all-namespaces'])
      .catch((error: { stdout: string }) => error);
    expect(said.stdout.trim()).toBe(answer);
  });
});

const LEASE = ['-n', 'kube-system', 'lease', 'kube-controller-manager'];

async function parameter(data: object): Promise<void> {
  const file = join(folder, 'parameter.yaml');
  const metadata = { name: 'dualstack-lease-transfer', namespace: NAMESPACE };
  await writeFile(file, stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }));
  await must('apply', '-f', file);
}

const noParameter = (): Promise<string> =>
  must('delete', 'configmap', 'dualstack-lease-transfer', '-n', NAMESPACE, '--ignore-not-found');

/** Whether a holder of that name could renew at that time; nothing is kept. */
async function mayRenew(holder: string, atMs: number): Promise<boolean> {
  const spec = { holderIdentity: holder, renewTime: new Date(atMs).toISOString().replace('Z', '000Z') };
  const patch = ['patch', ...LEASE, '--type=merge', '--dry-run=server', '-p', JSON.stringify({ spec })];
  const { ok, text } = await kubectl(...patch);
  if (!ok && !text.includes('only holders whose name begins with')) throw new Error(text);
  return ok;
}

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

/** When the real holder renewed last, in milliseconds since the epoch. */
const renewed = async (): Promise<number> =>
  Date.parse(await must('get', ...LEASE, '-o', 'jsonpath={.spec.renewTime}'));

describe('the Lease of kube-controller-manager', () => {
  afterAll(noParameter);

  test('is for everybody without a parameter', async () => {
    await noParameter();
    await eventually('everybody may renew', () => mayRenew('somebody_1', Date.now()));
  });

  test('is for the named one alone until the time is over', async () => {
    const until = Date.now() + 120_000;
    await parameter({ holderPrefix: 'cp-2_', until: new Date(until).toISOString() });
    await eventually('the others are kept away', async () => !(await mayRenew('cp-1_x', Date.now())));
    expect(await mayRenew('cp-2_x', Date.now())).toBe(true);
    expect(await mayRenew('', Date.now())).toBe(true);
    expect(await mayRenew('cp-1_x', until + 1000)).toBe(true);
  });

  test.each([
    {},
    { holderPrefix: 'cp-2_' },
    { until: inSeconds(120) },
    { holderPrefix: 'cp-2_', until: 'soon' },
    { holderPrefix: 'cp-2_', until: inSeconds(3600) },
  ])('is for everybody when the parameter makes no sense: %j', async (data) => {
    await parameter({ holderPrefix: 'cp-2_', until: inSeconds(120) });
    await eventually('the others are kept away', async () => !(await mayRenew('cp-1_x', Date.now())));
    await parameter(data);
    await eventually('everybody may renew', () => mayRenew('cp-1_x', Date.now()));
  });

  test('really stays unrenewed until then, and is renewed again after it', async () => {
    const until = Date.now() + 6_000;
    await parameter({ holderPrefix: 'nobody_', until: new Date(until).toISOString() });
    await eventually('the real one is kept away', async () => !(await mayRenew('somebody_1', Date.now())));
    const kept = await renewed();
    await eventually('the time is over', async () => Date.now() > until - 500);
    expect(await renewed()).toBeLessThanOrEqual(kept + 2500);
    await eventually('the real one renews again', async () => (await renewed()) > until);
  });

  test('is the only Lease that is looked at', async () => {
    await parameter({ holderPrefix: 'nobody_', until: inSeconds(120) });
    await eventually('the policy bites', async () => !(await mayRenew('somebody_1', Date.now())));
    const file = join(folder, 'lease.yaml');
    const metadata = { name: 'other', namespace: NAMESPACE };
    await writeFile(file, stringify({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: {} }));
    await must('create', '-f', file);
    const patch = ['patch', 'lease', 'other', '-n', NAMESPACE, '--type=merge', '-p', '{"spec":{"holderIdentity":"x"}}'];
    expect(await kubectl(...patch)).toMatchObject({ ok: true });
  });
});
