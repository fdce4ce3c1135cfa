import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { BINARIES, buildArguments, REAL_KUBELET_BINARIES, recipe, requiredVersion } from '../../../hack/recipes.mjs';

const TOOLS = join(import.meta.dirname, '../../../hack/tools');
const VERSION = '1.36.3';
const goModOf = (name: string): string => readFileSync(join(TOOLS, recipe(name, VERSION).family, 'go.mod'), 'utf8');
const flagsOf = (name: string): string => {
  const { args } = buildArguments(name, VERSION, goModOf(name));
  return args[args.indexOf('-ldflags') + 1] ?? '';
};

test('what the demo needs stays as small as it is, and real kubelets add to it', () => {
  expect(BINARIES).toEqual([
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'kubeadm',
    'kubectl',
    'etcd',
    'kwok',
  ]);
  expect(REAL_KUBELET_BINARIES.filter((name) => BINARIES.includes(name))).toEqual([]);
});

test.each([...BINARIES, ...REAL_KUBELET_BINARIES])('%s has a module that provides its package', (name) => {
  const { package: target, family } = recipe(name, VERSION);
  if (target.startsWith('.'))
    expect(readdirSync(join(TOOLS, family, target)).some((file) => file.endsWith('.go'))).toBe(true);
  else expect(goModOf(name)).toMatch(new RegExp(`^(tool|\\t)\\s*${target}$`, 'm'));
});

test.each(readdirSync(TOOLS).filter((family) => family.startsWith('kubernetes-')))(
  '%s provides every binary of Kubernetes',
  (family) => {
    const version = family.slice('kubernetes-v'.length);
    const goMod = readFileSync(join(TOOLS, family, 'go.mod'), 'utf8');
    const names = [...BINARIES, ...REAL_KUBELET_BINARIES].filter((name) => recipe(name, version).family === family);
    expect(names).toContain('kubelet');
    for (const name of names) expect(goMod).toContain(`\t${recipe(name, version).package}\n`);
  },
);

test('no binary is built from an unknown name, nor from a property that all objects have', () => {
  expect(() => recipe('kubelett', VERSION)).toThrow(/no binary called kubelett: choose from .*kubelet/);
  expect(() => recipe('constructor', VERSION)).toThrow(/no binary called constructor/);
});

test.each([
  ['kubelet', `k8s.io/component-base/version.gitVersion=v${VERSION}`],
  [
    'containerd',
    `/v2/version.Version=${requiredVersion(goModOf('containerd'), 'github.com/containerd/containerd/v2')}`,
  ],
  [
    'bridge',
    `buildversion.BuildVersion=${requiredVersion(goModOf('bridge'), 'github.com/containernetworking/plugins')}`,
  ],
  ['flannel', `pkg/version.Version=${requiredVersion(goModOf('flannel'), 'github.com/flannel-io/flannel')}`],
])('%s is stamped with its version', (name, stamp) => expect(flagsOf(name)).toContain(stamp));

test('only runc is built with C, and still static', () => {
  const withC = [...BINARIES, ...REAL_KUBELET_BINARIES].filter((name) => recipe(name, VERSION).cgo);
  expect(withC).toEqual(['runc']);
  expect(flagsOf('runc')).toContain('-extldflags -static');
});

test.each([
  ['require (\n\texample.com/a/b v1.0.0\n\texample.com/a v1.2.3 // indirect\n)', 'v1.2.3'],
  ['require example.com/a v0.1.0\n', 'v0.1.0'],
  ['tool example.com/a\nrequire (\n\texample.com/a v2.0.0\n)', 'v2.0.0'],
])('version of a module in %j', (goMod, version) => expect(requiredVersion(goMod, 'example.com/a')).toBe(version));

test('a module that go.mod does not ask for is named', () => {
  expect(() => requiredVersion('require example.com/ab v1.0.0', 'example.com/a')).toThrow(
    /no version of example.com\/a:/,
  );
});
