import { expect, test } from '@jest/globals';
import { calico } from '../../../src/cni/calico/index.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { calicoCluster, NETWORK_CONFIG } from '../../support/calico-facts.ts';
import { basics, clusterFacts, PODS, wantedDual } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import { manifestObjects } from '../../support/real-manifests.ts';
import { testWith } from '../../support/with-manifests.ts';

const configMap: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: 'calico-config',
    namespace: 'kube-system',
    managedFields: [
      { manager: 'kubectl', time: '2026-11-01T10:00:00Z' },
      { manager: 'other', time: '2026-11-01T12:00:00Z' },
    ],
  },
  data: { calico_backend: 'bird', cni_network_config: NETWORK_CONFIG },
};

const daemonSet = (metadata: Partial<KubeObject['metadata']> = {}, env: readonly unknown[] = []): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'calico-node', namespace: 'kube-system', uid: 'ds', generation: 1, ...metadata },
  spec: {
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
    selector: { matchLabels: { 'k8s-app': 'calico-node' } },
    template: {
      spec: {
        initContainers: [
          {
            name: 'install-cni',
            env: [
              {
                name: 'CNI_NETWORK_CONFIG',
                valueFrom: { configMapKeyRef: { name: 'calico-config', key: 'cni_network_config' } },
              },
            ],
          },
        ],
        containers: [{ name: 'calico-node', image: 'calico/node:v3.31.7', env }],
      },
    },
  },
});

const pool = (apiVersion: string, name = 'default-ipv4-ippool', spec: Record<string, unknown> = {}): KubeObject => ({
  apiVersion,
  kind: 'IPPool',
  metadata: { name, resourceVersion: '7' },
  spec: { cidr: PODS.IPv4, ipipMode: 'Always', natOutgoing: true, ...spec },
});

const CRD = 'crd.projectcalico.org/v1';
const V3 = 'projectcalico.org/v3';
const apiService = (available: string, service: unknown): KubeObject => ({
  apiVersion: 'apiregistration.k8s.io/v1',
  kind: 'APIService',
  metadata: { name: 'v3.projectcalico.org' },
  spec: service === null ? {} : { service },
  status: { conditions: [{ type: 'Available', status: available }] },
});
const service = { namespace: 'calico-apiserver', name: 'calico-api' };

test.each<[string, readonly string[], readonly KubeObject[], string]>([
  ['older CRDs only', [CRD], [], CRD],
  ['native CRDs only', [V3], [], V3],
  ['older CRDs and the API server of Calico', [CRD, V3], [apiService('True', service)], V3],
  ['that API server is down', [CRD, V3], [apiService('False', service)], CRD],
  ['both CRDs, no API server', [CRD, V3], [apiService('True', null)], CRD],
  ['both CRDs, calico-node told', [CRD, V3], [daemonSet({}, [{ name: 'CALICO_API_GROUP', value: V3 }])], V3],
])('pools are written through the API that Calico itself uses: %s', async (_name, groupVersions, objects, expected) => {
  const reader = fakeReader([...objects, pool(CRD), pool(V3)]);
  const own = await calico.observe(reader, { ...basics({ nodes: [] }), groupVersions });
  expect(own.pools).toMatchObject({
    known: true,
    value: { apiVersion: expected, pools: [{ cidr: PODS.IPv4, family: 'IPv4' }] },
  });
});

test('neither API served: unknown, with the reason', async () => {
  const own = await calico.observe(fakeReader([]), { ...basics({ nodes: [] }), groupVersions: ['v1'] });
  expect(own.pools).toMatchObject({ known: false, why: expect.stringContaining('serves neither') });
  expect(own.config).toEqual({ known: true, value: null });
});

test('what cannot be read is unknown and never missing', async () => {
  const why = 'forbidden';
  const denied = {
    get: () => Promise.resolve({ is: 'Unreadable', why } as const),
    list: () => Promise.resolve({ is: 'Unreadable', why } as const),
  };
  const own = await calico.observe(denied, basics({ nodes: [] }));
  expect(own).toMatchObject({
    config: { known: false },
    agent: { known: false },
    pools: { known: false },
    bpf: { known: false },
  });
  expect(calico.steps(wantedDual(), clusterFacts(), own)).toEqual([]);
  expect(calico.records(clusterFacts(), own)).toEqual([]);
  expect(calico.check(wantedDual(), clusterFacts(), own).map((each) => each.reason)).toEqual(
    Array(3).fill('ComponentUnreadable'),
  );
});

