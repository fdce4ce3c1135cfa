import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import { clusterStatusOf } from '../../../src/api/cluster-status.ts';
import type { KubeObject, ObjectRef } from '../../../src/model/object.ts';
import { known } from '../../../src/model/reader.ts';
import { clientReader } from '../../../src/kube/reader.ts';
import { loadCache } from '../../../src/reconcile/node-loads.ts';
import type { PassDeps } from '../../../src/reconcile/pass-deps.ts';
import { proofRuns } from '../../../src/reconcile/proof-runs.ts';
import { refusalBook } from '../../../src/reconcile/refusals.ts';
import { silentLogger } from '../../../src/runtime/log.ts';
import { before, PODS, SERVICES } from '../../support/facts.ts';
import { type FakeClock, fakeClock } from '../../support/fake-clock.ts';
import { type FakeKube, fakeKube } from '../../support/fake-kube.ts';
import { clusterConfigText, proxyConfigText } from '../../support/kubeadm.ts';

export const FINALIZER = 'dualstack.dev/revert';
export const SPEC = {
  ipFamilies: ['IPv4', 'IPv6'],
  clusterNetwork: { pods: { cidrBlocks: [PODS.IPv6] }, services: { cidrBlocks: [SERVICES.IPv6] } },
};
export const CLUSTER: ObjectRef = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackCluster', name: 'cluster' };
export const RECORDS: ObjectRef = {
  apiVersion: 'v1',
  kind: 'Secret',
  namespace: 'dualstack-system',
  name: 'dualstack-records',
};

export const resource = (
  spec: object = SPEC,
  metadata: Partial<KubeObject['metadata']> = {},
  status?: ClusterStatus,
): KubeObject => ({
  apiVersion: CLUSTER.apiVersion,
  kind: CLUSTER.kind,
  metadata: {
    name: 'cluster',
    uid: 'uid-cluster',
    generation: 1,
    resourceVersion: '1',
    creationTimestamp: before(60),
    ...metadata,
  },
  spec,
  ...(status === undefined ? {} : { status }),
});

const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'kube-system' },
  data,
});

const staticPod = (component: string, flags: readonly string[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `${component}-cp-1`,
    namespace: 'kube-system',
    labels: { component, tier: 'control-plane' },
    annotations: { 'kubernetes.io/config.mirror': 'x' },
  },
  spec: { nodeName: 'cp-1', containers: [{ name: component, command: [component, ...flags] }] },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
});

/** One control-plane node that kubeadm made, with no network plug-in that is known: what is first to be done there is to record. */
export const kubeadmObjects = (): readonly KubeObject[] => [
  {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: 'cp-1',
      uid: 'uid-cp-1',
      creationTimestamp: before(86_400),
      labels: { 'node-role.kubernetes.io/control-plane': '' },
    },
    spec: { podCIDRs: ['10.244.0.0/24'] },
    status: {
      addresses: [{ type: 'InternalIP', address: '192.0.2.11' }],
      conditions: [{ type: 'Ready', status: 'True' }],
      nodeInfo: { kubeletVersion: 'v1.36.3' },
    },
  },
  configMap('kubeadm-config', { ClusterConfiguration: clusterConfigText() }),
  configMap('kube-proxy', { 'config.conf': proxyConfigText(PODS.IPv4) }),
  staticPod('kube-apiserver', [`--service-cluster-ip-range=${SERVICES.IPv4}`]),
  staticPod('kube-controller-manager', [
    `--cluster-cidr=${PODS.IPv4}`,
    `--service-cluster-ip-range=${SERVICES.IPv4}`,
    '--allocate-node-cidrs=true',
  ]),
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: [SERVICES.IPv4] },
  },
  {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'kube-controller-manager', namespace: 'kube-system' },
    spec: { holderIdentity: 'cp-1_a', acquireTime: before(3600), renewTime: before(1), leaseDurationSeconds: 15 },
  },
];

export interface Scene {
  readonly kube: FakeKube;
  readonly deps: PassDeps;
  readonly clock: FakeClock;
  /** Reasons of Events, in their order. */
  readonly events: string[];
  readonly status: () => ClusterStatus;
}

export function scene(objects: readonly KubeObject[]): Scene {
  const kube = fakeKube(objects);
  const clock = fakeClock(Date.parse('2026-11-02T12:00:00Z'));
  const events: string[] = [];
  let ids = 0;
  const { signal } = new AbortController();
  return {
    kube,
    clock,
    events,
    deps: {
      client: kube.client,
      clock,
      log: silentLogger,
      signal,
      proofs: proofRuns(signal),
      refusals: refusalBook(clock),
      trafficRules: () => Promise.resolve({ policies: [], fronts: {}, unread: [] }),
      namespace: 'dualstack-system',
      newId: () => `id${(ids += 1)}`,
      workloads: { get: () => Promise.resolve(known([])), backends: () => Promise.resolve(known({})) },
      loads: loadCache(clientReader(kube.client), clock),
      events: {
        record: (_regarding, { reason }) => {
          events.push(reason);
          return Promise.resolve();
        },
      },
    },
    status: () => clusterStatusOf(kube.get(CLUSTER) ?? {}),
  };
}
