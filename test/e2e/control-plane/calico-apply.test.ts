import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute } from '../../../src/apply/execute.ts';
import { calico } from '../../../src/cni/calico/index.ts';
import { connect, type Cluster } from '../../../src/kube/connect.ts';
import { clientReader } from '../../../src/kube/reader.ts';
import { asArray, at, type Json, type KubeObject } from '../../../src/model/object.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import { phaseOrder } from '../../../src/model/phase.ts';
import { known } from '../../../src/model/reader.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { readBasics } from '../../../src/observe/basics.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { calicoManifest, realManifest, realManifests } from '../../cluster/calico.ts';
import { type CalicoOptions, startCluster, type TestCluster } from '../../cluster/index.ts';
import { clusterFacts, wantedDual, wantedSingle } from '../../support/facts.ts';
import { eventually } from '../../support/eventually.ts';

/** Calico's steps against a real API server and DaemonSet controller; calico-node itself is played. */

let cluster: TestCluster;
let access: Cluster;
let records: Record<string, Json> = {};

async function start(calicoOptions: CalicoOptions): Promise<void> {
  records = {};
  cluster = await startCluster({ controlPlanes: 1, workers: 2, nodeIP: 'pair', calico: calicoOptions });
  const connected = connect({
    kubeconfig: cluster.kubeconfig,
    version: 'test',
    clock: systemClock,
    random: Math.random,
    environment: {},
  });
  if (!connected.ok) throw new Error(connected.error);
  access = connected.value;
  await eventually(
    'every Node has both addresses and a calico-node',
    async () =>
      (await look()).facts.nodes.every(
        (node) => node.internalIPs.length === 2 && 'projectcalico.org/IPv4Address' in node.annotations,
      ),
    60_000,
  );
}

async function stop(): Promise<void> {
  await access?.close();
  await cluster?.stop();
}

async function look() {
  const reader = clientReader(access.client);
  const groupVersions = ['v1', 'apps/v1', 'crd.projectcalico.org/v1'];
  const basics = await readBasics(reader, { kubernetesVersion: 'v1.36.3', groupVersions });
  if (!basics.ok) throw new Error(basics.error);
  const own = await calico.observe(reader, basics.value);
  const facts: ClusterFacts = clusterFacts(
    { nodes: basics.value.nodes },
    { basics: basics.value, at: Date.now(), records: known(records) },
  );
  return { facts, own };
}

/** Steps one by one until all are satisfied. Returns the ids of those that changed something. */
async function convert(wanted: Wanted): Promise<readonly string[]> {
  const done: string[] = [];
  const order = phaseOrder(wanted.direction);
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { facts, own } = await look();
    if (Object.keys(records).length === 0) {
      records = Object.fromEntries(calico.records(facts, own).map(({ key, value }) => [key, value]));
      continue;
    }
    const steps = calico.steps(wanted, facts, own).toSorted((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase));
    const next = steps.find((step) => step.state.is !== 'Satisfied');
    if (next === undefined) return done;
    if (Date.now() > deadline)
      throw new Error(`not done after 60 s: ${next.id} ${JSON.stringify(next.state)}, done: ${done.join(' ')}`);
    if (next.state.is === 'Failed') throw new Error(next.state.why);
    if (next.state.is !== 'Pending') {
      await systemClock.sleep(100);
      continue;
    }
    const outcome = await execute(next, {
      client: access.client,
      clock: systemClock,
      namespace: 'default',
      suffix: () => 'x',
      attempt: () => '1-x',
      signal: new AbortController().signal,
    });
    if (outcome.is === 'Refused') throw new Error(`${next.id}: ${outcome.error.message}`);
    done.push(next.id);
  }
}

const read = async (kind: string, name: string): Promise<KubeObject> =>
  JSON.parse((await cluster.kubectl(['get', kind, name, '-n', 'kube-system', '-o', 'json'])).stdout) as KubeObject;

const env = (daemonSet: KubeObject): Record<string, unknown> =>
  Object.fromEntries(
    asArray(at(daemonSet, 'spec', 'template', 'spec', 'containers', 0, 'env')).map((entry) => [
      at(entry, 'name') as string,
      at(entry, 'value') ?? at(entry, 'valueFrom'),
    ]),
  );

