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
const found = (result: ReturnType<typeof loadConfig>): unknown =>
  result.ok
    ? { server: result.value.server, namespace: result.value.namespace, context: result.value.context }
    : result.error;

test('the given file comes first, then KUBECONFIG, then the home folder', () => {
  const given = file('given', kubeconfigText('https://given'));
  const listed = file('listed', kubeconfigText('https://listed'));
  file('.kube/config', kubeconfigText('https://home'));
  const environment = { KUBECONFIG: listed, HOME: folder };
  expect(found(loadConfig({ kubeconfig: given }, environment))).toEqual({
    server: 'https://given',
    namespace: 'home',
    context: 'main',
  });
  expect(found(loadConfig({}, environment))).toMatchObject({ server: 'https://listed' });
  expect(found(loadConfig({}, { HOME: folder }))).toMatchObject({ server: 'https://home' });
});

test('several files are merged as kubectl does: the first wins, missing ones are passed over', () => {
  const first = file('first', kubeconfigText('https://first'));
  const second = file(
    'second',
    kubeconfigText('https://second').replaceAll('"main"', '"other"').replaceAll('"fake"', '"fake2"'),
  );
  const environment = { KUBECONFIG: [join(folder, 'absent'), first, second].join(delimiter), HOME: folder };
  expect(found(loadConfig({}, environment))).toMatchObject({ server: 'https://first', context: 'main' });
  expect(found(loadConfig({ context: 'other' }, environment))).toMatchObject({ server: 'https://second' });
});

test('another server can be asked for with the same credentials', () => {
  const loaded = loadConfig(
    { kubeconfig: file('c', kubeconfigText('https://given')), server: 'https://127.0.0.2:6443' },
    {},
  );
  expect(found(loaded)).toMatchObject({ server: 'https://127.0.0.2:6443' });
  expect(loaded.ok && loaded.value.config.getCurrentCluster()?.server).toBe('https://127.0.0.2:6443');
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
])('%s is told with what to do', (_, options, message) => {
  expect(found(loadConfig(options(), { HOME: folder }))).toMatch(message);
});

test('a KUBECONFIG of which no file exists is not passed over in silence', () => {
  expect(found(loadConfig({}, { KUBECONFIG: join(folder, 'absent'), HOME: folder }))).toMatch(
    /no file named in KUBECONFIG exists/,
  );
});
