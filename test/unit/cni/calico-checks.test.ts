import { expect, test } from '@jest/globals';
import { calico } from '../../../src/cni/calico/index.ts';
import { FINDING_REASONS } from '../../../src/api/reasons.ts';
import type { CalicoFacts } from '../../../src/cni/calico/facts.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { PHASES } from '../../../src/model/phase.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import {
  calicoCluster,
  calicoFacts,
  type CalicoParts,
  DUAL_ENV,
  DUAL_NETWORK_CONFIG,
  ipv4Pool,
  ipv6Pool,
  NETWORK_CONFIG,
} from '../../support/calico-facts.ts';
import { type Deep, hostReport, merge, nodeFacts, wantedDual, wantedSingle } from '../../support/facts.ts';

interface Case {
  readonly cluster?: ClusterFacts;
  readonly parts?: CalicoParts;
  readonly own?: Partial<CalicoFacts>;
  readonly wanted?: Deep<Wanted>;
  readonly back?: boolean;
}

/** Pods of these tests can be told apart outside, unless a test is about that. */
const NAT: Deep<Wanted> = { options: { calico: { pool: { natOutgoing: true } } } };

function findings({ cluster = calicoCluster({ dual: true }), parts, own, wanted, back }: Case): readonly Finding[] {
  const asked = merge<Wanted>(back === true ? wantedSingle(NAT) : wantedDual(NAT), wanted);
  return calico.check(asked, cluster, { ...calicoFacts(cluster, parts), ...own });
}

const pool = (options: Record<string, unknown>): Deep<Wanted> => ({ options: { calico: { pool: options } } });
const CALICO = ['Pools', 'CNIConfig', 'CNIAgents'];

test.each<[string, Case]>([
  ['stock, with IPIP for IPv4', {}],
  ['vxlan', { parts: { config: { backend: 'vxlan' }, pools: [ipv4Pool({ ipipMode: 'Never', vxlanMode: 'Always' })] } }],
  [
    'converted',
    {
      parts: { config: { text: DUAL_NETWORK_CONFIG }, agent: { env: DUAL_ENV }, pools: [ipv4Pool(), ipv6Pool()] },
      cluster: calicoCluster({ dual: true, proven: true }),
    },
  ],
  [
    'a disabled IPv6 pool elsewhere',
    { parts: { pools: [ipv4Pool(), ipv6Pool({ cidr: 'fd99::/64', disabled: true })] } },
  ],
  ['hosts have IPv6 and their kubelets are to be told', { cluster: calicoCluster() }],
  ['VXLAN beside BGP', { wanted: pool({ encapsulation: 'VXLAN' }) }],
  ['IPv4 alone', { wanted: { families: ['IPv4'] } }],
  ['back', { back: true }],
])('nothing to say: %s', (_name, given) => {
  expect(findings(given)).toEqual([]);
});

const noIPv6 = calicoCluster({
  nodes: [
    nodeFacts(1, { controlPlane: true, dual: true }),
    nodeFacts(2, { ipv6: false }),
    nodeFacts(3, { agent: false }),
  ],
});
const links = calicoCluster({
  nodes: [
    nodeFacts(1, {}, { internalIPs: ['192.0.2.1', '2001:db8:0:1::1'] }),
    nodeFacts(2, {}, { internalIPs: ['192.0.2.2', '2001:db8:0:2::1'] }),
  ],
});
const lost = calicoCluster({ dual: true, workers: 1 });
const lostPrimary = {
  ...lost,
  nodes: lost.nodes.map((node) => (node.name === 'worker-1' ? { ...node, annotations: {} } : node)),
};