const DUAL_ENV = { IP6: 'autodetect', IP6_AUTODETECTION_METHOD: 'kubernetes-internal-ip', FELIX_IPV6SUPPORT: 'true' };

async function expectThereAndBack(calicoOptions: CalicoOptions): Promise<void> {
  const first = await read('daemonset', 'calico-node');
  const firstConfig = await read('configmap', 'calico-config');

  const forward = await convert(wantedDual());
  expect(forward).toEqual([
    'calico/pool-ipv6',
    'calico/cni-config',
    'calico/env',
    'calico/rollout',
    'calico/rollout',
    'calico/rollout',
    'calico/strategy',
  ]);
  const dual = await read('daemonset', 'calico-node');
  expect(env(dual)).toEqual({ ...env(first), ...DUAL_ENV });
  expect(at(dual, 'spec', 'updateStrategy')).toEqual(at(first, 'spec', 'updateStrategy'));
  const dualConfig = await read('configmap', 'calico-config');
  expect(at(dualConfig, 'data', 'cni_network_config')).toContain('"assign_ipv6": "true"');
  expect({ ...(at(dualConfig, 'data') as object), cni_network_config: '' }).toEqual({
    ...(at(firstConfig, 'data') as object),
    cni_network_config: '',
  });
  for (const node of (await look()).facts.nodes) {
    expect(Object.keys(node.annotations)).toEqual(
      expect.arrayContaining(['projectcalico.org/IPv4Address', 'projectcalico.org/IPv6Address']),
    );
  }
  expect(await convert(wantedDual())).toEqual([]);

  await cluster.kubectl(['apply', '-f', '-'], calicoManifest(calicoOptions));
  expect(at(await read('configmap', 'calico-config'), 'data', 'cni_network_config')).not.toContain('assign_ipv6');
  const again = await convert(wantedDual());
  expect(again.slice(0, 2)).toEqual(['calico/cni-config', 'calico/env']);
  expect(env(await read('daemonset', 'calico-node'))).toEqual({ ...env(first), ...DUAL_ENV });

  await convert(wantedSingle({ restore: records }));
  const back = await read('daemonset', 'calico-node');
  expect(at(back, 'spec')).toEqual(at(first, 'spec'));
  expect(at(await read('configmap', 'calico-config'), 'data')).toEqual(at(firstConfig, 'data'));
  const { facts, own } = await look();
  for (const node of facts.nodes) {
    expect(node.annotations).not.toHaveProperty(['projectcalico.org/IPv6Address']);
    expect(node.annotations).toHaveProperty(['projectcalico.org/IPv4Address']);
  }
  expect(own.pools).toMatchObject({
    value: { pools: expect.arrayContaining([expect.objectContaining({ family: 'IPv6', disabled: true })]) },
  });
}

const VXLAN = realManifest('calico-v3.31.7/calico-vxlan.yaml');
if (VXLAN === undefined) console.warn(`skipped: no calico-v3.31.7 in ${realManifests()}; set REAL_MANIFESTS`);

const title = 'converted, put right after the manifest was applied again, and taken back to the byte';
describe('own manifest, BGP', () => {
  const own: CalicoOptions = { manifest: 'bird' };
  beforeAll(() => start(own));
  afterAll(stop);

  test(title, () => expectThereAndBack(own));

  test('an administrator who owns the environment by server-side apply loses only these entries', async () => {
    const taken = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'calico-node', namespace: 'kube-system' },
      spec: {
        template: {
          spec: {
            containers: [
              {
                name: 'calico-node',
                env: [
                  { name: 'FELIX_IPV6SUPPORT', value: 'false' },
                  { name: 'FELIX_LOGSEVERITYSCREEN', value: 'info' },
                ],
              },
            ],
          },
        },
      },
    };
    await cluster.kubectl(
      ['apply', '--server-side', '--force-conflicts', '--field-manager=admin', '-f', '-'],
      JSON.stringify(taken),
    );
    await convert(wantedDual());
    expect(env(await read('daemonset', 'calico-node'))).toMatchObject({ ...DUAL_ENV, FELIX_LOGSEVERITYSCREEN: 'info' });
  });
});

(VXLAN === undefined ? describe.skip : describe)('released manifest, VXLAN', () => {
  const real: CalicoOptions = { manifest: { file: VXLAN ?? '' } };
  beforeAll(() => start(real));
  afterAll(stop);

  test(title, () => expectThereAndBack(real));
});
