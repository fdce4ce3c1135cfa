import { describe, expect, test } from '@jest/globals';
import { LIMITS } from '../../../src/api/fields.ts';
import type { UnmanagedFacts } from '../../../src/distributions/unmanaged/facts.ts';
import { unmanaged } from '../../../src/distributions/unmanaged/index.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Handoff, Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { decide } from '../../../src/plan/next.ts';
import {
  before,
  hostIPv6,
  KCM_DUAL,
  KCM_SINGLE,
  POD_RANGES,
  PODS,
  SERVICE_RANGES,
  SERVICES,
  serviceFacts,
  wantedDual,
  wantedSingle,
  workloadFacts,
} from '../../support/facts.ts';
import { asked, NO_MEMORY, planScene, recordsOf } from '../../support/plan-scene.ts';
import { componentPod, firstProcess, unmanagedCluster, type UnmanagedOptions } from '../../support/unmanaged.ts';

interface Case extends UnmanagedOptions {
  readonly wanted?: Wanted;
  readonly own?: Partial<UnmanagedFacts>;
  readonly facts?: Partial<ClusterFacts>;
}

function stepsOf({ wanted, own, facts, ...options }: Case): readonly Step[] {
  const scene = unmanagedCluster(options, own);
  return unmanaged.steps(wanted ?? wantedDual(), { ...scene.facts, ...facts }, scene.own);
}

function stepOf(id: string, scene: Case): Step & Handoff {
  const step = stepsOf(scene).find((each) => each.id === id);
  if (step?.kind !== 'Handoff') throw new Error(`no step ${id}`);
  return step;
}

const stateOf = (id: string, scene: Case) => stepOf(id, scene).state;

const recordsWith = (holder: (name: string) => string) => ({
  records: known(
    Object.fromEntries(['cp-1', 'cp-2'].map((name) => [`unmanaged/api-server/${name}`, { holder: holder(name) }])),
  ),
});

const withFlags = (flags: Readonly<Record<string, string>>) => ({
  own: { managerPods: known([componentPod('kube-controller-manager', 'cp-1', flags)]) },
});

const groupsOf = (scene: Case) => stepsOf(scene).map(({ group }) => group);

const withoutPodCIDRs = (each: ClusterFacts['nodes'][number]) => ({ ...each, podCIDRs: [] });

const given = (node: ClusterFacts['nodes'][number]) =>
  node.name === 'worker-2' ? { ...node, podCIDRs: ['10.244.9.0/24', 'fd00:10:244:9::/64'] } : node;

const decided = (options: UnmanagedOptions) => {
  const scene = { ...unmanagedCluster(options).facts, cni: { name: 'Unmanaged', detectedBy: 'a test', own: null } };
  const facts = { ...scene, records: recordsOf(planScene(scene).plan) };
  return decide(planScene(facts).plan, facts, asked(), NO_MEMORY, 1);
};

const withIPv6 = (each: ClusterFacts['nodes'][number]) => ({
  ...each,
  internalIPs: [...each.internalIPs, '2001:db8::99'],
});

test('everything is the user’s, and the order is that of any conversion', () => {
  const steps = stepsOf({});
  expect(steps.every(({ kind }) => kind === 'Handoff')).toBe(true);
  expect(steps.map(({ id }) => id)).toEqual([
    'node-ips/worker-1',
    'node-ips/worker-2',
    'node-ips/cp-1',
    'api-server/cp-1',
    'controller-manager/cp-1',
    'kube-proxy',
  ]);
});

test('where IPv6 is first, IPv4 comes second in every flag', () => {
  const wanted = wantedDual({ families: ['IPv6', 'IPv4'] });
  const services = { 'service-cluster-ip-range': SERVICES.IPv6 };
  const scene: Case = {
    wanted,
    node: (node) => ({ ...node, internalIPs: [hostIPv6(9)], podCIDRs: [] }),
    own: {
      apiServerPods: known([componentPod('kube-apiserver', 'cp-1', services)]),
      managerPods: known([
        componentPod('kube-controller-manager', 'cp-1', {
          'allocate-node-cidrs': 'true',
          'cluster-cidr': PODS.IPv6,
          ...services,
        }),
      ]),
    },
  };
  const both = `${SERVICES.IPv6},${SERVICES.IPv4}`;
  expect(stepOf('node-ips/worker-1', scene).command).toContain(`--node-ip=${hostIPv6(9)},<its IPv4 address>`);
  expect(stepOf('api-server/cp-1', scene).command).toContain(`--service-cluster-ip-range=${both}`);
  expect(stepOf('controller-manager/cp-1', scene).diff).toEqual(
    expect.arrayContaining([
      { path: '--cluster-cidr', before: PODS.IPv6, after: `${PODS.IPv6},${PODS.IPv4}` },
      { path: '--service-cluster-ip-range', before: SERVICES.IPv6, after: both },
    ]),
  );
});

