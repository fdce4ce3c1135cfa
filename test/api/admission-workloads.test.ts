import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { execute } from '../../src/apply/execute.ts';
import { at, type JsonObject, type KubeObject, type ObjectRef } from '../../src/model/object.ts';
import type { RolloutWorkload, Step } from '../../src/model/step.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { eventually } from '../support/eventually.ts';
import { NAMESPACE } from '../support/install.ts';
import { type PolicyScene, policyNames, said, startWithPolicies, sure, TRIAL } from '../support/policies.ts';

// What the operator's service account is kept from doing to workloads, and what it may do. What a whole conversion does is let through as well:
// that is seen in the other tests here, which run the operator with its own rights and these policies.

let scene: PolicyScene;

beforeAll(async () => {
  scene = await startWithPolicies();
  await sure(scene.admin.create(namespace('shop')));
  for (const object of workloads) await sure(scene.admin.create(object));
  // A policy counts only some moments after it was made.
  await eventually(
    'the policy is in force',
    async () => (await patched(SHOP, { spec: { replicas: 3 } })).includes('dualstack-workloads'),
    30_000,
  );
}, 180_000);
afterAll(() => scene?.stop(), 60_000);

const namespace = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

const labels = { app: 'x' };
const container = { name: 'main', image: 'x', env: [{ name: 'COLOUR', value: 'blue' }] };
const template = { metadata: { labels }, spec: { containers: [container] } };

function workload(kind: string, ns: string, name: string, spec: object): KubeObject {
  const own = kind === 'DaemonSet' ? {} : { replicas: 1 };
  const named = { name, namespace: ns, annotations: { note: 'of people' } };
  const all = { ...own, selector: { matchLabels: labels }, template, ...spec };
  return { apiVersion: 'apps/v1', kind, metadata: named, spec: all };
}

const ref = (kind: string, ns: string, name: string): ObjectRef => ({
  apiVersion: 'apps/v1',
  kind,
  namespace: ns,
  name,
});

const agent = (name: string, env: object[]) => ({
  selector: { matchLabels: labels },
  template: { ...template, spec: { containers: [{ name, image: 'agent', env: [...env, ...container.env] }] } },
});

const SHOP = ref('Deployment', 'shop', 'web');
const CALICO = ref('DaemonSet', 'kube-system', 'calico-node');
const KINDNET = ref('DaemonSet', 'kube-system', 'kindnet');
const KUBE_ROUTER = ref('DaemonSet', 'kube-system', 'kube-router');
const OWN = ref('Deployment', NAMESPACE, 'dualstack-operator');

const workloads: readonly KubeObject[] = [
  workload('Deployment', 'shop', 'web', {}),
  workload('StatefulSet', 'shop', 'db', { serviceName: 'db' }),
  workload('DaemonSet', 'shop', 'log', {}),
  workload('DaemonSet', 'kube-system', 'kube-flannel-ds', {}),
  workload('DaemonSet', 'kube-system', 'calico-node', agent('calico-node', [])),
  workload(
    'DaemonSet',
    'kube-system',
    'kindnet',
    agent('kindnet-cni', [{ name: 'POD_SUBNET', value: '10.244.0.0/16' }]),
  ),
  workload('DaemonSet', 'kube-system', 'kube-router', {
    template: {
      ...template,
      spec: { containers: [{ name: 'kube-router', image: 'agent', args: ['--run-router=true'] }] },
    },
  }),
  workload('Deployment', NAMESPACE, 'dualstack-operator', {}),
];

const patched = (target: ObjectRef, patch: object): Promise<string> =>
  said(scene.operator.mergePatch(target, patch, TRIAL));
const pod = (patch: object): object => ({ spec: { template: patch } });

