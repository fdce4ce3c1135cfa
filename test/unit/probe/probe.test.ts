import { createSocket } from 'node:dgram';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTCPServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  decodeResults,
  encodeResults,
  PROBE_FAILURES,
  type ProbeFailure,
  type ProbeResult,
  type ProbeTask,
} from '../../../src/model/probe.ts';
import { runOrder } from '../../../src/probe/program.ts';
import { clusterDomain, runTasks } from '../../../src/probe/run.ts';
import { type ProbeServer, serveProbe } from '../../../src/probe/serve.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

let server: ProbeServer;
let folder: string;
const closing: (() => void)[] = [];
let ids = 0;
const deps = { clock: systemClock, newId: () => `n${(ids += 1)}`, domain: 'cluster.local' };

beforeAll(async () => {
  const started = await serveProbe(0, { node: 'node-1', pod: 'server-1' });
  if (!started.ok) throw new Error(started.error);
  server = started.value;
  folder = await mkdtemp(join(tmpdir(), 'probe-'));
});
afterAll(async () => {
  await server.close();
  for (const close of closing) close();
  await rm(folder, { recursive: true });
});

/** Plenty of time for what answers, and little for what does not. */
const attempt = async (task: ProbeTask, timeout = 10_000): Promise<ProbeResult> => {
  const [result] = await runTasks({ timeout, deadline: 0, tasks: [task] }, deps);
  if (result === undefined) throw new Error('no result');
  return result;
};
const http = (address: string, port = server.port, node?: string): ProbeTask => ({
  do: 'http',
  address,
  port,
  ...(node === undefined ? {} : { node }),
});

test.each(['127.0.0.1', '::1'])(
  'TCP: who listens at %s is connected to and sent nothing, who does not refuses',
  async (address) => {
    let received = 0;
    const listener = createTCPServer((socket) => socket.on('data', () => (received += 1)).on('error', () => undefined));
    await new Promise<void>((resolve) => listener.listen({ host: address, port: 0 }, resolve));
    const { port } = listener.address() as AddressInfo;
    expect(await attempt({ do: 'tcp', address, port })).toMatchObject({ ok: true, microseconds: expect.any(Number) });
    await new Promise((resolve) => listener.close(resolve));
    expect(received).toBe(0);
    expect(await attempt({ do: 'tcp', address, port })).toEqual({ ok: false, failure: 'Refused' });
  },
);

