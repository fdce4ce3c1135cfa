import { expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/model/object.ts';
import { known } from '../../../src/model/reader.ts';
import { isToBeSeen, toNodes } from '../../../src/observe/nodes.ts';
import { toServiceFacts } from '../../../src/observe/services.ts';

const node = (name: string, rest: Partial<KubeObject> = {}, metadata = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: `uid-${name}`, creationTimestamp: '2026-11-01T12:00:00Z', ...metadata },
  ...rest,
});
const agent = (name: string, status?: object, rest = {}): KubeObject => ({
  apiVersion: 'dualstack.dev/v1alpha1',
  kind: 'DualStackNode',
  metadata: { name, generation: 3 },
  ...(status === undefined ? {} : { status }),
  ...rest,
});
const one = (object: KubeObject, agents: readonly KubeObject[] = []) => toNodes([object], agents)[0];

test('all that is told of a Node', () => {
  const full = node(
    'cp-1',
    {
      spec: {
        podCIDRs: ['10.244.0.0/24'],
        providerID: 'aws:///i-1',
        unschedulable: true,
        taints: [{ key: 'some/taint', effect: 'NoSchedule' }],
      },
      status: {
        addresses: [
          { type: 'Hostname', address: 'cp-1' },
          { type: 'InternalIP', address: '192.0.2.11' },
          { type: 'ExternalIP', address: '203.0.113.1' },
          { type: 'InternalIP', address: '2001:db8::11' },
        ],
        conditions: [
          { type: 'MemoryPressure', status: 'False' },
          { type: 'Ready', status: 'True' },
        ],
        nodeInfo: { osImage: 'Debian', kubeletVersion: 'v1.36.3' },
      },
    },
    { labels: { 'node-role.kubernetes.io/control-plane': '' }, annotations: { a: 'b' } },
  );
  expect(one(full)).toEqual({
    name: 'cp-1',
    uid: 'uid-cp-1',
    resourceVersion: '',
    createdAt: '2026-11-01T12:00:00Z',
    ready: true,
    controlPlane: true,
    labels: { 'node-role.kubernetes.io/control-plane': '' },
    annotations: { a: 'b' },
    internalIPs: ['192.0.2.11', '2001:db8::11'],
    externalIPs: ['203.0.113.1'],
    podCIDRs: ['10.244.0.0/24'],
    providerID: 'aws:///i-1',
    osImage: 'Debian',
    kubeletVersion: 'v1.36.3',
    unschedulable: true,
    holders: [{ is: 'Cloud', who: 'the cloud provider', sign: 'spec.providerID aws:///i-1' }],
    taints: [{ key: 'some/taint', effect: 'NoSchedule' }],
    agent: null,
  });
});

test('a Node that tells nothing yet', () => {
  expect(one(node('new'))).toMatchObject({
    ready: false,
    controlPlane: false,
    internalIPs: [],
    podCIDRs: [],
    unschedulable: false,
    taints: [],
  });
});

test.each(['False', 'Unknown'])('a Node whose Ready is %s is not ready', (status) => {
  expect(one(node('w', { status: { conditions: [{ type: 'Ready', status }] } }))?.ready).toBe(false);
});

test('Nodes are in the order of their names, each with its own agent', () => {
  const nodes = toNodes([node('b'), node('a'), node('c')], [agent('c', { hostname: 'c' }), agent('b'), agent('gone')]);
  expect(nodes.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  expect(nodes.map(({ agent }) => agent === null)).toEqual([true, false, false]);
});

test('an agent that has not reported is no report of nothing', () => {
  expect(one(node('a'), [agent('a')])?.agent).toMatchObject({
    generation: 3,
    observedGeneration: -1,
    spec: {},
    report: null,
    conditions: [],
  });
  // The default of the schema, which the server fills in.
  expect(one(node('a'), [agent('a', { observedGeneration: -1 })])?.agent?.report).toBeNull();
  const reported = agent('a', { hostname: 'a', observedGeneration: 2 }, { spec: { restart: { kubelet: '1' } } });
  expect(one(node('a'), [reported])?.agent).toMatchObject({
    observedGeneration: 2,
    spec: { restart: { kubelet: '1' } },
    report: { hostname: 'a' },
  });
});

const service = (spec: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's', namespace: 'n', resourceVersion: '5' },
  spec,
});