describe('kubelet', () => {
  test('the flag with the addresses that can be seen, and which is missing', () => {
    expect(stepOf('node-ips/worker-1', {}).command).toContain('--node-ip=192.0.2.12,<its IPv6 address>');
    const node = {
      node: (each: ClusterFacts['nodes'][number]) => ({ ...each, internalIPs: [...each.internalIPs, hostIPv6(9)] }),
    };
    expect(stateOf('node-ips/worker-1', node)).toMatchObject({ is: 'Satisfied' });
  });

  test.each([
    ['v1.20.15', '--node-ip=192.0.2.12,<its IPv6 address>\n--feature-gates=IPv6DualStack=true\n'],
    ['v1.21.0', '--node-ip=192.0.2.12,<its IPv6 address>\n'],
    ['v1.25.0', '--node-ip=192.0.2.12,<its IPv6 address>\n'],
  ])('%s', (kubeletVersion, text) => {
    expect(stepOf('node-ips/worker-1', { node: (node) => ({ ...node, kubeletVersion }) }).snippets).toEqual([
      { file: 'arguments of the kubelet on worker-1', text },
    ]);
  });
});

describe('API server', () => {
  const ID = 'api-server/cp-1';

  test('in a Pod: its flags tell', () => {
    expect(stepOf(ID, {})).toMatchObject({
      state: { is: 'Pending' },
      diff: [{ path: '--service-cluster-ip-range', before: SERVICE_RANGES.single, after: SERVICE_RANGES.dual }],
      snippets: [{ file: 'arguments of kube-apiserver', text: `--service-cluster-ip-range=${SERVICE_RANGES.dual}\n` }],
      holdsUp: true,
    });
    expect(stateOf(ID, { dual: true })).toMatchObject({ is: 'Satisfied' });
    const starting = componentPod('kube-apiserver', 'cp-1', { 'service-cluster-ip-range': SERVICE_RANGES.dual }, false);
    expect(stateOf(ID, { own: { apiServerPods: known([starting]) } })).toMatchObject({ is: 'InProgress' });
  });

  test('with the gate where its version needs it, beside the gates that it has', () => {
    expect(stepOf(ID, { version: 'v1.20.15' }).command).toContain('--feature-gates=IPv6DualStack=true');
    expect(stepOf(ID, { version: 'v1.21.14' }).command).not.toContain('feature-gates');
    const flags = { 'service-cluster-ip-range': SERVICE_RANGES.dual, 'feature-gates': 'A=true,IPv6DualStack=false' };
    const own = { apiServerPods: known([componentPod('kube-apiserver', 'cp-1', flags)]) };
    expect(stepOf(ID, { version: 'v1.20.15', own })).toMatchObject({
      state: { is: 'Pending' },
      diff: [{ path: '--feature-gates', before: 'A=true,IPv6DualStack=false', after: 'A=true,IPv6DualStack=true' }],
    });
  });

  const hidden = { pods: false } as const;

  test('alone and not seen: ServiceCIDR tells', () => {
    expect(stateOf(ID, hidden)).toEqual({ is: 'Pending' });
    expect(stateOf(ID, { ...hidden, dual: true })).toMatchObject({
      is: 'Satisfied',
      evidence: `ServiceCIDR kubernetes holds ${SERVICE_RANGES.dual}`,
    });
    expect(stateOf(ID, { ...hidden, own: { serviceCIDR: unknown('forbidden') } })).toEqual({
      is: 'Unknown',
      why: 'forbidden',
    });
  });

  test('several that are not seen: each must also be another process than at first', () => {
    const scene = { ...hidden, servers: 2, dual: true };
    expect(stateOf(ID, { ...scene, facts: recordsWith(firstProcess) })).toEqual({ is: 'Pending' });
    expect(stateOf(ID, { ...scene, facts: recordsWith((name) => `${name}_older`) })).toMatchObject({
      is: 'Satisfied',
      evidence: expect.stringContaining('its own flags cannot be seen'),
    });
    expect(stepOf(ID, { ...scene, dual: false }).watches).toContain('another process of the API server on cp-1');
  });

  test('on the way back they do not hold up the step whose outcome alone shows what they have', () => {
    const scene = { ...hidden, servers: 2, dual: true, wanted: wantedSingle() };
    expect([stepOf(ID, scene).holdsUp, stepOf('service-cidr', scene).holdsUp]).toEqual([undefined, true]);
    expect(stepOf(ID, { ...hidden, servers: 2 }).holdsUp).toBe(true);
    const noObject = { ...scene, own: { serviceCIDR: known(null) } };
    expect(stepOf(ID, noObject).holdsUp).toBe(true);
  });

  test('which process it is, is recorded before', () => {
    const { facts, own } = unmanagedCluster(hidden);
    expect(unmanaged.records(facts, own)).toEqual([
      { key: 'unmanaged/api-server/cp-1', value: { holder: firstProcess('cp-1') } },
    ]);
    const seen = unmanagedCluster();
    expect(unmanaged.records(seen.facts, seen.own)).toEqual([]);
  });

  test('without ServiceCIDR objects a Service with an address of the new network tells', () => {
    const scene = { ...hidden, own: { serviceCIDR: known(null) } };
    expect(stateOf(ID, scene)).toEqual({ is: 'Pending' });
    expect(stepOf(ID, scene).watches).toContain(`a Service with an address in ${SERVICES.IPv6}`);
    const services = known([
      serviceFacts({ namespace: 'shop', name: 'web', clusterIPs: ['10.96.0.9', 'fd00:10:96::9'] }),
    ]);
    expect(stateOf(ID, { ...scene, facts: { services } })).toMatchObject({
      is: 'Satisfied',
      evidence: expect.stringContaining('Service shop/web has an address'),
    });
  });

  test('where nothing shows an API server, nothing is claimed, and the flags are told all the same', () => {
    const scene = { ...hidden, version: 'v1.20.15', own: { serviceCIDR: known(null), apiServers: known([]) } };
    expect(stateOf('api-server', scene)).toMatchObject({ is: 'Unknown' });
    expect(stepOf('api-server', scene).command).toContain(
      `set --service-cluster-ip-range=${SERVICE_RANGES.dual} --feature-gates=IPv6DualStack=true`,
    );
  });

  test('back: one network again, then the object that keeps both', () => {
    const scene = { dual: true, wanted: wantedSingle() };
    expect(stepOf(ID, scene).diff).toEqual([
      { path: '--service-cluster-ip-range', before: SERVICE_RANGES.dual, after: SERVICE_RANGES.single },
    ]);
    expect(stepOf('service-cidr', scene)).toMatchObject({
      state: { is: 'Pending' },
      snippets: [{ file: 'keeper.yaml', text: expect.stringContaining(`["${SERVICES.IPv4}"]`) }],
    });
    expect(stateOf('service-cidr', { wanted: wantedSingle() })).toMatchObject({ is: 'Satisfied' });
    expect(stateOf(ID, { pods: false, wanted: wantedSingle() })).toMatchObject({ is: 'Satisfied' });
  });
});