test.each<[string, Case, Partial<Finding> & { says: string }]>([
  [
    'IPIP for IPv6',
    { wanted: pool({ encapsulation: 'IPIP' }) },
    { reason: 'EncapsulationUnsupported', blocks: PHASES, says: 'spec.calico.pool.encapsulation: IPIP' },
  ],
  [
    'vxlan backend without VXLAN',
    { parts: { config: { backend: 'vxlan' } }, wanted: pool({ encapsulation: 'None' }) },
    { reason: 'EncapsulationMismatch', blocks: PHASES, says: 'calico_backend: vxlan' },
  ],
  [
    'backend none',
    { parts: { config: { backend: 'none' } } },
    { reason: 'CNIConfigUnsupported', blocks: CALICO as never, says: 'calico_backend is "none"' },
  ],
  [
    'host-local',
    { parts: { config: { text: NETWORK_CONFIG.replace('calico-ipam', 'host-local') } } },
    { reason: 'CNIConfigUnsupported', blocks: CALICO as never, says: 'ipam type is "host-local"' },
  ],
  [
    'boolean assign_ipv6',
    { parts: { config: { text: DUAL_NETWORK_CONFIG.replace('"true"', 'true') } } },
    { reason: 'CNIConfigBroken', blocks: CALICO as never, says: 'assign_ipv6 is true, but must be a JSON string' },
  ],
  [
    'unreadable text',
    { parts: { config: { text: '{' } } },
    { reason: 'CNIConfigUnsupported', blocks: CALICO as never, says: 'cannot be edited' },
  ],
  [
    'key missing',
    { parts: { config: { text: null } } },
    { reason: 'CNIConfigUnsupported', blocks: CALICO as never, says: 'the key is not there' },
  ],
  [
    'configuration in the DaemonSet',
    { parts: { agent: { configSource: 'Elsewhere' } } },
    { reason: 'CNIConfigUnsupported', blocks: CALICO as never, says: 'editing that has no effect' },
  ],
  [
    'env from a source',
    { parts: { agent: { env: { IP6: { is: 'From', source: '{"configMapKeyRef":{}}' } } } } },
    { reason: 'CNIConfigUnsupported', blocks: CALICO as never, says: 'env IP6 comes from' },
  ],
  [
    'literal IP6',
    { parts: { agent: { env: { IP6: { is: 'Value', value: 'fd00::1' } } } } },
    { reason: 'CNIConfigBroken', blocks: [], says: 'IP6 is fd00::1' },
  ],
  [
    'kept by Argo CD',
    { parts: { agent: { owner: { text: 'label argocd.argoproj.io/instance: cni', watches: true } } } },
    { reason: 'AnotherOwner', blocks: CALICO as never, says: 'argocd' },
  ],
  [
    'kept by Helm',
    { parts: { agent: { owner: { text: 'label app.kubernetes.io/managed-by: Helm', watches: false } } } },
    { reason: 'AnotherOwner', blocks: [], says: 'Helm' },
  ],
  [
    'kept by Argo CD, on the way back',
    { back: true, parts: { agent: { owner: { text: 'label argocd', watches: true } } } },
    { reason: 'AnotherOwner', blocks: CALICO as never, says: 'argocd' },
  ],
  [
    'old for VXLAN',
    { parts: { config: { backend: 'vxlan' }, agent: { image: 'docker.io/calico/node:v3.22.5' } } },
    { reason: 'UnsupportedVersion', blocks: CALICO as never, says: '3.22.5 cannot do IPv6 over VXLAN' },
  ],
  [
    'old for eBPF',
    { own: { bpf: known(true) }, parts: { agent: { image: 'calico/node:v3.27.0' } } },
    { reason: 'UnsupportedVersion', blocks: CALICO as never, says: 'eBPF' },
  ],
  [
    'version unknown',
    { parts: { agent: { image: 'registry.example:5000/calico/node@sha256:abcd' } } },
    { reason: 'UnknownVersion', blocks: [], says: 'sha256:abcd' },
  ],
  [
    'stray pool',
    { parts: { pools: [ipv4Pool(), ipv6Pool({ name: 'stray', cidr: 'fd99::/48' })] } },
    { reason: 'PoolConflict', blocks: CALICO as never, says: 'IPPool stray (fd99::/48) is enabled' },
  ],
  [
    'overlapping pool, even disabled',
    { parts: { pools: [ipv4Pool(), ipv6Pool({ cidr: 'fd00:10:244::/64', disabled: true })] } },
    { reason: 'PoolConflict', blocks: CALICO as never, says: 'overlaps' },
  ],
  [
    'IPv4 pool elsewhere',
    { parts: { pools: [ipv4Pool({ cidr: '192.168.0.0/16' })] } },
    { reason: 'PoolConflict', blocks: [], says: '192.168.0.0/16' },
  ],
  [
    'block size of IPv4',
    { wanted: pool({ blockSize: 26 }) },
    { reason: 'PoolBlockSize', blocks: PHASES, says: 'blocks of IPv6 are /116 to /128' },
  ],
  [
    'block larger than the pool',
    { wanted: { ...pool({ blockSize: 118 }), pods: { IPv6: 'fd00::/120' } } },
    { reason: 'PoolBlockSize', blocks: PHASES, says: 'the pool is only a /120' },
  ],
  [
    'block size of an existing pool',
    { parts: { pools: [ipv4Pool(), ipv6Pool()] }, wanted: pool({ blockSize: 120 }) },
    { reason: 'PoolBlockSize', blocks: [], says: 'it cannot be changed' },
  ],
  [
    'nodes without IPv6',
    { cluster: noIPv6 },
    { reason: 'NodesWithoutFamily', blocks: ['CNIAgents'], says: 'worker-2, worker-3: no IPv6 InternalIP' },
  ],
  [
    'node addresses are left to the user',
    { cluster: calicoCluster({ workers: 0 }), wanted: { nodes: { nodeIP: 'Leave' } } },
    { reason: 'NodesWithoutFamily', blocks: ['CNIAgents'], says: 'cp-1' },
  ],
  [
    'a node lost IPv4',
    { cluster: lostPrimary, parts: { agent: { env: DUAL_ENV } } },
    { reason: 'CNILostPrimary', blocks: [], says: 'worker-1' },
  ],
  [
    'different links',
    { cluster: links },
    { reason: 'NodesOnDifferentLinks', blocks: [], says: '2001:db8:0:1::/64, 2001:db8:0:2::/64' },
  ],
  [
    'migration',
    { own: { migrating: known(true) } },
    { reason: 'DatastoreMigration', blocks: CALICO as never, says: 'Migrating' },
  ],
  [
    'pools unreadable',
    { own: { pools: unknown('forbidden') } },
    { reason: 'ComponentUnreadable', blocks: CALICO as never, says: 'forbidden' },
  ],
  [
    'ConfigMap missing',
    { own: { config: known(null) } },
    { reason: 'CNIConfigUnsupported', blocks: CALICO as never, says: 'calico-config is not there' },
  ],
  [
    'private addresses without NAT',
    { wanted: pool({ natOutgoing: false }) },
    { reason: 'EgressNAT', blocks: [], says: 'natOutgoing of IPPool of fd00:10:244::/56 is false' },
  ],
  [
    'private addresses without NAT, in a pool that is there',
    { wanted: { options: { calico: null } }, parts: { pools: [ipv4Pool(), ipv6Pool({ name: 'mine' })] } },
    { reason: 'EgressNAT', blocks: [], says: 'natOutgoing of IPPool mine is false' },
  ],
])('%s', (_name, given, { says, ...expected }) => {
  const found = findings(given);
  expect(found).toEqual([expect.objectContaining({ ...expected, message: expect.stringContaining(says) })]);
  expect(Object.keys(FINDING_REASONS)).toContain(found[0]!.reason);
  expect(found[0]!.remedy).not.toBe('');
});

