import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { KubeClient } from '../../../src/kube/client.ts';
import { clientReader, snapshotReader } from '../../../src/kube/reader.ts';
import { closedPort, clusterAt, type FakeApi, fakeApi, reply, silentServer, status } from '../../support/fake-api.ts';
import { hastyClock } from '../../support/hasty-clock.ts';

const PATH = '/api/v1/namespaces/here/configmaps';
const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'here', name: 'one' };
const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'here' };
const object = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'one', namespace: 'here' },
  unknownField: { kept: [1, null] },
};

let api: FakeApi;
let client: KubeClient;
beforeEach(async () => {
  api = await fakeApi();
  client = api.cluster(hastyClock(100)).client;
});
afterEach(() => api.close());

const paths = (): string[] => api.requests.map(({ method, path }) => `${method} ${path}`);
/** Answers with each of these in turn, the last one for ever. */
function answers(path: string, ...codes: readonly (readonly [number, unknown, Record<string, string>?])[]): void {
  let next = 0;
  api.route((request, response) => {
    if (request.path !== path) return false;
    const [code, body, headers] = codes[Math.min(next++, codes.length - 1)]!;
    return reply(response, code, body, headers);
  });
}

test('an object comes back whole, also fields that nobody knows', async () => {
  answers(`${PATH}/one`, [200, object]);
  expect(await client.get(ref)).toEqual({ ok: true, value: object });
  expect(api.requests.at(-1)?.headers).toMatchObject({
    authorization: 'Bearer very-secret',
    'user-agent': 'dualstack-operator/1.2.3',
  });
});

test('kinds are looked up once, and again only when one is missing', async () => {
  answers(`${PATH}/one`, [200, object]);
  await client.get(ref);
  await client.get(ref);
  expect(paths().filter((path) => path === 'GET /api/v1')).toHaveLength(1);
  const missing = { apiVersion: 'crd.example.org/v1', kind: 'Pool', name: 'p' };
  expect(await client.get(missing)).toMatchObject({
    ok: false,
    error: { kind: 'NotFound', message: 'the server does not serve Pool of crd.example.org/v1' },
  });
  answers('/apis/crd.example.org/v1', [200, { resources: [{ kind: 'Pool', name: 'pools', namespaced: false }] }]);
  answers('/apis/crd.example.org/v1/pools/p', [200, { ...object, kind: 'Pool' }]);
  expect(await client.get(missing)).toMatchObject({ ok: true });
  expect(await client.serves('crd.example.org/v1', 'Pool')).toEqual({ ok: true, value: true });
  expect(await client.serves('crd.example.org/v1', 'Other')).toEqual({ ok: true, value: false });
});

test('a namespaced object without a namespace is refused before anything is sent for it', async () => {
  expect(await client.get({ apiVersion: 'v1', kind: 'ConfigMap', name: 'one' })).toMatchObject({
    ok: false,
    error: { kind: 'Invalid' },
  });
  expect(paths()).toEqual(['GET /api/v1']);
});

test('a list is read page by page and its items know their kind', async () => {
  api.route((request, response) => {
    if (request.path !== PATH) return false;
    const from = Number(request.query.get('continue') ?? 0);
    const items = [{ metadata: { name: `cm-${from}` } }];
    return reply(response, 200, {
      metadata: { resourceVersion: '7', ...(from < 2 ? { continue: String(from + 1) } : {}) },
      items,
    });
  });
  const listed = await client.list({ ...query, labelSelector: 'a=b,c', fieldSelector: 'metadata.name!=x' });
  expect(listed).toEqual({
    ok: true,
    value: {
      resourceVersion: '7',
      items: [0, 1, 2].map((n) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `cm-${n}` } })),
    },
  });
  expect(api.requests.at(-1)?.query.get('limit')).toBe('500');
  expect(api.requests.at(-1)?.query.get('labelSelector')).toBe('a=b,c');
});

