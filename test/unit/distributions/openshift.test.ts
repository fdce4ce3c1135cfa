import { describe, expect, test } from '@jest/globals';
import { type NetworkFacts, type NetworkLists, observe } from '../../../src/distributions/openshift/facts.ts';
import { openshift } from '../../../src/distributions/openshift/index.ts';
import { SUBNETS } from '../../../src/distributions/openshift/nodes.ts';
import { targetLists, patchTo } from '../../../src/distributions/openshift/patch.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import type { JsonObject } from '../../../src/model/object.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Step } from '../../../src/model/step.ts';
import { decide } from '../../../src/plan/next.ts';
import { registry } from '../../../src/registry.ts';
import { merge, nodeFacts, PODS, SERVICES, wantedDual, wantedSingle } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import {
  DUAL_LISTS,
  infrastructure,
  networkWith,
  openshiftBasics,
  openshiftCluster,
  openshiftNode,
  openshiftObjects,
  operators,
  SINGLE_LISTS,
} from '../../support/openshift.ts';
import { asked, NO_MEMORY, planScene, recordsOf } from '../../support/plan-scene.ts';

test('it is recognised by two API groups together', () => {
  const basics = openshiftBasics([nodeFacts(1)]);
  expect(openshift.detect(basics)).toContain('config.openshift.io');
  const chosen = registry.distribution('Auto', basics);
  expect(chosen.ok && chosen.value.plugin.name).toBe('OpenShift');
  expect(openshift.detect({ ...basics, groupVersions: ['v1', 'config.openshift.io/v1'] })).toBeNull();
});

describe('what its objects tell', () => {
  const { facts } = openshiftCluster();

  test('all of it', async () => {
    const own = await observe(fakeReader(openshiftObjects()));
    expect(own).toEqual({
      network: known(networkWith()),
      infrastructure: known(
        infrastructure({
          platform: 'BareMetal',
          addresses: {
            part: 'baremetal',
            apiServerInternalIPs: ['192.0.2.5'],
            ingressIPs: null,
            machineNetworks: null,
            live: { apiServerInternalIPs: ['192.0.2.5'], ingressIPs: ['192.0.2.6'] },
          },
        }),
      ),
      operators: known(
        operators({
          network: {
            progressing: true,
            message: 'DaemonSet "/openshift-ovn-kubernetes/ovnkube-node" is not available',
          },
        }),
      ),
      serviceCIDR: known([SERVICES.IPv4]),
    });
  });

  test('the status is what runs, and the spec where there is none yet', async () => {
    const patched = await observe(fakeReader(openshiftObjects({ spec: DUAL_LISTS })));
    expect(openshift.network(patched)).toEqual({
      pods: known([PODS.IPv4]),
      services: known([SERVICES.IPv4]),
      nodeMask: { IPv4: 24 },
    });
    const { own } = openshiftCluster(
      {},
      { network: known(networkWith({ status: { clusterNetwork: [], serviceNetwork: [] }, spec: DUAL_LISTS })) },
    );
    expect(openshift.network(own).services).toEqual(known([SERVICES.IPv4, SERVICES.IPv6]));
  });

  test('of several pod networks of one family the first counts', () => {
    const clusterNetwork = [...SINGLE_LISTS.clusterNetwork, { cidr: '10.132.0.0/16', hostPrefix: 23 }];
    const lists: NetworkLists = { ...SINGLE_LISTS, clusterNetwork };
    const { own } = openshiftCluster({}, { network: known(networkWith({ spec: lists, status: lists })) });
    expect(openshift.network(own)).toMatchObject({ pods: known([PODS.IPv4]), nodeMask: { IPv4: 24 } });
    expect(openshift.steps(wantedDual(), facts, own)[0]?.diff[0]?.after).toContain('10.132.0.0/16');
  });

  test('where there is no answer, there is none here', () => {
    const { own } = openshiftCluster({}, { network: unknown('forbidden') });
    expect(openshift.network(own).pods).toEqual({ known: false, why: 'forbidden' });
    expect(openshift.steps(wantedDual(), facts, own)).toEqual([]);
    expect(openshift.components(own)).toEqual([]);
  });
});

