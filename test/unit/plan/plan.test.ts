import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import { at } from '../../../src/model/object.ts';
import { phaseOrder } from '../../../src/model/phase.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { fromRecordEntry } from '../../../src/model/record.ts';
import type { Step } from '../../../src/model/step.ts';
import { canonicalText, fingerprintOf } from '../../../src/plan/canonical.ts';
import { AT, before, coreDNSFacts, podFacts, PODS, serviceFacts, SERVICES } from '../../support/facts.ts';
import { asked, askedBack, clusterScene, NO_MEMORY, planScene, recordsOf } from '../../support/plan-scene.ts';

const stepOf = (facts: ClusterFacts, id: string, request = asked()): Step => {
  const step = planScene(facts, request).plan.steps.find((candidate) => candidate.id === id);
  if (step === undefined) throw new Error(`no step ${id}`);
  return step;
};

test('the order of the phases, there and back', () => {
  for (const request of [asked(), askedBack()]) {
    const { plan } = planScene(clusterScene({ controlPlanes: 3, dual: request.families.length === 1 }), request);
    const places = plan.steps.map((step) => phaseOrder(plan.direction).indexOf(step.phase));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBe(0);
  }
});

test('the hash is the same whoever leads, however many nodes there are and how far the work is', () => {
  const one = planScene(clusterScene({ controlPlanes: 3, workers: 1 })).plan.hash;
  expect(planScene(clusterScene({ controlPlanes: 3, workers: 7 })).plan.hash).toBe(one);
  expect(planScene(clusterScene({ controlPlanes: 3, workers: 1, dual: true })).plan.hash).toBe(one);
});

test.each([
  [
    'a network',
    { clusterNetwork: { pods: { cidrBlocks: ['fd00:99::/56'] }, services: { cidrBlocks: [SERVICES.IPv6] } } },
  ],
  ['an option of the CNI', { calico: { pool: { natOutgoing: true } } }],
  ['what nodes may be restarted at once', { nodes: { maxUnavailable: 2 } }],
  ['the proof', { verification: { mode: 'None' } }],
])('the hash is another for %s', (_name, change) => {
  const facts = clusterScene();
  expect(planScene(facts, asked(change)).plan.hash).not.toBe(planScene(facts).plan.hash);
});

test('pausing or approving does not change the hash', () => {
  const facts = clusterScene();
  const { hash } = planScene(facts).plan;
  expect(planScene(facts, asked({ paused: true, mode: 'Plan', approvedPlanHash: hash })).plan.hash).toBe(hash);
});

