import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { calico } from '../../../src/cni/calico/index.ts';
import type { Cluster } from '../../../src/kube/connect.ts';
import { asArray, at, type Json, type KubeObject } from '../../../src/model/object.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { calicoManifest } from '../../cluster/calico.ts';
import { type CalicoOptions, type ClusterOptions, startCluster, type TestCluster } from '../../cluster/index.ts';
import { connectTo } from '../../support/connect.ts';
import { IPV6_ENV, wantedIPv6, wantedIPv6First } from '../../support/calico-facts.ts';
import { wantedDual, wantedSingle } from '../../support/facts.ts';
import { convertCNI, lookAt } from '../../support/cni-conversion.ts';
import { eventually } from '../../support/eventually.ts';
import { manifestPath } from '../../support/real-manifests.ts';
import { describeWith } from '../../support/with-manifests.ts';

/** Calico's steps against a real API server and DaemonSet controller; calico-node itself is played. */

let cluster: TestCluster;
let access: Cluster;
let records: Readonly<Record<string, Json>> = {};

async function start(calicoOptions: CalicoOptions, networks: ClusterOptions = {}): Promise<void> {
  records = {};
  cluster = await startCluster({ controlPlanes: 1, workers: 2, nodeIP: 'pair', calico: calicoOptions, ...networks });
  access = await connectTo(cluster.kubeconfig);
  await eventually(
    'every Node has both addresses and a calico-node',
    async () =>
      (await look()).facts.nodes.every(
        (node) =>
          node.internalIPs.length === 2 &&
          `projectcalico.org/${calicoOptions.family ?? 'IPv4'}Address` in node.annotations,
      ),
    60_000,
  );
}

async function stop(): Promise<void> {
  await access?.close();
  await cluster?.stop();
}

const SERVED = ['crd.projectcalico.org/v1'];

const look = () => lookAt(access, calico, { ...recorded(), groupVersions: SERVED });

/** The first states are taken once, before the first conversion. */
const recorded = () => (Object.keys(records).length === 0 ? {} : { records });

/** Steps one by one until all are satisfied. Returns the ids of those that changed something. */
async function convert(wanted: Wanted): Promise<readonly string[]> {
  const { done, first } = await convertCNI(access, calico, wanted, { ...recorded(), groupVersions: SERVED });
  records = first;
  return done.map(({ id }) => id);
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

const VXLAN = 'calico-v3.31.7/calico-vxlan.yaml';
describeWith(VXLAN)('released manifest, VXLAN', () => {
  const real: CalicoOptions = { manifest: { file: manifestPath(VXLAN) } };
  beforeAll(() => start(real));
  afterAll(stop);

  test(title, () => expectThereAndBack(real));
});

describe('own manifest of IPv6 alone, BGP', () => {
  beforeAll(() =>
    start({ manifest: 'bird', family: 'IPv6' }, { podSubnet: 'fd00:10:244::/56', serviceSubnet: 'fd00:10:96::/112' }),
  );
  afterAll(stop);

  test('gains IPv4, and gives it back to the byte, with nothing of it left on the Nodes', async () => {
    const first = await read('daemonset', 'calico-node');
    const firstConfig = await read('configmap', 'calico-config');
    expect(env(first)).toMatchObject(
      Object.fromEntries(Object.entries(IPV6_ENV).map(([name, { value }]) => [name, value])),
    );
    expect((await look()).own.pools).toMatchObject({ value: { pools: [{ family: 'IPv6' }] } });

    expect(await convert(wantedIPv6First())).toEqual([
      'calico/pool-ipv4',
      'calico/cni-config',
      'calico/env',
      'calico/rollout',
      'calico/rollout',
      'calico/rollout',
      'calico/strategy',
    ]);
    expect(env(await read('daemonset', 'calico-node'))).toEqual({
      ...env(first),
      IP: 'autodetect',
      IP_AUTODETECTION_METHOD: 'kubernetes-internal-ip',
    });
    for (const { annotations } of (await look()).facts.nodes) {
      expect(annotations).toMatchObject({ 'projectcalico.org/IPv4Address': expect.stringContaining('/24') });
    }
    expect(await convert(wantedIPv6First())).toEqual([]);

    await convert(wantedIPv6({ restore: records }));
    expect(at(await read('daemonset', 'calico-node'), 'spec')).toEqual(at(first, 'spec'));
    expect(at(await read('configmap', 'calico-config'), 'data')).toEqual(at(firstConfig, 'data'));
    for (const { annotations } of (await look()).facts.nodes) {
      expect(annotations).not.toHaveProperty(['projectcalico.org/IPv4Address']);
      expect(annotations).toHaveProperty(['projectcalico.org/IPv6Address']);
    }
  });
});
