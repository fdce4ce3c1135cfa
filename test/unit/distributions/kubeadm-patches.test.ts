import { expect, test } from '@jest/globals';
import { kubeadm } from '../../../src/distributions/kubeadm/index.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { PatchReport } from '../../../src/model/host.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { SERVICE_RANGES, wantedDual, wantedSingle } from '../../support/facts.ts';
import { kubeadmCluster } from '../../support/kubeadm.ts';

const FILE = '/etc/kubernetes/patches/kube-apiserver.yaml';

interface Scene {
  readonly patch: Partial<PatchReport>;
  readonly wanted?: Wanted;
  readonly dual?: boolean;
}

/** What is said of a patch on the second of three control-plane nodes. */
function found({ patch, wanted = wantedDual(), dual = false }: Scene): readonly Finding[] {
  const { facts, own } = kubeadmCluster({ controlPlanes: 3, dual });
  const kubeadmPatches: PatchReport[] = [{ file: FILE, component: 'kube-apiserver', args: {}, ...patch }];
  const nodes = facts.nodes.map((node) => {
    const report = node.agent?.report;
    if (node.name !== 'cp-2' || node.agent === null || report === null || report === undefined) return node;
    return { ...node, agent: { ...node.agent, report: { ...report, kubeadmPatches } } };
  });
  return kubeadm.check(wanted, { ...facts, nodes }, own).filter(({ reason }) => reason === 'KubeadmPatch');
}

const range = (value: string): Partial<PatchReport> => ({ args: { 'service-cluster-ip-range': value } });

test('a patch that would take the second network away again is told: which file, where, and what to write; nothing waits for it', () => {
  const told = {
    object: { apiVersion: 'v1', kind: 'Node', name: 'cp-2' },
    message: `${FILE} on cp-2 has --service-cluster-ip-range=${SERVICE_RANGES.single} for kube-apiserver: the next "kubeadm upgrade" with this folder would put that back.`,
    remedy: `In that file write --service-cluster-ip-range=${SERVICE_RANGES.dual}.`,
    blocks: [],
  };
  expect(found({ patch: range(SERVICE_RANGES.single) })).toMatchObject([told]);
  // And still after the conversion, as long as the file is so.
  expect(found({ patch: range(SERVICE_RANGES.single), dual: true })).toMatchObject([told]);
});

test('on the way back it is the second network that has to go', () => {
  const scene = { wanted: wantedSingle(), dual: true };
  expect(found({ ...scene, patch: range(SERVICE_RANGES.dual) })).toMatchObject([
    { remedy: `In that file write --service-cluster-ip-range=${SERVICE_RANGES.single}.` },
  ]);
  expect(found({ ...scene, patch: range(SERVICE_RANGES.single) })).toEqual([]);
});

test('the mask that two families do not stand has to go, beside what is to be written', () => {
  const args = { 'cluster-cidr': '10.244.0.0/16', 'node-cidr-mask-size': '24' };
  expect(found({ patch: { component: 'kube-controller-manager', args } })).toMatchObject([
    { remedy: 'In that file write --cluster-cidr=10.244.0.0/16,fd00:10:244::/56, and take --node-cidr-mask-size out.' },
  ]);
});

test.each<[string, Scene]>([
  ['the networks that are wanted, in another spelling', { patch: range('10.96.0.0/16,FD00:10:96:0::/112') }],
  ['a mask that nobody asks for otherwise', { patch: { component: 'kube-controller-manager', args: {} } }],
  [
    'one family, and no other asked for',
    { patch: range(SERVICE_RANGES.single), wanted: wantedDual({ families: ['IPv4'] }) },
  ],
])('nothing is said of %s', (_name, scene) => {
  expect(found(scene)).toEqual([]);
});
