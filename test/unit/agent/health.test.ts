import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { makeAskHealth } from '../../../src/agent/health.ts';

let server: Server;
let port: number;
/** Null: never answers. */
let answer: number | null;
let asked: string[];
beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (answer !== null) response.writeHead(answer).end('x');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test.each([
  [200, true],
  [401, true],
  [403, true],
  [500, false],
  [404, false],
  [302, false],
  [null, false],
])('an answer of %s means %s', async (status, healthy) => {
  answer = status;
  const ask = makeAskHealth({ timeoutMs: 200 });
  expect(await ask({ scheme: 'http', host: '127.0.0.1', port, path: '/readyz' })).toBe(healthy);
  expect(asked).toEqual(['/readyz']);
});

test('addresses are mapped, and a missing host is this one', async () => {
  answer = 200;
  const ask = makeAskHealth({ mapAddress: (host) => (host === '192.0.2.1' ? '127.0.0.1' : host) });
  expect(await ask({ scheme: 'http', host: '192.0.2.1', port, path: '/' })).toBe(true);
  expect(await ask({ scheme: 'http', host: '', port, path: '/' })).toBe(true);
});

test('nobody listening is told apart from no answer; plain text where TLS is expected is no answer', async () => {
  answer = 200;
  const ask = makeAskHealth({ timeoutMs: 500 });
  expect(await ask({ scheme: 'https', host: '127.0.0.1', port, path: '/' })).toBe(false);
  await new Promise((resolve) => server.close(resolve));
  expect(await ask({ scheme: 'http', host: '127.0.0.1', port, path: '/' })).toBeNull();
});
