import { expect, test } from '@jest/globals';
import type { FlagValues } from '../../../src/generate/contract.ts';
import { type JoinFacts, nodeJoin } from '../../../src/generate/kubeadm/node-join.ts';
import { at } from '../../../src/model/object.ts';
import { documentsOf, fileNamed } from './support.ts';

const facts: JoinFacts = {
  kubernetesVersion: 'v1.36.3',
  families: ['IPv4', 'IPv6'],
  pods: { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' },
  services: { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' },
  endpoint: '192.0.2.10:6443',
  caHash: `sha256:${'ab'.repeat(32)}`,
  nodes: [
    { name: 'cp-1', controlPlane: true, internalIPs: ['192.0.2.11', '2001:db8::11'] },
    { name: 'worker-1', controlPlane: false, internalIPs: ['2001:db8::21', '192.0.2.21'] },
    { name: 'worker-2', controlPlane: false, internalIPs: ['192.0.2.22'] },
  ],
};

test('all nodes of the cluster get a file, but those that lack a family: they are told', () => {
  const result = nodeJoin(facts, {});
  if (!result.ok) throw new Error(result.error.problems.join());
  expect(result.value.files.map(({ name }) => name)).toEqual(['join-cp-1.yaml', 'join-worker-1.yaml']);
  expect(result.value.notes[0]).toContain('worker-2: an IPv6 address is missing');
  const [worker] = documentsOf(fileNamed(result.value, 'join-worker-1.yaml'));
  expect(at(worker, 'discovery', 'bootstrapToken', 'caCertHashes')).toEqual([facts.caHash]);
  expect(at(worker, 'nodeRegistration', 'kubeletExtraArgs')).toEqual([
    { name: 'node-ip', value: '192.0.2.21,2001:db8::21' },
  ]);
  const [server] = documentsOf(fileNamed(result.value, 'join-cp-1.yaml'));
  expect(at(server, 'controlPlane', 'localAPIEndpoint', 'advertiseAddress')).toBe('192.0.2.11');
});

test('nodes that are named are new ones, in the form of the cluster', () => {
  const old = nodeJoin(
    { ...facts, kubernetesVersion: 'v1.28.4', endpoint: '[2001:db8::10]:6443' },
    { worker: ['worker-9=192.0.2.29,2001:db8::29'], token: ['a1b2c3.d4e5f6a7b8c9d0e1'] },
  );
  if (!old.ok) throw new Error(old.error.problems.join());
  const [join] = documentsOf(fileNamed(old.value, 'join-worker-9.yaml'));
  expect(join).toMatchObject({
    apiVersion: 'kubeadm.k8s.io/v1beta3',
    discovery: { bootstrapToken: { token: 'a1b2c3.d4e5f6a7b8c9d0e1', apiServerEndpoint: '[2001:db8::10]:6443' } },
    nodeRegistration: { kubeletExtraArgs: { 'node-ip': '192.0.2.29,2001:db8::29' } },
  });
  expect(old.value.notes).toEqual([]);
});

test.each<[Partial<JoinFacts>, FlagValues, string]>([
  [{ nodes: [facts.nodes[2]!] }, {}, 'no node of the cluster has an InternalIP of each family'],
  [{}, { worker: ['w=192.0.2.29'] }, 'an IPv6 address is missing'],
  [{}, { worker: ['w=192.0.2.29,fd00:10:96::7'] }, 'lies in fd00:10:96::/112'],
  [{ kubernetesVersion: '' }, {}, 'is no release'],
  [{ endpoint: 'nonsense:' }, {}, 'is no endpoint'],
])('%j with %j: %s', (change, values, message) => {
  expect(nodeJoin({ ...facts, ...change }, values)).toEqual({
    ok: false,
    error: { is: 'Asked', problems: [expect.stringContaining(message)] },
  });
});