test('there are policies, and the server finds no fault in any of them', async () => {
  expect(policyNames).toEqual(
    expect.arrayContaining(['dualstack-workloads', 'dualstack-nodes', 'dualstack-probe-pods']),
  );
  for (const name of policyNames) {
    const policy = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', name };
    const status = async () => at(await sure(scene.admin.get(policy)), 'status');
    await eventually(`${name} is checked`, async () => at(await status(), 'observedGeneration') !== undefined, 60_000);
    expect({ name, warnings: at(await status(), 'typeChecking', 'expressionWarnings') ?? [] }).toEqual({
      name,
      warnings: [],
    });
  }
}, 90_000);

const deps = () => ({
  client: scene.operator,
  clock: systemClock,
  namespace: NAMESPACE,
  suffix: () => 'x',
  attempt: () => 'x',
  signal: new AbortController().signal,
});
/** A restart is of the version that was looked at; where a controller has written to it since, it is looked at again, as the operator does. */
async function rollOut(target: ObjectRef, next: RolloutWorkload['next']) {
  for (let look = 1; ; look += 1) {
    const { resourceVersion = '' } = (await sure(scene.admin.get(target))).metadata;
    const now = next.is === 'Restart' ? { ...next, resourceVersion } : next;
    const outcome = await execute({ kind: 'RolloutWorkload', ref: target, next: now } as unknown as Step, deps());
    if (outcome.is !== 'Unchanged' || look === 20) return outcome;
  }
}
const annotate = (annotation: string, value: string | null): RolloutWorkload['next'] => ({
  is: 'Annotate',
  annotation,
  value,
});
const restart = {
  is: 'Restart',
  mark: 'dualstack.dev/restarted',
  value: '10.244.0.0/16',
  resourceVersion: '',
} as const;

test.each<[string, ObjectRef, RolloutWorkload['next']]>([
  ['a Deployment is restarted', SHOP, restart],
  ['a StatefulSet is restarted', ref('StatefulSet', 'shop', 'db'), restart],
  ['a DaemonSet is restarted', ref('DaemonSet', 'shop', 'log'), restart],
  ['cluster DNS is rolled out', ref('Deployment', 'kube-system', 'coredns'), annotate('dualstack.dev/restarted', 'a')],
  [
    'flannel is rolled out',
    ref('DaemonSet', 'kube-system', 'kube-flannel-ds'),
    annotate('dualstack.dev/flannel-rollout', 'a'),
  ],
  ['kindnet is rolled out', KINDNET, annotate('dualstack.dev/kindnet-rollout', 'a')],
])('%s', async (_name, target, next) => {
  expect(await rollOut(target, next)).toMatchObject({ is: 'Changed' });
  expect(await rollOut(target, next.is === 'Annotate' ? annotate(next.annotation, null) : next)).toMatchObject({
    is: 'Changed',
  });
});

test('a workload that was changed since it was looked at is not restarted', async () => {
  const { generation } = (await sure(scene.admin.get(SHOP))).metadata;
  const old = { kind: 'RolloutWorkload', ref: SHOP, next: { ...restart, resourceVersion: '1' } } as unknown as Step;
  expect(await execute(old, deps())).toEqual({ is: 'Unchanged' });
  expect((await sure(scene.admin.get(SHOP))).metadata.generation).toBe(generation);
});

const applied = (target: ObjectRef, spec: JsonObject) =>
  said(
    scene.operator.apply(
      {
        apiVersion: target.apiVersion,
        kind: target.kind,
        metadata: { name: target.name, namespace: 'kube-system' },
        spec,
      },
      { fieldManager: 'dualstack-operator', force: true },
    ),
  );
const withEnv = (name: string, env: JsonObject[], rest: JsonObject = {}): JsonObject => ({
  ...rest,
  template: { spec: { containers: [{ name, env }] } },
});

