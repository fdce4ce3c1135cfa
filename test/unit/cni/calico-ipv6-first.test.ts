import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { calico } from '../../../src/cni/calico/index.ts';
import type { CalicoFacts, Pool } from '../../../src/cni/calico/facts.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { PHASES } from '../../../src/model/phase.ts';
import { known } from '../../../src/model/reader.ts';
import type { Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import {
  calicoCluster,
  calicoFacts,
  type CalicoParts,
  IPV6_ENV,
  IPV6_NETWORK_CONFIG,
  ipv4Pool,
  ipv6Parts,
  ipv6Pool,
  wantedIPv6,
  wantedIPv6First,
} from '../../support/calico-facts.ts';
import { CalicoModel } from '../../support/calico-model.ts';
import { type Deep, hostIPv4, hostIPv6, nodeFacts, PODS } from '../../support/facts.ts';

const V4 = 'projectcalico.org/IPv4Address';
const V6 = 'projectcalico.org/IPv6Address';
const DUAL_TEXT = IPV6_NETWORK_CONFIG.replace('"assign_ipv4": "false"', '"assign_ipv4": "true"');
const DUAL_ENV = {
  ...IPV6_ENV,
  IP: { is: 'Value', value: 'autodetect' },
  IP_AUTODETECTION_METHOD: { is: 'Value', value: 'kubernetes-internal-ip' },
} as const;

/** Nodes have both addresses; Calico knows of IPv6 alone. */
const dualNodes = { primary: 'IPv6', dual: true } as const;
const ipv6Model = (parts?: CalicoParts, options: object = dualNodes) => new CalicoModel(options, ipv6Parts(parts));

/** Runs to the end; checks after every pass what must never be. */
function run(model: CalicoModel, wanted: Wanted): readonly Step[] {
  const seen: Step[] = [];
  for (let pass = 0; pass < 500; pass++) {
    const step = model.advance(wanted);
    if (step === null) return seen;
    seen.push(step);
    expectNeverBroken(model);
  }
  throw new Error(`not done: ${JSON.stringify(states(model, wanted))}`);
}

function expectNeverBroken(model: CalicoModel): void {
  const lackIPv4 = model.facts.nodes.some((node) => node.internalIPs.every((address) => address.includes(':')));
  const ip = model.agent.env['IP'];
  expect(lackIPv4 && ip?.is === 'Value' && ip.value === 'autodetect').toBe(false);
  const assigns = !model.configText.includes('"assign_ipv4": "false"');
  if (assigns) expect(model.pools).toContainEqual(expect.objectContaining({ family: 'IPv4', disabled: false }));
  expect(model.configText).toContain('"assign_ipv6": "true"');
  for (const node of model.facts.nodes) expect(node.annotations).toHaveProperty([V6]);
}

const states = (model: CalicoModel, wanted = wantedIPv6First()) =>
  Object.fromEntries(model.steps(wanted).map(({ id, state }) => [id, state.is]));

test('Calico of IPv6 alone gets IPv4: a pool, its assignment, then calico-node by node, and BGP keeps its router id', () => {
  const model = ipv6Model();
  run(model, wantedIPv6First());
  expect(model.done).toEqual([
    'calico/pool-ipv4',
    'calico/cni-config',
    'calico/env',
    'calico/rollout',
    'calico/rollout',
    'calico/rollout',
    'calico/strategy',
  ]);
  expect(model.pools[1]).toMatchObject({
    name: 'default-ipv4-ippool',
    cidr: PODS.IPv4,
    blockSize: 26,
    ipipMode: 'Never',
    vxlanMode: 'Never',
    natOutgoing: true,
  });
  expect(model.configText).toBe(DUAL_TEXT);
  expect(model.agent.env).toEqual(DUAL_ENV);
  for (const node of model.facts.nodes) expect(node.annotations).toHaveProperty([V4]);
});

test('and back: first state again, the pool disabled, the stored IPv4 address gone from the Nodes', () => {
  const model = ipv6Model();
  const restore = model.first;
  run(model, wantedIPv6First());
  model.done.length = 0;
  run(model, wantedIPv6({ restore }));
  expect([...new Set(model.done)]).toEqual([
    'calico/cni-config',
    'calico/env',
    'calico/rollout',
    'calico/strategy',
    'calico/pool-ipv4',
    'calico/node-address/cp-1',
    'calico/node-address/worker-1',
    'calico/node-address/worker-2',
  ]);
  expect(model.configText).toBe(IPV6_NETWORK_CONFIG);
  expect(model.agent.env).toEqual(IPV6_ENV);
  expect(model.agent.workload.templateAnnotations).toEqual({});
  expect(model.pools.find(({ family }) => family === 'IPv4')).toMatchObject({ disabled: true });
  for (const node of model.facts.nodes) expect(Object.keys(node.annotations)).toEqual([V6]);
});

test.each([
  ['bird', undefined, { is: 'Value', value: 'hash' }],
  ['bird', { is: 'Value', value: '192.0.2.1' }, { is: 'Value', value: '192.0.2.1' }],
  ['vxlan', undefined, undefined],
] as const)(
  'a cluster made with both families and backend %s goes to IPv6 alone: router id %j becomes %j',
  (backend, before, after) => {
    const { CALICO_ROUTER_ID: _, ...env } = DUAL_ENV;
    const model = new CalicoModel(
      { ...dualNodes, proven: true },
      {
        config: { text: DUAL_TEXT, backend },
        agent: { env: { ...env, ...(before === undefined ? {} : { CALICO_ROUTER_ID: before }) } },
        pools: [ipv6Pool({ vxlanMode: 'Always' }), ipv4Pool({ ipipMode: 'Never', vxlanMode: 'Always' })],
      },
    );
    for (const { name } of model.facts.nodes) {
      const annotations = { ...model.facts.nodes.find((node) => node.name === name)?.annotations };
      model.changeNode(name, {
        annotations: { ...annotations, 'projectcalico.org/IPv4VXLANTunnelAddr': '10.244.0.1' },
      });
    }
    run(model, wantedIPv6());
    expect(model.configText).toContain('"assign_ipv4": "false"');
    expect(model.agent.env['IP']).toEqual({ is: 'Value', value: 'none' });
    expect(model.agent.env['CALICO_ROUTER_ID']).toEqual(after);
    for (const node of model.facts.nodes) expect(Object.keys(node.annotations)).toEqual([V6]);
    expect(calico.check(wantedIPv6(), model.facts, model.own)).toEqual([]);
  },
);

test('an IPv4 pool that was enabled at first stays so, with its tunnels; the stored address goes all the same', () => {
  const model = ipv6Model({ pools: [ipv6Pool(), ipv4Pool({ cidr: PODS.IPv4 })] });
  const restore = model.first;
  run(model, wantedIPv6First());
  const tunnel = { 'projectcalico.org/IPv4IPIPTunnelAddr': '10.244.0.1' };
  for (const { name, annotations } of model.facts.nodes) {
    model.changeNode(name, { annotations: { ...annotations, ...tunnel } });
  }
  run(model, wantedIPv6({ restore }));
  expect(model.pools.find(({ family }) => family === 'IPv4')).toMatchObject({ disabled: false });
  for (const { annotations } of model.facts.nodes) {
    expect(annotations).toMatchObject(tunnel);
    expect(annotations).not.toHaveProperty([V4]);
  }
});

test('a conversion that stopped anywhere goes back as well', () => {
  for (let stop = 0; stop < 8; stop++) {
    const model = ipv6Model();
    const restore = model.first;
    for (let pass = 0; pass < stop; pass++) model.advance(wantedIPv6First());
    run(model, wantedIPv6({ restore }));
    expect(model.configText).toBe(IPV6_NETWORK_CONFIG);
    expect(model.agent.env).toEqual(IPV6_ENV);
  }
});

const byHand = fc.record({
  pool: fc.constantFrom('none', 'enabled', 'disabled'),
  config: fc.boolean(),
  env: fc.subarray(['IP', 'IP_AUTODETECTION_METHOD'] as const),
});

test('any subset done by hand is completed, and what was done is not done again', () => {
  fc.assert(
    fc.property(byHand, ({ pool, config, env }) => {
      const pools: Record<string, readonly Pool[]> = {
        none: [],
        enabled: [ipv4Pool()],
        disabled: [ipv4Pool({ disabled: true })],
      };
      const model = ipv6Model({
        config: { text: config ? DUAL_TEXT : IPV6_NETWORK_CONFIG },
        agent: { env: Object.fromEntries(env.map((name) => [name, DUAL_ENV[name]])) },
        pools: [ipv6Pool(), ...(pools[pool] ?? [])],
      });
      // Proof that is missing although everything is set cannot come without new pods: the player here starts none by itself.
      fc.pre(!(config && env.length === 2));
      for (let pass = 0; pass < 100; pass++) if (model.advance(wantedIPv6First()) === null) break;
      expect(Object.values(states(model)).filter((state) => state !== 'Satisfied')).toEqual([]);
      expect(model.done.includes('calico/pool-ipv4')).toBe(pool !== 'enabled');
      expect(model.done.includes('calico/cni-config')).toBe(!config);
      expect(model.agent.env).toEqual(DUAL_ENV);
    }),
  );
});

test('IP=autodetect is never written while a Node has no IPv4: it would take IPv6 down there', () => {
  const model = ipv6Model({}, { primary: 'IPv6', controlPlanes: 1, workers: 1 });
  for (let pass = 0; pass < 20; pass++) model.advance(wantedIPv6First());
  expect(model.done).toEqual(['calico/pool-ipv4', 'calico/cni-config']);
  expect(model.steps(wantedIPv6First()).find(({ id }) => id === 'calico/env')?.state).toMatchObject({
    is: 'InProgress',
    why: expect.stringContaining('without: cp-1, worker-1'),
  });
  model.changeNode('cp-1', { internalIPs: [hostIPv6(1), hostIPv4(1)] });
  model.changeNode('worker-1', { internalIPs: [hostIPv6(2), hostIPv4(2)] });
  run(model, wantedIPv6First());
});

test('the first node that loses IPv6 stops the roll-out and is named', () => {
  const model = ipv6Model();
  model.broken.add('worker-1');
  for (let pass = 0; pass < 60; pass++) model.advance(wantedIPv6First());
  expect(model.steps(wantedIPv6First()).find(({ id }) => id === 'calico/rollout')?.state).toMatchObject({
    is: 'Failed',
    why: expect.stringContaining('calico-node on node worker-1 did not prove itself'),
  });
  const lost = model.facts.nodes.filter((node) => node.annotations[V6] === undefined).map(({ name }) => name);
  expect(lost).toEqual(['worker-1']);
  const proofs = calico.nodeProofs?.(wantedIPv6First(), model.facts, model.own);
  expect(proofs?.known === true ? proofs.value.nodes.get('worker-1') : null).toMatchObject({
    is: 'LostPrimary',
    evidence: expect.stringContaining("found no IPv4 address and has dropped the node's IPv6 address"),
  });
  expect(calico.check(wantedIPv6First(), model.facts, model.own)).toContainEqual(
    expect.objectContaining({ reason: 'CNILostPrimary', message: expect.stringContaining(V6) }),
  );
});

interface Case {
  readonly cluster?: ClusterFacts;
  readonly parts?: CalicoParts;
  readonly own?: Partial<CalicoFacts>;
  readonly wanted?: Deep<Wanted>;
}

const NAT_POOL = ipv6Pool({ natOutgoing: true });
const pool = (options: Record<string, unknown>): Deep<Wanted> => ({ options: { calico: { pool: options } } });
const CALICO = ['Pools', 'CNIConfig', 'CNIAgents'];

function findings({ cluster = calicoCluster(dualNodes), parts, own, wanted }: Case): readonly Finding[] {
  const facts = calicoFacts(cluster, ipv6Parts({ pools: [NAT_POOL], ...parts }));
  return calico.check(wantedIPv6First(wanted), cluster, { ...facts, ...own });
}

test.each<[string, Case]>([
  ['stock', {}],
  ['IPIP with BGP', { wanted: pool({ encapsulation: 'IPIP' }) }],
  ['IPIPCrossSubnet with BGP', { wanted: pool({ encapsulation: 'IPIPCrossSubnet' }) }],
  ['hosts have IPv4 and their kubelets are to be told', { cluster: calicoCluster({ primary: 'IPv6' }) }],
  [
    'VXLAN of a version that could not yet carry IPv6',
    { parts: { config: { backend: 'vxlan' }, agent: { image: 'calico/node:v3.20.0' } } },
  ],
  ['eBPF', { own: { bpf: known(true) } }],
  ['a pool that is there, with IPIP', { parts: { pools: [NAT_POOL, ipv4Pool({ ipipMode: 'Always' })] } }],
])('nothing to say: %s', (_name, given) => {
  expect(findings(given)).toEqual([]);
});

const otherLinks = calicoCluster({
  primary: 'IPv6',
  nodes: [1, 2].map((n) =>
    nodeFacts(
      n,
      {},
      {},
      {
        addresses: [
          {
            address: `198.51.100.${n * 64}`,
            prefixLength: 26,
            interface: 'eth0',
            scope: 'Global',
            flags: [],
            since: '',
          },
        ],
      },
    ),
  ),
});
const onOtherLinks = {
  ...otherLinks,
  nodes: otherLinks.nodes.map((node, index) => ({
    ...node,
    internalIPs: [...node.internalIPs, `198.51.100.${(index + 1) * 64}`],
  })),
};

test.each<[string, Case, Partial<Finding> & { says: string }]>([
  [
    'vxlan backend and IPIP',
    { parts: { config: { backend: 'vxlan' } }, wanted: pool({ encapsulation: 'IPIP' }) },
    { reason: 'EncapsulationMismatch', blocks: PHASES, says: 'no IPv4 gets from node to node' },
  ],
  [
    'block size of IPv6',
    { wanted: pool({ blockSize: 122 }) },
    { reason: 'PoolBlockSize', blocks: PHASES, says: 'blocks of IPv4 are /20 to /32' },
  ],
  [
    'pool smaller than a block',
    { wanted: { pods: { IPv4: '10.244.0.0/28' } } },
    { reason: 'PoolBlockSize', blocks: PHASES, says: 'the pool is only a /28' },
  ],
  [
    'the pool that calico-node makes of its own accord',
    { parts: { pools: [NAT_POOL, ipv4Pool({ cidr: '192.168.0.0/16' })] } },
    { reason: 'PoolConflict', blocks: CALICO as never, says: 'IPPool default-ipv4-ippool (192.168.0.0/16) is enabled' },
  ],
  [
    'eBPF before it knew both',
    { own: { bpf: known(true) }, parts: { agent: { image: 'calico/node:v3.27.4' } } },
    { reason: 'UnsupportedVersion', blocks: CALICO as never, says: 'eBPF' },
  ],
  [
    'boolean assign_ipv4',
    { parts: { config: { text: IPV6_NETWORK_CONFIG.replace('"false"', 'false') } } },
    { reason: 'CNIConfigBroken', blocks: CALICO as never, says: 'assign_ipv4 is false, but must be a JSON string' },
  ],
  [
    'one IPv4 address for all nodes',
    { parts: { agent: { env: { IP: { is: 'Value', value: '192.0.2.1' } } } } },
    { reason: 'CNIConfigBroken', blocks: [], says: 'env IP is 192.0.2.1' },
  ],
  [
    'kept by Argo CD',
    { parts: { agent: { owner: { text: 'label argocd', watches: true } } } },
    { reason: 'AnotherOwner', blocks: CALICO as never, says: 'argocd' },
  ],
  [
    'private IPv6 without NAT',
    { parts: { pools: [ipv6Pool()] } },
    { reason: 'EgressNAT', blocks: [], says: 'natOutgoing of IPPool default-ipv6-ippool is false' },
  ],
  [
    'nodes without IPv4',
    { cluster: calicoCluster({ primary: 'IPv6', agents: false, workers: 0 }) },
    {
      reason: 'NodesWithoutFamily',
      blocks: ['CNIAgents'],
      says: 'with IP=autodetect calico-node would take down IPv6 there too',
    },
  ],
  [
    'IPv4 on different links',
    { cluster: onOtherLinks },
    { reason: 'NodesOnDifferentLinks', blocks: [], says: '198.51.100.64/26, 198.51.100.128/26' },
  ],
])('%s', (_name, given, { says, ...expected }) => {
  const found = findings(given);
  expect(found).toEqual([expect.objectContaining({ ...expected, message: expect.stringContaining(says) })]);
  expect(found[0]!.remedy).not.toBe('');
});

test.each([
  ['bird', 'Auto', [ipv6Pool()], { ipipMode: 'Never', vxlanMode: 'Never' }],
  ['bird', 'Auto', [ipv6Pool({ vxlanMode: 'CrossSubnet' })], { ipipMode: 'Never', vxlanMode: 'CrossSubnet' }],
  ['bird', 'IPIP', [ipv6Pool()], { ipipMode: 'Always', vxlanMode: 'Never' }],
  ['bird', 'IPIPCrossSubnet', [ipv6Pool()], { ipipMode: 'CrossSubnet', vxlanMode: 'Never' }],
  ['vxlan', 'Auto', [ipv6Pool({ vxlanMode: 'Always' })], { ipipMode: 'Never', vxlanMode: 'Always' }],
])('backend %s, encapsulation %s: the IPv4 pool', (backend, encapsulation, pools, modes) => {
  const cluster = calicoCluster(dualNodes);
  const own = calicoFacts(cluster, ipv6Parts({ config: { backend }, pools }));
  const [step] = calico.steps(wantedIPv6First(pool({ encapsulation })), cluster, own);
  expect(step).toMatchObject({ id: 'calico/pool-ipv4', write: { is: 'Create', body: { spec: modes } } });
});

test('an IPv4 pool that cannot work with backend vxlan is mended, one with IPIP beside BGP stays', () => {
  const cluster = calicoCluster(dualNodes);
  const stepFor = (backend: string) => {
    const pools = [ipv6Pool({ vxlanMode: 'Always' }), ipv4Pool({ ipipMode: 'Always' })];
    return calico.steps(wantedIPv6First(), cluster, calicoFacts(cluster, ipv6Parts({ config: { backend }, pools })))[0];
  };
  expect(stepFor('vxlan')).toMatchObject({ write: { body: { spec: { ipipMode: 'Never', vxlanMode: 'Always' } } } });
  expect(stepFor('bird')).toMatchObject({ state: { is: 'Satisfied' } });
});

test('IPv6 alone with a Calico that is not set up for it: what to set is told', () => {
  const cluster = calicoCluster({ primary: 'IPv6' });
  const { CALICO_ROUTER_ID: _, IP: __, ...env } = IPV6_ENV;
  const own = calicoFacts(cluster, { config: { text: IPV6_NETWORK_CONFIG }, agent: { env }, pools: [ipv6Pool()] });
  const restore = Object.fromEntries(calico.records(cluster, own).map(({ key, value }) => [key, value]));
  expect(calico.check(wantedIPv6({ restore }), cluster, own)).toMatchObject([
    {
      reason: 'CNIConfigBroken',
      blocks: [],
      remedy: 'kubectl -n kube-system set env daemonset/calico-node -c calico-node IP=none CALICO_ROUTER_ID=hash',
    },
  ]);
  const right = calicoFacts(cluster, ipv6Parts());
  const first = Object.fromEntries(calico.records(cluster, right).map(({ key, value }) => [key, value]));
  expect(calico.check(wantedIPv6({ restore: first }), cluster, right)).toEqual([]);
});
