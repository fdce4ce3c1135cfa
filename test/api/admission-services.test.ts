import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { migrateServices } from '../../src/apply/migrate-services.ts';
import { at, type KubeObject, type ObjectRef } from '../../src/model/object.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type PolicyScene, policyNames, said, startWithPolicies, sure, TRIAL } from '../support/policies.ts';

// What the operator's service account is kept from doing to Services, and what it may do.

let scene: PolicyScene;

const WEB: ObjectRef = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
const HEADLESS: ObjectRef = { ...WEB, name: 'headless' };

const service = (name: string, spec: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', annotations: { note: 'of people' }, labels: { team: 'shop' } },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }], ...spec },
});

beforeAll(async () => {
  scene = await startWithPolicies();
  await sure(scene.admin.create(service('web', {})));
  await sure(scene.admin.create(service('headless', { clusterIP: 'None' })));
  // A policy counts only some moments after it was made.
  await eventually(
    'the policy is in force',
    async () => (await patched(WEB, { spec: { selector: { app: 'api' } } })).includes('dualstack-services'),
    30_000,
  );
}, 180_000);
afterAll(() => scene?.stop(), 60_000);

const onRefused = (_: unknown, why: string): never => {
  throw new Error(why);
};

const patched = (ref: ObjectRef, patch: object): Promise<string> => said(scene.operator.mergePatch(ref, patch, TRIAL));

test('the policy is installed', () => {
  expect(policyNames).toContain('dualstack-services');
});

test.each<[string, object, string]>([
  ['its selector', { spec: { selector: { app: 'api' } } }, 'spec.selector'],
  ['its ports', { spec: { ports: [{ port: 81 }] } }, 'spec.ports'],
  ['its type', { spec: { type: 'NodePort' } }, 'spec.type'],
  ['addresses from outside', { spec: { externalIPs: ['192.0.2.1'] } }, 'spec.externalIPs'],
  ['a label', { metadata: { labels: { team: 'other' } } }, 'metadata.labels'],
  ['an annotation of others', { metadata: { annotations: { note: null } } }, 'metadata.annotations[note]'],
  ['a finalizer', { metadata: { finalizers: ['a.example/b'] } }, 'metadata.finalizers'],
])('the operator may not change %s', async (_, patch, path) => {
  const answer = await patched(WEB, patch);
  expect(answer).toContain('dualstack-services');
  expect(answer).toContain(path);
});

test('nor which family of a headless Service is the first', async () => {
  expect(await patched(HEADLESS, { metadata: { annotations: { 'dualstack.dev/first-state': 'x' } } })).toBe('done');
  const answer = await patched(HEADLESS, { spec: { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6', 'IPv4'] } });
  // A server with one family refuses by itself; whoever does, it is not done.
  expect(answer).not.toBe('done');
});

test('it may set the families and its own annotation, and take the annotation away', async () => {
  const read = await sure(scene.admin.get(WEB));
  const one = {
    namespace: 'default',
    name: 'web',
    resourceVersion: read.metadata.resourceVersion ?? '',
    policy: 'PreferDualStack',
    families: ['IPv4'],
    firstState: '{}',
  } as const;
  const deps = {
    client: scene.operator,
    clock: systemClock,
    signal: new AbortController().signal,
    onRefused,
    onGiven: () => undefined,
  };
  expect(await migrateServices({ kind: 'MigrateServices', services: [one] }, deps)).toMatchObject({ is: 'Changed' });
  const after = await sure(scene.admin.get(WEB));
  expect(after.metadata.annotations).toEqual({ note: 'of people', 'dualstack.dev/first-state': '{}' });
  expect(at(after, 'spec', 'ipFamilyPolicy')).toBe('PreferDualStack');

  const back = {
    ...one,
    resourceVersion: after.metadata.resourceVersion ?? '',
    policy: 'SingleStack',
    firstState: null,
  } as const;
  expect(await migrateServices({ kind: 'MigrateServices', services: [back] }, deps)).toMatchObject({ is: 'Changed' });
  expect((await sure(scene.admin.get(WEB))).metadata.annotations).toEqual({ note: 'of people' });
});

test('people are not concerned', async () => {
  expect(await said(scene.admin.mergePatch(WEB, { spec: { selector: { app: 'api' } } }, TRIAL))).toBe('done');
});
