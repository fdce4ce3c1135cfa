import { describe, expect, test } from '@jest/globals';
import { observe } from '../../../src/distributions/kkp/facts.ts';
import { kkp } from '../../../src/distributions/kkp/index.ts';
import { brokenRules, type Networks } from '../../../src/distributions/kkp/rules.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { registry } from '../../../src/registry.ts';
import { basics, nodeFacts, PODS, SERVICES } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import { CLUSTER_ID, kkpBasics, kkpCluster, kkpObjects, type KKPOptions } from '../../support/kkp.ts';

const workers = [nodeFacts(1, { name: 'md-1' })];
const APPS = 'apps.kubermatic.k8c.io/v1';
const SEED = 'kubermatic.k8c.io/v1';

const found = (given: Parameters<typeof registry.distribution>[1]): string => {
  const chosen = registry.distribution('Auto', given);
  return chosen.ok ? chosen.value.plugin.name : chosen.error;
};

describe('whose cluster it is', () => {
  const kubeadm = basics({ nodes: [nodeFacts(1, { controlPlane: true })] });
  const seedOnKubeadm = { ...kubeadm, groupVersions: [...kubeadm.groupVersions, APPS, SEED] };
  const user = kkpBasics(workers);
  const withoutBundle = { ...user.objects, ConfigMap: ['kube-system/kube-proxy'] };

  test.each([
    ['a user cluster, with the ConfigMap that KKP makes for kubeadm join', user, 'KKP'],
    ['a user cluster that is a Seed as well', { ...user, groupVersions: [...user.groupVersions, SEED] }, 'KKP'],
    ['a cluster of kubeadm', kubeadm, 'Kubeadm'],
    ['a Seed that kubeadm made', seedOnKubeadm, 'Kubeadm'],
    [
      'such a Seed with a ConfigMap of that name',
      {
        ...seedOnKubeadm,
        objects: { ...kubeadm.objects, ConfigMap: [...kubeadm.objects.ConfigMap, 'kube-system/ca-bundle'] },
      },
      'Kubeadm',
    ],
    [
      'a Seed on a managed control plane',
      { ...user, groupVersions: [...user.groupVersions, SEED], objects: withoutBundle },
      'Unmanaged',
    ],
    [
      'machine-controller alone, as KubeOne installs it',
      { ...kubeadm, groupVersions: [...kubeadm.groupVersions, 'cluster.k8s.io/v1alpha1'] },
      'Kubeadm',
    ],
  ])('%s', (_name, given, expected) => expect(found(given)).toBe(expected));
});

describe('what the objects of a user cluster tell', () => {
  test.each<[string, KKPOptions]>([
    ['Canal', {}],
    ['Canal, dual-stack', { dual: true }],
    ['an old Canal', { canal: 'v3.21.4' }],
    ['Cilium', { cni: 'cilium' }],
    ['Cilium, dual-stack', { cni: 'cilium', dual: true }],
    ['a network plug-in of the user', { cni: 'none' }],
  ])('%s', async (_name, options) => {
    const { facts, own } = kkpCluster(options);
    const seen = await observe(fakeReader(kkpObjects(options)), facts.basics);
    expect({ ...seen, proxy: own.proxy }).toEqual(own);
  });
});

