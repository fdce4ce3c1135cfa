import { expect, test } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { createLogger, type Logger, type LogOptions } from '../../../src/runtime/log.ts';
import { REDACTED } from '../../../src/runtime/redact.ts';

function logger(options: Partial<LogOptions> = {}): { log: Logger; lines: () => string[] } {
  const sink = new PassThrough();
  const log = createLogger({
    level: 'info',
    format: 'json',
    sink,
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5),
    ...options,
  });
  return {
    log,
    lines: () =>
      String(sink.read() ?? '')
        .split('\n')
        .filter((line) => line !== ''),
  };
}
const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl';

test('one JSON object a line, with the fields of all ancestors', () => {
  const { log, lines } = logger();
  log.child({ controller: 'cluster' }).child({ reconcileID: 'r1' }).info('done', { step: 'Pools', ts: 'not mine' });
  log.debug('too quiet to be heard');
  expect(lines().map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      ts: '2026-01-02T03:04:05.000Z',
      level: 'info',
      msg: 'done',
      controller: 'cluster',
      reconcileID: 'r1',
      step: 'Pools',
    },
  ]);
});

test('the level decides what is heard', () => {
  const { log, lines } = logger({ level: 'warn' });
  for (const level of ['error', 'warn', 'info', 'debug'] as const) log[level]('x');
  expect(lines().map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(['error', 'warn']);
});

test('a line for people is short and has no JSON where none is needed', () => {
  const { log, lines } = logger({ format: 'text' });
  log.warn('two words', { node: 'worker-1', count: 2, note: 'with space', list: [1] });
  expect(lines()).toEqual(['03:04:05 WARN  two words node=worker-1 count=2 note="with space" list=[1]']);
});

test.each<[string, unknown]>([
  ['a token by its name', { token: 'hunter2' }],
  ['a token by the end of its name', { nested: { accessToken: 'hunter2', access_token: 'hunter2' } }],
  ['a password', { password: 'hunter2', proxyPassword: 'hunter2' }],
  ['a header', { headers: { Authorization: 'hunter2' } }],
  ['a bearer token in a text', { text: 'sent Bearer hunter2hunter2 to it' }],
  ['a JWT in a text', { text: `it was hunter2 ${JWT}`.replace('hunter2 ', '') }],
  [
    'the contents of a Secret',
    { object: { kind: 'Secret', data: { key: 'hunter2' }, stringData: { other: 'hunter2' } } },
  ],
  ['a key in a list', { users: [{ user: { 'client-key-data': 'hunter2' } }] }],
  ['an error', { error: new Error('Bearer hunter2hunter2', { cause: new Error('Basic hunter2hunter2=') }) }],
  ['a private key', { text: '-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----' }],
])('%s is not logged', (_, fields) => {
  const { log, lines } = logger();
  log.info('x', fields as Record<string, unknown>);
  const [line = ''] = lines();
  expect(line).not.toContain('hunter2');
  expect(line).not.toContain(JWT);
  expect(line).toContain(REDACTED);
});

test('what is no secret stays', () => {
  const { log, lines } = logger();
  const fields = {
    reason: 'TokenReview',
    key: 'kube-system/x',
    tokens: 3,
    object: { kind: 'ConfigMap', data: { a: 'b' } },
    none: null,
    secretName: 'records',
  };
  log.info('Secret kube-system/records was written', fields);
  expect(JSON.parse(lines()[0] ?? '')).toMatchObject({ ...fields, msg: 'Secret kube-system/records was written' });
});

test('an error is logged with its stack, a cycle ends, a bigint is a number', () => {
  const { log, lines } = logger();
  const cycle: Record<string, unknown> = { size: 2n ** 64n };
  cycle['self'] = cycle;
  log.error('x', { error: new TypeError('bad'), cycle });
  const line = JSON.parse(lines()[0] ?? '') as { error: { name: string; stack: string }; cycle: { size: string } };
  expect(line.error).toMatchObject({ name: 'TypeError', message: 'bad' });
  expect(line.error.stack).toContain('log.test.ts');
  expect(line.cycle.size).toBe('18446744073709551616');
});
