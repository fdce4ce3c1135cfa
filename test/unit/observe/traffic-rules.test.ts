import { expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/model/object.ts';
import type { ListQuery, PagedReader, Read } from '../../../src/model/reader.ts';
import type { TrafficRules } from '../../../src/model/traffic-rules.ts';
import { readTrafficRules } from '../../../src/observe/traffic-rules.ts';

const object = (apiVersion: string, kind: string, spec: object, more: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'one', namespace: 'shop' },
  spec,
  ...more,
});

const reading = (objects: readonly KubeObject[], refused?: string): PagedReader =>
  async function* ({ apiVersion, kind }: ListQuery): AsyncGenerator<Read<readonly KubeObject[]>> {
    const found = objects.filter((each) => each.apiVersion === apiVersion && each.kind === kind);
    await Promise.resolve();
    if (kind === refused) yield { is: 'Unreadable', why: '403' };
    else if (found.length === 0) yield { is: 'Missing' };
    // Each on a page of its own.
    else for (const each of found) yield { is: 'Found', value: [each] };
  };

const read = (...objects: readonly KubeObject[]): Promise<TrafficRules> => readTrafficRules(reading(objects));

const judged = async (policy: KubeObject): Promise<string | null> => {
  const { policies } = await read(policy);
  expect(policies.length).toBeLessThan(2);
  return policies.map(({ family, omission }) => `${family} ${omission}`)[0] ?? null;
};

const block = (cidr: string, ...except: readonly string[]) => ({ ipBlock: { cidr, except } });
const network = (spec: object): KubeObject =>
  object('networking.k8s.io/v1', 'NetworkPolicy', { podSelector: {}, ...spec });

test.each<[string, object, string | null]>([
  ['clients of IPv4', { ingress: [{ from: [block('10.0.0.0/8')] }] }, 'IPv4 Denied'],
  ['clients of both', { ingress: [{ from: [block('10.0.0.0/8')] }, { from: [block('fd00::/8')] }] }, null],
  ['all of IPv4', { egress: [{ to: [block('0.0.0.0/0', '10.0.0.0/8')] }] }, 'IPv4 Denied'],
  ['servers of IPv6', { egress: [{ to: [block('2001:db8::/32')] }] }, 'IPv6 Denied'],
  ['pods alone', { ingress: [{ from: [{ podSelector: {} }] }] }, null],
  [
    'IPv4, and everybody at another port',
    { ingress: [{ from: [block('10.0.0.0/8')] }, { ports: [{ port: 80 }] }] },
    null,
  ],
  ['pods, and IPv4', { ingress: [{ from: [{ podSelector: {} }, block('10.0.0.0/8')] }] }, 'IPv4 Denied'],
  ['everything denied', { policyTypes: ['Ingress'] }, null],
])('a NetworkPolicy that lets through %s', async (_, spec, expected) => {
  expect(await judged(network(spec))).toBe(expected);
});

test.each<[string, object, object | null]>([
  ['all', {}, {}],
  ['by labels', { matchLabels: { app: 'web' } }, { app: 'web' }],
  ['by expressions', { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, null],
])('pods that it guards from clients: %s', async (_, podSelector, expected) => {
  const inward = network({ podSelector, ingress: [{ from: [block('10.0.0.0/8')] }] });
  expect((await read(inward)).policies[0]?.guards).toEqual(expected);
  const outward = network({ podSelector, egress: [{ to: [block('10.0.0.0/8')] }] });
  expect((await read(outward)).policies[0]?.guards).toBe(null);
});

const calico = (action: string, nets: readonly string[]): KubeObject =>
  object('crd.projectcalico.org/v1', 'GlobalNetworkPolicy', { ingress: [{ action, source: { nets } }] });
const cilium = (spec: object): KubeObject => object('cilium.io/v2', 'CiliumNetworkPolicy', spec);
const admission = (expression: string): KubeObject =>
  object('admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy', { validations: [{ expression }] });

test.each<[string, KubeObject, string | null]>([
  ['Calico keeps IPv4 out', calico('Deny', ['192.0.2.0/24']), 'IPv4 NotCovered'],
  ['Calico keeps both out', calico('Deny', ['192.0.2.0/24', '2001:db8::/32']), null],
  ['Calico lets IPv4 in', calico('Allow', ['192.0.2.0/24']), 'IPv4 Denied'],
  ['Cilium lets IPv4 out', cilium({ egress: [{ toCIDR: ['192.0.2.0/24'] }] }), 'IPv4 Denied'],
  ['Cilium keeps IPv4 out', cilium({ ingressDeny: [{ fromCIDRSet: [{ cidr: '192.0.2.0/24' }] }] }), 'IPv4 NotCovered'],
  [
    'an expression of IPv4',
    admission("object.spec.externalIPs.all(ip, cidr('192.0.2.0/24').containsIP(ip))"),
    'IPv4 NotChecked',
  ],
  ['one of both', admission("cidr('192.0.2.0/24').containsIP(x) || cidr('2001:db8::/32').containsIP(x)"), null],
  ['one of no network', admission("object.metadata.name.startsWith('a/b') && 1.5/2 > 0 && x != 'c:d/12'"), null],
])('%s', async (_, policy, expected) => {
  expect(await judged(policy)).toBe(expected);
});

test('what a Cilium policy says in specs counts as well', async () => {
  const policy = { ...cilium({}), specs: [{ ingress: [{ fromCIDR: ['192.0.2.0/24'] }] }] };
  expect(await judged(policy)).toBe('IPv4 Denied');
});

const path = (name: string) => ({ backend: { service: { name, port: { number: 80 } } } });

test('Ingresses and routes by the Services that they send to', async () => {
  const ingress = object('networking.k8s.io/v1', 'Ingress', {
    defaultBackend: { service: { name: 'fallback' } },
    rules: [
      { http: { paths: [path('web'), path('web'), { backend: { resource: { kind: 'Bucket', name: 'b' } } }] } },
      {},
    ],
  });
  const route = object('gateway.networking.k8s.io/v1', 'HTTPRoute', {
    rules: [
      {
        backendRefs: [
          { name: 'web' },
          { kind: 'Service', name: 'pay', namespace: 'bank' },
          { kind: 'Bucket', name: 'b' },
        ],
      },
      { filters: [] },
    ],
  });
  expect((await read(ingress, route)).fronts).toEqual({
    'shop/fallback': ['Ingress shop/one'],
    'shop/web': ['Ingress shop/one', 'HTTPRoute shop/one'],
    'bank/pay': ['HTTPRoute shop/one'],
  });
});

test('what cannot be read is told, and the rest all the same', async () => {
  const rules = await readTrafficRules(reading([calico('Deny', ['192.0.2.0/24'])], 'Ingress'));
  expect(rules.unread).toEqual([{ kind: 'Ingress (networking.k8s.io/v1)', why: '403' }]);
  expect(rules.policies).toHaveLength(1);
});
