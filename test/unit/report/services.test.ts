import { expect, test } from '@jest/globals';
import { clusterStatusSchema, type ServicesStatus } from '../../../src/api/cluster-status.ts';
import type { ServiceFacts } from '../../../src/model/facts.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { vocabulary } from '../../../src/registry.ts';
import { packetsOf, refusalsIn, servicesStatus } from '../../../src/report/services.ts';
import { clusterFacts, readyPods, serviceFacts, servicePackets, wantedDual } from '../../support/facts.ts';

const shop = (name: string, change: Partial<ServiceFacts> = {}): ServiceFacts =>
  serviceFacts({ namespace: 'shop', name, ...change });

function statusOf(services: readonly ServiceFacts[]): ServicesStatus {
  const status = servicesStatus(clusterFacts({ dual: true }, { services: known(services) }), wantedDual());
  if (status === undefined) throw new Error('Services are known');
  return status;
}

test('counted by families; of a name in DNS and of a proof there is nothing to count', () => {
  const { exceptions, ...counts } = statusOf([
    shop('a'),
    shop('b', { families: ['IPv4', 'IPv6'], policy: 'PreferDualStack' }),
    shop('c', { policy: 'PreferDualStack' }),
    shop('d', { type: 'ExternalName', families: [], policy: '' }),
    shop('e', { labels: { 'dualstack.dev/probe': 'x' } }),
    shop('f', { labels: { 'dualstack.dev/migrate': 'true' } }),
    shop('g', { type: 'LoadBalancer' }),
  ]);
  expect(counts).toEqual({ total: 5, dualStack: 1, singleStack: 4, trapped: 1, blocked: 1, pending: 1 });
  expect(exceptions?.map(({ name, state, reason }) => [name, state, reason])).toEqual([
    ['g', 'Single', 'LoadBalancerNotKnown'],
    ['c', 'Trapped', 'NotAsked'],
    ['f', 'Single', 'BackendsUnknown'],
  ]);
});

test('50 at most, each with what to do, in the shape of the resource', () => {
  const many = Array.from({ length: 60 }, (_, n) => shop(`s${n}`, { policy: 'PreferDualStack' }));
  const services = statusOf(many);
  expect(services.exceptions).toHaveLength(50);
  expect(services.exceptions?.[0]?.message).toContain('kubectl -n shop label service s0 dualstack.dev/migrate=true');
  const status = { observedGeneration: 1, services };
  expect(clusterStatusSchema(vocabulary).parse(status)).toEqual(status);
});

test('nothing is told of Services that could not be read', () => {
  expect(servicesStatus(clusterFacts({}, { services: unknown('403') }), wantedDual())).toBe(undefined);
});

test('a change that was not taken is told with what was said, so that commands know of it too', () => {
  const asked = shop('web', { labels: { 'dualstack.dev/migrate': 'true' } });
  const refusals = { 'shop/web': { resourceVersion: '100', why: 'could not patch: frozen', isDue: false } };
  const behind = { IPv4: 1, IPv6: 1 };
  const backends = known({ 'shop/web': { slices: behind, endpoints: behind, pods: readyPods(1, behind) } });
  const facts = clusterFacts({ dual: true }, { services: known([asked]), backends, refusals });
  const status = servicesStatus(facts, wantedDual());
  expect(status).toMatchObject({ blocked: 1, pending: 0 });
  expect(status?.exceptions).toMatchObject([
    { name: 'web', reason: 'Refused', refused: { resourceVersion: '100', message: 'could not patch: frozen' } },
  ]);
  expect(refusalsIn(status)).toEqual(refusals);
  expect(refusalsIn(undefined)).toEqual({});
});

test('what packets showed is kept in the shape of the resource, and comes back as it was', () => {
  const packets = servicePackets({
    answered: 3,
    silent: [{ namespace: 'shop', name: 'a', family: 'IPv6' }],
    failedInRow: 1,
  });
  const services = servicesStatus(
    clusterFacts({ dual: true }, { services: known([shop('a')]) }),
    wantedDual(),
    packets,
  );
  clusterStatusSchema(vocabulary).parse({ observedGeneration: 1, services });
  expect(packetsOf(services)).toEqual(packets);
  const told = servicesStatus(clusterFacts({ dual: true }, { services: known([]) }), wantedDual(), {
    ...packets,
    notAsked: 'a quota',
  });
  expect(packetsOf(told)?.notAsked).toBe('a quota');
  expect(packetsOf(statusOf([]))).toBeNull();
});
