import { afterEach, expect, test } from '@jest/globals';
import {
  parseListenAddress,
  startStatusServer,
  type StatusServer,
  type StatusServerOptions,
} from '../../../src/runtime/http.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const open: StatusServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serve(
  options: Partial<StatusServerOptions> = {},
): Promise<(path: string) => Promise<{ status: number; text: string; type: string | null }>> {
  const { registry } = createMetrics(fakeClock());
  const started = await startStatusServer({ listen: '127.0.0.1:0', registry, live: {}, ready: {}, ...options });
  if (!started.ok) throw new Error(started.error);
  open.push(started.value);
  return async (path) => {
    const response = await fetch(`http://127.0.0.1:${started.value.port}${path}`);
    return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
  };
}

test('probes name each check, and what is wrong', async () => {
  let ready: string | undefined = 'the caches are not filled yet';
  const get = await serve({
    live: { ping: () => undefined },
    ready: {
      caches: () => ready,
      broken: () => {
        if (ready !== undefined) throw new Error('cannot tell');
        return undefined;
      },
    },
  });
  expect(await get('/healthz')).toMatchObject({ status: 200, text: '[+]ping ok\nok\n' });
  expect(await get('/readyz')).toMatchObject({
    status: 500,
    text: '[-]caches failed: the caches are not filled yet\n[-]broken failed: Error: cannot tell\ncheck failed\n',
  });
  ready = undefined;
  expect(await get('/readyz?verbose')).toMatchObject({ status: 200, text: '[+]caches ok\n[+]broken ok\nok\n' });
});

test('metrics are served in the format that Prometheus reads', async () => {
  const metrics = createMetrics(fakeClock());
  metrics.controller('cluster', 1);
  const get = await serve({ registry: metrics.registry });
  const answer = await get('/metrics');
  expect(answer).toMatchObject({ status: 200, type: expect.stringMatching(/^text\/plain; version=0\.0\.4/) });
  expect(answer.text).toContain('workqueue_depth');
  expect((await get('/other')).status).toBe(404);
});

test('an address that is taken is told', async () => {
  const { registry } = createMetrics(fakeClock());
  await serve();
  const { port } = open[0]!;
  const second = await startStatusServer({ listen: `127.0.0.1:${port}`, registry, live: {}, ready: {} });
  expect(second).toMatchObject({
    ok: false,
    error: expect.stringMatching(/cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/),
  });
  expect(await startStatusServer({ listen: 'nonsense', registry, live: {}, ready: {} })).toMatchObject({ ok: false });
});

test.each([
  [':8080', { port: 8080 }],
  ['0.0.0.0:8080', { host: '0.0.0.0', port: 8080 }],
  ['[::]:8080', { host: '::', port: 8080 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['8080', undefined],
  ['::1:8080', undefined],
  ['[::1]', undefined],
  ['host:65536', undefined],
  ['host:', undefined],
])('the listen address %s', (text, expected) => {
  expect(parseListenAddress(text)).toEqual(expected);
});
