import { expect, test } from '@jest/globals';
import type { NodeProof } from '../../../src/model/node-proof.ts';
import { calico } from '../../../src/cni/calico/index.ts';
import type { PodFacts } from '../../../src/model/facts.ts';
import { unknown } from '../../../src/model/reader.ts';
import { calicoCluster, calicoFacts, DUAL_ENV } from '../../support/calico-facts.ts';
import { before, podFacts, wantedDual, wantedSingle, workloadFacts } from '../../support/facts.ts';

const V4 = { 'projectcalico.org/IPv4Address': '192.0.2.12/24' };
const V6 = { 'projectcalico.org/IPv6Address': '2001:db8::12/64' };

interface Case {
  readonly annotations: Readonly<Record<string, string>>;
  readonly pod?: Partial<PodFacts> | null;
  readonly env?: object;
  readonly internalIPs?: readonly string[];
}

function proofOf({ annotations, pod = {}, env = DUAL_ENV, internalIPs }: Case): NodeProof | undefined {
  const cluster = calicoCluster({ dual: true, workers: 1 });
  const nodes = cluster.nodes.map((node) =>
    node.name === 'worker-1' ? { ...node, annotations, internalIPs: internalIPs ?? node.internalIPs } : node,
  );
  const facts = { ...cluster, nodes };
  const pods = pod === null ? [] : [podFacts({ name: 'calico-node-x', node: 'worker-1', ...pod })];
  const own = calicoFacts(facts, { agent: { env, workload: workloadFacts('calico-node', [], { pods }) } });
  const proofs = calico.nodeProofs?.(wantedDual(), facts, own);
  return proofs?.known === true ? proofs.value.nodes.get('worker-1') : undefined;
}

const FAILING = { ready: false, waiting: 'CrashLoopBackOff', restarts: 3 };

test.each<[string, Case, NodeProof['is']]>([
  ['both addresses written, ready', { annotations: { ...V4, ...V6 } }, 'Proven'],
  ['both written, the pod is being replaced', { annotations: { ...V4, ...V6 }, pod: { ready: false } }, 'Pending'],
  ['both written, no pod', { annotations: { ...V4, ...V6 }, pod: null }, 'Pending'],
  ['IPv6 not written yet', { annotations: V4 }, 'Pending'],
  ['just started, nothing written', { annotations: {}, pod: { ready: false, startedAt: before(5) } }, 'Pending'],
  ['IPv4 gone, crash-looping', { annotations: {}, pod: FAILING }, 'LostPrimary'],
  [
    'IPv4 gone, started again once',
    { annotations: {}, pod: { ready: false, restarts: 1, startedAt: before(5) } },
    'LostPrimary',
  ],
  ['IPv4 gone, not ready for long', { annotations: {}, pod: { ready: false, startedAt: before(120) } }, 'LostPrimary'],
  ['crash-looping for another reason', { annotations: V4, pod: FAILING }, 'Pending'],
  [
    'IPv6 is not looked for',
    { annotations: {}, pod: FAILING, env: { IP6: { is: 'Value', value: 'none' } } },
    'Pending',
  ],
  ['the Node never had an IPv4 address', { annotations: {}, pod: FAILING, internalIPs: ['2001:db8::12'] }, 'Pending'],
])('%s', (_, given, expected) => {
  const proof = proofOf(given);
  expect(proof?.is).toBe(expected);
  expect(proof?.evidence).toContain('worker-1');
  if (expected !== 'Proven') expect(proof?.remedy.length).toBeGreaterThan(20);
});

test('in force from IP6=autodetect on, and never on the way back', () => {
  const facts = calicoCluster({ dual: true });
  const inForce = (env: object, wanted = wantedDual()) => {
    const proofs = calico.nodeProofs?.(wanted, facts, calicoFacts(facts, { agent: { env } }));
    return proofs?.known === true ? proofs.value.inForce : undefined;
  };
  expect(inForce(DUAL_ENV)).toBe(true);
  expect(inForce({})).toBe(false);
  expect(inForce(DUAL_ENV, wantedSingle())).toBe(false);
});

test('a DaemonSet that cannot be read proves nothing', () => {
  const facts = calicoCluster({ dual: true });
  const own = { ...calicoFacts(facts), agent: unknown('503') };
  expect(calico.nodeProofs?.(wantedDual(), facts, own)).toEqual({ known: false, why: '503' });
});
