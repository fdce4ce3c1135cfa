import { expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/model/object.ts';
import type { ListQuery, PagedReader } from '../../../src/model/reader.ts';
import type { BackendsByService } from '../../../src/model/service.ts';
import { SELECTOR_FIELDS, SLICE_FIELDS, surveyPods } from '../../../src/observe/backends.ts';
import { POD_FIELDS } from '../../../src/observe/workloads.ts';
import { covers, noted } from '../../support/fields.ts';

/** Pages of one object each; a kind that `failing` names cannot be read. */
const pagesOf = (objects: readonly KubeObject[], failing: string | null = null): PagedReader =>
  async function* ({ kind }) {
    for (const object of objects.filter((each) => each.kind === kind)) yield { is: 'Found', value: [object] };
    if (kind === failing) yield { is: 'Unreadable', why: `${kind}s: forbidden` };
  };

async function behind(...objects: readonly KubeObject[]): Promise<BackendsByService> {
  const { backends } = await surveyPods(pagesOf(objects));
  if (!backends.known) throw new Error(backends.why);
  return backends.value;
}

const service = (name: string, selector: object | undefined, namespace = 'shop'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: selector === undefined ? {} : { selector },
});

interface PodShape {
  readonly labels?: Readonly<Record<string, string>>;
  readonly ips?: readonly string[];
  readonly ready?: boolean;
  readonly phase?: string;
  readonly deleted?: boolean;
  readonly namespace?: string;
  readonly hostNetwork?: boolean;
}

const BOTH = ['10.0.0.1', 'fd00::1'];
const WEB = { app: 'web' };

const pod = (name: string, shape: PodShape = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: shape.namespace ?? 'shop',
    labels: shape.labels ?? WEB,
    ...(shape.deleted === true ? { deletionTimestamp: '2026-11-02T00:00:00Z' } : {}),
  },
  spec: { hostNetwork: shape.hostNetwork ?? false },
  status: {
    phase: shape.phase ?? 'Running',
    podIPs: (shape.ips ?? BOTH).map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: (shape.ready ?? true) ? 'True' : 'False' }],
  },
});

const slice = (
  name: string,
  of: string | null,
  addressType: string,
  ready: readonly (boolean | undefined)[],
): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'shop', ...(of === null ? {} : { labels: { 'kubernetes.io/service-name': of } }) },
  addressType,
  endpoints: ready.map((each) => ({ conditions: each === undefined ? {} : { ready: each } })),
});

test('slices and their ready endpoints are counted by address type', async () => {
  const found = await behind(
    service('web', undefined),
    slice('web-1', 'web', 'IPv4', [true, false, undefined]),
    slice('web-2', 'web', 'IPv4', [true]),
    slice('web-3', 'web', 'IPv6', [false]),
    slice('web-4', 'web', 'FQDN', [true]),
    slice('lost', 'gone', 'IPv4', [true]),
    slice('nameless', null, 'IPv4', [true]),
  );
  expect(found).toEqual({
    'shop/web': { slices: { IPv4: 2, IPv6: 1 }, endpoints: { IPv4: 3, IPv6: 0 }, pods: null },
  });
});

test.each<[string, PodShape, { readonly ready: number; readonly IPv6: number }]>([
  ['with both families', {}, { ready: 1, IPv6: 1 }],
  ['with one', { ips: ['10.0.0.1'] }, { ready: 1, IPv6: 0 }],
  ['on the network of its host', { hostNetwork: true }, { ready: 1, IPv6: 1 }],
  ['with more labels', { labels: { ...WEB, tier: 'front' } }, { ready: 1, IPv6: 1 }],
  ['not ready', { ready: false }, { ready: 0, IPv6: 0 }],
  ['that has ended', { phase: 'Succeeded' }, { ready: 0, IPv6: 0 }],
  ['on its way out', { deleted: true }, { ready: 0, IPv6: 0 }],
  ['of another namespace', { namespace: 'other' }, { ready: 0, IPv6: 0 }],
  ['with another value', { labels: { app: 'api' } }, { ready: 0, IPv6: 0 }],
])('a pod %s', async (_, shape, { ready, IPv6 }) => {
  const found = await behind(service('web', WEB), pod('a', shape));
  expect(found['shop/web']?.pods).toMatchObject({ ready, having: { IPv6 } });
});

test('pods that are not ready are counted beside the ready ones, once they have an address', async () => {
  const found = await behind(
    service('web', WEB),
    pod('a', { ready: false, ips: ['10.0.0.1'] }),
    pod('b', { ready: false }),
    pod('c', { ips: ['10.0.0.3'] }),
    pod('pending', { ready: false, ips: [], phase: 'Pending' }),
    pod('ended', { phase: 'Failed', ready: false, ips: ['10.0.0.4'] }),
    pod('leaving', { deleted: true, ips: ['10.0.0.5'] }),
  );
  expect(found['shop/web']?.pods).toEqual({
    ready: 1,
    having: { IPv4: 1, IPv6: 0 },
    addressed: 3,
    lacking: { IPv4: 0, IPv6: 2 },
  });
});

test('every label of a selector counts, and Services may share pods', async () => {
  const found = await behind(
    service('all', WEB),
    service('front', { ...WEB, tier: 'front' }),
    service('front-too', { tier: 'front' }),
    service('web', WEB, 'other'),
    pod('a', { labels: { ...WEB, tier: 'front' } }),
    pod('b', { labels: { ...WEB, tier: 'back' } }),
  );
  expect(Object.entries(found).map(([key, { pods }]) => [key, pods?.ready])).toEqual([
    ['shop/all', 2],
    ['shop/front', 1],
    ['shop/front-too', 1],
    ['other/web', 0],
  ]);
});

test.each([
  ['Service', true],
  ['EndpointSlice', true],
  ['Pod', false],
])('%ss that cannot be read: nothing is concluded, and only pods are needed for workloads', async (kind, workloads) => {
  const survey = await surveyPods(pagesOf([service('web', WEB), pod('a')], kind));
  expect(survey.backends).toEqual({ known: false, why: `${kind}s: forbidden` });
  expect(survey.workloads.known).toBe(workloads);
});

test('nothing is read of an object but the fields that are asked for', async () => {
  const fields: Readonly<Record<string, readonly string[]>> = {
    Service: SELECTOR_FIELDS,
    EndpointSlice: SLICE_FIELDS,
    Pod: POD_FIELDS,
  };
  const reads = new Map<string, Set<string>>();
  const objects = [service('web', WEB), slice('web-1', 'web', 'IPv4', [true]), pod('a')].map((object) => {
    const paths = new Set<string>();
    reads.set(object.kind, paths);
    return noted(object, paths);
  });
  const asked = new Map<string, ListQuery>();
  const pages = pagesOf(objects);
  await surveyPods((query) => {
    asked.set(query.kind, query);
    return pages(query);
  });
  for (const [kind, paths] of reads) {
    expect(asked.get(kind)?.fields).toEqual(fields[kind]);
    expect([...paths].filter((path) => !covers(fields[kind] ?? [], path))).toEqual([]);
  }
});