test.each([
  ['bird', 'Auto', [ipv4Pool()], 'Never'],
  ['bird', 'Auto', [ipv4Pool({ ipipMode: 'Never', vxlanMode: 'CrossSubnet' })], 'CrossSubnet'],
  ['bird', 'VXLANCrossSubnet', [ipv4Pool()], 'CrossSubnet'],
  ['vxlan', 'Auto', [ipv4Pool({ vxlanMode: 'Always' })], 'Always'],
  ['vxlan', 'Auto', [ipv4Pool({ vxlanMode: 'CrossSubnet' })], 'CrossSubnet'],
  ['vxlan', 'Auto', [], 'Always'],
  ['vxlan', 'Auto', [ipv4Pool({ vxlanMode: 'CrossSubnet', disabled: true })], 'Always'],
])('backend %s, encapsulation %s: vxlanMode follows', (backend, encapsulation, pools, vxlanMode) => {
  const cluster = calicoCluster({ dual: true });
  const steps = calico.steps(
    wantedDual(pool({ encapsulation })),
    cluster,
    calicoFacts(cluster, { config: { backend }, pools }),
  );
  expect(steps[0]).toMatchObject({
    id: 'calico/pool-ipv6',
    write: { is: 'Create', body: { spec: { vxlanMode, ipipMode: 'Never' } } },
  });
});

test.each([
  ['disabled', ipv6Pool({ disabled: true }), {}, { disabled: false }],
  ['cannot work with vxlan', ipv6Pool(), { backend: 'vxlan' }, { vxlanMode: 'Always' }],
  ['IPIP', ipv6Pool({ ipipMode: 'Always' }), {}, { ipipMode: 'Never' }],
])('an existing pool is adopted and mended where it must be: %s', (_name, existing, config, spec) => {
  const cluster = calicoCluster({ dual: true });
  const steps = calico.steps(wantedDual(), cluster, calicoFacts(cluster, { config, pools: [ipv4Pool(), existing] }));
  expect(steps[0]).toMatchObject({
    state: { is: 'Pending' },
    ref: { name: existing.name },
    write: { is: 'MergePatch', body: { spec }, resourceVersion: '10' },
  });
});

test('what was asked for beats what an existing pool has; what was not asked for stays', () => {
  const cluster = calicoCluster({ dual: true });
  const existing = ipv6Pool({ natOutgoing: true, nodeSelector: 'zone == "a"', vxlanMode: 'Always' });
  const own = calicoFacts(cluster, { pools: [ipv4Pool(), existing] });
  expect(calico.steps(wantedDual(), cluster, own)[0]).toMatchObject({ state: { is: 'Satisfied' } });
  expect(calico.steps(wantedDual(pool({ natOutgoing: false, encapsulation: 'None' })), cluster, own)[0]).toMatchObject({
    write: { body: { spec: { natOutgoing: false, vxlanMode: 'Never' } } },
  });
});

test('hosts whose only IPv6 address is of no use count as without IPv6', () => {
  const report = hostReport(
    2,
    { name: 'worker-2' },
    {
      addresses: [
        {
          address: '2001:db8::9',
          prefixLength: 64,
          interface: 'eth0',
          scope: 'Global',
          flags: ['tentative'],
          since: '',
        },
      ],
    },
  );
  const node = nodeFacts(2, {}, {}, report);
  expect(findings({ cluster: calicoCluster({ nodes: [node] }) })).toMatchObject([{ reason: 'NodesWithoutFamily' }]);
});