test('the environment and the pace of calico-node are set, and taken back', async () => {
  const env = [
    { name: 'IP6', value: 'autodetect' },
    { name: 'IP6_AUTODETECTION_METHOD', value: 'first-found' },
    { name: 'FELIX_IPV6SUPPORT', value: 'true' },
    { name: 'IP', value: 'none' },
    { name: 'IP_AUTODETECTION_METHOD', value: 'kubernetes-internal-ip' },
    { name: 'CALICO_ROUTER_ID', value: 'hash' },
  ];
  const there = withEnv('calico-node', env, { updateStrategy: { type: 'OnDelete' } });
  expect(await applied(CALICO, there)).toBe('done');
  expect(await applied(CALICO, { updateStrategy: { type: 'RollingUpdate' } })).toBe('done');
});

test('the networks of kindnet are set', async () => {
  expect(
    await applied(KINDNET, withEnv('kindnet-cni', [{ name: 'POD_SUBNET', value: '10.244.0.0/16,fd00::/56' }])),
  ).toBe('done');
});

const withArgs = (...args: string[]): JsonObject => ({
  template: { spec: { containers: [{ name: 'kube-router', args }] } },
});

test('the families of kube-router are set, and taken back; its other arguments are not touched', async () => {
  const range = '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112';
  expect(await applied(KUBE_ROUTER, withArgs('--run-router=true', '--enable-ipv6=true', range))).toBe('done');
  expect(await applied(KUBE_ROUTER, withArgs('--run-router=true'))).toBe('done');
  for (const args of [
    [],
    ['--run-router=true', '--master=https://example.com'],
    ['--run-router=false', '--enable-ipv6'],
  ]) {
    expect(await applied(KUBE_ROUTER, withArgs(...args))).toContain('refused: spec.template.spec.containers');
  }
});

const containers = (change: object): object => pod({ spec: { containers: [{ ...container, ...change }] } });
test.each<[string, ObjectRef, object, string]>([
  ['another image', SHOP, containers({ image: 'mine' }), 'spec.template.spec.containers'],
  ['a command', SHOP, containers({ command: ['sh'] }), 'spec.template.spec.containers'],
  ['a variable', SHOP, containers({ env: [] }), 'spec.template.spec.containers'],
  [
    'a second container',
    SHOP,
    pod({ spec: { containers: [container, { ...container, name: 'mine' }] } }),
    'spec.template.spec.containers',
  ],
  [
    'an init container',
    SHOP,
    pod({ spec: { initContainers: [{ ...container, name: 'mine' }] } }),
    'spec.template.spec.initContainers',
  ],
  [
    'a volume',
    SHOP,
    pod({ spec: { volumes: [{ name: 'host', hostPath: { path: '/' } }] } }),
    'spec.template.spec.volumes',
  ],
  [
    'another service account',
    SHOP,
    pod({ spec: { serviceAccountName: 'mine' } }),
    'spec.template.spec.serviceAccountName',
  ],
  ['the host’s network', SHOP, pod({ spec: { hostNetwork: true } }), 'spec.template.spec.hostNetwork'],
  ['a label of its pods', SHOP, pod({ metadata: { labels: { mine: '' } } }), 'spec.template.metadata.labels'],
  [
    'another annotation of its pods',
    SHOP,
    pod({ metadata: { annotations: { mine: '' } } }),
    'spec.template.metadata.annotations[mine]',
  ],
  [
    'a roll-out annotation of another workload',
    SHOP,
    pod({ metadata: { annotations: { 'dualstack.dev/config-hash': '' } } }),
    'dualstack.dev/config-hash',
  ],
  ['the number of its pods', SHOP, { spec: { replicas: 0 } }, 'spec.replicas'],
  ['its pausing', SHOP, { spec: { paused: true } }, 'spec.paused'],
  ['its strategy', SHOP, { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } }, 'spec.strategy'],
  ['a label', SHOP, { metadata: { labels: { mine: '' } } }, 'metadata.labels'],
  ['a finalizer', SHOP, { metadata: { finalizers: ['example.com/mine'] } }, 'metadata.finalizers'],
  [
    'an owner',
    SHOP,
    { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'b' }] } },
    'metadata.ownerReferences',
  ],
  ['an annotation of people', SHOP, { metadata: { annotations: { note: null } } }, 'metadata.annotations[note]'],
  [
    'the strategy of a DaemonSet',
    ref('DaemonSet', 'shop', 'log'),
    { spec: { updateStrategy: { type: 'OnDelete', rollingUpdate: null } } },
    'spec.updateStrategy',
  ],
  [
    'the pace of kindnet',
    KINDNET,
    { spec: { updateStrategy: { type: 'OnDelete', rollingUpdate: null } } },
    'spec.updateStrategy',
  ],
  [
    'the image of calico-node',
    CALICO,
    pod({ spec: { containers: [{ name: 'calico-node', image: 'mine' }] } }),
    'spec.template.spec.containers',
  ],
])('refused: %s', async (_name, target, patch, field) => {
  const words = await patched(target, patch);
  expect(words).toContain("ValidatingAdmissionPolicy 'dualstack-workloads'");
  expect(words).toContain(
    `the operator may change nothing of ${target.kind.toLowerCase()}s ${target.namespace}/${target.name} but`,
  );
  expect(words.slice(words.indexOf('refused: '))).toContain(field);
});

