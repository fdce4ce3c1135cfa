import { expect, test } from '@jest/globals';
import { nodeHolders } from '../../../src/model/node-holders.ts';
import { fromReplacedEntry, successorOf, toReplacedEntry } from '../../../src/model/replaced-node.ts';
import type { KubeObject } from '../../../src/model/object.ts';

const node = (change: {
  readonly metadata?: Partial<KubeObject['metadata']>;
  readonly spec?: object;
  readonly status?: object;
}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'worker-1', uid: 'u1', resourceVersion: '7', creationTimestamp: 'then', ...change.metadata },
  spec: change.spec ?? {},
  status: change.status ?? {},
});

const labelled = (key: string) => node({ metadata: { labels: { 'kubernetes.io/os': 'linux', [key]: 'x' } } });
const annotated = (key: string) => node({ metadata: { annotations: { [key]: 'x' } } });
const provided = (providerID: string) => node({ spec: { providerID } });

test.each<[string, KubeObject, string]>([
  ['Cluster API', annotated('cluster.x-k8s.io/machine'), 'Machine Cluster API: annotation cluster.x-k8s.io/machine'],
  [
    'OpenShift',
    annotated('machine.openshift.io/machine'),
    'Machine the machine API of OpenShift: annotation machine.openshift.io/machine',
  ],
  ['a generic machine', annotated('machine.k8s.io/x'), 'Machine a machine controller: annotation machine.k8s.io/x'],
  ['Karpenter', labelled('karpenter.sh/nodepool'), 'Machine Karpenter: label karpenter.sh/nodepool'],
  ['Karpenter, of a cloud', labelled('compute.karpenter.sh/y'), 'Machine Karpenter: label compute.karpenter.sh/y'],
  [
    'an owner',
    node({ metadata: { ownerReferences: [{ apiVersion: 'karpenter.sh/v1', kind: 'NodeClaim', name: 'a' }] } }),
    'Machine NodeClaim a: owner reference to NodeClaim a',
  ],
  [
    'k3s, which takes members out of etcd',
    annotated('etcd.k3s.cattle.io/node-name'),
    'Machine the etcd controller of k3s: annotation etcd.k3s.cattle.io/node-name',
  ],
  ['a cloud', provided('aws:///eu/i-1'), 'Cloud the cloud provider: spec.providerID aws:///eu/i-1'],
  [
    'a cloud that has not come round yet',
    node({ spec: { taints: [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', effect: 'NoSchedule' }] } }),
    'Cloud the cloud provider: taint node.cloudprovider.kubernetes.io/uninitialized',
  ],
  [
    'an attached volume',
    node({ status: { volumesAttached: [{ name: 'kubernetes.io/csi/d^v', devicePath: '' }] } }),
    'Volumes attached volumes: volume kubernetes.io/csi/d^v',
  ],
  [
    'a volume in use',
    node({ status: { volumesInUse: ['kubernetes.io/csi/d^w'] } }),
    'Volumes attached volumes: volume kubernetes.io/csi/d^w',
  ],
  [
    'a finalizer',
    node({ metadata: { finalizers: ['some.dev/clean-up'] } }),
    'Finalizer the owner of a finalizer: finalizer some.dev/clean-up',
  ],
])('%s holds a Node', (_name, object, expected) => {
  expect(nodeHolders(object).map(({ is, who, sign }) => `${is} ${who}: ${sign}`)).toEqual([expected]);
});

test.each<[string, KubeObject]>([
  ['a plain one', node({})],
  ['one of kind', provided('kind://docker/kind/worker')],
  ['one with labels of Kubernetes', labelled('node-role.kubernetes.io/control-plane')],
  [
    'one that is cordoned',
    node({ spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable' }] } }),
  ],
  ['one with no volumes left', node({ status: { volumesAttached: [], volumesInUse: [] } })],
])('nobody holds a Node: %s', (_name, object) => {
  expect(nodeHolders(object)).toEqual([]);
});

test('the successor has all but what the server gives anew, and the podCIDRs asked for', () => {
  const old = node({
    metadata: {
      labels: { a: '1' },
      annotations: { b: '2' },
      managedFields: [{ manager: 'kubelet' }],
      generation: 3,
    },
    spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'], unschedulable: true, taints: [{ key: 't' }] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  });
  const successor = successorOf(old, ['10.244.1.0/24', 'fd00:10:244::/64']);
  expect(successor).toEqual({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'worker-1', labels: { a: '1' }, annotations: { b: '2' } },
    spec: {
      podCIDR: '10.244.1.0/24',
      podCIDRs: ['10.244.1.0/24', 'fd00:10:244::/64'],
      unschedulable: true,
      taints: [{ key: 't' }],
    },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  });
  const entry = { at: '2026-11-02T12:00:00Z', uid: 'u1', node: successor };
  expect(fromReplacedEntry(toReplacedEntry(entry))).toEqual(entry);
});

test.each(['', 'bm8ganNvbg==', Buffer.from('{"at":"x"}').toString('base64')])(
  'what this program did not write is no entry: %j',
  (encoded) => {
    expect(fromReplacedEntry(encoded)).toBeNull();
  },
);
