import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { CORDON_MARK, FINALIZER, FIRST_STATE, GUARD_TAINT, NAMESPACE, RESTART_MARK } from '../../../src/api/names.ts';
import { NAMES } from '../../../src/cni/calico/family.ts';
import * as calico from '../../../src/cni/calico/facts.ts';
import * as canal from '../../../src/cni/canal/facts.ts';
import * as cilium from '../../../src/cni/cilium/facts.ts';
import * as flannel from '../../../src/cni/flannel/facts.ts';
import * as kindnet from '../../../src/cni/kindnet/facts.ts';
import { IPV6_FLAG, SERVICES_FLAG } from '../../../src/cni/kube-router/args.ts';
import * as kubeRouter from '../../../src/cni/kube-router/facts.ts';
import { CONFIG_HASH } from '../../../src/distributions/kubeadm/records.ts';
import { PROXY } from '../../../src/model/kube-proxy.ts';
import { asArray, asString, at, type ObjectRef } from '../../../src/model/object.ts';

const FOLDER = fileURLToPath(new URL('../../../config/admission/', import.meta.url));
const files = readdirSync(FOLDER).filter((file) => file !== 'kustomization.yaml');

const policies = files.map((file): readonly [string, unknown, unknown] => {
  const [policy, binding] = parseAllDocuments(readFileSync(`${FOLDER}${file}`, 'utf8')).map((document): unknown =>
    document.toJS(),
  );
  return [asString(at(policy, 'metadata', 'name')) ?? file, policy, binding];
});
const policyOf = (name: string): unknown => policies.find(([each]) => each === name)?.[1];
const variable = (policy: unknown, name: string): string =>
  asString(
    at(
      asArray(at(policy, 'spec', 'variables')).find((each) => at(each, 'name') === name),
      'expression',
    ),
  ) ?? '';

test('all of them are installed', () => {
  const listed = parse(readFileSync(`${FOLDER}kustomization.yaml`, 'utf8')) as { resources: string[] };
  expect(listed.resources).toEqual(files.toSorted());
});

test.each(policies)('%s is bound and denies', (name, _policy, binding) => {
  expect(binding).toMatchObject({ metadata: { name }, spec: { policyName: name, validationActions: ['Deny'] } });
});

// The server looks for parameters before it looks at who asks: nobody could write such objects any more where there are none.
test.each(policies)('%s fails closed, unless what it goes by may be missing', (_name, policy, binding) => {
  const takesParameter = at(policy, 'spec', 'paramKind') !== undefined;
  expect(at(policy, 'spec', 'failurePolicy')).toBe(takesParameter ? 'Ignore' : 'Fail');
  expect(at(binding, 'spec', 'paramRef', 'parameterNotFoundAction')).toBe(takesParameter ? 'Allow' : undefined);
});

test.each(policies.filter(([name]) => name !== 'dualstack-lease-transfer'))(
  '%s is about one service account alone',
  (name, policy) => {
    const account = name.startsWith('dualstack-agent-') ? 'dualstack-agent' : 'dualstack-operator';
    const expression = `request.userInfo.username == 'system:serviceaccount:${NAMESPACE}:${account}'`;
    expect(at(policy, 'spec', 'matchConditions')).toEqual([{ name: expect.any(String), expression }]);
  },
);

/** The list that an expression such as `{'a': ['b'], …}[?x]` has for a workload. */
function listFor(expression: string, { kind, namespace = '', name }: ObjectRef): readonly string[] {
  const key = `'${kind.toLowerCase()}s ${namespace}/${name}': [`;
  const from = expression.indexOf(key) + key.length;
  if (from < key.length) return [];
  return [...expression.slice(from, expression.indexOf(']', from)).matchAll(/'([^']+)'/gu)].map(
    ([, text = '']) => text,
  );
}

const coreDNS: ObjectRef = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-system', name: 'coredns' };
const workloads = policyOf('dualstack-workloads');

test.each<[ObjectRef, string]>([
  [coreDNS, RESTART_MARK],
  [PROXY, CONFIG_HASH],
  [calico.DAEMON_SET, calico.CONFIG_HASH_ANNOTATION],
  [kindnet.DAEMON_SET, kindnet.ROLLOUT_ANNOTATION],
  [canal.DAEMON_SET, canal.ROLLOUT_ANNOTATION],
  [cilium.DAEMON_SET, cilium.ROLLOUT_ANNOTATION],
  [cilium.OPERATOR, cilium.ROLLOUT_ANNOTATION],
  ...flannel.NAMESPACES.map((each): [ObjectRef, string] => [flannel.daemonSetRef(each), flannel.ROLLOUT_ANNOTATION]),
])('%j may be rolled out by %s', (ref, annotation) => {
  expect(listFor(variable(workloads, 'rolloutAnnotations'), ref)).toContain(annotation);
});

test.each<[ObjectRef, readonly string[]]>([
  [calico.DAEMON_SET, calico.ENV_NAMES],
  [kindnet.DAEMON_SET, [kindnet.SUBNET_ENV]],
  [canal.DAEMON_SET, canal.ENV_NAMES],
  [PROXY, []],
])('of %j the variables %j may be set', (ref, names) => {
  expect(listFor(variable(workloads, 'environment'), ref)).toEqual(names);
});

test('of kube-router two arguments may be set, of nobody else any', () => {
  const flags = [IPV6_FLAG, SERVICES_FLAG].map((name) => `--${name}`);
  expect(listFor(variable(workloads, 'arguments'), kubeRouter.DAEMON_SET)).toEqual(flags);
  expect(listFor(variable(workloads, 'arguments'), kindnet.DAEMON_SET)).toEqual([]);
});

test.each<[string, readonly string[]]>([
  ['dualstack-services', [FIRST_STATE]],
  ['dualstack-workloads', [RESTART_MARK]],
  ['dualstack-wish', [FINALIZER]],
  [
    'dualstack-nodes',
    [CORDON_MARK, GUARD_TAINT, ...Object.values(NAMES).flatMap(({ proof, tunnels }) => [proof, ...tunnels])],
  ],
])('%s knows %j', (name, texts) => {
  const expressions = asArray(at(policyOf(name), 'spec', 'variables'))
    .map((each) => at(each, 'expression'))
    .join('\n');
  for (const text of texts) expect(expressions).toContain(`'${text}'`);
});