describe('networks', () => {
  test.each<[string, KKPOptions, readonly string[] | RegExp, readonly string[] | RegExp]>([
    ['one family', {}, [PODS.IPv4], [SERVICES.IPv4]],
    ['two: kube-proxy has the first alone', { dual: true }, [PODS.IPv4, PODS.IPv6], [SERVICES.IPv4, SERVICES.IPv6]],
    ['Cilium', { cni: 'cilium', dual: true }, [PODS.IPv4, PODS.IPv6], [SERVICES.IPv4, SERVICES.IPv6]],
    ['only kube-proxy tells', { cni: 'none' }, [PODS.IPv4], [SERVICES.IPv4]],
    [
      'only kube-proxy, and Nodes with two',
      { cni: 'none', dual: true },
      /only 10\.244\.0\.0\/16 is told/u,
      [SERVICES.IPv4, SERVICES.IPv6],
    ],
    ['before Kubernetes 1.33', { serviceCIDR: false }, [PODS.IPv4], /before Kubernetes 1\.33/u],
  ])('%s', (_name, options, pods, services) => {
    const told = kkp.network(kkpCluster(options).own);
    for (const [has, expected] of [
      [told.pods, pods],
      [told.services, services],
    ] as const) {
      if (expected instanceof RegExp) expect(has).toEqual({ known: false, why: expect.stringMatching(expected) });
      else expect(has).toEqual({ known: true, value: expected });
    }
  });

  test('sources that disagree are no answer', () => {
    const { own } = kkpCluster({}, { proxyCIDR: known('172.25.0.0/16') });
    expect(kkp.network(own).pods).toEqual({ known: false, why: expect.stringContaining('172.25.0.0/16') });
  });

  test('masks are those that Nodes hold, or that Cilium gives out', () => {
    expect(kkp.network(kkpCluster({ dual: true }).own).nodeMask).toEqual({ IPv4: 24, IPv6: 64 });
    const { own } = kkpCluster({ cni: 'cilium' }, { cilium: known({ networks: PODS.IPv4, nodeMask: { IPv4: 25 } }) });
    expect(kkp.network(own).nodeMask).toEqual({ IPv4: 25 });
  });
});

describe("KKP's rules", () => {
  const right: Networks = {
    pods: ['172.25.0.0/16', 'fd01::/48'],
    services: ['10.240.16.0/20', 'fd02::/120'],
    nodeMask: { IPv4: 24, IPv6: 64 },
    canalVersion: 'v3.22',
  };
  test.each<[string, Partial<Networks>]>([
    ['the documented example', {}],
    ['one family', { pods: ['172.25.0.0/16'], services: ['10.240.16.0/20'], canalVersion: 'v3.19.1' }],
    ['nothing told', { pods: null, services: null, canalVersion: null }],
  ])('kept: %s', (_name, change) => expect(brokenRules({ ...right, ...change })).toEqual([]));

  test.each<[string, Partial<Networks>, string, RegExp]>([
    ['more pods than Services', { services: ['10.240.16.0/20'] }, 'InconsistentControlPlane', /as many of either/u],
    ['IPv6 first', { pods: ['fd01::/48', '172.25.0.0/16'] }, 'PrimaryFamilyMismatch', /^pods\.cidrBlocks/u],
    [
      'two of one family',
      { services: ['10.0.0.0/20', '10.1.0.0/20'] },
      'PrimaryFamilyMismatch',
      /^services\.cidrBlocks/u,
    ],
    ['IPv6 alone', { pods: ['fd01::/48'], services: null }, 'PrimaryFamilyMismatch', /IPv4 and then an IPv6/u],
    [
      'a mask as long as the network',
      { nodeMask: { IPv4: 16, IPv6: 64 } },
      'PrefixNotAllowed',
      /nodeCidrMaskSizeIPv4 is 16/u,
    ],
    ['an old Canal', { canalVersion: 'v3.21.4' }, 'UnsupportedVersion', /from 3\.22 on/u],
  ])('broken: %s', (_name, change, reason, says) =>
    expect(brokenRules({ ...right, ...change })).toEqual([
      expect.objectContaining({ reason, says: expect.stringMatching(says) }),
    ]),
  );
});

test('its Cluster is named where a Node tells it', () => {
  const { own } = kkpCluster();
  expect(kkp.components(own)).toContainEqual(
    expect.objectContaining({ component: 'KKP', where: `Cluster ${CLUSTER_ID}` }),
  );
  expect(
    kkp.components({ ...own, cluster: null, canal: unknown('forbidden') }).map(({ component }) => component),
  ).toEqual(['kube-proxy']);
});
