import { expect, test } from '@jest/globals';
import { printServices, servicesDocument } from '../../../src/cli/print-services.ts';
import type { ServiceFacts } from '../../../src/model/facts.ts';
import { known } from '../../../src/model/reader.ts';
import { type Backends, serviceKey } from '../../../src/model/service.ts';
import { countServices, isAmong, serviceViews } from '../../../src/services/inventory.ts';
import type { Only } from '../../../src/services/only.ts';
import { clusterFacts, readyPods, serviceFacts, servicePackets, wantedDual } from '../../support/facts.ts';
import { play } from './fake-session.ts';
import { screen, tooLong } from './support.ts';

const shop = (name: string, change: Partial<ServiceFacts> = {}): ServiceFacts =>
  serviceFacts({ namespace: 'shop', name, labels: { 'dualstack.dev/migrate': 'true' }, ...change });

const ALL: readonly ServiceFacts[] = [
  serviceFacts({ namespace: 'default', name: 'kubernetes', selector: false }),
  shop('dual', { families: ['IPv4', 'IPv6'], policy: 'PreferDualStack', clusterIPs: ['10.96.0.7', 'fd00::7'] }),
  shop('edge', { type: 'LoadBalancer', labels: {}, sourceRanges: ['192.0.2.0/24'] }),
  shop('next'),
  shop('quiet', { labels: {} }),
  shop('slow'),
  shop('trapped', { policy: 'PreferDualStack', labels: {} }),
];

const behind = (ready: number, ipv6: number): Backends => ({
  slices: { IPv4: 1, IPv6: 0 },
  endpoints: { IPv4: ready, IPv6: 0 },
  pods: readyPods(ready, { IPv4: ready, IPv6: ipv6 }),
});

const backends = Object.fromEntries(
  ALL.map((each) => [serviceKey(each), each.name === 'slow' ? behind(3, 1) : behind(3, 3)]),
);

function viewsOf(services: readonly ServiceFacts[]) {
  const facts = clusterFacts({ dual: true }, { services: known(services), backends: known(backends) });
  const views = serviceViews(facts, wantedDual());
  if (!views.known) throw new Error(views.why);
  return views.value;
}

const views = viewsOf(ALL);
const WHOLE = { counts: countServices(views), packets: null };

test('those that wait for somebody come first', () => {
  const lines = printServices(views, WHOLE, screen({ wide: true })).split('\n');
  expect(lines.map((line) => line.split(/ {2,}/u).slice(0, 7))).toEqual([
    ['NAMESPACE', 'NAME', 'TYPE', 'POLICY', 'FAMILIES', 'PODS-4/6', 'MIGRATION'],
    ['shop', 'edge', 'LoadBalancer', 'SingleStack', 'IPv4', '3/3', 'LoadBalancerNotKnown'],
    ['shop', 'trapped', 'ClusterIP', 'PreferDualStack', 'IPv4', '3/3', 'NotAsked'],
    ['shop', 'slow', 'ClusterIP', 'SingleStack', 'IPv4', '3/1', 'PodsLackFamily'],
    ['shop', 'next', 'ClusterIP', 'SingleStack', 'IPv4', '3/3', 'Next'],
    ['shop', 'quiet', 'ClusterIP', 'SingleStack', 'IPv4', '3/3', 'NotAsked'],
    ['shop', 'dual', 'ClusterIP', 'PreferDualStack', 'IPv4,IPv6', '3/3', '-'],
    ['default', 'kubernetes', 'ClusterIP', 'SingleStack', 'IPv4', '3/3', 'KubernetesDefault'],
    [''],
  ]);
  expect(lines[1]).toContain('spec.loadBalancerSourceRanges names no IPv6 range');
});

