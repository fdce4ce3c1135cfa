import { expect, test } from '@jest/globals';
import { LIMITS } from '../../../src/api/fields.ts';
import { remakeNode, RESTART_KUBELET } from '../../../src/model/remake-node.ts';

test('it is stored before it is drained and deleted, created from what was stored, and what a drain loses is said', () => {
  const text = remakeNode('worker-1', 'None', RESTART_KUBELET);
  const order = [
    'kubectl get node worker-1 -o json > worker-1.json',
    'kubectl drain worker-1 ',
    '--delete-emptydir-data',
    '--force',
    'kubectl delete node worker-1 --cascade=orphan',
    'metadata.uid, metadata.resourceVersion, spec.podCIDR, spec.podCIDRs and status out of worker-1.json',
    'kubectl create -f worker-1.json',
    'labels, annotations and taints',
    'restart its kubelet',
  ].map((part) => text.indexOf(part));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(order[0]).toBe(0);
});

test('a Node that is to have one pod CIDR keeps its first: a controller manager of two networks would give it two again', () => {
  const text = remakeNode('worker-1', 'First', RESTART_KUBELET);
  expect(text).toContain('all but the first of spec.podCIDRs');
  expect(text).not.toContain('spec.podCIDR,');
});

test('with the long names of a cloud it has room in a status, and some is left for what is said before it', () => {
  const name = 'ip-192-168-101-202.eu-central-1.compute.internal';
  expect(remakeNode(name, 'None', RESTART_KUBELET).length).toBeLessThan(LIMITS.message - 200);
});
