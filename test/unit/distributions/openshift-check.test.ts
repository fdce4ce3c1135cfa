import { describe, expect, test } from '@jest/globals';
import type { InfrastructureFacts, OpenShiftFacts } from '../../../src/distributions/openshift/facts.ts';
import { openshift } from '../../../src/distributions/openshift/index.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { hostAddress, merge, PODS, SERVICES, wantedDual, wantedSingle } from '../../support/facts.ts';
import {
  DUAL_LISTS,
  infrastructure,
  networkWith,
  openshiftCluster,
  type OpenShiftOptions,
  operators,
  SINGLE_LISTS,
} from '../../support/openshift.ts';

interface Case extends OpenShiftOptions {
  readonly wanted?: Wanted;
  readonly own?: Partial<OpenShiftFacts>;
}

function check({ wanted, own, ...options }: Case): readonly Finding[] {
  const scene = openshiftCluster(options, own);
  return openshift.check(wanted ?? wantedDual(), scene.facts, scene.own);
}

const on = (change: Partial<InfrastructureFacts>): Partial<OpenShiftFacts> => ({
  infrastructure: known(infrastructure(change)),
});
const network = (change: Parameters<typeof networkWith>[0]): Partial<OpenShiftFacts> => ({
  network: known(networkWith(change)),
});
const degraded = known(operators({ network: { degraded: true, message: 'ovnkube-node is not rolling out' } }));

test.each<[string, Case]>([
  ['a cluster that can be converted', {}],
  ['on bare metal', { own: on({ platform: 'BareMetal' }) }],
  ['on vSphere', { own: on({ platform: 'VSphere' }) }],
  ['without agents', { agents: false }],
  ['converted', { dual: true }],
  [
    'converted, on a platform that has both families from the start',
    { dual: true, own: on({ platform: 'OpenStack' }) },
  ],
  ['the way back', { dual: true, wanted: wantedSingle() }],
  ['the way back needs no platform', { dual: true, wanted: wantedSingle(), own: on({ platform: 'AWS' }) }],
  // What the operator says then is in the step that waits.
  ['asked for, and its operator degraded', { own: { ...network({ spec: DUAL_LISTS }), operators: degraded } }],
])('nothing to say: %s', (_name, scene) => expect(check(scene)).toEqual([]));

test.each<[string, Case, string, RegExp]>([
  ['the object is missing', { own: { network: known(null) } }, 'ComponentUnreadable', /it is missing/u],
  ['the object cannot be read', { own: { network: unknown('forbidden') } }, 'ComponentUnreadable', /forbidden/u],
  ['a hosted control plane', { own: on({ controlPlaneTopology: 'External' }) }, 'NetworkImmutable', /HostedCluster/u],
  [
    'a hosted control plane, on the way back',
    { dual: true, wanted: wantedSingle(), own: on({ controlPlaneTopology: 'External' }) },
    'NetworkImmutable',
    /HostedCluster/u,
  ],
  ['OpenShift SDN', { own: network({ networkType: 'OpenShiftSDN' }) }, 'PlatformUnsupported', /OVN-Kubernetes alone/u],
  [
    'Calico',
    { own: network({ networkType: 'Calico' }) },
    'PlatformUnsupported',
    /networkType of Network cluster is Calico/u,
  ],
  ['AWS', { own: on({ platform: 'AWS' }) }, 'PlatformUnsupported', /The platform is AWS/u],
  ['OpenStack', { own: on({ platform: 'OpenStack' }) }, 'PlatformUnsupported', /BareMetal, None, VSphere alone/u],
  [
    'the platform is not told',
    { own: { infrastructure: unknown('forbidden') } },
    'ComponentUnreadable',
    /platform .* cannot be told: forbidden/u,
  ],
  ['another migration', { own: network({ migrates: true }) }, 'UnhealthyControlPlane', /status\.migration/u],
  [
    'an operator is degraded before',
    { own: { operators: degraded } },
    'UnhealthyControlPlane',
    /ovnkube-node is not rolling out/u,
  ],
  [
    'operators cannot be read',
    { own: { operators: unknown('forbidden') } },
    'ComponentUnreadable',
    /operators .* forbidden/u,
  ],
  ['a small MTU', { own: network({ mtu: 1150 }) }, 'CNIConfigBroken', /is 1150; IPv6 needs 1280/u],
  [
    'a node network other than /64',
    { wanted: wantedDual({ nodeMask: { IPv6: 60 } }) },
    'PrefixNotAllowed',
    /would be 60/u,
  ],
  [
    'a pod network longer than /64',
    { wanted: wantedDual({ pods: { IPv6: 'fd00:10:244::/80' } }) },
    'PrefixNotAllowed',
    /gives each node a \/64/u,
  ],
  [
    'a Service network other than /112',
    { wanted: wantedDual({ services: { IPv6: 'fd00:10:96::/108' } }) },
    'PrefixNotAllowed',
    /is not a \/112/u,
  ],
  [
    "OVN-Kubernetes' own network",
    { wanted: wantedDual({ pods: { IPv6: 'fd98::/48' } }) },
    'CIDROverlap',
    /overlaps fd98::\/64/u,
  ],
  [
    'Services in it',
    { wanted: wantedDual({ services: { IPv6: 'fd69::/112' } }) },
    'CIDROverlap',
    /overlaps fd69::\/112/u,
  ],
])('it blocks: %s', (_name, scene, reason, message) => {
  expect(check(scene)).toEqual([expect.objectContaining({ reason, message: expect.stringMatching(message) })]);
  expect(check(scene)[0]?.blocks).toContain('NodeIPs');
});