test.each<[string, object, object]>([
  [
    'both families',
    {
      type: 'NodePort',
      ipFamilyPolicy: 'PreferDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
      clusterIPs: ['10.96.0.5', 'fd00::5'],
      selector: { a: 'b' },
    },
    {
      type: 'NodePort',
      policy: 'PreferDualStack',
      families: ['IPv4', 'IPv6'],
      clusterIPs: ['10.96.0.5', 'fd00::5'],
      headless: false,
      selector: true,
    },
  ],
  ['headless', { clusterIPs: ['None'], selector: {} }, { headless: true, selector: false }],
  [
    'without an address',
    { type: 'ExternalName' },
    { type: 'ExternalName', families: [], clusterIPs: [], selector: false, policy: '' },
  ],
  ['a family of the future', { ipFamilies: ['IPv4', 'IPv8'] }, { families: ['IPv4'] }],
  ['an address that it asks for', { loadBalancerIP: '192.0.2.1' }, { loadBalancerIP: '192.0.2.1' }],
])('a Service, %s', (_name, spec, facts) => {
  expect(toServiceFacts(service(spec))).toMatchObject({ namespace: 'n', name: 's', resourceVersion: '5', ...facts });
});

test('of objects that are kept the facts are made once, until one of the two has changed', () => {
  const [kept, other, its] = [node('a'), node('b'), agent('a', { hostname: 'a' })];
  const [first, second] = toNodes([other, kept], [its]);
  expect(toNodes([kept, other], [its])).toEqual([first, second]);
  expect(toNodes([kept], [its])[0]).toBe(first);
  expect(toNodes([kept], [agent('a', { hostname: 'a', stopped: true })])[0]?.agent?.report?.stopped).toBe(true);
  expect(toNodes([kept], [])[0]?.agent).toBeNull();
  expect(toNodes([{ ...kept }], [its])[0]).not.toBe(first);
  const seen = toNodes([kept], [its], new Map([['a', known('2026-11-01T12:00:00Z')]]));
  expect(seen[0]?.renewedAt).toEqual(known('2026-11-01T12:00:00Z'));
  expect(toNodes([kept], [its])[0]?.renewedAt).toBeUndefined();
});

const CREATED = Date.parse('2026-11-01T12:00:00Z');
const spec = { 'f:spec': { 'f:podCIDR': {}, 'f:podCIDRs': {} } };
const OURS = { manager: 'dualstack-operator', operation: 'Update', fieldsV1: spec };
const REPORT = { manager: 'kubelet', operation: 'Update', subresource: 'status', fieldsV1: { 'f:status': {} } };

test.each<[string, readonly object[], number, boolean]>([
  ['one that this program made', [OURS], 5, true],
  ['its kubelet has reported', [OURS, REPORT], 60, true],
  ['its kubelet has reported, a while ago', [OURS, REPORT], 121, false],
  ['its kubelet has never reported', [OURS], 100_000, true],
  ['a controller wrote its status', [OURS, { ...REPORT, manager: 'kube-controller-manager' }], 100_000, true],
  ['one that its kubelet made', [{ ...OURS, manager: 'kubelet' }, REPORT], 5, false],
  ['one that this program only tainted', [{ ...OURS, fieldsV1: { 'f:spec': { 'f:taints': {} } } }], 5, false],
  ['the server tells nothing', [], 5, false],
])('whose kubelet is to be seen, %s', (_name, managedFields, age, expected) => {
  expect(isToBeSeen(node('a', {}, { managedFields }), CREATED + age * 1000)).toBe(expected);
});
