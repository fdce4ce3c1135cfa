import { describe, expect, test } from '@jest/globals';
import { kkp } from '../../../src/distributions/kkp/index.ts';
import type { KKPFacts } from '../../../src/distributions/kkp/facts.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { PHASES } from '../../../src/model/phase.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { decide } from '../../../src/plan/next.ts';
import { type Deep, merge, PODS, serviceFacts, SERVICES, wantedDual, wantedSingle } from '../../support/facts.ts';
import { CLUSTER_ID, kkpCluster, type KKPOptions } from '../../support/kkp.ts';
import { asked, NO_MEMORY, planScene, recordsOf } from '../../support/plan-scene.ts';
import { play } from '../cli/fake-session.ts';

interface Case extends KKPOptions {
  readonly wanted?: Wanted;
  readonly own?: Partial<KKPFacts>;
  readonly facts?: Partial<ClusterFacts>;
}

function check({ wanted, own, facts, ...options }: Case): readonly Finding[] {
  const scene = kkpCluster(options, own);
  return kkp.check(wanted ?? wantedDual(), { ...scene.facts, ...facts }, scene.own);
}

const machine =
  (change: Deep<NodeFacts>) =>
  (node: NodeFacts): NodeFacts =>
    merge<NodeFacts>(node, change);
const withoutNetworks: Wanted = {
  ...wantedDual(),
  pods: { IPv4: PODS.IPv4 },
  services: { IPv4: SERVICES.IPv4 },
};
const untold = { canal: known(null), proxyCIDR: known(null), serviceCIDR: known(null) } as const;

describe('a cluster that is as it is asked for', () => {
  test.each<[string, Case]>([
    ['dual-stack', { dual: true }],
    ['dual-stack with Cilium', { dual: true, cni: 'cilium' }],
    ['one family', { wanted: wantedSingle() }],
    ['dual-stack, and before Kubernetes 1.33', { dual: true, serviceCIDR: false }],
    // Roll-back and Revert: back to the first state, which had both.
    ['the way back of a cluster that began with both', { dual: true, wanted: wantedDual({ direction: 'Back' }) }],
  ])('%s: nothing to say, and nothing to do', (_name, scene) => {
    expect(check(scene)).toEqual([]);
    const { facts, own } = kkpCluster(scene, scene.own);
    expect(kkp.steps(scene.wanted ?? wantedDual(), facts, own)).toEqual([]);
  });

  test('that breaks a rule of KKP is told, and stands in the way of nothing', () => {
    expect(check({ dual: true, canal: 'v3.21.4' })).toEqual([
      expect.objectContaining({ reason: 'UnsupportedVersion', blocks: [] }),
    ]);
  });
});

describe('the network plug-in of a dual-stack cluster', () => {
  const cni = { name: 'Canal', detectedBy: 'DaemonSet kube-system/canal', own: null };

  test('is better left to KKP, which is told', () => {
    expect(check({ dual: true, facts: { cni } })).toEqual([
      expect.objectContaining({
        reason: 'AnotherOwner',
        remedy: expect.stringContaining('spec.cni: Unmanaged'),
        blocks: [],
      }),
    ]);
  });

  test('with one family there is nothing to be done to it', () => {
    expect(check({ wanted: wantedSingle(), facts: { cni } })).toEqual([]);
  });
});

