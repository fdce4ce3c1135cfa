import { expect, test } from '@jest/globals';
import type { ClusterFacts, ServiceFacts } from '../../../src/model/facts.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { type Backends, type Refusal, serviceKey } from '../../../src/model/service.ts';
import type { Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { serviceSteps } from '../../../src/plan/service-steps.ts';
import { firstStateText } from '../../../src/services/back.ts';
import { clusterFacts, readyPods, serviceFacts, wantedDual, wantedSingle } from '../../support/facts.ts';

const SINGLE = { policy: 'SingleStack', families: ['IPv4'] } as const;
const TRAPPED = { policy: 'PreferDualStack', families: ['IPv4'] } as const;
const BOTH = { policy: 'PreferDualStack', families: ['IPv4', 'IPv6'] } as const;
const given = (first: typeof SINGLE | typeof TRAPPED) => ({ 'dualstack.dev/first-state': firstStateText(first) });

const shop = (name: string, change: Partial<ServiceFacts> = {}): ServiceFacts =>
  serviceFacts({ namespace: 'shop', name, labels: { 'dualstack.dev/migrate': 'true' }, ...change });

const behind = (ipv6: number, slices = 1): Backends => ({
  slices: { IPv4: 1, IPv6: slices },
  endpoints: { IPv4: 2, IPv6: ipv6 },
  pods: readyPods(2, { IPv4: 2, IPv6: ipv6 }),
});

function factsWith(
  services: readonly ServiceFacts[],
  backends: Readonly<Record<string, Backends>> = {},
  change: Partial<ClusterFacts> = {},
): ClusterFacts {
  const all = services.map((service) => [serviceKey(service), backends[service.name] ?? behind(2)] as const);
  return clusterFacts(
    { dual: true },
    { services: known(services), backends: known(Object.fromEntries(all)), ...change },
  );
}

function only(facts: ClusterFacts, wanted: Wanted = wantedDual()): Extract<Step, { kind: 'MigrateServices' }> {
  const [step, ...more] = serviceSteps(wanted, facts);
  if (step?.kind !== 'MigrateServices' || more.length > 0) throw new Error('one step is for all Services');
  return step;
}

test('nobody asks for any: there is no step', () => {
  expect(serviceSteps(wantedDual(), factsWith([shop('a', { labels: {} })]))).toEqual([]);
  expect(serviceSteps(wantedDual({ serviceMigration: 'None' }), factsWith([shop('a')]))).toEqual([]);
});

test('those that are asked for are changed, with their first state in the same request', () => {
  const step = only(factsWith([shop('b'), shop('a', { ...TRAPPED, resourceVersion: '7' })]));
  expect(step.state).toEqual({ is: 'Pending' });
  expect(step.services).toEqual([
    { namespace: 'shop', name: 'a', resourceVersion: '7', ...BOTH, firstState: firstStateText(TRAPPED), force: true },
    { namespace: 'shop', name: 'b', resourceVersion: '100', ...BOTH, firstState: firstStateText(SINGLE), force: true },
  ]);
  expect(step.diff[0]).toEqual({
    path: 'Service shop/a spec.ipFamilyPolicy, ipFamilies',
    before: 'PreferDualStack IPv4',
    after: 'PreferDualStack IPv4,IPv6',
  });
});

test('only what somebody has asked for by name is taken from who has set it', () => {
  const step = only(factsWith([shop('a', { labels: {} }), shop('b')]), wantedDual({ serviceMigration: 'All' }));
  expect(step.services.map(({ name, force }) => [name, force])).toEqual([
    ['a', undefined],
    ['b', true],
  ]);
});

test('cluster DNS is left to its own step', () => {
  const dns = serviceFacts({ namespace: 'kube-system', name: 'kube-dns' });
  expect(serviceSteps(wantedDual({ serviceMigration: 'All' }), factsWith([dns]))).toEqual([]);
});

const name = (n: number): string => `s${String(n).padStart(4, '0')}`;

test('thousands are changed a hundred at a time, and it goes on where it was', () => {
  const all = Array.from({ length: 1000 }, (_, n) =>
    shop(name(n), n < 150 ? { ...BOTH, annotations: given(SINGLE) } : {}),
  );
  const step = only(factsWith(all));
  expect(step.services.map((each) => each.name)).toEqual(Array.from({ length: 100 }, (_, n) => name(150 + n)));
  expect(step.target).toBe('Services (850 to change, 0 waiting, 150 done)');
  expect(step.diff).toHaveLength(10);
});

test('one that waits holds up no other; when only such are left, they are put off', () => {
  const slow = { slow: behind(0) };
  expect(only(factsWith([shop('slow'), shop('web')], slow))).toMatchObject({
    state: { is: 'Pending' },
    services: [{ name: 'web' }],
  });
  expect(only(factsWith([shop('slow')], slow))).toMatchObject({
    state: { is: 'Deferred', why: expect.stringMatching(/shop\/slow .*2 of its 2 ready pods have no IPv6 address/u) },
    services: [],
  });
});

test('the next ones wait until those before have got their EndpointSlices', () => {
  const done = shop('done', { ...BOTH, annotations: given(SINGLE) });
  expect(only(factsWith([done, shop('web')], { done: behind(2, 0) })).state).toMatchObject({
    is: 'InProgress',
    why: expect.stringContaining('shop/done'),
  });
  expect(only(factsWith([done, shop('web')])).state).toEqual({ is: 'Pending' });
  expect(only(factsWith([done])).state).toMatchObject({ is: 'Satisfied' });
});

test('an EndpointSlice without an endpoint proves nothing, nor does a Service without an address', () => {
  const migrated = { ...BOTH, annotations: given(SINGLE) };
  const empty: Backends = { ...behind(2), endpoints: { IPv4: 2, IPv6: 0 } };
  expect(only(factsWith([shop('done', migrated), shop('web')], { done: empty })).state).toMatchObject({
    is: 'InProgress',
    why: expect.stringContaining('shop/done has no ready endpoint in its IPv6 EndpointSlice'),
  });
  // The last batch is proven like the others; what happens to its pods later is another matter.
  const last = factsWith([shop('done', migrated)], { done: empty });
  const current = { id: 'services/families', startedAt: 0 };
  expect(serviceSteps(wantedDual(), last, { current })).toMatchObject([{ state: { is: 'InProgress' } }]);
  expect(serviceSteps(wantedDual(), last)).toMatchObject([{ state: { is: 'Satisfied' } }]);
  const bare = shop('done', { ...migrated, clusterIPs: ['10.96.0.7'] });
  expect(only(factsWith([bare, shop('web')])).state).toMatchObject({
    is: 'InProgress',
    why: expect.stringContaining('shop/done has no IPv6 cluster IP'),
  });
  const headless = shop('done', { ...migrated, headless: true, clusterIPs: ['None'] });
  expect(only(factsWith([headless, shop('web')])).state).toEqual({ is: 'Pending' });
});

const refusal = (change: Partial<Refusal> = {}): Refusal => ({
  resourceVersion: '100',
  why: 'could not patch: a webhook said no',
  isDue: false,
  ...change,
});

test('more than a batch that is refused for good: those behind them have their turn', () => {
  const all = Array.from({ length: 250 }, (_, n) => shop(name(n)));
  const refusals = Object.fromEntries(all.slice(0, 220).map((each) => [serviceKey(each), refusal()]));
  const step = only(factsWith(all, {}, { refusals }));
  expect(step.services.map((each) => each.name)).toEqual(Array.from({ length: 30 }, (_, n) => name(220 + n)));
  expect(step.target).toBe('Services (30 to change, 0 waiting, 0 done, 220 refused)');
});

test('when only such are left they are put off, and told with what was said', () => {
  const step = only(factsWith([shop('web')], {}, { refusals: { 'shop/web': refusal() } }));
  expect(step.state).toMatchObject({
    is: 'Deferred',
    why: expect.stringMatching(/shop\/web cannot be changed yet\. Could not patch: a webhook said no\. Mend/u),
  });
});

test('one that was changed since is tried again, and one that was refused long ago after all others', () => {
  const services = [shop('a', { resourceVersion: '101' }), shop('b'), shop('c')];
  const refusals = { 'shop/a': refusal(), 'shop/b': refusal({ isDue: true }) };
  expect(only(factsWith(services, {}, { refusals })).services.map((each) => each.name)).toEqual(['c', 'a', 'b']);
});

test('a namespace where one was refused has its turn after the others', () => {
  const services = [shop('a'), shop('b'), shop('c', { namespace: 'zoo' })];
  const refusals = { 'shop/a': refusal() };
  expect(only(factsWith(services, {}, { refusals })).services.map((each) => each.name)).toEqual(['c', 'b']);
});

test('of ten thousand the 25th part is changed at a time', () => {
  const all = Array.from({ length: 10_000 }, (_, n) => shop(`s${n}`));
  expect(only(factsWith(all)).services).toHaveLength(400);
});

test('one that no pod of the family is behind any more is not waited for', () => {
  const done = shop('done', { ...BOTH, annotations: given(SINGLE) });
  expect(only(factsWith([done], { done: behind(0, 0) })).state).toMatchObject({ is: 'Satisfied' });
});

test('Services that cannot be read are waited for where any may be asked for', () => {
  const facts = factsWith([], {}, { services: unknown('403') });
  expect(serviceSteps(wantedDual(), facts)).toMatchObject([{ kind: 'WaitFor', state: { is: 'Unknown', why: '403' } }]);
  expect(serviceSteps(wantedDual({ serviceMigration: 'None' }), facts)).toEqual([]);
  expect(serviceSteps(wantedSingle(), facts)).toEqual([]);
});

test('on the way back: what was given is taken, and what was asked for by hand stays', () => {
  const step = only(
    factsWith([shop('ours', { ...BOTH, annotations: given(SINGLE) }), shop('theirs', BOTH)]),
    wantedSingle(),
  );
  expect(step.services).toEqual([
    { namespace: 'shop', name: 'ours', resourceVersion: '100', ...SINGLE, firstState: null },
  ]);
});

test('what said PreferDualStack is SingleStack until the API server has one family, and says so again then', () => {
  const dual = only(factsWith([shop('web', { ...BOTH, annotations: given(TRAPPED) })]), wantedSingle());
  expect(dual.services).toMatchObject([SINGLE]);
  expect(dual.services[0]).not.toHaveProperty('firstState');

  const back = [shop('web', { ...SINGLE, annotations: given(TRAPPED) })];
  expect(serviceSteps(wantedSingle(), factsWith(back))).toEqual([]);
  const single = only(factsWith(back, {}, { serviceCIDR: known(['10.96.0.0/16']) }), wantedSingle());
  expect(single.services).toMatchObject([{ ...TRAPPED, firstState: null }]);
});
