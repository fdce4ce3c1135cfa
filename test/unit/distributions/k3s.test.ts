import { describe, expect, test } from '@jest/globals';
import { k3s, rke2 } from '../../../src/distributions/k3s/index.ts';
import type { NodeFacts } from '../../../src/model/facts.ts';
import { phaseOrder } from '../../../src/model/phase.ts';
import { known } from '../../../src/model/reader.ts';
import { decide } from '../../../src/plan/next.ts';
import { registry } from '../../../src/registry.ts';
import { basics, type Deep, merge, nodeFacts, PODS, SERVICES, wantedDual, wantedSingle } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import { k3sCluster, VERSIONS } from '../../support/managed.ts';
import { asked, NO_MEMORY, planScene } from '../../support/plan-scene.ts';

const distributions = [
  [k3s, 'k3s.io', VERSIONS.K3s, '/etc/rancher/k3s/config.yaml'],
  [rke2, 'rke2.io', VERSIONS.RKE2, '/etc/rancher/rke2/config.yaml'],
] as const;

const nodeWith = (annotations: Readonly<Record<string, string>>, change: Deep<NodeFacts> = {}): NodeFacts =>
  nodeFacts(1, { name: 'server-1', agent: false }, { annotations, ...change });

const auto = (kubernetesVersion: string, nodes: readonly NodeFacts[]) => {
  const facts = basics({ nodes, kubernetesVersion });
  const found = registry.distribution('Auto', { ...facts, objects: { ...facts.objects, ConfigMap: [] } });
  return found.ok ? found.value.plugin.name : found.error;
};

describe.each(distributions)('$name', (distribution, domain, version, file) => {
  const observed = (args: readonly string[], change: Deep<NodeFacts> = {}) =>
    distribution.observe(
      fakeReader([]),
      basics({
        nodes: [nodeWith({ [`${domain}/node-args`]: JSON.stringify(args) }, change)],
        kubernetesVersion: version,
      }),
    );

  test('is recognised by the version of the API server, or by what it writes on Nodes', () => {
    expect(auto(version, [])).toBe(distribution.name);
    expect(auto('v1.33.5', [nodeWith({ [`${domain}/node-args`]: '["agent"]' })])).toBe(distribution.name);
    expect(auto('v1.33.5', [nodeWith({})])).toBe('Unmanaged');
  });

  test('its networks are those of its servers, however often an option is given', async () => {
    const own = await observed([
      'server',
      '--cluster-cidr',
      '10.50.0.0/16',
      '--cluster-cidr',
      'fd00:50::/56',
      '--service-cidr',
      '10.51.0.0/16,fd00:51::/112',
      '--kube-controller-manager-arg',
      'node-cidr-mask-size-ipv4=25',
      '--disable',
      'traefik',
      '--kube-controller-manager-arg',
      'node-cidr-mask-size-ipv6=72',
    ]);
    expect(distribution.network(own)).toEqual({
      pods: known(['10.50.0.0/16', 'fd00:50::/56']),
      services: known(['10.51.0.0/16', 'fd00:51::/112']),
      nodeMask: { IPv4: 25, IPv6: 72 },
    });
  });

  test.each<[string, Deep<NodeFacts>, string, string]>([
    ['IPv4', {}, '10.42.0.0/16', '10.43.0.0/16'],
    ['IPv6', { internalIPs: ['2001:db8::11'] }, 'fd00:42::/56', 'fd00:43::/112'],
  ])('a server without options has the defaults of its family: %s', async (_family, node, pods, services) => {
    const own = await observed(['server'], node);
    expect(distribution.network(own)).toMatchObject({ pods: known([pods]), services: known([services]) });
  });

  test.each(['["agent","--server","https://192.0.2.1:6443"]', 'not json', '{"server":1}', ''])(
    'from %s nothing is concluded',
    async (text) => {
      const own = await distribution.observe(
        fakeReader([]),
        basics({ nodes: [nodeWith({ [`${domain}/node-args`]: text })] }),
      );
      expect(own.servers).toEqual([]);
      expect(distribution.network(own).pods.known).toBe(false);
    },
  );

  test.each([wantedDual(), wantedSingle()])('other families are refused, with what a new cluster needs', (wanted) => {
    const { facts, own } = k3sCluster({ dual: wanted.direction === 'Back' });
    const [finding, ...others] = distribution.check(wanted, facts, own);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      reason: 'NetworkImmutable',
      message: expect.stringContaining('Server node-1 runs with cluster-cidr 10.244.0.0/16'),
      remedy: expect.stringContaining(file),
      blocks: phaseOrder(wanted.direction),
    });
    if (wanted.direction === 'Forward') {
      expect(finding?.remedy).toContain(`cluster-cidr: ${PODS.IPv4},${PODS.IPv6}`);
      expect(finding?.remedy).toContain(`service-cidr: ${SERVICES.IPv4},${SERVICES.IPv6}`);
    }
  });

  test('servers that say different things are refused as well', () => {
    const { facts, own } = k3sCluster({ dual: true });
    const [server] = own.servers;
    const servers = [server!, { ...server!, node: 'node-2', args: { 'cluster-cidr': '10.99.0.0/16' } }];
    expect(distribution.check(wantedDual(), facts, { ...own, servers })).toMatchObject([
      { reason: 'NetworkImmutable' },
    ]);
  });

  test('a cluster that was made with both is gone on with', () => {
    const node = { podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'] };
    const { facts, own } = k3sCluster({ dual: true, node });
    expect(distribution.check(wantedDual(), facts, own)).toEqual([]);
    expect(distribution.steps(wantedDual(), facts, own)).toEqual([]);
  });

  test('options that were changed on a cluster of one family are told, with what its makers advise', () => {
    const { facts, own } = k3sCluster({ dual: true });
    expect(distribution.check(wantedDual(), facts, own)).toMatchObject([
      {
        reason: 'PodCIDRsMissing',
        remedy: expect.stringMatching(
          /-o json > node-1\.json.*kubectl drain node-1 .*kubectl delete node node-1 .*node-ip/u,
        ),
        blocks: [],
      },
    ]);
  });

  test.each<[string, Deep<NodeFacts>]>([
    ['label', { labels: { 'node-role.kubernetes.io/etcd': 'true' } }],
    ['annotation', { annotations: { [`etcd.${domain.replace('.io', '')}.cattle.io/node-name`]: 'member-1' } }],
  ])('nobody is told to delete the Node of a member of etcd, known by its %s', (_name, change) => {
    const { facts, own } = k3sCluster({ dual: true });
    const nodes = facts.nodes.map((node, n) => (n === 0 ? merge<NodeFacts>(node, change) : node));
    const [servers, others, ...more] = distribution.check(wantedDual(), { ...facts, nodes }, own);
    expect(more).toEqual([]);
    expect(servers).toMatchObject({
      object: { name: 'node-1' },
      remedy: expect.stringMatching(/^Make a new cluster .*Do not delete these Nodes/u),
    });
    expect(servers?.remedy).not.toContain('kubectl delete');
    expect(servers?.message).not.toContain('node-2');
    expect(others).toMatchObject({ object: { name: 'node-2' }, remedy: expect.stringContaining('delete node node-2') });
    expect(others?.message).not.toContain('node-1');
  });
});

test('in a plan everything is blocked', () => {
  const { facts } = k3sCluster();
  const { plan } = planScene(facts);
  expect(decide(plan, facts, asked(), NO_MEMORY, 1)).toMatchObject({
    is: 'Blocked',
    findings: expect.arrayContaining([expect.objectContaining({ reason: 'NetworkImmutable' })]),
  });
});