test('a cluster that began with IPv6 is converted, and told that this is not what OpenShift documents', () => {
  const lists = { clusterNetwork: [{ cidr: PODS.IPv6, hostPrefix: 64 }], serviceNetwork: [SERVICES.IPv6] };
  const found = check({
    wanted: wantedDual({ families: ['IPv6', 'IPv4'] }),
    own: network({ spec: lists, status: lists }),
  });
  expect(found).toEqual([
    expect.objectContaining({ message: expect.stringContaining('began with IPv6 alone'), blocks: [] }),
  ]);
});

test('a pod network beyond the first of its family is looked at', () => {
  const clusterNetwork = [...SINGLE_LISTS.clusterNetwork, { cidr: 'fd00:10:244::/48', hostPrefix: 64 }];
  const spec = { ...SINGLE_LISTS, clusterNetwork };
  expect(check({ own: network({ spec }) })).toContainEqual(expect.objectContaining({ reason: 'CIDROverlap' }));
});

const withoutIPv6: NonNullable<OpenShiftOptions['node']> = (node) =>
  node.agent?.report == null
    ? node
    : merge(node, { agent: { report: { addresses: [hostAddress({ address: '192.0.2.11' })] } } });

describe('hosts', () => {
  test('without an address of the family are told, because OpenShift does not look', () => {
    expect(check({ node: withoutIPv6 })).toEqual([
      expect.objectContaining({
        reason: 'NodesWithoutFamily',
        message: expect.stringContaining('cp-1, worker-2, worker-3'),
      }),
    ]);
  });

  test('that nobody looks at are not spoken of', () => expect(check({ agents: false, node: withoutIPv6 })).toEqual([]));
});

const patchIn = (finding: Finding | undefined): unknown =>
  JSON.parse(
    /infrastructure\.config\.openshift\.io cluster --type=json -p '([^']*)'/u.exec(finding?.remedy ?? '')?.[1] ??
      'null',
  );

describe('addresses of the API and of ingress', () => {
  const addresses = {
    part: 'baremetal',
    apiServerInternalIPs: ['192.0.2.5'],
    ingressIPs: null,
    machineNetworks: null,
    live: { apiServerInternalIPs: ['192.0.2.5'], ingressIPs: ['192.0.2.6'] },
  } as const;
  test('of one family are left to the user, with the patch that adds the other', () => {
    const found = check({ own: on({ platform: 'BareMetal', addresses }) });
    expect(found).toEqual([expect.objectContaining({ reason: 'Unmanaged', blocks: [] })]);
    expect(patchIn(found[0])).toEqual([
      {
        op: 'add',
        path: '/spec/platformSpec/baremetal/machineNetworks',
        value: ['IPV4-MACHINE-NETWORK', 'IPV6-MACHINE-NETWORK'],
      },
      { op: 'add', path: '/spec/platformSpec/baremetal/apiServerInternalIPs/-', value: 'IPV6-OF-THE-API' },
      { op: 'add', path: '/spec/platformSpec/baremetal/ingressIPs', value: ['192.0.2.6', 'IPV6-OF-INGRESS'] },
    ]);
  });

  test('machine networks that are named stay', () => {
    const named = { ...addresses, part: 'vsphere', machineNetworks: ['192.0.2.0/24'] } as const;
    expect(patchIn(check({ own: on({ platform: 'VSphere', addresses: named }) })[0])).toContainEqual({
      op: 'add',
      path: '/spec/platformSpec/vsphere/machineNetworks/-',
      value: 'IPV6-MACHINE-NETWORK',
    });
  });

  test('of both families are as they shall be', () => {
    const live = { apiServerInternalIPs: ['192.0.2.5', '2001:db8::5'], ingressIPs: ['192.0.2.6', '2001:db8::6'] };
    expect(check({ dual: true, own: on({ platform: 'BareMetal', addresses: { ...addresses, live } }) })).toEqual([]);
  });
});
