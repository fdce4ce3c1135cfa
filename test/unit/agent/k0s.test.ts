import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readK0s } from '../../../src/agent/k0s.ts';
import { hostReportSchema } from '../../../src/api/node.ts';
import type { HostReport } from '../../../src/model/host.ts';
import { at } from '../../../src/model/object.ts';
import { TestHost } from '../../support/agent-host.ts';

const FILE = '/etc/k0s/k0s.yaml';
const CONFIG = `# of the data centre in town
apiVersion: k0s.k0sproject.io/v1beta1
kind: ClusterConfig
metadata: {name: k0s}
spec:
  api: {address: 192.0.2.1, sans: [k0s.example.com]}
  network:
    provider: kuberouter
    podCIDR: 10.244.0.0/16
    dualStack:
      enabled: false
  controllerManager:
    extraArgs: {node-cidr-mask-size-ipv6: 117}
`;
const SETTINGS = {
  'spec.api.address': '192.0.2.1',
  'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv6': '117',
  'spec.network.dualStack.enabled': 'false',
  'spec.network.podCIDR': '10.244.0.0/16',
  'spec.network.provider': 'kuberouter',
};

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
  // A k0s host has no manifests of a control plane, and its components are processes of k0s.
  for (const component of ['kube-apiserver', 'kube-controller-manager']) {
    host.stop(component);
    host.remove(`/etc/kubernetes/manifests/${component}.yaml`);
  }
});
afterEach(() => host.clear());

const look = () => readK0s(host.files, () => Promise.resolve(true));

const startComponents = (): void => {
  host.start(['/var/lib/k0s/bin/kube-apiserver', '--service-cluster-ip-range=10.96.0.0/12', '--v=1']);
  host.start(['/var/lib/k0s/bin/kube-controller-manager', '--cluster-cidr=10.244.0.0/16', '--leader-elect=true']);
};

test('a controller is reported with its file, its mode and what it runs, in a form that the API takes', async () => {
  host.write(FILE, CONFIG);
  host.start([
    '/usr/local/bin/k0s',
    'controller',
    '--enable-worker=true',
    '--enable-dynamic-config',
    `--config=${FILE}`,
  ]);
  startComponents();
  host.ask({});
  await host.settle();
  const report = at(host.object?.status, 'k0s') as HostReport['k0s'];
  expect(report).toEqual({
    file: FILE,
    settings: SETTINGS,
    problem: '',
    dynamic: true,
    byHand: 'k0s does not run as k0scontroller.service of systemd',
    healthy: true,
    running: {
      'kube-apiserver': {
        startedAt: expect.stringMatching(/^20.+Z$/u),
        args: { 'service-cluster-ip-range': '10.96.0.0/12' },
      },
      'kube-controller-manager': {
        startedAt: expect.stringMatching(/^20.+Z$/u),
        args: { 'cluster-cidr': '10.244.0.0/16', 'leader-elect': 'true' },
      },
    },
  });
  expect(hostReportSchema.shape.k0s.safeParse(report).success).toBe(true);
});

test('nothing is reported where none runs, and no time of a process is made up', async () => {
  host.ask({});
  await host.settle();
  expect(at(host.object?.status, 'k0s')).toBeUndefined();
});

test.each<[string, readonly string[], string | null]>([
  ['a worker', ['/usr/local/bin/k0s', 'worker', '--token-file=/etc/k0s/token'], null],
  ['another command', ['/usr/local/bin/k0s', 'kubectl', 'get', 'nodes'], null],
  ['a controller with defaults', ['/usr/local/bin/k0s', 'controller'], FILE],
  ['by its older name', ['/usr/local/bin/k0s', 'server'], FILE],
  ['a file in two words', ['/usr/local/bin/k0s', 'controller', '--config', '/srv/k.yaml'], '/srv/k.yaml'],
  ['a file by the short flag', ['/usr/local/bin/k0s', 'controller', '-c', '/srv/k.yaml'], '/srv/k.yaml'],
  ['the last of two files', ['k0s', 'controller', '-c=/srv/a.yaml', '--config=/srv/b.yaml'], '/srv/b.yaml'],
])('%s', async (_name, argv, file) => {
  host.start(argv);
  expect((await look())?.file ?? null).toBe(file);
});

test.each<[string, () => void, string | RegExp]>([
  ['no file: k0s runs with its defaults', () => host.remove(FILE), ''],
  ['no YAML', () => host.write(FILE, 'spec: [unclosed'), /is not YAML/u],
  ['a folder', () => host.write(`${FILE}/x`, ''), /cannot be read/u],
])('a file that says nothing: %s', async (_name, prepare, problem) => {
  prepare();
  host.start(['/usr/local/bin/k0s', 'controller']);
  const view = await look();
  expect(view?.settings).toEqual({});
  if (typeof problem === 'string') expect(view?.problem).toBe(problem);
  else expect(view?.problem).toMatch(problem);
});

test('a configuration from standard input cannot be read again', async () => {
  host.start(['/usr/local/bin/k0s', 'controller', '--config', '-']);
  expect(await look()).toMatchObject({ file: '-', problem: expect.stringContaining('no absolute path') });
});

test('a file in a folder that the agent does not see is not taken for one that says nothing', async () => {
  host.start(['/usr/local/bin/k0s', 'controller', '--config=/srv/k.yaml']);
  expect(await look()).toMatchObject({
    settings: {},
    problem: expect.stringContaining('/srv/k.yaml is not seen'),
  });
  host.write('/srv/k.yaml', CONFIG);
  expect(await look()).toMatchObject({ settings: SETTINGS, problem: '' });
});

test('a controller in a pod is of another cluster', async () => {
  const pid = host.start(['/usr/local/bin/k0s', 'controller']);
  host.write(`/proc/${pid}/cgroup`, '0::/kubepods/pod11111111-2222-3333-4444-555555555555/abc\n');
  expect(await look()).toBeNull();
});
