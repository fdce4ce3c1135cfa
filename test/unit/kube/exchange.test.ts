import { once } from 'node:events';
import { Agent as PlainAgent } from 'node:http';
import { Agent, createServer, type Server } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { bodyOf, type Dialling, exchange, type Outgoing, type Response } from '../../../src/kube/exchange.ts';
import { openStream } from '../../../src/kube/stream.ts';
import { type Certificate, selfSigned } from '../../support/certificate.ts';

type Send = (
  outgoing: Outgoing,
  tls: { readonly ca?: string },
  signal: AbortSignal,
  dialling?: Dialling,
) => Promise<Response>;

const nobody: Dialling = { begun: () => {}, done: () => {} };
const ownConnection: Send = (outgoing, tls, signal, dialling = nobody) => openStream(outgoing, tls, signal, dialling);

let agents: (Agent | PlainAgent)[] = [];
const overAgent: Send = (outgoing, tls, signal, dialling = nobody) => {
  const agent = outgoing.url.protocol === 'http:' ? new PlainAgent() : new Agent(tls);
  agents.push(agent);
  return exchange(outgoing, agent, signal, dialling);
};

let certificate: Certificate;
let server: Server;
let closers: (() => void)[] = [];
const sockets = new Set<Socket>();

beforeAll(async () => {
  certificate = await selfSigned('127.0.0.1');
  server = createServer(certificate, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://here');
    switch (pathname) {
      case '/chunked':
        response.writeHead(200, { 'content-type': 'text/plain', 'x-Two': ['a', 'b'] });
        for (let i = 0; i < 200; i += 1) response.write(`${i} `.repeat(i));
        return response.end();
      case '/length':
        return response.end('x'.repeat(Number(searchParams.get('bytes'))));
      case '/empty':
        return response.writeHead(204).end();
      case '/refused':
        return response.writeHead(403, { 'retry-after': '3' }).end('{"kind":"Status"}');
      case '/cut':
        response.writeHead(200, { 'content-length': '100' }).write('half');
        return setImmediate(() => response.destroy());
      case '/endless':
        return void response.write('begun');
      default:
        return response.end(JSON.stringify(request.headers));
    }
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  for (const agent of agents) agent.destroy();
  for (const close of closers) close();
  agents = [];
  closers = [];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const at = (path: string, port = (server.address() as AddressInfo).port): Outgoing => ({
  method: 'GET',
  url: new URL(`https://127.0.0.1:${port}${path}`),
  headers: { accept: 'text/plain', authorization: 'Bearer a b' },
});
const never = new AbortController().signal;

/** A server that says what it is told, byte for byte, and hangs up. */
async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const tcp: TcpServer = createTcpServer(onConnection);
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  closers.push(() => tcp.close());
  return (tcp.address() as AddressInfo).port;
}

describe.each<[string, Send]>([
  ['on a shared connection', overAgent],
  ['on a connection of its own', ownConnection],
])('%s', (_, send) => {
  const ask = (path: string, signal = never): Promise<Response> => send(at(path), { ca: certificate.cert }, signal);

  test('what is asked arrives, and what is answered too', async () => {
    const response = await ask('/headers?a=b');
    expect(response.status).toBe(200);
    const seen = JSON.parse((await bodyOf(response)).toString()) as Record<string, string>;
    expect(seen).toMatchObject({ accept: 'text/plain', authorization: 'Bearer a b', host: at('/').url.host });
  });

  test('bodies of every form are whole', async () => {
    const chunked = await ask('/chunked');
    expect(chunked.header('content-type')).toBe('text/plain');
    const all = Array.from({ length: 200 }, (_each, i) => `${i} `.repeat(i)).join('');
    expect((await bodyOf(chunked)).toString()).toBe(all);
    for (const bytes of [0, 1, 16_384, 3_000_000]) {
      expect((await bodyOf(await ask(`/length?bytes=${bytes}`))).length).toBe(bytes);
    }
    const empty = await ask('/empty');
    expect([empty.status, (await bodyOf(empty)).length]).toEqual([204, 0]);
    const refused = await ask('/refused');
    expect([refused.status, refused.header('retry-after'), (await bodyOf(refused)).toString()]).toEqual([
      403,
      '3',
      '{"kind":"Status"}',
    ]);
  });

  test('a body waits for its reader', async () => {
    const response = await ask('/length?bytes=1000000');
    await new Promise((resolve) => setImmediate(resolve));
    expect((await bodyOf(response)).length).toBe(1_000_000);
  });

  test('a body that is cut off is an error, not a shorter body', async () => {
    const response = await ask('/cut');
    await expect(bodyOf(response)).rejects.toThrow();
  });

  test('a reader that fails ends the connection', async () => {
    const response = await ask('/endless');
    const reading = response.read(() => {
      throw new Error('no use');
    });
    await expect(reading).rejects.toThrow('no use');
    await allGone();
  });

  test('the signal ends it before, while it connects, and while it is read', async () => {
    await expect(ask('/', AbortSignal.abort())).rejects.toThrow('aborted');

    const silent = await listen(() => {});
    const connecting = new AbortController();
    const asked = send(at('/', silent), { ca: certificate.cert }, connecting.signal);
    setImmediate(() => connecting.abort());
    await expect(asked).rejects.toThrow('aborted');

    const reading = new AbortController();
    const response = await ask('/endless', reading.signal);
    const read = response.read(() => reading.abort());
    await expect(read).rejects.toThrow('aborted');
    await allGone();
  });

  test('a server that is not the right one learns nothing', async () => {
    await expect(send(at('/'), {}, never)).rejects.toThrow(/self-signed|certificate/u);
    const other = await selfSigned('127.0.0.9');
    await expect(send(at('/'), { ca: other.cert }, never)).rejects.toThrow(/certificate/u);
  });

  test('it is told how long nothing has been sent', async () => {
    const told: string[] = [];
    const dialling = { begun: () => void told.push('begun'), done: () => void told.push('done') };
    await send(at('/'), { ca: certificate.cert }, never, dialling);
    expect(told).toEqual(['begun', 'done']);
    const silent = await listen(() => {});
    const giveUp = new AbortController();
    const asked = send(at('/', silent), {}, giveUp.signal, { ...dialling, begun: () => giveUp.abort() });
    await expect(asked).rejects.toThrow('aborted');
    expect(told).toHaveLength(2);
  });

  test('nobody there', async () => {
    const port = await listen(() => {});
    for (const close of closers.splice(0)) close();
    await expect(send(at('/', port), {}, never)).rejects.toThrow(/ECONNREFUSED/u);
  });
});

async function allGone(): Promise<void> {
  for (let turn = 0; sockets.size > 0 && turn < 200; turn += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(sockets.size).toBe(0);
}

const TOKEN = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/u);
const chunksOf = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 });
const bytesOf = (chunks: readonly Uint8Array[]): Buffer => Buffer.concat(chunks);

