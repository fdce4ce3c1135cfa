import { expect, test } from '@jest/globals';
import { tigera } from '../../../src/cni/tigera/index.ts';
import type { WorkloadFacts } from '../../../src/model/facts.ts';
import { at, type KubeObject } from '../../../src/model/object.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { basics, clusterFacts, podFacts, PODS, wantedDual, wantedSingle, workloadFacts } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';

const installation = (ipPools: readonly unknown[]): KubeObject => ({
  apiVersion: 'operator.tigera.io/v1',
  kind: 'Installation',
  metadata: { name: 'default', generation: 3 },
  spec: { calicoNetwork: { ipPools } },
});
const pool = { name: 'default-ipv4-ippool', cidr: PODS.IPv4, encapsulation: 'VXLANCrossSubnet', blockSize: 26 };

async function findings(objects: readonly KubeObject[], wanted = wantedDual()) {
  const own = await tigera.observe(fakeReader(objects), basics({ nodes: [] }));
  return tigera.check(wanted, clusterFacts(), own);
}

const poolsAsked = (remedy: string): unknown =>
  at(JSON.parse(/-p '(.*)'$/u.exec(remedy)?.[1] ?? '{}'), 'spec', 'calicoNetwork', 'ipPools');

const detect = (
  change: Partial<ReturnType<typeof basics>['objects']>,
  groupVersions: readonly string[] = ['operator.tigera.io/v1'],
) => {
  const given = basics({ nodes: [] });
  return tigera.detect({ ...given, groupVersions, objects: { ...given.objects, DaemonSet: [], ...change } });
};

test('recognised by what it runs, not by its CRDs alone', () => {
  expect(detect({ DaemonSet: ['calico-system/calico-node'] })).toBe('DaemonSet calico-system/calico-node');
  expect(detect({ Deployment: ['tigera-operator/tigera-operator'] })).toBe(
    'Deployment tigera-operator/tigera-operator',
  );
  expect(detect({})).toBeNull();
  expect(detect({ Deployment: ['tigera-operator/tigera-operator'] }, [])).toBeNull();
  expect(
    detect({ Deployment: ['tigera-operator/tigera-operator'], DaemonSet: ['kube-system/calico-node'] }),
  ).toBeNull();
});

test('nothing of it is changed; the patch to make is shown whole', async () => {
  const [finding, ...others] = await findings([installation([pool])]);
  expect(others).toEqual([]);
  expect(finding).toMatchObject({
    reason: 'AnotherOwner',
    blocks: ['Pools', 'CNIConfig', 'CNIAgents'],
    object: { kind: 'Installation', name: 'default' },
  });
  const patch: unknown = JSON.parse(/-p '(.*)'$/u.exec(finding!.remedy)![1]!);
  expect(patch).toEqual({
    spec: {
      calicoNetwork: {
        ipPools: [
          pool,
          { cidr: PODS.IPv6, encapsulation: 'VXLANCrossSubnet', natOutgoing: 'Enabled', nodeSelector: 'all()' },
        ],
        nodeAddressAutodetectionV6: { kubernetes: 'NodeInternalIP' },
      },
    },
  });
  const own = await tigera.observe(fakeReader([installation([pool])]), basics({ nodes: [] }));
  expect(tigera.steps(wantedDual(), clusterFacts(), own)).toEqual([]);
});

test('IPIP, the default too, is not carried over to IPv6', async () => {
  const { encapsulation: _, ...unnamed } = pool;
  for (const existing of [{ ...pool, encapsulation: 'IPIP' }, unnamed]) {
    const [finding] = await findings([installation([existing])]);
    expect(finding!.remedy).toContain(`"cidr":"${PODS.IPv6}","encapsulation":"None"`);
  }
});

