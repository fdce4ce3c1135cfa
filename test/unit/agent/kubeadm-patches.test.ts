import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readKubeadmPatches } from '../../../src/agent/kubeadm-patches.ts';
import { hostReportSchema } from '../../../src/api/node.ts';
import { at } from '../../../src/model/object.ts';
import { TestHost } from '../../support/agent-host.ts';

const FOLDER = '/etc/kubernetes/patches';

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.clear());

const RANGE = '--service-cluster-ip-range=10.96.0.0/16';
const args = { 'service-cluster-ip-range': '10.96.0.0/16' };
const seen = (name: string, component = 'kube-apiserver', flags: object = args): readonly object[] => [
  { file: `${FOLDER}/${name}`, component, args: flags },
];

const STRATEGIC = `spec:\n  containers:\n  - name: kube-apiserver\n    command:\n    - kube-apiserver\n    - ${RANGE}\n`;
const TWO_WORDS = 'spec: {containers: [{command: [kube-apiserver, --service-cluster-ip-range, 10.96.0.0/16]}]}\n';
const OPERATION = `[{"op": "replace", "path": "/spec/containers/0/command/9", "value": "${RANGE}"}]\n`;
const MASKS = 'spec: {containers: [{args: [--cluster-cidr=10.0.0.0/8, --node-cidr-mask-size=24, --v=4]}]}\n';

test.each<[string, string, string, readonly object[]]>([
  ['a strategic patch', 'kube-apiserver.yaml', STRATEGIC, seen('kube-apiserver.yaml')],
  ['a patch of its own kind', 'kube-apiserver0+json.json', OPERATION, seen('kube-apiserver0+json.json')],
  ['a flag in two words', 'kube-apiserver1+merge.yaml', TWO_WORDS, seen('kube-apiserver1+merge.yaml')],
  [
    'several flags, of which those alone are told that are edited',
    'kube-controller-manager.yaml',
    MASKS,
    seen('kube-controller-manager.yaml', 'kube-controller-manager', {
      'cluster-cidr': '10.0.0.0/8',
      'node-cidr-mask-size': '24',
    }),
  ],
  ['another component', 'etcd.yaml', STRATEGIC, []],
  ['a flag of another component', 'kube-controller-manager.yaml', 'x: --feature-gates=A=true\n', []],
  ['an ending that kubeadm passes over', 'kube-apiserver.yml', STRATEGIC, []],
  ['a flag in a comment', 'kube-apiserver.yaml', `# ${RANGE}\nspec: {}\n`, []],
  ['no YAML', 'kube-apiserver.yaml', `spec: [${RANGE}\n`, []],
  ['a folder', 'kube-apiserver.yaml/inside', STRATEGIC, []],
])('%s', (_name, file, text, expected) => {
  host.write(`${FOLDER}/${file}`, text);
  expect(readKubeadmPatches(host.files)).toEqual(expected);
});

test('no folder is no patch', () => {
  expect(readKubeadmPatches(host.files)).toEqual([]);
});

test('they are in the report, in a form that the API takes; without any there is nothing of it', async () => {
  host.ask({});
  await host.settle();
  expect(at(host.object?.status, 'kubeadmPatches')).toBeUndefined();
  host.write(`${FOLDER}/kube-apiserver.yaml`, STRATEGIC);
  for (const index of Array(20).keys())
    host.write(`${FOLDER}/kube-apiserver${index}.yaml`, `[${RANGE}${'0'.repeat(999)}]`);
  await host.settle();
  const told = at(host.object?.status, 'kubeadmPatches');
  expect(told).toContainEqual(seen('kube-apiserver.yaml')[0]);
  expect(hostReportSchema.shape.kubeadmPatches.safeParse(told).success).toBe(true);
});