test('facts of a stock installation', async () => {
  const env = [
    { name: 'IP', value: 'autodetect' },
    { name: 'FELIX_IPV6SUPPORT', value: 'false' },
    { name: 'NODENAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
  ];
  const own = await calico.observe(
    fakeReader([
      configMap,
      daemonSet({}, env),
      pool(CRD),
      pool(CRD, 'v6', { cidr: 'FD00::/64', disabled: true, blockSize: 122 }),
    ]),
    basics({ nodes: [] }),
  );
  expect(own.config).toEqual({
    known: true,
    value: { backend: 'bird', text: NETWORK_CONFIG, changedAt: '2026-11-01T12:00:00Z' },
  });
  expect(own.agent).toMatchObject({
    known: true,
    value: {
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      env: { FELIX_IPV6SUPPORT: { is: 'Value', value: 'false' }, NODENAME: { is: 'From' } },
      configSource: 'ConfigMap',
      owner: null,
    },
  });
  expect(own.pools).toMatchObject({
    value: {
      pools: [
        { vxlanMode: 'Never', disabled: false },
        { cidr: 'fd00::/64', disabled: true, blockSize: 122 },
      ],
    },
  });
  expect(own).toMatchObject({ migrating: { value: false }, bpf: { value: false } });
  expect(calico.podCIDRs(own)).toEqual([PODS.IPv4]);
});

test.each<[string, Partial<KubeObject['metadata']>, unknown]>([
  ['tigera operator', { labels: { 'app.kubernetes.io/managed-by': 'tigera-operator' } }, { watches: true }],
  ['Argo CD', { annotations: { 'argocd.argoproj.io/tracking-id': 'x' } }, { watches: true }],
  ['Helm', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } }, { watches: false }],
  [
    'a controller',
    { ownerReferences: [{ kind: 'Addon', name: 'calico' }] },
    { watches: true, text: 'owner reference to Addon calico' },
  ],
])('who else keeps calico-node: %s', async (_name, metadata, owner) => {
  const own = await calico.observe(fakeReader([daemonSet(metadata)]), basics({ nodes: [] }));
  expect(own.agent).toMatchObject({ value: { owner } });
});

test('eBPF from the environment beats the resource', async () => {
  const felix = {
    apiVersion: CRD,
    kind: 'FelixConfiguration',
    metadata: { name: 'default' },
    spec: { bpfEnabled: true },
  };
  const bpf = async (env: readonly unknown[]) =>
    (await calico.observe(fakeReader([daemonSet({}, env), felix]), basics({ nodes: [] }))).bpf;
  expect(await bpf([])).toEqual({ known: true, value: true });
  expect(await bpf([{ name: 'FELIX_BPFENABLED', value: 'false' }])).toEqual({ known: true, value: false });
});

test('a migration of data under way is seen', async () => {
  const migration = {
    apiVersion: 'migration.projectcalico.org/v1beta1',
    kind: 'DatastoreMigration',
    metadata: { name: 'm' },
    status: { phase: 'Migrating' },
  };
  const own = await calico.observe(fakeReader([migration]), {
    ...basics({ nodes: [] }),
    groupVersions: [CRD, migration.apiVersion],
  });
  expect(own.migrating).toEqual({ known: true, value: true });
});

test.each([
  [['kube-system/calico-node'], 'DaemonSet kube-system/calico-node'],
  [['kube-system/canal'], null],
  [['calico-system/calico-node'], null],
])('recognised by its DaemonSet: %j', (DaemonSet, expected) => {
  const given = basics({ nodes: [] });
  expect(calico.detect({ ...given, objects: { ...given.objects, DaemonSet } })).toBe(expected);
});

for (const [file, backend] of [
  ['calico.yaml', 'bird'],
  ['calico-vxlan.yaml', 'vxlan'],
  ['calico-typha.yaml', 'bird'],
] as const) {
  const released = `calico-v3.31.7/${file}`;
  testWith(released)(`real manifest ${file}: nothing stands in the way, every step is planned`, async () => {
    const facts = calicoCluster({ dual: true });
    const own = await calico.observe(fakeReader(manifestObjects(released), ['IPPool']), facts.basics);
    expect(own.config).toMatchObject({ known: true, value: { backend } });
    expect(calico.check(wantedDual(), facts, own).filter(({ blocks }) => blocks.length > 0)).toEqual([]);
    const steps = calico.steps(wantedDual(), facts, own);
    expect(steps.map((step) => step.id)).toEqual([
      'calico/pool-ipv6',
      'calico/cni-config',
      'calico/env',
      'calico/rollout',
      'calico/strategy',
    ]);
    expect(steps[0]).toMatchObject({
      write: { body: { spec: { vxlanMode: backend === 'vxlan' ? 'Always' : 'Never' } } },
    });
    expect(calico.records(facts, own)).toHaveLength(3);
  });
}