describe('controller manager', () => {
  const ID = 'controller-manager/cp-1';
  const { 'node-cidr-mask-size-ipv4': _v4, 'node-cidr-mask-size-ipv6': _v6, ...unmasked } = KCM_DUAL;

  test('in a Pod: networks and masks in one restart', () => {
    expect(stepOf(ID, withFlags({ ...KCM_SINGLE, 'node-cidr-mask-size': '24' }))).toMatchObject({
      state: { is: 'Pending' },
      diff: [
        { path: '--cluster-cidr', before: POD_RANGES.single, after: POD_RANGES.dual },
        { path: '--service-cluster-ip-range', before: SERVICE_RANGES.single, after: SERVICE_RANGES.dual },
        { path: '--node-cidr-mask-size', before: '24', after: null },
      ],
      command: expect.stringContaining('and remove --node-cidr-mask-size for kube-controller-manager, in one restart'),
    });
    expect(stateOf(ID, withFlags(unmasked))).toMatchObject({ is: 'Satisfied' });
    expect(stateOf(ID, withFlags(KCM_DUAL))).toMatchObject({ is: 'Satisfied' });
  });

  test('nobody sees it, so a Node is made anew to show it: from what is stored, and all of it has room in a status', () => {
    const { command } = stepOf('controller-manager', { pods: false });
    expect(command).toMatch(
      /let a node join, or make one anew .*-o json > NODE\.json; .*--cascade=orphan; .*create -f NODE\.json/u,
    );
    expect(command.length).toBeLessThan(LIMITS.message);
  });

  test('masks that are not the default are told', () => {
    const wanted = wantedDual({ nodeMask: { IPv4: 25, IPv6: 72 } });
    expect(stepOf(ID, { ...withFlags(unmasked), wanted }).diff).toEqual([
      { path: '--node-cidr-mask-size-ipv4', before: null, after: '25' },
      { path: '--node-cidr-mask-size-ipv6', before: null, after: '72' },
    ]);
  });

  test('without Node IPAM there is nothing to be told', () => {
    expect(groupsOf(withFlags({ 'cluster-cidr': POD_RANGES.single }))).not.toContain('controller-manager');
    expect(groupsOf({ pods: false, node: withoutPodCIDRs })).not.toContain('controller-manager');
  });

  test('not seen: a Node that was given both tells, and until then all flags are told', () => {
    const scene = { pods: false };
    expect(stepOf('controller-manager', scene)).toMatchObject({
      state: { is: 'Pending' },
      watches: 'a Node that is given a pod CIDR of each family',
      command: expect.stringContaining('and remove --node-cidr-mask-size where it is set'),
      snippets: [
        {
          text: `--cluster-cidr=${POD_RANGES.dual}\n--service-cluster-ip-range=${SERVICE_RANGES.dual}\n--node-cidr-mask-size-ipv4=24\n--node-cidr-mask-size-ipv6=64\n`,
        },
      ],
    });
    expect(stateOf('controller-manager', { ...scene, node: given })).toMatchObject({
      is: 'Satisfied',
      evidence: 'Node worker-2 was given 10.244.9.0/24 and fd00:10:244:9::/64',
    });
  });

  test('not seen, it holds up only what would do harm before', () => {
    expect(stepOf('controller-manager', { pods: false }).holdsUp).toBeUndefined();
    const wanted = wantedDual({ nodes: { podCIDRs: 'Replace' } });
    expect(stepOf('controller-manager', { pods: false, wanted }).holdsUp).toBe(true);
  });

  test('back: the mask of the family that leaves is fatal, so it goes too', () => {
    expect(stepOf(ID, { dual: true, wanted: wantedSingle() }).diff).toEqual([
      { path: '--cluster-cidr', before: POD_RANGES.dual, after: POD_RANGES.single },
      { path: '--service-cluster-ip-range', before: SERVICE_RANGES.dual, after: SERVICE_RANGES.single },
      { path: '--node-cidr-mask-size-ipv6', before: '64', after: null },
    ]);
    expect(stepsOf({ pods: false, wanted: wantedSingle() }).map(({ group }) => group)).not.toContain(
      'controller-manager',
    );
  });
});