/** What an API server does with a JSON patch (RFC 6902), as far as these go. Null: a test in it failed. */
function patched(lists: NetworkLists, patch: readonly JsonObject[]): NetworkLists | null {
  const spec = JSON.parse(JSON.stringify(lists)) as Record<string, unknown[]>;
  for (const { op, path, value } of patch as readonly { op: string; path: string; value: unknown }[]) {
    const [, , field = '', index] = path.split('/');
    const list = spec[field]!;
    if (op === 'test' && JSON.stringify(list) !== JSON.stringify(value)) return null;
    if (op === 'add') list.push(value);
    if (op === 'remove') list.splice(Number(index), 1);
  }
  return spec as unknown as NetworkLists;
}

describe('the patch', () => {
  const more: NetworkLists = {
    clusterNetwork: [
      { cidr: PODS.IPv4, hostPrefix: 24 },
      { cidr: '10.132.0.0/16', hostPrefix: 24 },
    ],
    serviceNetwork: [SERVICES.IPv4],
  };
  const moreDual: NetworkLists = {
    clusterNetwork: [...more.clusterNetwork, { cidr: PODS.IPv6, hostPrefix: 64 }],
    serviceNetwork: DUAL_LISTS.serviceNetwork,
  };
  const other: NetworkLists = {
    clusterNetwork: [...SINGLE_LISTS.clusterNetwork, { cidr: 'fd01::/48', hostPrefix: 64 }],
    serviceNetwork: [SERVICES.IPv4, 'fd02::/112'],
  };

  const ipv6: NetworkLists = {
    clusterNetwork: [{ cidr: PODS.IPv6, hostPrefix: 64 }],
    serviceNetwork: [SERVICES.IPv6],
  };
  const ipv6First: NetworkLists = {
    clusterNetwork: [...ipv6.clusterNetwork, { cidr: PODS.IPv4, hostPrefix: 24 }],
    serviceNetwork: [SERVICES.IPv6, SERVICES.IPv4],
  };

  test.each([
    ['adds the family behind what is there', SINGLE_LISTS, wantedDual(), DUAL_LISTS],
    ['adds IPv4 behind IPv6', ipv6, wantedDual({ families: ['IPv6', 'IPv4'] }), ipv6First],
    ['leaves several networks of the first family alone', more, wantedDual(), moreDual],
    ['takes the family away again', DUAL_LISTS, wantedSingle(), SINGLE_LISTS],
    ['takes away all of that family, and nothing else', moreDual, wantedSingle(), more],
    ['puts right what was asked for otherwise', other, wantedDual(), DUAL_LISTS],
    ['changes nothing where nothing is to be changed', DUAL_LISTS, wantedDual(), DUAL_LISTS],
  ])('%s', (_name, spec, wanted, expected) => {
    const patch = patchTo(targetLists(wanted, spec), spec);
    expect(patched(spec, patch)).toEqual(expected);
    if (spec !== expected) expect(patched(expected, patch)).toBeNull();
  });

  test('the way back keeps the first family whichever it is, and a spelling that is not canonical', () => {
    const lists: NetworkLists = {
      clusterNetwork: [
        { cidr: 'FD00:10:244::/56', hostPrefix: 64 },
        { cidr: PODS.IPv4, hostPrefix: 24 },
      ],
      serviceNetwork: [SERVICES.IPv6, SERVICES.IPv4],
    };
    const wanted = wantedSingle({ families: ['IPv6'] });
    const target = targetLists({ ...wanted, pods: { IPv6: PODS.IPv6 }, services: { IPv6: SERVICES.IPv6 } }, lists);
    expect(target).toEqual({ clusterNetwork: [lists.clusterNetwork[0]], serviceNetwork: [SERVICES.IPv6] });
  });
});

const stepsOf = (own = openshiftCluster(), wanted = wantedDual()): readonly [Step, Step] => {
  const [network, rollOut, ...others] = openshift.steps(wanted, own.facts, own.own);
  if (network === undefined || rollOut === undefined || others.length > 0) throw new Error('two steps are expected');
  return [network, rollOut];
};

