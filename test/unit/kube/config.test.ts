import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { loadConfig } from '../../../src/kube/config.ts';
import { kubeconfigText } from '../../support/fake-api.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}
const found = (result: Awaited<ReturnType<typeof loadConfig>>): unknown =>
  result.ok
    ? { server: result.value.server, namespace: result.value.namespace, context: result.value.context }
    : result.error;

test('the given file comes first, then KUBECONFIG, then the home folder', async () => {
  const given = file('given', kubeconfigText('https://given'));
  const listed = file('listed', kubeconfigText('https://listed'));
  file('.kube/config', kubeconfigText('https://home'));
  const environment = { KUBECONFIG: listed, HOME: folder };
  expect(found(await loadConfig({ kubeconfig: given }, environment))).toEqual({
    server: 'https://given',
    namespace: 'home',
    context: 'main',
  });
  expect(found(await loadConfig({}, environment))).toMatchObject({ server: 'https://listed' });
  expect(found(await loadConfig({}, { HOME: folder }))).toMatchObject({ server: 'https://home' });
});

test('several files are merged as kubectl does: the first wins, missing ones are passed over', async () => {
  const first = file('first', kubeconfigText('https://first'));
  const second = file(
    'second',
    kubeconfigText('https://second').replaceAll('"main"', '"other"').replaceAll('"fake"', '"fake2"'),
  );
  const environment = { KUBECONFIG: [join(folder, 'absent'), first, second].join(delimiter), HOME: folder };
  expect(found(await loadConfig({}, environment))).toMatchObject({ server: 'https://first', context: 'main' });
  expect(found(await loadConfig({ context: 'other' }, environment))).toMatchObject({ server: 'https://second' });
});

test('another server can be asked for with the same credentials', async () => {
  const loaded = await loadConfig(
    { kubeconfig: file('c', kubeconfigText('https://given')), server: 'https://127.0.0.2:6443' },
    {},
  );
  expect(found(loaded)).toMatchObject({ server: 'https://127.0.0.2:6443' });
});

test.each([
  ['an absent file', () => ({ kubeconfig: join(folder, 'absent') }), /absent does not exist: check --kubeconfig/],
  [
    'a context that is not there',
    () => ({ kubeconfig: file('c', kubeconfigText('https://x')), context: 'nix' }),
    /no context nix \(it has: main, lost\)/,
  ],
  [
    'a context without its cluster',
    () => ({ kubeconfig: file('c', kubeconfigText('https://x')), context: 'lost' }),
    /names cluster nowhere, which the kubeconfig lacks/,
  ],
  ['a file that is no YAML', () => ({ kubeconfig: file('c', '{') }), /cannot be read/],
  ['nothing at all', () => ({}), /no kubeconfig and this is no pod/],
  [
    'a server without TLS',
    () => ({ kubeconfig: file('c', kubeconfigText('http://x').replace('insecure-skip-tls-verify', 'not-this')) }),
    /cluster fake has a server without TLS, http:\/\/x/,
  ],
])('%s is told with what to do', async (_, options, message) => {
  expect(found(await loadConfig(options(), { HOME: folder }))).toMatch(message);
});

test('a KUBECONFIG of which no file exists is not passed over in silence', async () => {
  expect(found(await loadConfig({}, { KUBECONFIG: join(folder, 'absent'), HOME: folder }))).toMatch(
    /no file named in KUBECONFIG exists/,
  );
});

test('a pod without a kubeconfig uses its service account', async () => {
  const at = join(folder, 'account');
  file('account/token', 'first\n');
  file('account/ca.crt', 'a certificate');
  const environment = { KUBERNETES_SERVICE_HOST: 'fd00:10:96::1', KUBERNETES_SERVICE_PORT: '6443', HOME: folder };
  const loaded = await loadConfig({ serviceAccountFolder: at }, environment);
  expect(found(loaded)).toEqual({
    server: 'https://[fd00:10:96::1]:6443',
    namespace: 'default',
    context: 'in-cluster',
  });
  file('account/namespace', 'dualstack-system');
  const again = await loadConfig(
    { serviceAccountFolder: at },
    { ...environment, KUBERNETES_SERVICE_HOST: '10.96.0.1' },
  );
  expect(found(again)).toMatchObject({ server: 'https://10.96.0.1:6443', namespace: 'dualstack-system' });

  const proof = () => (loaded.ok ? loaded.value.credentials.current() : null);
  expect(await proof()).toMatchObject({ headers: { authorization: 'Bearer first' }, proxy: null });
  file('account/token', 'second');
  expect(await proof()).toMatchObject({ headers: { authorization: 'Bearer second' } });
});

test('a proxy of the kubeconfig is used, and only where there is one', async () => {
  const text = kubeconfigText('https://given');
  const proxied = text.replace('"server"', '"proxy-url":"http://127.0.0.1:3128","server"');
  for (const [content, expected] of [
    [text, false],
    [proxied, true],
  ] as const) {
    const loaded = await loadConfig({ kubeconfig: file('c', content) }, {});
    const proof = loaded.ok ? await loaded.value.credentials.current() : null;
    expect(proof?.headers).toEqual({ authorization: 'Bearer very-secret' });
    expect(proof !== null && proof.proxy !== null).toBe(expected);
  }
});