describe('a conversion', () => {
  const refusalOf = (scene: Case): Finding => {
    const [first] = check(scene).filter(({ reason }) => reason === 'NetworkImmutable');
    if (first === undefined) throw new Error('it was not refused');
    return first;
  };

  test('is refused with what KKP does not let change, and stops every phase', () => {
    const { message, object, blocks } = refusalOf({});
    expect(message).toContain('ipFamily from IPv4 to IPv4+IPv6');
    expect(message).toContain(`pods.cidrBlocks from ${PODS.IPv4} to ${PODS.IPv4}, ${PODS.IPv6}`);
    expect(message).toContain(`services.cidrBlocks from ${SERVICES.IPv4} to ${SERVICES.IPv4}, ${SERVICES.IPv6}`);
    expect(object).toEqual({ apiVersion: 'kubermatic.k8c.io/v1', kind: 'Cluster', name: CLUSTER_ID });
    expect([...blocks].sort()).toEqual([...PHASES].sort());
  });

  test.each<[string, Case, RegExp]>([
    ['to one family', { dual: true, wanted: wantedSingle() }, /ipFamily from IPv4\+IPv6 to IPv4;.*--ip-families IPv4/u],
    ['without networks: KKP chooses them', { wanted: withoutNetworks }, /--datacenter DATACENTER --cni canal/u],
    ['told by pods alone', { serviceCIDR: false }, /ipFamily from IPv4 to IPv4\+IPv6/u],
    [
      'to other networks',
      { dual: true, wanted: wantedDual({ pods: { IPv6: 'fd00:9::/56' } }) },
      /pods\.cidrBlocks from .* to 10\.244\.0\.0\/16, fd00:9::\/56/u,
    ],
    [
      'to a primary family that KKP does not have',
      { wanted: wantedDual({ families: ['IPv6', 'IPv4'] }) },
      /IPv4 first: ask for one of them/u,
    ],
    ['of machines that were brought', { node: machine({ providerID: '' }) }, /--provider bringyourown/u],
    ['on KubeVirt', { node: machine({ providerID: 'kubevirt://vm-1' }) }, /--provider kubevirt/u],
    ['on a cloud that is not known', { node: machine({ providerID: 'nutanix://1' }) }, /--provider PROVIDER/u],
    ['with a mask of its own', { wanted: wantedDual({ nodeMask: { IPv4: 25 } }) }, /--node-cidr-mask-size-ipv4 25/u],
  ])('%s', (_name, scene, text) => {
    const { message, remedy } = refusalOf(scene);
    expect(`${message} ${remedy}`).toMatch(text);
  });

  test.each<[string, Case, string]>([
    ['two families', {}, 'ipFamily: IPv4+IPv6'],
    ['one family', { dual: true, wanted: wantedSingle() }, 'ipFamily: IPv4\n'],
    ['masks of its own', { wanted: wantedDual({ nodeMask: { IPv4: 25 } }) }, 'nodeCidrMaskSizeIPv4: 25'],
    ['Cilium', { cni: 'cilium' }, 'ipFamily: IPv4+IPv6'],
    ['KubeVirt', { node: machine({ providerID: 'kubevirt://vm-1' }) }, 'providerName: kubevirt'],
  ])('the command of the remedy makes the manifest: %s', async (_name, scene, expected) => {
    const [, command = ''] = refusalOf(scene).remedy.split('its manifest: ');
    expect(command).toMatch(/^kubectl dualstack generate kkp --kubernetes-version 1\.36\.3 .* -o new-cluster$/u);
    const { code, written } = await play(command.split(' ').slice(2));
    expect(code).toBe(0);
    expect([...written.values()].map(({ text }) => text).join()).toContain(expected);
  });

  test('what nothing tells is not concluded from', () => {
    expect(check({ own: untold })).toEqual([expect.objectContaining({ reason: 'ComponentUnreadable' })]);
    expect(check({ own: { ...untold, serviceCIDR: unknown('forbidden') } })[0]?.message).toContain('forbidden');
  });

  test('that a new Cluster would be refused too is told', () => {
    const found = check({ canal: 'v3.21.4', wanted: wantedDual({ nodeMask: { IPv4: 16 } }) });
    expect(found.filter(({ message }) => message.startsWith('A new Cluster')).map(({ reason }) => reason)).toEqual([
      'PrefixNotAllowed',
      'UnsupportedVersion',
    ]);
  });
});

const advice = (scene: Case): readonly string[] =>
  check(scene)
    .filter(({ reason }) => reason === 'PlatformUnsupported')
    .map(({ message, blocks }) => (blocks.length === 0 ? message : 'it blocks'));
const balancer = (name: string, annotations: Readonly<Record<string, string>> = {}) =>
  serviceFacts({ namespace: 'shop', name, type: 'LoadBalancer', annotations });