test('the command is the documented one, ready for a shell', () => {
  const [network] = stepsOf();
  if (network.kind !== 'Handoff') throw new Error('it is not handed over');
  const match = /^oc patch network\.config\.openshift\.io cluster --type=json -p '([^']*)'$/u.exec(network.command);
  expect(JSON.parse(match?.[1] ?? 'null')).toEqual([
    { op: 'test', path: '/spec/clusterNetwork', value: SINGLE_LISTS.clusterNetwork },
    { op: 'test', path: '/spec/serviceNetwork', value: SINGLE_LISTS.serviceNetwork },
    { op: 'add', path: '/spec/clusterNetwork/-', value: { cidr: PODS.IPv6, hostPrefix: 64 } },
    { op: 'add', path: '/spec/serviceNetwork/-', value: SERVICES.IPv6 },
  ]);
  expect(network).toMatchObject({ state: { is: 'Pending' }, holdsUp: true });
});

const patchedTo = (status: NetworkLists): NetworkFacts => networkWith({ spec: DUAL_LISTS, status });
const eachNode = (change: (node: NodeFacts, n: number) => NodeFacts) => {
  let n = 0;
  return { dual: true, node: (node: NodeFacts) => change(node, (n += 1)) };
};

describe('how far it is', () => {
  const taken = { network: known(patchedTo(DUAL_LISTS)), serviceCIDR: known(DUAL_LISTS.serviceNetwork) };
  const late = openshiftNode(3);

  test('asked for, and not taken over: what the operator says is told', () => {
    const message = 'Internal error while reconciling platform networking resources';
    const [network, rollOut] = stepsOf(
      openshiftCluster(
        {},
        {
          network: known(patchedTo(SINGLE_LISTS)),
          operators: known(operators({ network: { degraded: true, message } })),
        },
      ),
    );
    expect(network.state).toEqual({ is: 'InProgress', why: expect.stringContaining(message) });
    expect(rollOut.state).toEqual({ is: 'Pending' });
  });

  test.each<[string, Parameters<typeof openshiftCluster>, string, RegExp]>([
    ['everything is there', [{ dual: true }, {}], 'Satisfied', /3 Nodes have IPv4 and IPv6/u],
    [
      'an operator is at work',
      [
        { dual: true },
        { operators: known(operators({ 'kube-apiserver': { progressing: true, message: 'revision 9' } })) },
      ],
      'InProgress',
      /ClusterOperator kube-apiserver is progressing: revision 9/u,
    ],
    [
      'an operator is degraded',
      [
        { dual: true },
        { operators: known(operators({ 'machine-config': { degraded: true, message: 'pool worker' } })) },
      ],
      'InProgress',
      /machine-config is degraded: pool worker/u,
    ],
    ['operators cannot be read', [{ dual: true }, { operators: unknown('forbidden') }], 'Unknown', /forbidden/u],
    [
      'the API servers have one Service network',
      [{ dual: true }, { serviceCIDR: known([SERVICES.IPv4]) }],
      'InProgress',
      /ServiceCIDR kubernetes holds 10\.96\.0\.0\/16, not yet/u,
    ],
    ['before Kubernetes 1.33', [{ dual: true }, { serviceCIDR: known(null) }], 'Satisfied', /3 Nodes/u],
    ['no Node has it', [{}, taken], 'InProgress', /Node cp-1 has no IPv6 InternalIP, and 2 more/u],
    [
      'one Node is before its reboot',
      [eachNode((node, n) => (n === 3 ? late : node)), taken],
      'InProgress',
      /Node worker-3 has no IPv6 InternalIP$/u,
    ],
    [
      'OVN-Kubernetes has given one Node nothing yet',
      [eachNode((node, n) => (n === 2 ? { ...node, annotations: late.annotations } : node)), taken],
      'InProgress',
      /Node worker-2 has no IPv6 pod network/u,
    ],
    [
      'nor is its annotation legible',
      [eachNode((node, n) => (n === 2 ? { ...node, annotations: { [SUBNETS]: '{' } } : node)), taken],
      'InProgress',
      /Node worker-2 has no IPv4 pod network/u,
    ],
    [
      'a Windows node has an overlay of its own',
      [
        eachNode((node, n) => (n === 2 ? merge<NodeFacts>(late, { labels: { 'kubernetes.io/os': 'windows' } }) : node)),
        taken,
      ],
      'Satisfied',
      /3 Nodes/u,
    ],
  ])('%s', (_name, scene, is, text) => {
    const [network, { state }] = stepsOf(openshiftCluster(...scene));
    expect(network.state.is).toBe('Satisfied');
    expect(state.is).toBe(is);
    expect('evidence' in state ? state.evidence : 'why' in state ? state.why : '').toMatch(text);
  });

  test('a node that is away is waited for, unless that is tolerated', () => {
    const scene = openshiftCluster(
      eachNode((node, n) => (n === 3 ? { ...late, ready: false } : node)),
      taken,
    );
    expect(stepsOf(scene)[1].state.is).toBe('InProgress');
    expect(stepsOf(scene, wantedDual({ tolerateUnavailable: 1 }))[1].state.is).toBe('Deferred');
  });

  test('with nodeIP: Leave the addresses of Nodes are not insisted on', () => {
    const scene = openshiftCluster(
      { dual: true, node: (node) => ({ ...node, internalIPs: node.internalIPs.slice(0, 1) }) },
      taken,
    );
    expect(stepsOf(scene)[1].state.is).toBe('InProgress');
    expect(stepsOf(scene, wantedDual({ nodes: { nodeIP: 'Leave' } }))[1].state.is).toBe('Satisfied');
  });

  test('on the way back what is left is waited for', () => {
    const back = openshiftCluster({ dual: true }, { network: known(networkWith()) });
    expect(stepsOf(back, wantedSingle())[1].state).toEqual({
      is: 'InProgress',
      why: expect.stringMatching(/^Node cp-1 still has InternalIP 2001:db8::11, and 2 more$/u),
    });
    // ServiceCIDR kubernetes keeps both networks when the API servers have one.
    const done = openshiftCluster({}, { serviceCIDR: known(DUAL_LISTS.serviceNetwork) });
    expect(stepsOf(done, wantedSingle())[1].state.is).toBe('Satisfied');
  });
});