test('once its pools are as wanted there is nothing to say', async () => {
  const both = [pool, { cidr: PODS.IPv6, encapsulation: 'VXLAN' }];
  expect(await findings([installation(both)])).toEqual([]);
  const [back] = await findings([installation(both)], wantedSingle());
  const patch = / -p '(.*)'$/u.exec(back?.remedy ?? '')?.[1] ?? '';
  // A node that comes later without IPv6 must not look for it.
  expect(JSON.parse(patch)).toEqual({ spec: { calicoNetwork: { ipPools: [pool], nodeAddressAutodetectionV6: null } } });
  expect(await findings([installation([pool])], wantedSingle())).toEqual([]);
  expect(await findings([])).toMatchObject([{ reason: 'CNIConfigUnsupported' }]);
});

test('there may be more pools than families, and smaller ones than the networks asked for', async () => {
  const [low, high] = ['10.244.0.0/17', '10.244.128.0/17'].map((cidr, n) => ({ ...pool, name: `low-${n}`, cidr }));
  const ipv6 = { cidr: 'fd00:10:244::/64', encapsulation: 'VXLAN' };
  expect(await findings([installation([pool, { cidr: '10.250.0.0/16' }, { cidr: PODS.IPv6 }])])).toEqual([]);
  expect(await findings([installation([low, high, ipv6])])).toEqual([]);
  const [asked] = await findings([installation([low, high])]);
  expect(poolsAsked(asked!.remedy)).toEqual([low, high, expect.objectContaining({ cidr: PODS.IPv6 })]);
  expect(await findings([installation([low, high])], wantedSingle())).toEqual([]);
  expect(await findings([installation([low, high, ipv6])], wantedSingle())).toMatchObject([{ reason: 'AnotherOwner' }]);
});

test('one more pool of a family has the form of those that are there', async () => {
  const elsewhere = { ...pool, cidr: '10.250.0.0/16', natOutgoing: 'Disabled', nodeSelector: 'zone == "a"' };
  const [asked] = await findings([installation([elsewhere])]);
  expect(poolsAsked(asked!.remedy)).toMatchObject([
    elsewhere,
    {
      cidr: PODS.IPv4,
      blockSize: 26,
      encapsulation: 'VXLANCrossSubnet',
      natOutgoing: 'Disabled',
      nodeSelector: 'zone == "a"',
    },
    { cidr: PODS.IPv6 },
  ]);
});

test.each([
  ['an empty list', installation([])],
  ['no list', { ...installation([]), spec: {} }],
  ['pools of the other family alone', installation([{ cidr: PODS.IPv6 }])],
])('%s: no pool of the first family is invented', async (_name, given) => {
  const found = await findings([given]);
  expect(found).toMatchObject([{ reason: 'CNIConfigUnsupported', blocks: ['Pools', 'CNIConfig', 'CNIAgents'] }]);
  expect(found[0]!.remedy).toContain('kubectl get ippools -o yaml');
  expect(found[0]!.remedy).not.toContain('kubectl patch');
});

const DUAL = installation([pool, { cidr: PODS.IPv6 }]);

const status = (name: string, state: string, observedGeneration?: number): KubeObject => ({
  apiVersion: 'operator.tigera.io/v1',
  kind: 'TigeraStatus',
  metadata: { name },
  status: {
    conditions: ['Available', 'Progressing', 'Degraded'].map((type) => ({
      type,
      status: type === state ? 'True' : 'False',
      message: type === state ? `says ${name}` : '',
      ...(observedGeneration === undefined ? {} : { observedGeneration }),
    })),
  },
});

async function rollOut(statuses: readonly KubeObject[], change: Partial<WorkloadFacts> = {}, wanted = wantedDual()) {
  const facts = clusterFacts({ dual: true });
  const own = await tigera.observe(fakeReader([DUAL, ...statuses]), basics({ nodes: [] }));
  const names = facts.nodes.map(({ name }) => name);
  const agent = known(workloadFacts('calico-node', names, change));
  return tigera.steps(wanted, facts, { ...own, agent });
}