test.each<[string, string, ObjectRef, JsonObject]>([
  ['another variable', 'calico-node', CALICO, { name: 'LD_PRELOAD', value: '/x' }],
  [
    'a variable from a Secret',
    'calico-node',
    CALICO,
    { name: 'IP6', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } },
  ],
  ['a variable of another network plug-in', 'kindnet-cni', KINDNET, { name: 'IP6', value: 'none' }],
])('refused of a network plug-in: %s', async (_name, name, target, entry) => {
  expect(await applied(target, withEnv(name, [entry]))).toContain('refused: spec.template.spec.containers');
});

test('one that is as big as they come is restarted, within what a policy may cost', async () => {
  const variables = Array.from({ length: 50 }, (_, n) => ({ name: `V${n}`, value: 'x'.repeat(100) }));
  const many = Array.from({ length: 40 }, (_, n) => ({ ...container, name: `c${n}`, env: variables }));
  const notes = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`example.com/note-${n}`, 'x'.repeat(200)]));
  const big = workload('DaemonSet', 'shop', 'big', {
    template: { metadata: { labels, annotations: notes }, spec: { containers: many } },
  });
  await sure(scene.admin.create({ ...big, metadata: { ...big.metadata, annotations: notes } }));
  expect(await rollOut(ref('DaemonSet', 'shop', 'big'), restart)).toMatchObject({ is: 'Changed' });
});

test('refused: any change of the operator’s own namespace', async () => {
  expect(await rollOut(OWN, restart)).toMatchObject({
    is: 'Refused',
    error: { message: expect.stringContaining('its own namespace') },
  });
});

test('nobody else is affected', async () => {
  expect(await said(scene.admin.mergePatch(SHOP, { spec: { replicas: 0 } }))).toBe('done');
});

// Last, since it takes a right away.
test('what only some ask for can be left out of the operator’s rights', async () => {
  const bindings = async (folder: string): Promise<readonly string[]> => {
    const { stdout } = await scene.cluster.kubectl([
      'kustomize',
      fileURLToPath(new URL(`../../config/${folder}`, import.meta.url)),
    ]);
    return parseAllDocuments(stdout)
      .map((document) => document.toJS() as KubeObject)
      .filter(({ kind }) => kind === 'ClusterRoleBinding')
      .map(({ metadata }) => metadata.name);
  };
  const [all, fewer] = [await bindings('default'), await bindings('minimal')];
  expect(all.filter((name) => !fewer.includes(name)).toSorted()).toEqual([
    'dualstack-operator-node-drain',
    'dualstack-operator-node-replacement',
    'dualstack-operator-service-migration',
    'dualstack-operator-workload-restart',
  ]);
  await scene.cluster.kubectl(['delete', 'clusterrolebinding', 'dualstack-operator-workload-restart']);
  await eventually('it may no longer', async () =>
    (await patched(SHOP, { metadata: { annotations: {} } })).includes('cannot patch resource'),
  );
});