test('a list that expires half-way is begun again, and nothing comes twice', async () => {
  let expired = 0;
  api.route((request, response) => {
    if (request.path !== PATH) return false;
    const second = request.query.has('continue');
    if (second && expired++ < 2) return reply(response, 410, status(410, 'Expired', 'too old'));
    return reply(response, 200, {
      metadata: { resourceVersion: '7', continue: second ? '' : 'x' },
      items: [{ metadata: { name: second ? 'b' : 'a' } }],
    });
  });
  const listed = await client.list(query);
  expect(listed.ok && listed.value.items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
  expect(expired).toBe(3);
});

test('a list that expires for ever ends with Gone', async () => {
  answers(PATH, [410, status(410, 'Expired', 'too old')]);
  expect(await client.list(query)).toMatchObject({ ok: false, error: { kind: 'Gone' } });
});

test('a connection that drops in the middle of a list is tried again', async () => {
  let dropped = false;
  api.route((request, response) => {
    if (request.path !== PATH) return false;
    if (dropped) return reply(response, 200, { metadata: { resourceVersion: '1' }, items: [] });
    dropped = true;
    response.writeHead(200, { 'content-length': '1000' });
    response.write('{"items":[{"meta');
    setTimeout(() => response.destroy(), 10);
    return true;
  });
  expect(await client.list(query)).toMatchObject({ ok: true });
});

test.each([429, 500, 502, 503])('a read is tried again after %i', async (code) => {
  answers(`${PATH}/one`, [code, status(code, '', 'no')], [code, 'no JSON'], [200, object]);
  expect(await client.get(ref)).toMatchObject({ ok: true });
  expect(paths().filter((path) => path.endsWith('/one'))).toHaveLength(3);
});

test('a read is not tried for ever', async () => {
  answers(`${PATH}/one`, [503, status(503, 'ServiceUnavailable', 'away')]);
  expect(await client.get(ref)).toMatchObject({ ok: false, error: { kind: 'ServerError', message: 'away' } });
  expect(paths().filter((path) => path.endsWith('/one'))).toHaveLength(4);
});

test('Retry-After is heeded, and told to the caller when it is long', async () => {
  answers(`${PATH}/one`, [429, status(429, 'TooManyRequests', 'busy'), { 'retry-after': '8' }], [200, object]);
  const started = performance.now();
  expect(await client.get(ref)).toMatchObject({ ok: true });
  // 8 s on a clock that runs 100 times faster.
  expect(performance.now() - started).toBeGreaterThanOrEqual(79);
  answers(`${PATH}/one`, [429, status(429, 'TooManyRequests', 'busy'), { 'retry-after': '600' }], [200, object]);
  expect(await client.get(ref)).toMatchObject({
    ok: false,
    error: { kind: 'TooManyRequests', retryAfterSeconds: 600 },
  });
});

test('a write is tried again after 429 only: a 5xx may have come after it was done', async () => {
  answers(PATH, [429, status(429, 'TooManyRequests', 'busy')], [201, object]);
  expect(await client.create(object)).toMatchObject({ ok: true });
  answers(PATH, [500, status(500, 'InternalError', 'oops')], [201, object]);
  expect(await client.create(object)).toMatchObject({ ok: false, error: { kind: 'ServerError' } });
  expect(paths().filter((path) => path === `POST ${PATH}`)).toHaveLength(3);
});

test('a write whose connection breaks is not sent twice', async () => {
  api.route((request, response) => {
    if (request.method !== 'PATCH') return false;
    response.destroy();
    return true;
  });
  expect(await client.mergePatch(ref, {})).toMatchObject({ ok: false, error: { kind: 'Network' } });
  expect(paths().filter((path) => path.startsWith('PATCH'))).toHaveLength(1);
});

test('a server that is not there is told as Network', async () => {
  const cluster = clusterAt(`http://127.0.0.1:${await closedPort()}`, hastyClock(100));
  try {
    expect(await cluster.client.serverVersion()).toMatchObject({
      ok: false,
      error: { kind: 'Network', notSent: true },
    });
  } finally {
    await cluster.close();
  }
});

test('a server that is not reached is given up sooner, and the write counts as not sent', async () => {
  const silent = await silentServer();
  const clock = hastyClock(100);
  const cluster = clusterAt(silent.url, clock);
  try {
    const began = clock.monotonic();
    expect(await cluster.client.create(object)).toMatchObject({
      ok: false,
      error: { kind: 'Network', notSent: true, message: 'no connection to the server within 10 s' },
    });
    expect(clock.monotonic() - began).toBeLessThan(60_000);
  } finally {
    await cluster.close();
    silent.close();
  }
});

test('a server that never answers, or never ends its answer, is given up', async () => {
  api.route((request, response) => {
    if (request.path === '/version') response.write('{"git');
    return ['/version', '/silent'].includes(request.path);
  });
  expect(await client.serverVersion()).toMatchObject({
    ok: false,
    error: { kind: 'Timeout', message: 'no answer within 30 s' },
  });
  expect(await client.text('/silent')).toMatchObject({ ok: false, error: { kind: 'Timeout' } });
});

test('a caller can stop waiting, also between two attempts', async () => {
  const stop = new AbortController();
  api.route((request) => {
    if (request.path === '/silent') stop.abort();
    return request.path === '/silent';
  });
  expect(await client.text('/silent', { signal: stop.signal })).toMatchObject({
    ok: false,
    error: { kind: 'Cancelled' },
  });
  expect(await client.get(ref, { signal: stop.signal })).toMatchObject({ ok: false });
});

test('apply sends what server-side apply needs', async () => {
  answers(`${PATH}/one/status`, [200, object]);
  await client.apply(object, {
    fieldManager: 'me',
    force: true,
    dryRun: true,
    subresource: 'status',
    fieldValidation: 'Strict',
  });
  const sent = api.requests.at(-1)!;
  expect(sent.method).toBe('PATCH');
  expect(sent.headers['content-type']).toBe('application/apply-patch+yaml');
  expect(Object.fromEntries(sent.query)).toEqual({
    fieldManager: 'me',
    force: 'true',
    dryRun: 'All',
    fieldValidation: 'Strict',
  });
  expect(JSON.parse(sent.body)).toEqual(object);
});

test('delete carries its preconditions', async () => {
  answers(`${PATH}/one`, [200, { kind: 'Status', status: 'Success' }]);
  expect(await client.delete(ref, { uid: 'u', resourceVersion: '5', propagationPolicy: 'Orphan' })).toEqual({
    ok: true,
    value: undefined,
  });
  expect(JSON.parse(api.requests.at(-1)!.body)).toMatchObject({
    preconditions: { uid: 'u', resourceVersion: '5' },
    propagationPolicy: 'Orphan',
  });
});

test('a deletion that is only tried says so where the server looks', async () => {
  answers(`${PATH}/one`, [200, { kind: 'Status', status: 'Success' }]);
  expect(await client.delete(ref, { dryRun: true })).toMatchObject({ ok: true });
  expect(JSON.parse(api.requests.at(-1)!.body)).toMatchObject({ dryRun: ['All'] });
});

test('requests share their connections', async () => {
  answers(`${PATH}/one`, [200, object]);
  for (let n = 0; n < 20; n++) await client.get(ref);
  // A second one may be made when a request follows before the pool has seen the end of the last.
  expect(api.connections).toBeLessThanOrEqual(2);
  await Promise.all(Array.from({ length: 100 }, () => client.get(ref)));
  expect(api.connections).toBeLessThanOrEqual(16);
});

test('an answer that is no JSON, or no object, is an error and not a crash', async () => {
  answers(`${PATH}/one`, [200, '<html>']);
  expect(await client.get(ref)).toMatchObject({ ok: false, error: { message: expect.stringContaining('no JSON') } });
  answers(`${PATH}/one`, [200, { kind: 'ConfigMap' }]);
  expect(await client.get(ref)).toMatchObject({ ok: false, error: { message: 'the answer is no Kubernetes object' } });
});

test('a reader tells missing from unreadable', async () => {
  const reader = clientReader(client);
  answers(`${PATH}/one`, [404, status(404, 'NotFound', 'not there')]);
  expect(await reader.get(ref)).toEqual({ is: 'Missing' });
  answers(`${PATH}/one`, [403, status(403, 'Forbidden', 'no right')]);
  expect(await reader.get(ref)).toMatchObject({ is: 'Unreadable', why: expect.stringContaining('no right') });
  answers(PATH, [200, { metadata: { resourceVersion: '1' }, items: [] }]);
  expect(await reader.list(query)).toEqual({ is: 'Found', value: [] });
  expect(await reader.list({ apiVersion: 'no.such/v1', kind: 'Thing' })).toEqual({ is: 'Missing' });
});

test('within one look at the cluster the same question is asked once', async () => {
  answers(`${PATH}/one`, [200, object], [404, status(404, 'NotFound', 'gone meanwhile')]);
  answers(PATH, [200, { metadata: { resourceVersion: '1' }, items: [] }]);
  const reader = snapshotReader(clientReader(client));
  const [first, second] = await Promise.all([reader.get(ref), reader.get({ ...ref })]);
  expect(second).toBe(first);
  await reader.list(query);
  await reader.list({ ...query });
  expect(paths().filter((path) => path !== 'GET /api/v1')).toEqual([`GET ${PATH}/one`, `GET ${PATH}`]);
});