describe('what a new dual-stack cluster would meet', () => {
  test.each<[string, string, string, RegExp | null]>([
    ['AWS + Ubuntu', 'aws:///a/i-1', 'Ubuntu 24.04.2 LTS', null],
    ['AWS + CentOS 7', 'aws:///a/i-1', 'CentOS Linux 7 (Core)', /3 Nodes are AWS \+ CentOS 7: its IPv6 default route/u],
    ['DigitalOcean + Rocky', 'digitalocean://1', 'Rocky Linux 9.4 (Blue Onyx)', /arrives after the kubelet started/u],
    [
      'GCP + Flatcar',
      'gce://p/z/i',
      'Flatcar Container Linux by Kinvolk 4081.2.0',
      /KKP has not tried dual-stack there/u,
    ],
    ['OpenStack', 'openstack:///1', 'Ubuntu 24.04.2 LTS', /unless spec\.openstack\.ipv6Enabled is true/u],
    ['vSphere', 'vsphere://1', 'Ubuntu 24.04.2 LTS', /unless spec\.vsphere\.ipv6Enabled is true/u],
    ['KubeVirt', 'kubevirt://vm', 'Ubuntu 24.04.2 LTS', /does not list kubevirt/u],
    ['machines that were brought', '', 'Debian GNU/Linux 12 (bookworm)', null],
  ])('%s', (_name, providerID, osImage, expected) => {
    const said = advice({ node: machine({ providerID, osImage }) });
    if (expected === null) expect(said).toEqual([]);
    else expect(said).toEqual([expect.stringMatching(expected)]);
  });

  test('each limit of load balancers is told once, with the Services that meet it', () => {
    const services = known([balancer('web'), balancer('api'), serviceFacts({ namespace: 'shop', name: 'db' })]);
    const [told, ...more] = advice({ node: machine({ providerID: 'gce://p/z/i' }), facts: { services } });
    expect(told).toMatch(/its load balancers are of one family \(shop\/web, shop\/api\)/u);
    expect(more).toEqual([]);
  });

  test.each<[string, string, RegExp]>([
    ['Hetzner', 'hcloud://1', /annotation load-balancer\.hetzner\.cloud\/location/u],
    ['DigitalOcean', 'digitalocean://1', /KKP supports none on DigitalOcean/u],
    ['machines that were brought', '', /something like MetalLB is needed/u],
  ])('load balancers: %s', (_name, providerID, expected) => {
    const said = advice({ node: machine({ providerID }), facts: { services: known([balancer('web')]) } });
    expect(said).toEqual([expect.stringMatching(expected)]);
  });

  test('MetalLB is looked at wherever the machines are', () => {
    const marked = balancer('web', {
      'metallb.io/ip-allocated-from-pool': 'p',
      'metallb.io/loadBalancerIPs': '192.0.2.9,2001:db8::9',
    });
    expect(advice({ node: machine({ providerID: '' }), facts: { services: known([marked]) } })).toEqual([]);
  });

  test('what is told of a cloud is not told of MetalLB on it', () => {
    const marked = balancer('web', { 'metallb.io/ip-allocated-from-pool': 'p' });
    const [told] = advice({ node: machine({ providerID: 'gce://p/z/i' }), facts: { services: known([marked]) } });
    expect(told).toMatch(/whether this MetalLB keeps the address/u);
  });

  test('nothing of that is said on the way to fewer families', () => {
    expect(advice({ dual: true, wanted: wantedSingle(), node: machine({ providerID: 'openstack:///1' }) })).toEqual([]);
  });
});

const next = (options: KKPOptions) => {
  const { facts } = kkpCluster(options);
  const request = asked();
  const recorded = { ...facts, records: recordsOf(planScene(facts, request).plan) };
  return decide(planScene(recorded, request).plan, recorded, request, NO_MEMORY, 1);
};

test('in a plan: a conversion is blocked, and a cluster that has both families goes on', () => {
  const refused = next({});
  expect(refused.is === 'Blocked' && refused.findings.map(({ reason }) => reason)).toContain('NetworkImmutable');
  expect(['Act', 'Done', 'Wait']).toContain(next({ dual: true }).is);
});