const withCNI = ({ facts }: ReturnType<typeof openshiftCluster>): ClusterFacts => ({
  ...facts,
  cni: { name: 'Unmanaged', detectedBy: 'a test', own: null },
  coreDNS: known(null),
});

const next = (scene: ReturnType<typeof openshiftCluster>): string => {
  const facts = withCNI(scene);
  const request = asked();
  const { plan } = planScene(facts, request);
  const recorded = { ...facts, records: recordsOf(plan) };
  const decision = decide(planScene(recorded, request).plan, recorded, request, NO_MEMORY, 1);
  return 'step' in decision ? `${decision.is} ${decision.step.id}` : decision.is;
};

describe('in a plan', () => {
  // Nodes have no IPv6 address before: that must not stand in the way of what gives them one.
  test('the user is asked, then it is waited for, then the rest goes on', () => {
    expect(next(openshiftCluster())).toBe('WaitingForUser openshift/network');
    const spec = DUAL_LISTS;
    expect(next(openshiftCluster({}, { network: known(networkWith({ spec })) }))).toBe('Wait openshift/network');
    const network = known(networkWith({ spec, status: DUAL_LISTS }));
    expect(next(openshiftCluster({}, { network }))).toBe('Wait openshift/roll-out');
    expect(next(openshiftCluster({ dual: true }))).not.toMatch(/openshift|Blocked/u);
  });

  test('what OpenShift would refuse is not asked for', () => {
    const platform = infrastructure({ platform: 'AWS' });
    expect(next(openshiftCluster({}, { infrastructure: known(platform) }))).toMatch(/^Blocked /u);
  });
});