/** Responses as servers may write them; with the body that they carry. */
const responses = fc
  .record({
    status: fc.constantFrom(200, 201, 400, 410, 503),
    fields: fc.array(fc.tuple(TOKEN, fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/u)), { maxLength: 5 }),
    chunks: chunksOf,
    form: fc.constantFrom('chunked', 'extended', 'length', 'close'),
    provisional: fc.boolean(),
    eol: fc.constantFrom('\r\n'),
  })
  .map(({ status, fields, chunks, form, provisional, eol }) => {
    const body = bytesOf(chunks);
    const framing = { chunked: 'Transfer-Encoding: chunked', extended: 'transfer-encoding: Chunked', close: 'x: y' };
    const kept = fields.filter(([name]) => !['content-length', 'transfer-encoding', 'connection', 'x'].includes(name));
    const head = [
      ...(provisional ? ['HTTP/1.1 100 Continue', ''] : []),
      `HTTP/1.1 ${status} Said`,
      ...kept.map(([name, value]) => `${name}: ${value}`),
      form === 'length' ? `Content-Length:${body.length}` : framing[form],
      '',
      '',
    ].join(eol);
    const isChunked = form === 'chunked' || form === 'extended';
    const extension = form === 'extended' ? ';a="b"' : '';
    const framed = isChunked
      ? bytesOf([
          ...chunks.flatMap((chunk) => [
            Buffer.from(`${chunk.length.toString(16)}${extension}${eol}`),
            chunk,
            Buffer.from(eol),
          ]),
          Buffer.from(`0${eol}${form === 'extended' ? `Trailer: x${eol}` : ''}${eol}`),
        ])
      : body;
    return { bytes: bytesOf([Buffer.from(head), framed]), body, status, fields: kept };
  });

interface Seen {
  readonly status: number | null;
  readonly body: string | null;
}

async function seenBy(send: Send, port: number): Promise<Seen> {
  const url = new URL(`http://127.0.0.1:${port}/`);
  let status: number | null = null;
  try {
    const response = await send({ method: 'GET', url, headers: {} }, {}, never);
    status = response.status;
    return { status, body: (await bodyOf(response)).toString('hex') };
  } catch {
    return { status, body: null };
  }
}

/** Sends bytes in pieces that end at the given places, each by itself. */
async function sayInPieces(socket: Socket, bytes: Buffer, cuts: readonly number[]): Promise<void> {
  socket.on('error', () => {});
  socket.setNoDelay(true);
  await once(socket, 'data');
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  let from = 0;
  for (const to of ends) {
    if (to > from) await new Promise((resolve) => socket.write(bytes.subarray(from, to), resolve));
    await new Promise((resolve) => setImmediate(resolve));
    from = to;
  }
  socket.end();
}

test('whatever the pieces, a response is read as Node’s own reader reads it', async () => {
  let saying: { readonly bytes: Buffer; readonly cuts: readonly number[] } = { bytes: Buffer.alloc(0), cuts: [] };
  const port = await listen((socket) => void sayInPieces(socket, saying.bytes, saying.cuts));
  const cuts = fc.array(fc.nat(3_000), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(responses, cuts, async ({ bytes, body, status }, where) => {
      saying = { bytes, cuts: where };
      const expected = { status, body: body.toString('hex') };
      expect(await seenBy(overAgent, port)).toEqual(expected);
      expect(await seenBy(ownConnection, port)).toEqual(expected);
    }),
    { numRuns: 150 },
  );
});

test('a response that is cut short or changed in a byte is never taken for a longer one, and never hangs', async () => {
  let saying: { readonly bytes: Buffer; readonly cuts: readonly number[] } = { bytes: Buffer.alloc(0), cuts: [] };
  const port = await listen((socket) => void sayInPieces(socket, saying.bytes, saying.cuts));
  const change = fc.record({ at: fc.nat(2_000), byte: fc.nat(255), cut: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(responses, change, async ({ bytes, body }, { at: place, byte, cut }) => {
      const spot = place % bytes.length;
      const changed = Buffer.from(cut ? bytes.subarray(0, spot) : bytes);
      if (!cut) changed[spot] = byte;
      saying = { bytes: changed, cuts: [spot] };
      const seen = await seenBy(ownConnection, port);
      if (seen.body !== null && seen.body.length > 2 * body.length) expect(cut).toBe(false);
      // What Node's own reader takes for whole and what this one takes for whole must not differ in content.
      const node = await seenBy(overAgent, port);
      if (seen.body !== null && node.body !== null && seen.status === node.status) expect(seen.body).toBe(node.body);
    }),
    { numRuns: 150 },
  );
});
