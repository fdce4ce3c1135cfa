import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { ServiceFacts } from '../../../src/model/facts.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Backends } from '../../../src/model/service.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { answerToPatch } from '../../../src/services/api-server.ts';
import { firstStateText } from '../../../src/services/back.ts';
import { SERVICE_REASONS, type ServiceReason } from '../../../src/services/reasons.ts';
import { judge } from '../../../src/services/rules.ts';
import type { Situation, Verdict } from '../../../src/services/verdict.ts';
import { readyPods, serviceFacts } from '../../support/facts.ts';
import { factsOf, SERVED, shapeText, storedBy } from '../../support/service-shapes.ts';

const ASKED = { 'dualstack.dev/migrate': 'true' };
const NONE = { IPv4: 0, IPv6: 0 };

const web = (change: Partial<ServiceFacts> = {}): ServiceFacts =>
  serviceFacts({ namespace: 'shop', name: 'web', labels: ASKED, ...change });

const podsBehind = (ready: number, ipv6: number): Backends => ({
  slices: { IPv4: 1, IPv6: 0 },
  endpoints: { IPv4: ready, IPv6: 0 },
  pods: readyPods(ready, { IPv4: ready, IPv6: ipv6 }),
});
const slicesBehind = (ipv4: number, ipv6: number): Backends => ({
  slices: { IPv4: 1, IPv6: 1 },
  endpoints: { IPv4: ipv4, IPv6: ipv6 },
  pods: null,
});
const WHOLE = podsBehind(3, 3);
const ONLY_IPV6: Backends = { ...WHOLE, pods: readyPods(3, { IPv4: 0, IPv6: 3 }) };
/** Pods of which none is ready at the moment. */
const unready = (addressed: number, lacking: number): Backends => ({
  ...podsBehind(0, 0),
  pods: { ...readyPods(0, NONE), addressed, lacking: { IPv4: 0, IPv6: lacking } },
});

const SITUATION: Situation = {
  served: known(['IPv4', 'IPv6']),
  wanted: ['IPv4', 'IPv6'],
  migration: 'Selected',
  site: { cloud: null, minor: 36 },
};

const LEFT_OUT = { 'dualstack.dev/migrate': 'false' };
const GIVEN = { 'dualstack.dev/first-state': firstStateText({ policy: 'SingleStack', families: ['IPv4'] }) };

const word = (verdict: Verdict): string => ('reason' in verdict ? `${verdict.is} ${verdict.reason}` : verdict.is);
const judged = (service: ServiceFacts, backends: Backends = WHOLE, change: Partial<Situation> = {}): string =>
  word(judge(service, known(backends), { ...SITUATION, ...change }));

const ARGO = { text: 'label argocd.argoproj.io/instance: shop', watches: true };
const HELM = { text: 'label app.kubernetes.io/managed-by: Helm', watches: false };
const dns = (change: Partial<ServiceFacts> = {}): ServiceFacts =>
  web({ namespace: 'kube-system', name: 'kube-dns', labels: {}, ...change });
const balanced = (change: Partial<ServiceFacts> = {}): ServiceFacts => web({ type: 'LoadBalancer', ...change });