describe('kube-proxy', () => {
  const workload = workloadFacts('kube-proxy', ['cp-1', 'worker-1', 'worker-2']);
  const withNetworks = (
    networks: Extract<NonNullable<Extract<UnmanagedFacts['proxy'], { known: true }>['value']>, object>['networks'],
  ) => ({
    own: { proxy: known({ workload, networks }) },
  });

  test('its configuration, and pods that are younger', () => {
    expect(stepOf('kube-proxy', {})).toMatchObject({
      state: { is: 'Pending' },
      diff: [{ path: 'clusterCIDR', before: POD_RANGES.single, after: POD_RANGES.dual }],
      command: expect.stringContaining('rollout restart daemonset kube-proxy'),
    });
    expect(stateOf('kube-proxy', { dual: true })).toMatchObject({ is: 'Satisfied' });
    const changed = withNetworks({ is: 'Config', value: POD_RANGES.dual, changedAt: before(60) });
    expect(stepOf('kube-proxy', changed)).toMatchObject({ state: { is: 'Pending' }, diff: [] });
  });

  test('its arguments', () => {
    const flag = withNetworks({ is: 'Flag', value: POD_RANGES.single });
    expect(stepOf('kube-proxy', flag)).toMatchObject({
      diff: [{ path: '--cluster-cidr', before: POD_RANGES.single, after: POD_RANGES.dual }],
      snippets: [{ file: 'arguments of kube-proxy', text: `--cluster-cidr=${POD_RANGES.dual}\n` }],
    });
    expect(stepOf('kube-proxy', { ...flag, version: 'v1.20.15' }).command).toContain(
      '--feature-gates=IPv6DualStack=true',
    );
    expect(stateOf('kube-proxy', withNetworks({ is: 'Flag', value: POD_RANGES.dual }))).toMatchObject({
      is: 'Satisfied',
    });
  });

  test('no step where it does without, or nobody sees it', () => {
    for (const proxy of [known(null), known({ workload, networks: { is: 'NotUsed', why: 'x' } as const })]) {
      expect(stepsOf({ own: { proxy } }).map(({ id }) => id)).not.toContain('kube-proxy');
    }
    expect(stateOf('kube-proxy', { own: { proxy: unknown('forbidden') } })).toEqual({
      is: 'Unknown',
      why: 'forbidden',
    });
  });
});

test('in a plan the user is asked for one thing after the other', () => {
  expect(decided({})).toMatchObject({ is: 'WaitingForUser', step: { id: 'node-ips/worker-1' } });
  expect(decided({ node: withIPv6 })).toMatchObject({ is: 'WaitingForUser', step: { id: 'api-server/cp-1' } });
});