describe('HTTP', () => {
  test.each(['127.0.0.1', '::1'])('the server answers at %s', async (address) => {
    expect(await attempt(http(address))).toMatchObject({ ok: true, microseconds: expect.any(Number) });
    const host = address.includes(':') ? `[${address}]` : address;
    const answer = await fetch(`http://${host}:${server.port}/?nonce=abc`, { method: 'POST', body: 'xyz' });
    expect(await answer.json()).toEqual({
      node: 'node-1',
      pod: 'server-1',
      nonce: 'abc',
      client: address,
      local: address,
      received: 3,
      padding: 'xxx',
    });
  });

  test('an answer of another node is none', async () => {
    expect(await attempt(http('::1', server.port, 'node-1'))).toMatchObject({ ok: true });
    expect(await attempt(http('::1', server.port, 'node-2'))).toEqual({ ok: false, failure: 'WrongAnswer' });
  });

  test('an answer of another program is none', async () => {
    const other = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    closing.push(() => other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    expect(await attempt(http('127.0.0.1', (other.address() as AddressInfo).port))).toEqual({
      ok: false,
      failure: 'WrongAnswer',
    });
  });

  test('nobody listens', async () => {
    const { port } = await new Promise<AddressInfo>((resolve) => {
      const gone = createTCPServer().listen(0, '127.0.0.1', () => {
        const address = gone.address() as AddressInfo;
        gone.close(() => resolve(address));
      });
    });
    expect(await attempt(http('127.0.0.1', port))).toEqual({ ok: false, failure: 'Refused' });
  });

  test('somebody who never answers', async () => {
    const mute = createTCPServer(() => {}).listen(0, '::1');
    closing.push(() => mute.close());
    await new Promise((resolve) => mute.once('listening', resolve));
    expect(await attempt(http('::1', (mute.address() as AddressInfo).port), 200)).toEqual({
      ok: false,
      failure: 'Timeout',
    });
  });

  test.each([
    ['of one node', 'node-1', { ok: false, failure: 'LargeLost' }],
    ['of whichever node, where that says nothing', undefined, { ok: true }],
  ] as const)('large requests to a server %s are lost', async (_case, node, expected) => {
    const narrow = createServer((request, response) => {
      if (request.method === 'POST') return;
      const nonce = new URL(request.url ?? '/', 'http://x').searchParams.get('nonce');
      response.end(JSON.stringify({ node: 'node-1', nonce, received: 0, padding: '' }));
    }).listen(0, '127.0.0.1');
    closing.push(() => narrow.close());
    await new Promise((resolve) => narrow.once('listening', resolve));
    const { port } = narrow.address() as AddressInfo;
    expect(await attempt(http('127.0.0.1', port, node), 1000)).toMatchObject(expected);
  });

  test('what fails at first is tried again until the deadline', async () => {
    const port = await new Promise<number>((resolve) => {
      const gone = createTCPServer().listen(0, '127.0.0.1', () => {
        const { port: free } = gone.address() as AddressInfo;
        gone.close(() => resolve(free));
      });
    });
    const running = runTasks({ timeout: 10_000, deadline: 20_000, tasks: [http('127.0.0.1', port)] }, deps);
    const late = await serveProbe(port, { node: 'late', pod: 'late' });
    if (!late.ok) throw new Error(late.error);
    closing.push(() => void late.value.close());
    expect(await running).toMatchObject([{ ok: true }]);
  });
});

/** A server that answers every question with this code and no records. */
async function nameServer(code: number): Promise<string> {
  const socket = createSocket('udp6');
  socket.on('message', (query, from) => {
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8180 | code, 2);
    answer.writeUInt16BE(0, 10);
    // Only the question is repeated.
    const end = query.indexOf(0, 12) + 5;
    socket.send(answer.subarray(0, end), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '::1', resolve));
  closing.push(() => socket.close());
  return `[::1]:${socket.address().port}`;
}
const ask = (address: string): ProbeTask => ({
  do: 'dns',
  server: address,
  name: 'a.b.svc',
  type: 'AAAA',
  expect: ['fd00::1'],
});

describe('DNS', () => {
  test.each<[string, number, ProbeFailure]>([
    ['has no such record', 0, 'NoRecord'],
    ['knows no such name', 3, 'NoRecord'],
    ['fails', 2, 'ServerError'],
    ['refuses', 5, 'ServerError'],
  ])('a server that %s', async (_case, code, failure) => {
    expect(await attempt(ask(await nameServer(code)))).toEqual({ ok: false, failure });
  });

  test.each([
    ['search dualstack-system.svc.example.org svc.example.org example.org\nnameserver 10.96.0.10', 'example.org'],
    ['nameserver 10.96.0.10\nsearch a.svc.cluster.local. lan', 'cluster.local'],
    ['search lan', 'cluster.local'],
    ['', 'cluster.local'],
  ])('the domain of the cluster in %j', (text, domain) => {
    expect(clusterDomain(text)).toBe(domain);
  });
});

describe('results', () => {
  const result: fc.Arbitrary<ProbeResult> = fc.oneof(
    fc.record({ ok: fc.constant(true as const), microseconds: fc.nat({ max: 10_000_000 }) }),
    fc.record({
      ok: fc.constant(false as const),
      failure: fc.constantFrom(...(Object.keys(PROBE_FAILURES) as ProbeFailure[])),
    }),
  );

  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(result), (results) => {
        expect(decodeResults(encodeResults(results), results.length)).toEqual(results);
      }),
    );
  });

  test('that were cut off, or are of something else, are none', () => {
    const text = encodeResults([
      { ok: true, microseconds: 46_655 },
      { ok: false, failure: 'Timeout' },
    ]);
    for (let length = 0; length < text.length; length += 1) expect(decodeResults(text.slice(0, length), 2)).toBeNull();
    expect(decodeResults(text, 3)).toBeNull();
    expect(decodeResults('Error: out of memory', 1)).toBeNull();
    expect(decodeResults('1:!?', 1)).toBeNull();
  });

  test('of the largest plan fit into a termination message', () => {
    const slowest: ProbeResult = { ok: true, microseconds: 3_000_000 };
    expect(encodeResults(Array.from({ length: 2 * (20 + 1 + 20 + 4) }, () => slowest)).length).toBeLessThan(4096);
  });

  test('are left for the kubelet and told in one line', async () => {
    const files = { resolvConf: join(folder, 'resolv.conf'), terminationLog: join(folder, 'termination-log') };
    await writeFile(files.terminationLog, '');
    const order = { timeout: 10_000, deadline: 0, tasks: [http('::1'), http('127.0.0.1', server.port, 'node-2')] };
    const line = await runOrder({ PROBE_ORDER: JSON.stringify(order), NODE_NAME: 'node-9' }, deps, files);
    expect(line.ok && JSON.parse(line.value)).toMatchObject({
      node: 'node-9',
      passed: 1,
      results: [{ ok: true }, { failure: 'WrongAnswer' }],
    });
    expect(decodeResults(await readFile(files.terminationLog, 'utf8'), 2)).toMatchObject([
      { ok: true },
      { failure: 'WrongAnswer' },
    ]);
  });

  test.each([undefined, '', 'x', '{}', '{"timeout":1,"deadline":1}'])('an order that is none: %j', async (text) => {
    expect(await runOrder({ PROBE_ORDER: text }, deps)).toMatchObject({
      ok: false,
      error: expect.stringContaining('PROBE_ORDER'),
    });
  });
});