test.each<[string, ServiceFacts, Backends, Partial<Situation>, string]>([
  ['labelled', web(), WHOLE, {}, 'Migrate'],
  ['nobody asked', web({ labels: {} }), WHOLE, {}, 'Could'],
  ['all are asked for', web({ labels: {} }), WHOLE, { migration: 'All' }, 'Migrate'],
  ['none is asked for', web(), WHOLE, { migration: 'None' }, 'Could'],
  ['trapped, and nobody asked', web({ policy: 'PreferDualStack', labels: {} }), WHOLE, {}, 'Could'],
  ['trapped and labelled', web({ policy: 'PreferDualStack' }), WHOLE, {}, 'Migrate'],
  ['left out', web({ labels: { 'dualstack.dev/migrate': 'false' } }), WHOLE, { migration: 'All' }, 'Exempt LeftOut'],
  ['it has both', web({ families: ['IPv6', 'IPv4'] }), WHOLE, {}, 'AsWanted'],
  ['of the API server', web({ namespace: 'default', name: 'kubernetes' }), WHOLE, {}, 'Exempt KubernetesDefault'],
  ['called so elsewhere', web({ name: 'kubernetes' }), WHOLE, {}, 'Migrate'],
  ['a name in DNS', web({ type: 'ExternalName', families: [] }), WHOLE, {}, 'Exempt ExternalName'],
  ['of a proof', web({ labels: { 'dualstack.dev/probe': 'x' } }), WHOLE, { migration: 'All' }, 'Exempt Probe'],
  ['cluster DNS', dns(), WHOLE, {}, 'Wait ClusterDNS'],
  ['cluster DNS with both', dns({ families: ['IPv4', 'IPv6'] }), WHOLE, {}, 'AsWanted'],
  ['cluster DNS on the way back', dns({ families: ['IPv4', 'IPv6'] }), WHOLE, { wanted: ['IPv4'] }, 'Wait ClusterDNS'],
  ['cluster DNS back again', dns(), WHOLE, { wanted: ['IPv4'] }, 'AsWanted'],
  ['one family is served', web(), WHOLE, { served: known(['IPv4']) }, 'Wait ServerSingleStack'],
  ['what is served is not known', web(), WHOLE, { served: unknown('403') }, 'Wait ServedUnknown'],
  ['no pod has the family', web(), podsBehind(3, 0), {}, 'Wait PodsLackFamily'],
  ['one of three lacks it', web(), podsBehind(3, 2), {}, 'Wait PodsLackFamily'],
  ['one of four lacks it', web(), podsBehind(4, 3), {}, 'Migrate'],
  ['two of four lack it', web(), podsBehind(4, 2), {}, 'Wait PodsLackFamily'],
  ['no pod is behind it', web(), podsBehind(0, 0), {}, 'Migrate'],
  ['none is ready, and one lacks it', web(), unready(4, 1), {}, 'Wait PodsLackFamily'],
  ['none is ready, and all have it', web(), unready(4, 0), {}, 'Migrate'],
  ['headless', web({ headless: true, clusterIPs: ['None'] }), podsBehind(3, 0), {}, 'Wait PodsLackFamily'],
  ['endpoints of one family by hand', web({ selector: false }), slicesBehind(2, 0), {}, 'Blocked EndpointsLackFamily'],
  ['endpoints of both by hand', web({ selector: false }), slicesBehind(2, 2), {}, 'Migrate'],
  ['GitOps keeps it', web({ owner: ARGO, labels: {} }), WHOLE, { migration: 'All' }, 'Blocked KeptByOther'],
  ['GitOps keeps it, and it is labelled', web({ owner: ARGO }), WHOLE, {}, 'Migrate'],
  ['Helm made it', web({ owner: HELM, labels: {} }), WHOLE, { migration: 'All' }, 'Migrate'],
  ['an IPv6 Service whose pods have no IPv4', web({ families: ['IPv6'] }), ONLY_IPV6, {}, 'Wait PodsLackFamily'],
  [
    'nobody knows its load balancer',
    balanced({ labels: {} }),
    WHOLE,
    { migration: 'All' },
    'Blocked LoadBalancerNotKnown',
  ],
  ['nobody knows it, and it is labelled', balanced(), WHOLE, {}, 'Migrate'],
  [
    'on AWS, of a class that another controller serves',
    balanced({ loadBalancerClass: 'io.cilium/l2-announcer' }),
    WHOLE,
    { site: { cloud: 'aws', minor: 36 } },
    'Migrate',
  ],
  ['on Google Cloud, and labelled', balanced(), WHOLE, { site: { cloud: 'gcp', minor: 36 } }, 'Migrate'],
  [
    'on Google Cloud',
    balanced({ labels: {} }),
    WHOLE,
    { migration: 'All', site: { cloud: 'gcp', minor: 36 } },
    'Blocked LoadBalancerNotKnown',
  ],
  ['on AWS', balanced(), WHOLE, { site: { cloud: 'aws', minor: 36 } }, 'Blocked LoadBalancerCannot'],
  ['on Hetzner', balanced(), WHOLE, { site: { cloud: 'hetzner', minor: 36 } }, 'Blocked LoadBalancerNeeds'],
  ['a node port on AWS', web({ type: 'NodePort' }), WHOLE, { site: { cloud: 'aws', minor: 36 } }, 'Migrate'],
  ['back, and given by hand', web({ families: ['IPv4', 'IPv6'] }), WHOLE, { wanted: ['IPv4'] }, 'Blocked AskedByHand'],
  [
    'back, and its first family leaves',
    web({ families: ['IPv6'] }),
    WHOLE,
    { wanted: ['IPv4'] },
    'Blocked PrimaryLeaves',
  ],
  ['back, and it has one', web(), WHOLE, { wanted: ['IPv4'] }, 'AsWanted'],
  ['put back by another hand', web({ annotations: GIVEN }), WHOLE, {}, 'Blocked PutBack'],
  [
    'given both, and left out since',
    web({ families: ['IPv4', 'IPv6'], annotations: GIVEN, labels: LEFT_OUT }),
    WHOLE,
    {},
    'Migrate',
  ],
  [
    'given both, and left out when nothing is asked for',
    web({ families: ['IPv4', 'IPv6'], annotations: GIVEN, labels: LEFT_OUT }),
    WHOLE,
    { migration: 'None' },
    'Migrate',
  ],
  [
    'given both, and its label is gone',
    web({ families: ['IPv4', 'IPv6'], annotations: GIVEN, labels: {} }),
    WHOLE,
    {},
    'AsWanted',
  ],
])('%s', (_, service, backends, change, expected) => {
  expect(judged(service, backends, change)).toBe(expected);
});

