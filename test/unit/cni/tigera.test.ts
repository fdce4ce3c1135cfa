import { expect, test } from '@jest/globals';
import { tigera } from '../../../src/cni/tigera/index.ts';
import { unmanaged } from '../../../src/cni/unmanaged/index.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { basics, clusterFacts, PODS, wantedDual, wantedSingle } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';

const installation = (ipPools: readonly unknown[]): KubeObject => ({
  apiVersion: 'operator.tigera.io/v1',
  kind: 'Installation',
  metadata: { name: 'default' },
  spec: { calicoNetwork: { ipPools } },
});
const pool = { name: 'default-ipv4-ippool', cidr: PODS.IPv4, encapsulation: 'VXLANCrossSubnet', blockSize: 26 };

async function findings(objects: readonly KubeObject[], wanted = wantedDual()) {
  const own = await tigera.observe(fakeReader(objects), basics({ nodes: [] }));
  return tigera.check(wanted, clusterFacts(), own);
}

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
  expect(tigera.steps(wantedDual(), clusterFacts(), { known: true, value: null })).toEqual([]);
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
  expect(await findings([installation(both)], wantedSingle())).toMatchObject([
    { remedy: expect.stringContaining('Remove the pool') },
  ]);
  expect(await findings([installation([pool])], wantedSingle())).toEqual([]);
  expect(await findings([])).toHaveLength(1);
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

test('an unknown network plug-in is left alone, and that is said', () => {
  expect(unmanaged.detect(basics({ nodes: [] }))).not.toBeNull();
  expect(unmanaged.steps(wantedDual(), clusterFacts(), null)).toEqual([]);
  expect(unmanaged.check(wantedDual(), clusterFacts(), null)).toMatchObject([
    { reason: 'Unmanaged', blocks: [], remedy: expect.stringContaining('fd00:10:244::/56') },
  ]);
});
