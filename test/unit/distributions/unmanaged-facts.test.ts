import { expect, test } from '@jest/globals';
import { unmanaged } from '../../../src/distributions/unmanaged/index.ts';
import { observe } from '../../../src/distributions/unmanaged/facts.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { known, type Reader, unknown } from '../../../src/model/reader.ts';
import { APISERVER_DUAL, basics, KCM_SINGLE, PODS, SERVICES } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import { componentPod, unmanagedFacts } from '../../support/unmanaged.ts';

const inSystem = (
  apiVersion: string,
  kind: string,
  name: string,
  more: Readonly<Record<string, unknown>> = {},
): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'kube-system', uid: `uid-${name}` },
  ...more,
});

const pod = (name: string, containers: readonly unknown[], ready = true): KubeObject =>
  inSystem('v1', 'Pod', name, {
    spec: { nodeName: 'cp-1', containers },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  });

function look(objects: readonly KubeObject[], reader: Reader = fakeReader(objects)) {
  const facts = basics({ nodes: [] });
  const Pod = objects.filter(({ kind }) => kind === 'Pod').map(({ metadata }) => `kube-system/${metadata.name}`);
  return observe(reader, { ...facts, objects: { ...facts.objects, Pod } });
}

test.each<[string, readonly unknown[]]>([
  [
    'kubeadm and Talos',
    [{ name: 'kube-apiserver', command: ['/usr/local/bin/kube-apiserver', '--service-cluster-ip-range=10.96.0.0/16'] }],
  ],
  [
    'kOps, behind a wrapper',
    [
      { name: 'healthcheck', command: ['/kube-apiserver-healthcheck'] },
      {
        name: 'kube-apiserver',
        command: ['/go-runner'],
        args: ['--log-file=/x', 'kube-apiserver', '--service-cluster-ip-range=10.96.0.0/16'],
      },
    ],
  ],
])('the flags of an API server that is a Pod: %s', async (_name, containers) => {
  const own = await look([pod('kube-apiserver-cp-1', containers)]);
  expect(own.apiServerPods).toEqual(
    known([componentPod('kube-apiserver', 'cp-1', { 'service-cluster-ip-range': '10.96.0.0/16' })]),
  );
});

test('what is only named like it is not taken for it', async () => {
  const own = await look([pod('kube-apiserver-proxy-x7', [{ name: 'proxy', command: ['haproxy', '--a=b'] }])]);
  expect(own.apiServerPods).toEqual(known([]));
});

test('API servers without a Pod are found by their Leases', async () => {
  const lease: KubeObject = {
    ...inSystem('coordination.k8s.io/v1', 'Lease', 'apiserver-abc', { spec: { holderIdentity: 'apiserver-abc_1' } }),
    metadata: {
      name: 'apiserver-abc',
      namespace: 'kube-system',
      labels: { 'apiserver.kubernetes.io/identity': 'kube-apiserver', 'kubernetes.io/hostname': 'master-0' },
    },
  };
  expect((await look([lease])).apiServers).toEqual(known([{ hostname: 'master-0', holder: 'apiserver-abc_1' }]));
});

const daemonSet = (...command: readonly string[]): KubeObject =>
  inSystem('apps/v1', 'DaemonSet', 'kube-proxy', {
    spec: { selector: { matchLabels: { app: 'kube-proxy' } }, template: { spec: { containers: [{ command }] } } },
  });
const config = (text: string): KubeObject =>
  inSystem('v1', 'ConfigMap', 'kube-proxy', { data: { 'config.conf': text } });
const AS_FILE = '--config=/var/lib/kube-proxy/config.conf';

test.each<[string, readonly KubeObject[], unknown]>([
  ['no DaemonSet', [], null],
  ['its command is not shown', [daemonSet('run.sh')], { is: 'Unseen' }],
  ['a flag', [daemonSet('kube-proxy', `--cluster-cidr=${PODS.IPv4}`)], { is: 'Flag', value: PODS.IPv4 }],
  ['no networks', [daemonSet('kube-proxy')], { is: 'NotUsed' }],
  [
    'another mode',
    [daemonSet('kube-proxy', `--cluster-cidr=${PODS.IPv4}`, '--detect-local-mode=NodeCIDR')],
    { is: 'NotUsed' },
  ],
  [
    'a file',
    [daemonSet('kube-proxy', AS_FILE), config(`clusterCIDR: ${PODS.IPv4}\n`)],
    { is: 'Config', value: PODS.IPv4, changedAt: null },
  ],
  [
    'a file with another mode',
    [daemonSet('kube-proxy', AS_FILE), config(`clusterCIDR: ${PODS.IPv4}\ndetectLocalMode: BridgeInterface\n`)],
    { is: 'NotUsed' },
  ],
  // With a file the flag counts for nothing.
  [
    'a file, and a flag',
    [daemonSet('kube-proxy', AS_FILE, '--cluster-cidr=10.9.0.0/16'), config(`clusterCIDR: ${PODS.IPv4}\n`)],
    { is: 'Config', value: PODS.IPv4 },
  ],
  ['a file from elsewhere', [daemonSet('kube-proxy', AS_FILE)], { is: 'Unseen' }],
  ['a file that is no YAML', [daemonSet('kube-proxy', AS_FILE), config('a: b: c')], { is: 'Unseen' }],
])('where kube-proxy has its networks from: %s', async (_name, objects, networks) => {
  const { proxy } = await look(objects);
  expect(proxy).toMatchObject(networks === null ? known(null) : known({ networks }));
});

test.each(['Pod', 'Lease', 'ServiceCIDR', 'DaemonSet', 'ConfigMap'])(
  'without %ss that part is unknown',
  async (kind) => {
    const objects = [
      pod('kube-apiserver-cp-1', []),
      pod('kube-controller-manager-cp-1', []),
      daemonSet('kube-proxy', AS_FILE),
    ];
    const all = fakeReader(objects);
    const own = await look(objects, {
      get: (ref) => (ref.kind === kind ? Promise.resolve({ is: 'Unreadable', why: 'forbidden' }) : all.get(ref)),
      list: (query) =>
        query.kind === kind ? Promise.resolve({ is: 'Unreadable', why: 'forbidden' }) : all.list(query),
    });
    expect(Object.values(own).some((part) => part.known === false && part.why === 'forbidden')).toBe(true);
  },
);

test('networks are what components say', () => {
  expect(unmanaged.network(unmanagedFacts())).toEqual({
    pods: known([PODS.IPv4]),
    services: known([SERVICES.IPv4]),
    nodeMask: {},
  });
  const masks = { ...KCM_SINGLE, 'node-cidr-mask-size': '25' };
  const own = unmanagedFacts({}, { managerPods: known([componentPod('kube-controller-manager', 'cp-1', masks)]) });
  expect(unmanaged.network(own).nodeMask).toEqual({ IPv4: 25 });
});

test('the API server that is already converted counts, the others are on the way to it', () => {
  const own = unmanagedFacts({}, { apiServerPods: known([componentPod('kube-apiserver', 'cp-1', APISERVER_DUAL)]) });
  expect(unmanaged.network(own).services).toEqual(known([SERVICES.IPv4, SERVICES.IPv6]));
});

test('networks are never made up: where nothing says them, they are asked for', () => {
  const own = unmanagedFacts({ pods: false }, { serviceCIDR: known(null), proxy: known(null) });
  for (const field of ['pods', 'services'] as const) {
    expect(unmanaged.network(own)[field]).toEqual(
      unknown(expect.stringContaining(`spec.clusterNetwork.${field}.cidrBlocks`) as unknown as string),
    );
  }
});