const remedyOf = (service: ServiceFacts, cloud: 'aws' | null = null): string => {
  const verdict = judge(service, known(WHOLE), { ...SITUATION, site: { cloud, minor: 36 } });
  return verdict.is === 'Blocked' ? verdict.remedy : verdict.is;
};

const patch = (value: object): string => `kubectl -n shop patch service web --type merge -p '${JSON.stringify(value)}'`;

test('MetalLB is asked for both addresses by the write that gives both families, and in one place', () => {
  const annotations = { 'metallb.io/ip-allocated-from-pool': 'p', 'metallb.io/loadBalancerIPs': '192.0.2.1' };
  const spec = { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'] };
  const metadata = { annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.1,IPV6' } };
  expect(remedyOf(balanced({ annotations }))).toContain(patch({ metadata, spec }));
  const inSpec = balanced({
    annotations: { 'metallb.io/ip-allocated-from-pool': 'p' },
    loadBalancerIP: '192.0.2.1',
  });
  expect(remedyOf(inSpec)).toContain(patch({ metadata, spec: { ...spec, loadBalancerIP: null } }));
});

test('of the AWS Load Balancer Controller: a dual-stack load balancer, and the Service as it is', () => {
  const owned = balanced({ loadBalancerClass: 'service.k8s.aws/nlb' });
  expect(remedyOf(owned, 'aws')).toMatch(/^Leave its families as they are, and annotate it \S+=dualstack/u);
});

test('what is not known of pods is waited for', () => {
  expect(judge(web(), unknown('403'), SITUATION)).toMatchObject({ is: 'Wait', reason: 'BackendsUnknown' });
});

test('its own first family stays first, and RequireDualStack is kept', () => {
  const pods = readyPods(1, { IPv4: 1, IPv6: 1 });
  const verdict = judge(web({ families: ['IPv6'] }), known({ ...WHOLE, pods }), SITUATION);
  expect(verdict).toEqual({ is: 'Migrate', change: { policy: 'PreferDualStack', families: ['IPv6', 'IPv4'] } });
  const required = judge(web({ policy: 'RequireDualStack' }), known(WHOLE), SITUATION);
  expect(required).toMatchObject({ change: { policy: 'RequireDualStack' } });
});

test('on the way back only what this program gave is taken away', () => {
  const first = firstStateText({ policy: 'SingleStack', families: ['IPv4'] });
  const service = web({ families: ['IPv4', 'IPv6'], annotations: { 'dualstack.dev/first-state': first } });
  expect(judge(service, known(WHOLE), { ...SITUATION, wanted: ['IPv4'] })).toEqual({
    is: 'Migrate',
    change: { policy: 'SingleStack', families: ['IPv4'] },
  });
});

test('a change that the API server did not take is made once more when the Service is another, or long after', () => {
  const refusals = { 'shop/web': { resourceVersion: '100', why: 'could not patch: no.', isDue: false } };
  expect(judge(web(), known(WHOLE), { ...SITUATION, refusals })).toMatchObject({
    is: 'Blocked',
    reason: 'Refused',
    why: 'could not patch: no.',
  });
  expect(judged(web({ resourceVersion: '101' }), WHOLE, { refusals })).toBe('Migrate');
  expect(judged(web(), WHOLE, { refusals: { 'shop/web': { ...refusals['shop/web'], isDue: true } } })).toBe('Migrate');
  expect(judged(web({ labels: {} }), WHOLE, { refusals })).toBe('Could');
});

test('one that something else writes whole again and again is left alone, whatever its version; its way back is free', () => {
  const refusals = { 'shop/web': { resourceVersion: '1', why: 'no', isDue: false, isContested: true } } as const;
  expect(judged(web(), WHOLE, { refusals })).toBe('Blocked Refused');
  const given = web({ families: ['IPv4', 'IPv6'], annotations: GIVEN, labels: LEFT_OUT });
  expect(judged(given, WHOLE, { refusals })).toBe('Migrate');
});

test('each remedy names the Service', () => {
  for (const service of [balanced({ labels: {} }), web({ owner: ARGO, labels: {} }), web({ families: ['IPv6'] })]) {
    for (const wanted of [['IPv4', 'IPv6'], ['IPv4']] as const) {
      const verdict = judge(service, known(WHOLE), { ...SITUATION, wanted, migration: 'All' });
      if (verdict.is === 'Blocked') expect(verdict.remedy).toContain('web');
    }
  }
});

/** Everything a server can have made, met in every situation. */
const met = fc.constantFrom(...SERVED).chain((made) =>
  fc.record({
    shape: fc.constantFrom(...storedBy(made)),
    served: fc.constantFrom(...SERVED),
    wanted: fc.constantFrom(...SERVED),
    migration: fc.constantFrom('None' as const, 'Selected' as const, 'All' as const),
    label: fc.constantFrom('true', 'false', null),
    cloud: fc.constantFrom('aws' as const, 'hetzner' as const, 'openstack' as const, null),
    owner: fc.constantFrom(ARGO, HELM, null),
    first: fc.constantFrom(firstStateText({ policy: 'SingleStack', families: ['IPv4'] }), 'not JSON', null),
    ready: fc.integer({ min: 0, max: 8 }),
    having: fc.record({ IPv4: fc.integer({ min: 0, max: 8 }), IPv6: fc.integer({ min: 0, max: 8 }) }),
  }),
);

test('in every situation: what is changed is what the API server takes, asked for, and takes the first address from nobody', () => {
  fc.assert(
    fc.property(met, ({ shape, served, wanted, migration, label, cloud, owner, first, ready, having }) => {
      const service = factsOf(shape, {
        labels: label === null ? {} : { 'dualstack.dev/migrate': label },
        annotations: first === null ? {} : { 'dualstack.dev/first-state': first },
        owner,
      });
      const pods = shape.selector ? readyPods(ready, having) : null;
      const backends = known({ slices: NONE, endpoints: having, pods });
      const situation: Situation = { served: known(served), wanted, migration, site: { cloud, minor: 36 } };
      const verdict = judge(service, backends, situation);
      if (verdict.is === 'AsWanted') {
        expect(wanted.length > 1 ? FAMILIES.every((family) => shape.families.includes(family)) : true).toBe(true);
      }
      if (verdict.is !== 'Migrate') return;
      const isUndone = wanted.length < 2 || label === 'false';
      if (!isUndone) {
        expect(migration === 'All' || (migration === 'Selected' && label === 'true')).toBe(true);
        expect(FAMILIES.every((family) => served.includes(family))).toBe(true);
      } else expect(first).toContain('SingleStack');
      const answer = answerToPatch(shape, verdict.change, isUndone ? FAMILIES : served);
      expect({ of: shapeText(shape), answer }).toMatchObject({
        answer: { is: 'Stored', shape: { families: verdict.change.families } },
      });
      expect(verdict.change.families[0]).toBe(shape.families[0]);
    }),
    { numRuns: 5000 },
  );
});

test('every reason is given by some Service', () => {
  const site = { cloud: 'hetzner', minor: 36 } as const;
  const seen = new Set<ServiceReason>(['BackendsUnknown']);
  const note = (service: ServiceFacts, backends = WHOLE, change: Partial<Situation> = {}): void => {
    const verdict = judge(service, known(backends), { ...SITUATION, migration: 'All', ...change });
    if ('reason' in verdict) seen.add(verdict.reason);
  };
  note(web({ namespace: 'default', name: 'kubernetes' }));
  note(web({ type: 'ExternalName' }));
  note(web({ labels: { 'dualstack.dev/probe': '' } }));
  note(web({ labels: { 'dualstack.dev/migrate': 'false' } }));
  note(web({ namespace: 'kube-system', name: 'kube-dns' }));
  note(web(), WHOLE, { served: known(['IPv4']) });
  note(web(), WHOLE, { served: unknown('') });
  note(web(), podsBehind(1, 0));
  note(web({ selector: false }), slicesBehind(1, 0));
  note(web({ owner: ARGO, labels: {} }));
  note(web({ annotations: GIVEN }));
  note(web(), WHOLE, { refusals: { 'shop/web': { resourceVersion: '100', why: 'no', isDue: false } } });
  note(balanced({ labels: {} }));
  const metallb = { 'metallb.io/loadBalancerIPs': '192.0.2.1,2001:db8::1' };
  note(balanced({ families: ['IPv4', 'IPv6'], annotations: { ...GIVEN, ...metallb }, labels: LEFT_OUT }));
  note(balanced(), WHOLE, { site });
  note(balanced(), WHOLE, { site: { ...site, cloud: 'aws' } });
  note(web({ families: ['IPv6'] }), WHOLE, { wanted: ['IPv4'] });
  note(web({ families: ['IPv4', 'IPv6'] }), WHOLE, { wanted: ['IPv4'] });
  expect([...seen].sort()).toEqual(Object.keys(SERVICE_REASONS).sort());
});