test('a text for a value does not hang on the order of its keys', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const turned = Object.fromEntries(Object.entries(value).toReversed());
      expect(canonicalText(turned)).toBe(canonicalText(value));
      expect(JSON.parse(canonicalText(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  expect(fingerprintOf({ a: [1, 2] })).not.toBe(fingerprintOf({ a: [2, 1] }));
  expect(canonicalText({ a: undefined, b: null })).toBe('{"b":null}');
});

test('everything is recorded before anything is changed, and a record is never overwritten', () => {
  const facts = clusterScene();
  const fresh = stepOf(facts, 'record/cluster');
  expect(fresh).toMatchObject({ phase: 'Record', state: { is: 'Pending' } });
  expect(entriesOf(fresh).map((entry) => entry?.key)).toEqual(
    expect.arrayContaining(['families', 'Service/kube-system/kube-dns', 'ConfigMap/kube-system/kube-proxy', 'IPPools']),
  );

  const first = { key: 'families', value: { families: ['IPv4'] } };
  const later = stepOf(
    { ...clusterScene({ dual: true }), records: known({ [first.key]: first.value }) },
    'record/cluster',
  );
  expect(later.state.is).toBe('Pending');
  // A merge patch of what is new: it can neither change nor take away what is there.
  expect(later).toMatchObject({ write: { is: 'MergePatch' } });
  expect(entriesOf(later).map((entry) => entry?.key)).not.toContain('families');
  expect(later.diff.map(({ path }) => path)).not.toContain('families');

  const all = recordsOf(planScene(facts).plan);
  expect(stepOf({ ...facts, records: all }, 'record/cluster').state.is).toBe('Satisfied');
  expect(stepOf({ ...facts, records: unknown('403') }, 'record/cluster').state).toEqual({ is: 'Unknown', why: '403' });
});

function entriesOf(step: Step) {
  const data = at(step, 'write', 'body', 'data') as Readonly<Record<string, string>>;
  return Object.values(data).map((text) => fromRecordEntry(Buffer.from(text, 'base64').toString('utf8')));
}

const MARK = `${PODS.IPv4},${PODS.IPv6}`;
const dnsPods = (ips: readonly string[], startedSecondsAgo = 3600, hash = 'rev-1') =>
  [1, 2].map((n) =>
    podFacts({ name: `coredns-${n}`, podIPs: ips, startedAt: before(startedSecondsAgo), hash, hostNetwork: false }),
  );
const marked = (value: string) => ({ templateAnnotations: { 'dualstack.dev/restarted': value } });
const BOTH = ['10.244.1.2', 'fd00:10:244::2'];
const ONE = ['10.244.1.2'];

test.each<[string, Parameters<typeof coreDNSFacts>[0], string, string | undefined]>([
  ['pods of one family: restart', { pods: dnsPods(ONE) }, 'Pending', MARK],
  ['pods of both', { pods: dnsPods(BOTH) }, 'Satisfied', undefined],
  [
    'an old pod is still there',
    { pods: [...dnsPods(BOTH), podFacts({ name: 'old', podIPs: BOTH })] },
    'InProgress',
    undefined,
  ],
  ['not all are ready', { pods: dnsPods(BOTH).map((pod, i) => ({ ...pod, ready: i > 0 })) }, 'InProgress', undefined],
  ['restarted a moment ago', { ...marked(MARK), pods: dnsPods(ONE, 30) }, 'InProgress', undefined],
  ['restarted in vain: once more', { ...marked(MARK), pods: dnsPods(ONE, 90) }, 'Pending', `${MARK} #2`],
  ['a second time in vain', { ...marked(`${MARK} #2`), pods: dnsPods(ONE, 90) }, 'Pending', `${MARK} #3`],
  ['a third time in vain', { ...marked(`${MARK} #3`), pods: dnsPods(ONE, 90) }, 'Failed', undefined],
  ['an hour later', { ...marked(`${MARK} #3`), pods: dnsPods(ONE, 3601) }, 'Pending', `${MARK} #4`],
  ['in vain, then right', { ...marked(`${MARK} #3`), pods: dnsPods(BOTH) }, 'Satisfied', undefined],
  ['other networks before', { ...marked('10.244.0.0/16'), pods: dnsPods(ONE, 30) }, 'Pending', MARK],
])('CoreDNS, %s', (_name, change, state, value) => {
  const step = stepOf(clusterScene({}, { coreDNS: known(coreDNSFacts(change)) }), 'dns/pods');
  expect(step.state.is).toBe(state);
  if (value !== undefined) expect(step).toMatchObject({ next: { is: 'Annotate', value } });
});

test.each<[string, Parameters<typeof coreDNSFacts>[0], string, string | undefined]>([
  ['pods of one family: restart', { pods: dnsPods(ONE) }, 'Pending', MARK],
  ['restarted a moment ago', { ...marked(MARK), pods: dnsPods(ONE, 30) }, 'InProgress', MARK],
  ['restarted in vain: not once more', { ...marked(MARK), pods: dnsPods(ONE, 90) }, 'Failed', MARK],
  ['a day later', { ...marked(MARK), pods: dnsPods(ONE, 86_400) }, 'Failed', MARK],
  ['restarted by the user, in vain too', { ...marked(MARK), pods: dnsPods(ONE, 20) }, 'InProgress', MARK],
  ['restarted by the user', { ...marked(MARK), pods: dnsPods(BOTH, 20) }, 'Satisfied', MARK],
  ['restarted often by an older version', { ...marked(`${MARK} #3`), pods: dnsPods(ONE, 90) }, 'Failed', undefined],
  ['other networks before', { ...marked('10.244.0.0/16'), pods: dnsPods(ONE, 30) }, 'Pending', MARK],
])('CoreDNS where the network plug-in is left to the user, %s', (_name, change, state, value) => {
  const facts = clusterScene({}, { coreDNS: known(coreDNSFacts(change)) });
  const step = stepOf({ ...facts, cni: { name: 'Unmanaged', detectedBy: 'test', own: null } }, 'dns/pods');
  expect(step.state.is).toBe(state);
  if (value !== undefined) expect(step).toMatchObject({ next: { is: 'Annotate', value } });
  if (step.state.is === 'Failed') expect(step.state.remedy).toContain('rollout restart deployment coredns');
});

const dnsService = (change: Partial<Parameters<typeof serviceFacts>[0]>) =>
  known([
    serviceFacts({
      namespace: 'kube-system',
      name: 'kube-dns',
      families: ['IPv4'],
      clusterIPs: ['10.96.0.10'],
      ...change,
    }),
  ]);

test.each<[string, Parameters<typeof dnsService>[0], string]>([
  ['one family', {}, 'Pending'],
  [
    'both',
    { policy: 'PreferDualStack', families: ['IPv4', 'IPv6'], clusterIPs: ['10.96.0.10', 'fd00::a'] },
    'Satisfied',
  ],
  [
    'both, and required',
    { policy: 'RequireDualStack', families: ['IPv4', 'IPv6'], clusterIPs: ['10.96.0.10', 'fd00::a'] },
    'Satisfied',
  ],
  ['asked for and not given', { policy: 'PreferDualStack' }, 'Pending'],
])('the DNS Service, %s', (_name, change, state) => {
  expect(stepOf(clusterScene({}, { services: dnsService(change) }), 'dns/service').state.is).toBe(state);
});

const dnsSteps = (request = asked()) =>
  planScene(clusterScene(), request)
    .plan.steps.filter(({ phase }) => phase === 'DNS')
    .map(({ id }) => id);

test('pods before the Service, and the other way round on the way back', () => {
  expect(dnsSteps()).toEqual(['dns/pods', 'dns/service']);
  expect(dnsSteps(askedBack())).toEqual(['dns/service', 'dns/pods']);
});

test('no CoreDNS, no steps for it; unreadable, no guess', () => {
  const without = planScene(clusterScene({}, { coreDNS: known(null) })).plan;
  expect(without.steps.filter(({ phase }) => phase === 'DNS')).toEqual([]);
  expect(stepOf(clusterScene({}, { coreDNS: unknown('503') }), 'dns/pods').state).toEqual({
    is: 'Unknown',
    why: '503',
  });
});

test('a proof holds as long as the cluster is what was proven', () => {
  const facts = clusterScene({ dual: true });
  const verify = stepOf(facts, 'verify/api');
  if (verify.kind !== 'Verify') throw new Error(verify.kind);
  expect(verify.state.is).toBe('Pending');
  const check = { name: 'ServiceCIDR', ok: true, detail: 'both' };
  const state = (proof: { fingerprint?: string; at?: string; ok?: boolean }, seen = facts) =>
    planScene(seen, asked(), {
      ...NO_MEMORY,
      proof: {
        fingerprint: proof.fingerprint ?? verify.fingerprint,
        at: proof.at ?? before(86_400),
        checks: [check, { ...check, ok: proof.ok ?? true }],
      },
    }).plan.steps.at(-1)?.state.is;
  expect(state({})).toBe('Satisfied');
  expect(state({ fingerprint: 'other' })).toBe('Pending');
  expect(state({ ok: false, at: before(10) })).toBe('Failed');
  expect(state({ ok: false, at: before(61) })).toBe('Pending');
  expect(state({}, { ...facts, serviceCIDR: known([SERVICES.IPv4]) })).toBe('Pending');
  expect(state({}, { ...facts, at: AT + 86_400_000 })).toBe('Satisfied');
});
