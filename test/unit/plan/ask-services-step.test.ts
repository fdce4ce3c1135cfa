import { expect, test } from '@jest/globals';
import type { ClusterFacts, ServiceFacts } from '../../../src/model/facts.ts';
import { known } from '../../../src/model/reader.ts';
import { type Backends, serviceKey } from '../../../src/model/service.ts';
import type { ServicePackets } from '../../../src/model/service-packets.ts';
import type { Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { serviceSteps } from '../../../src/plan/service-steps.ts';
import { clusterFacts, readyPods, serviceFacts, servicePackets, wantedDual } from '../../support/facts.ts';

const IMAGE = { image: 'operator:v1', pullPolicy: null, pullSecrets: [] };
const MINUTE = 60_000;

/** One that was migrated at that second. */
const migrated = (name: string, second: number, change: Partial<ServiceFacts> = {}): ServiceFacts =>
  serviceFacts({
    namespace: 'shop',
    name,
    families: ['IPv4', 'IPv6'],
    clusterIPs: [`10.96.0.${second}`, `fd00:10:96::${second}`],
    policy: 'PreferDualStack',
    annotations: { 'dualstack.dev/first-state': '{"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"]}' },
    changedAt: timeOf(second),
    ...change,
  });

const single = (name: string): ServiceFacts =>
  serviceFacts({ namespace: 'shop', name, labels: { 'dualstack.dev/migrate': 'true' } });

const timeOf = (second: number): string => `2026-11-01T00:00:${String(second).padStart(2, '0')}Z`;

const backends = (endpoints: number): Backends => ({
  slices: { IPv4: 1, IPv6: 1 },
  endpoints: { IPv4: 2, IPv6: endpoints },
  pods: readyPods(2, { IPv4: 2, IPv6: 2 }),
});

function factsOf(services: readonly ServiceFacts[], change: Partial<ClusterFacts> = {}): ClusterFacts {
  const behind = Object.fromEntries(services.map((each) => [serviceKey(each), backends(2)]));
  const options = { services: known(services), backends: known(behind), probeImage: IMAGE, ...change };
  return clusterFacts({ dual: true }, options);
}

/** Of those that were migrated until the ninth second. */
const asked = (change: Partial<ServicePackets> = {}): ServicePackets =>
  servicePackets({ newest: timeOf(9), ...change });

const SILENT = { answered: 3, silent: [{ namespace: 'shop', name: 'a', family: 'IPv6' }], failedInRow: 2 } as const;

const MANY = ['a', 'x'].map((name) => ({ namespace: 'shop', name, family: 'IPv6' }) as const);

function stepsOf(facts: ClusterFacts, last: ServicePackets | null = null, wanted: Wanted = wantedDual()) {
  return serviceSteps(wanted, facts, { current: null, servicePackets: last });
}

function askStep(facts: ClusterFacts, last: ServicePackets | null = null): Extract<Step, { kind: 'AskServices' }> {
  const [step] = stepsOf(facts, last);
  if (step?.kind !== 'AskServices') throw new Error('no such step');
  return step;
}

test('what was changed is asked before the next ones are changed, from two nodes', () => {
  const [ask, change] = stepsOf(factsOf([migrated('a', 1), migrated('b', 2), single('c')]));
  expect(ask).toMatchObject({
    kind: 'AskServices',
    state: { is: 'Pending' },
    from: ['worker-1', 'worker-2'],
    image: IMAGE,
    newest: timeOf(2),
    services: [
      { namespace: 'shop', name: 'a', clusterIPs: ['10.96.0.1', 'fd00:10:96::1'], port: 80 },
      { namespace: 'shop', name: 'b', clusterIPs: ['10.96.0.2', 'fd00:10:96::2'], port: 80 },
    ],
  });
  expect(change).toMatchObject({ kind: 'MigrateServices', state: { is: 'Pending' } });
});

test('only those that were changed after the last ones, and twenty of them', () => {
  const many = Array.from({ length: 45 }, (_, n) => migrated(`s${n + 10}`, 10 + n));
  const step = askStep(factsOf([migrated('a', 1), ...many]), asked());
  expect(new Set(step.services.map(({ name }) => name)).size).toBe(20);
  expect(step.services.map(({ name }) => name)).not.toContain('a');
  expect(step.newest).toBe(timeOf(54));
  expect(askStep(factsOf([migrated('a', 1)]), asked()).state).toEqual({
    is: 'Satisfied',
    evidence:
      '4 of 4 Services that were asked with packets answer over both families; asked from worker-1 and worker-2 at 2026-11-01T00:01:00.000Z',
  });
});

test.each<[string, Partial<ServiceFacts>]>([
  ['is headless', { headless: true, clusterIPs: ['None'] }],
  ['speaks no TCP', { tcpPort: null }],
  ['answers on nodes with its pods alone', { internalTrafficPolicy: 'Local' }],
])('one that %s is not asked, and holds up nobody', (_what, change) => {
  expect(askStep(factsOf([migrated('a', 1, change)]))).toMatchObject({ services: [], state: { is: 'Satisfied' } });
});

test('what has no addresses or endpoints in the API yet is not asked', () => {
  const one = factsOf([migrated('a', 1), single('b')]);
  const empty = { ...one, backends: known({ 'shop/a': backends(0), 'shop/b': backends(2) }) };
  expect(stepsOf(empty).map(({ kind, state }) => [kind, state.is])).toEqual([['MigrateServices', 'InProgress']]);
});

test('no packets where nobody wants any, and where nobody knows of what image', () => {
  const facts = factsOf([migrated('a', 1)]);
  expect(stepsOf(facts, null, wantedDual({ verification: 'None' }))).toHaveLength(1);
  const { probeImage: _unknown, ...rest } = facts;
  expect(stepsOf(rest)).toHaveLength(1);
});

test.each<[string, Partial<ServicePackets>, number, Step['state']['is']]>([
  ['the first time it may be the moment', { ...SILENT, failedInRow: 1 }, MINUTE / 2, 'InProgress'],
  ['it is tried again after a minute', { ...SILENT, failedInRow: 1 }, MINUTE + 1, 'Pending'],
  ['a few are told, and the others go on', SILENT, MINUTE, 'Deferred'],
  ['one alone stops nobody', { ...SILENT, answered: 0 }, MINUTE, 'Deferred'],
  ['many of them stop it', { ...SILENT, silent: MANY, answered: 5 }, MINUTE, 'Failed'],
  ['and then later and later', SILENT, 2 * MINUTE + 1, 'Pending'],
])('silent over one family: %s', (_what, change, later, state) => {
  const last = asked(change);
  const facts = factsOf([migrated('a', 1), single('c')], { at: Date.parse(last.at) + later });
  expect(askStep(facts, last)).toMatchObject({ state: { is: state }, services: [{ name: 'a' }] });
});

test('it is told who, why that may be, and how to put it back', () => {
  const last = asked({ ...SILENT, silent: MANY, answered: 0 });
  const { state } = askStep(factsOf([migrated('a', 1)], { at: Date.parse(last.at) }), last);
  expect(state).toEqual({
    is: 'Failed',
    why: '2 of 2 Services that were asked answer over one family and not over the other: shop/a (IPv6), shop/x (IPv6).',
    remedy:
      'See whether their programs listen on :: and not on 0.0.0.0 alone, and what NetworkPolicies and firewalls say of IPv6. To put one back: kubectl -n shop label service a dualstack.dev/migrate=false --overwrite. It is tried again by itself, 2 min after the last time.',
  });
});

test('what was put back is no longer held against the rest', () => {
  const facts = factsOf([migrated('b', 1), serviceFacts({ namespace: 'shop', name: 'a' })]);
  expect(askStep(facts, asked(SILENT)).state.is).toBe('Satisfied');
});

test('while it runs the same step goes on, though pods come and go', () => {
  const step = askStep(factsOf([migrated('a', 1), migrated('b', 2)]));
  const proving = { fingerprint: step.fingerprint, text: 'it runs' };
  const facts = factsOf([migrated('a', 1), migrated('b', 2, { tcpPort: null })], { proving });
  expect(askStep(facts).state).toEqual({ is: 'InProgress', why: 'it runs' });
});