test.each<[string, readonly KubeObject[], Partial<WorkloadFacts>, unknown]>([
  ['nothing is said yet', [], {}, { is: 'InProgress', why: expect.stringContaining('not there yet') }],
  ['of the Installation as it was', [status('calico', 'Available', 2)], {}, { is: 'InProgress' }],
  [
    'it progresses',
    [status('calico', 'Progressing', 3)],
    {},
    { is: 'InProgress', why: expect.stringContaining('says') },
  ],
  ['it is degraded', [status('calico', 'Degraded', 3)], {}, { is: 'InProgress', why: expect.stringContaining('says') }],
  [
    'a pool is refused',
    [status('ippools', 'Degraded', 3), status('calico', 'Available', 3)],
    {},
    { is: 'InProgress', why: 'TigeraStatus ippools is Degraded: says ippools' },
  ],
  ['calico-node is rolled out', [status('calico', 'Available', 3)], { generation: 2 }, { is: 'InProgress' }],
  [
    'all is said and done',
    [status('ippools', 'Available', 3), status('calico', 'Available', 3), status('apiserver', 'Degraded', 1)],
    {},
    { is: 'Satisfied' },
  ],
  ['an operator that names no generation', [status('calico', 'Available')], {}, { is: 'Satisfied' }],
])('the phases stay closed until the tigera operator is through: %s', async (_name, statuses, change, state) => {
  expect(await rollOut(statuses, change)).toMatchObject([
    { kind: 'WaitFor', id: 'tigera/roll-out', phase: 'CNIAgents', state },
  ]);
});

test('nodes that are away keep it Progressing, and nothing else from going on', async () => {
  const facts = clusterFacts({ dual: true });
  const nodes = facts.nodes.map((node, n) => (n === 2 ? { ...node, ready: false } : node));
  const names = nodes.map(({ name }) => name);
  const pods = names.map((node, n) => podFacts({ name: node, node, ready: n !== 2 }));
  const own = await tigera.observe(fakeReader([DUAL, status('calico', 'Progressing', 3)]), basics({ nodes: [] }));
  const agent = known(workloadFacts('calico-node', names, { pods }));
  expect(tigera.steps(wantedDual(), { ...facts, nodes }, { ...own, agent })).toMatchObject([
    { state: { is: 'Deferred', why: expect.stringContaining(names[2]!) } },
  ]);
});

test('what cannot be read is unknown', async () => {
  const own = await tigera.observe(fakeReader([DUAL]), basics({ nodes: [] }));
  expect(tigera.steps(wantedDual(), clusterFacts(), { ...own, statuses: unknown('forbidden') })).toMatchObject([
    { state: { is: 'Unknown', why: expect.stringContaining('forbidden') } },
  ]);
  const unread = { ...own, installation: unknown('forbidden') };
  expect(tigera.steps(wantedDual(), clusterFacts(), unread)).toEqual([]);
  expect(tigera.check(wantedDual(), clusterFacts(), unread)).toMatchObject([{ reason: 'ComponentUnreadable' }]);
});

test('a pool of public addresses needs no NAT, one of private addresses that has none is told of', async () => {
  const [asked] = await findings([installation([pool])], wantedDual({ pods: { IPv6: '2001:db8:1::/56' } }));
  expect(asked!.remedy).toContain(
    '"cidr":"2001:db8:1::/56","encapsulation":"VXLANCrossSubnet","natOutgoing":"Disabled"',
  );
  const both = [pool, { cidr: PODS.IPv6, natOutgoing: 'Disabled' }];
  expect(await findings([installation(both)])).toMatchObject([
    { reason: 'EgressNAT', blocks: [], remedy: expect.stringContaining('natOutgoing: Enabled') },
  ]);
});

test('IPv4 beside IPv6 is looked for as the Nodes have it', async () => {
  const wanted = wantedDual({ families: ['IPv6', 'IPv4'] });
  const [finding] = await findings([installation([{ cidr: PODS.IPv6 }])], wanted);
  expect(finding!.remedy).toContain('When every Node has an IPv4 InternalIP');
  expect(finding!.remedy).toContain('"nodeAddressAutodetectionV4":{"kubernetes":"NodeInternalIP"}');
  expect(finding!.remedy).toContain(`"cidr":"${PODS.IPv4}","encapsulation":"None","natOutgoing":"Enabled"`);
});