test('below the table: how many, and what stands in the way', () => {
  const text = printServices(views, WHOLE, screen());
  expect(text).toContain('1 of 7 Services dual-stack, 2 pending, 1 blocked, 1 trapped');
  expect(text.replace(/\s+/gu, ' ')).toContain('shop/slow: Too many of its pods have no address');
  expect(text.replace(/\s+/gu, ' ')).toContain('2 of its 3 ready pods have no IPv6 address');
  expect(tooLong(text)).toEqual([]);
});

test('who was asked with packets, and who did not answer', () => {
  const packets = servicePackets({
    asked: 5,
    answered: 3,
    silent: [{ namespace: 'shop', name: 'web', family: 'IPv6' }],
    failedInRow: 1,
  });
  const text = printServices(views, { ...WHOLE, packets }, screen());
  expect(text.replace(/\s+/gu, ' ')).toContain(
    'Those that were changed last: 1 of 4 Services that were asked answer over one family and not over the other: shop/web (IPv6); 1 answer over neither and are not judged; asked from worker-1 and worker-2 at 2026-11-01T00:01:00.000Z.',
  );
  expect(tooLong(text)).toEqual([]);
  const none = printServices(views, { ...WHOLE, packets: { ...packets, notAsked: 'no node is Ready' } }, screen());
  expect(none).toContain('not proven with packets, because no node is Ready.');
});

test.each<[Only, readonly string[]]>([
  ['single', ['edge', 'trapped', 'slow', 'next', 'quiet']],
  ['trapped', ['trapped']],
  ['blocked', ['edge']],
  ['pending', ['slow', 'next']],
])('--only %s', (only, names) => {
  expect(views.filter((view) => isAmong(view, only)).map(({ service }) => service.name)).toEqual(names);
});

test('of a part the counts are those of all', () => {
  const text = printServices(views.slice(0, 1), WHOLE, screen());
  expect(text).toContain('1 of 7 Services dual-stack, 2 pending, 1 blocked, 1 trapped');
  expect(text).not.toContain('slow');
});

test('the document for machines', () => {
  expect(
    servicesDocument(viewsOf([shop('next', { owner: { text: 'label x', watches: false }, appliedBy: ['ci'] })]), WHOLE),
  ).toEqual({
    counts: { total: 7, dualStack: 1, singleStack: 6, trapped: 1, blocked: 1, pending: 2 },
    packets: null,
    services: [
      {
        namespace: 'shop',
        name: 'next',
        type: 'ClusterIP',
        headless: false,
        selector: true,
        ipFamilyPolicy: 'SingleStack',
        ipFamilies: ['IPv4'],
        clusterIPs: ['10.96.0.1'],
        state: 'Single',
        endpointSlices: { IPv4: 1, IPv6: 0 },
        endpoints: { IPv4: 3, IPv6: 0 },
        pods: readyPods(3, { IPv4: 3, IPv6: 3 }),
        owner: 'label x',
        appliedBy: ['ci'],
        migration: 'Migrate',
        reason: null,
        change: { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'] },
        message: 'It is changed in its turn.',
        notes: [
          'label x, applied by ci: set ipFamilyPolicy: PreferDualStack and ipFamilies: [IPv4, IPv6] there as well, or it is lost with the next change that names them.',
        ],
      },
    ],
  });
});

test('a Service that was made after the pods were looked at is not taken for empty', () => {
  const [view] = viewsOf([shop('new')]);
  expect(view).toMatchObject({ backends: { known: false }, verdict: { is: 'Wait', reason: 'BackendsUnknown' } });
});

test('the command lists, and knows what --only takes', async () => {
  expect(await play(['services'])).toMatchObject({ code: 0, out: expect.stringContaining('kube-dns') });
  expect(await play(['services', '--only', 'blocked'])).toMatchObject({ code: 0, out: 'No Service to show.\n' });
  expect(await play(['services', '-o', 'json'])).toMatchObject({ code: 0, out: expect.stringContaining('"counts"') });
  expect(await play(['services', '--only', 'dual'])).toMatchObject({ code: 2 });
});
