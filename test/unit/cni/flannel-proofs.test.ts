import { expect, test } from '@jest/globals';
import { flannel } from '../../../src/cni/flannel/index.ts';
import { ROLLOUT_ANNOTATION } from '../../../src/cni/flannel/facts.ts';
import type { HostReport } from '../../../src/model/host.ts';
import type { NodeFacts, PodFacts } from '../../../src/model/facts.ts';
import type { NodeProof } from '../../../src/model/node-proof.ts';
import { endedText, toPodFacts } from '../../../src/model/workload.ts';
import { podFacts, wantedDual } from '../../support/facts.ts';
import { DUAL_NET_CONF, flannelCluster, flannelFacts } from '../../support/flannel-facts.ts';

const LOOPS = { ready: false, waiting: 'CrashLoopBackOff', restarts: 12 } as const;
const exit = (message = '', reason = 'Error') => ({ ended: { exitCode: 1, reason, message } });
const withoutIPv6Route = (report: HostReport): HostReport => {
  const { IPv6: _, ...defaultRoutes } = report.network.defaultRoutes;
  return { ...report, network: { ...report.network, defaultRoutes } };
};

interface Case {
  readonly pod?: Partial<PodFacts>;
  readonly node?: Partial<NodeFacts>;
  readonly report?: (report: HostReport) => HostReport;
  readonly flags?: Readonly<Record<string, readonly string[]>>;
}

/** Of the first worker of a cluster whose flannel has both families by now. */
function proofOf({ pod = {}, node = {}, report, flags = {} }: Case): NodeProof | undefined {
  const cluster = flannelCluster({ workers: 1, published: true });
  const nodes = cluster.nodes.map((each): NodeFacts => {
    if (each.name !== 'worker-1') return each;
    const reported = each.agent?.report ?? null;
    if (each.agent === null || reported === null) throw new Error('every host has an agent here');
    const agent = { ...each.agent, report: report === undefined ? reported : report(reported) };
    return { ...each, agent, ...node };
  });
  const facts = { ...cluster, nodes };
  const own = flannelFacts(facts, {
    config: { text: DUAL_NET_CONF, untouched: false },
    agent: { flags, workload: { templateAnnotations: { [ROLLOUT_ANNOTATION]: 'IPv6, roll-out 2 of 2' } } },
  });
  if (!own.agent.known || own.agent.value === null) throw new Error('the DaemonSet is there');
  const { workload } = own.agent.value;
  const pods = workload.pods.map((each) => (each.node === 'worker-1' ? { ...each, ...pod } : each));
  const agent = { ...own.agent, value: { ...own.agent.value, workload: { ...workload, pods } } };
  const proofs = flannel.nodeProofs?.(wantedDual(), facts, { ...own, agent });
  if (proofs?.known !== true) throw new Error('proofs are always known here');
  expect(proofs.value.inForce).toBe(true);
  return proofs.value.nodes.get('worker-1');
}

test.each<[string, Case, NodeProof['is'], readonly string[]]>([
  ['it runs', {}, 'Proven', []],
  [
    'it crash-loops, and its Node has no IPv6',
    { pod: LOOPS, node: { internalIPs: ['192.0.2.12'] } },
    'LostPrimary',
    ['no IPv6 address', '12 restarts'],
  ],
  ['its Node has no IPv4', { pod: LOOPS, node: { internalIPs: ['2001:db8::12'] } }, 'LostPrimary', ['no IPv4 address']],
  [
    'its Node has one pod CIDR',
    { pod: LOOPS, node: { podCIDRs: ['10.244.1.0/24'] } },
    'LostPrimary',
    ['no IPv6 pod CIDR'],
  ],
  ['its host has no default route', { pod: LOOPS, report: withoutIPv6Route }, 'LostPrimary', ['no IPv6 default route']],
  [
    'its log says so, where the status has it',
    {
      pod: {
        ...LOOPS,
        ...exit(
          'E1102 main.go:325] Failed to find any valid interface to use: failed to get default v6 interface: unable to find default v6 route',
        ),
      },
    },
    'LostPrimary',
    ['it said: failed to get default v6 interface'],
  ],
  [
    'for any other reason',
    { pod: { ...LOOPS, ...exit('Failed to check br_netfilter: stat /proc/sys/net/bridge: no such file') } },
    'Failing',
    ['exit code 1 (Error): Failed to check br_netfilter', '12 restarts'],
  ],
  ['memory', { pod: { ...LOOPS, ...exit('', 'OOMKilled') } }, 'Failing', ['exit code 1 (OOMKilled))']],
  ['nothing is told', { pod: LOOPS }, 'Failing', ['(CrashLoopBackOff, 12 restarts), for a reason']],
  // It takes no default route then.
  [
    'no default route, and an interface by pattern',
    { pod: LOOPS, report: withoutIPv6Route, flags: { 'iface-regex': ['eth'] } },
    'Failing',
    [],
  ],
  ['it waits for something else', { pod: { ready: false, waiting: 'ImagePullBackOff' } }, 'Pending', ['not ready']],
])('%s', (_name, given, is, words) => {
  const proof = proofOf(given);
  expect(proof?.is).toBe(is);
  for (const word of words) expect(proof?.evidence).toContain(word);
  if (is !== 'Proven') expect(proof?.remedy).toContain('kubectl -n kube-flannel logs kube-flannel-ds-worker-1');
});

test('how the container that waits ended the last time is read from the Pod', () => {
  const terminated = { exitCode: 137, reason: 'OOMKilled', message: '' };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a' },
    status: {
      initContainerStatuses: [{ lastState: { terminated: { ...terminated, exitCode: 3 } }, state: { terminated: {} } }],
      containerStatuses: [{ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated } }],
    },
  };
  expect(toPodFacts(pod)).toMatchObject({ waiting: 'CrashLoopBackOff', ended: terminated });
  const never = { ...pod, status: { containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }] } };
  expect(toPodFacts(never)).toMatchObject({ waiting: 'ContainerCreating' });
  expect(toPodFacts(never)).not.toHaveProperty('ended');
});

test('a container that has ended again waits to be started, though the kubelet does not say so yet', () => {
  const terminated = { exitCode: 1, reason: 'Error', message: 'failed to find IPv6 address' };
  const ended = (status: object, metadata: object = {}) =>
    toPodFacts({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', ...metadata },
      status: { containerStatuses: [{ restartCount: 1, state: { terminated }, ...status }] },
    });
  expect(ended({})).toMatchObject({ waiting: 'CrashLoopBackOff', ended: terminated, restarts: 1 });
  // The first time it may be anything; one that ended well, or is to go, waits for nothing.
  for (const other of [
    ended({ restartCount: 0 }),
    ended({ state: { terminated: { exitCode: 0 } } }),
    ended({}, { deletionTimestamp: '2026-11-02T12:00:00Z' }),
    ended({ state: { running: {} }, lastState: { terminated } }),
  ]) {
    expect(other.waiting).toBeNull();
    expect(other).not.toHaveProperty('ended');
  }
});

test('a long message keeps its end', () => {
  const said = `${'x'.repeat(5000)}\n  the end\n`;
  const text = endedText(podFacts({ name: 'a', ...exit(said) }));
  expect(text).toMatch(/^exit code 1 \(Error\): x+ the end$/u);
  expect(text.length).toBeLessThan(350);
  expect(endedText(podFacts({ name: 'a' }))).toBe('');
});
