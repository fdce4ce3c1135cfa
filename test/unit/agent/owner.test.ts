import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readHost } from '../../../src/agent/host.ts';
import { noInterfaces } from '../../../src/agent/netfs.ts';
import { APISERVER, TestHost, apiServerManifest } from '../../support/agent-host.ts';

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
  host.stop('kube-apiserver');
  host.stop('kubelet');
});
afterEach(() => host.clear());

const OWN = '0f5b8ee1b4d3f9ab0c6d7e8f90a1b2c3';
const OLD = '9c1f0d2e3b4a5968778695a4b3c2d1e0';
const NESTED = 'aa11bb22cc33dd44ee55ff6677889900';
const HOSTED = '3d8c2d0e-6a51-4f1c-9a55-0c1d2e3f4a5b';
const CONTAINER = '4be1a4ce7f9d0b5a6c3e2d1f00112233445566778899aabbccddeeff00112233';

/** `/proc/<pid>/cgroup` as seen on hosts: both versions, both drivers, from the host's own view and from a container's. */
const CGROUPS = {
  systemd: (uid: string) =>
    `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice/cri-containerd-${CONTAINER}.scope\n`,
  systemdFromContainer: (uid: string) =>
    `0::/../../kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice/cri-containerd-${CONTAINER}.scope\n`,
  cgroupfs: (uid: string) => `0::/kubepods/burstable/pod${uid}/${CONTAINER}\n`,
  version1: (uid: string) =>
    ['12:pids', '11:memory', '10:cpu,cpuacct', '1:name=systemd']
      .map((line) => `${line}:/kubepods/burstable/pod${uid}/${CONTAINER}`)
      .join('\n') + '\n0::/\n',
  version1FromContainer: (uid: string) => `11:memory:/../../pod${uid}/${CONTAINER}\n0::/\n`,
  crio: (uid: string) =>
    `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice/crio-${CONTAINER}.scope/container\n`,
  kind: (uid: string) =>
    `0::/../../../system.slice/docker-${CONTAINER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${uid}.slice/cri-containerd-${CONTAINER}.scope\n`,
  kindVersion1: (uid: string) =>
    `11:memory:/docker/${CONTAINER}/kubelet/kubepods/burstable/pod${uid}/${CONTAINER}\n0::/\n`,
  hidden: () => '0::/\n',
} as const;

interface Seen {
  readonly cgroup: string;
  readonly ids?: number;
  readonly address?: string;
}

/** Starts a process and gives its name in expectations. */
function start({ cgroup, ids = 2, address = '192.0.2.1' }: Seen): number {
  const pid = host.start([
    'kube-apiserver',
    `--advertise-address=${address}`,
    '--secure-port=6443',
    '--service-cluster-ip-range=10.96.0.0/16',
  ]);
  host.write(`/proc/${pid}/cgroup`, cgroup);
  host.write(
    `/proc/${pid}/status`,
    `Name:\tkube-apiserver\nNSpid:\t${[pid, ...Array.from({ length: ids - 1 }, () => 1)].join('\t')}\n`,
  );
  return pid;
}

const log = (uid: string, namespace = 'kube-system', pod = 'kube-apiserver-cp-1'): void =>
  host.write(
    `/var/log/pods/${namespace}_${pod}_${uid}/kube-apiserver/0.log`,
    '2026-01-01T00:00:00Z stderr F started\n',
  );

const look = async () => readHost(host.files, [], () => Promise.resolve(true), noInterfaces);
const own = async (): Promise<readonly number[]> =>
  (await look()).staticPods['kube-apiserver']?.processes.map(({ pid }) => pid) ?? [];
const proven = async (): Promise<readonly number[]> =>
  (await look()).staticPods['kube-apiserver']?.proven.map(({ pid }) => pid) ?? [];

test.each(Object.entries(CGROUPS).filter(([name]) => !['kind', 'kindVersion1', 'hidden'].includes(name)))(
  'a static pod’s process is known by its control group: %s',
  async (_, cgroup) => {
    log(OWN);
    const mine = start({ cgroup: cgroup(OWN) });
    start({ cgroup: CGROUPS.kind(NESTED), ids: 3 });
    start({ cgroup: CGROUPS.kindVersion1(NESTED), ids: 3 });
    start({ cgroup: cgroup(HOSTED) });
    expect(await own()).toEqual([mine]);
    expect(await proven()).toEqual([mine]);
  },
);

test('while a static pod is replaced both of its processes are its own', async () => {
  log(OLD);
  log(OWN);
  const pids = [start({ cgroup: CGROUPS.systemd(OLD) }), start({ cgroup: CGROUPS.systemd(OWN) })];
  start({ cgroup: CGROUPS.kind(NESTED), ids: 3 });
  expect(await own()).toEqual(pids);
});

test('while it crashes, no other control plane’s process is taken for it', async () => {
  log(OWN);
  start({ cgroup: CGROUPS.kind(NESTED), ids: 3 });
  expect(await own()).toEqual([]);
  start({ cgroup: CGROUPS.systemd(HOSTED) });
  expect(await own()).toEqual([]);
});

test('logs of other Pods of that name say nothing', async () => {
  log(HOSTED, 'kube-system', 'kube-apiserver-7d9f-abcde');
  log(NESTED, 'tenant', 'kube-apiserver-0');
  log(OWN);
  start({ cgroup: CGROUPS.systemd(HOSTED) });
  start({ cgroup: CGROUPS.systemd(NESTED) });
  const mine = start({ cgroup: CGROUPS.systemd(OWN) });
  expect(await own()).toEqual([mine]);
  expect((await look()).staticPods['kube-apiserver']?.logs.map(({ uid }) => uid)).toEqual([OWN]);
});

test.each<[string, readonly Seen[], readonly number[] | 'problem']>([
  ['a single one is taken for it', [{ cgroup: CGROUPS.hidden() }], [0]],
  ['none', [], []],
  [
    'one in a node that is a container is not',
    [{ cgroup: CGROUPS.hidden(), ids: 3 }, { cgroup: CGROUPS.hidden() }],
    [1],
  ],
  ['one of a Pod of the API is not', [{ cgroup: CGROUPS.systemd(HOSTED) }, { cgroup: CGROUPS.hidden() }], [1]],
  [
    'of several the one with the manifest’s address',
    [
      { cgroup: CGROUPS.hidden(), address: '198.51.100.7' },
      { cgroup: CGROUPS.hidden() },
      { cgroup: CGROUPS.hidden(), address: '198.51.100.8' },
    ],
    [1],
  ],
  ['both, where one replaces the other', [{ cgroup: CGROUPS.hidden() }, { cgroup: CGROUPS.hidden() }], [0, 1]],
  [
    'none can be told to be it',
    [
      { cgroup: CGROUPS.hidden(), address: '198.51.100.7' },
      { cgroup: CGROUPS.hidden(), address: '198.51.100.8' },
    ],
    'problem',
  ],
])('without logs or control groups: %s', async (_, processes, expected) => {
  const pids = processes.map(start);
  if (expected === 'problem') expect((await look()).problems['kube-apiserver']).toContain('tell them apart');
  else expect(await own()).toEqual(expected.map((index) => pids[index]));
  // Never certain enough to be sent a signal.
  expect(await proven()).toEqual([]);
});

test('a manifest that names another Pod has other logs', async () => {
  host.write(
    APISERVER,
    apiServerManifest().replace('name: kube-apiserver\n  namespace: kube-system', 'name: api\n  namespace: control'),
  );
  log(OLD);
  log(OWN, 'control', 'api-cp-1');
  start({ cgroup: CGROUPS.systemd(OLD) });
  const mine = start({ cgroup: CGROUPS.systemd(OWN) });
  expect(await own()).toEqual([mine]);
});

function startKubelet(cgroup: string, ids: number, ...args: readonly string[]): number {
  const pid = host.start(['/usr/bin/kubelet', '--config=/var/lib/kubelet/config.yaml', ...args]);
  host.write(`/proc/${pid}/cgroup`, cgroup);
  if (ids > 0) host.write(`/proc/${pid}/status`, `NSpid:\t${Array.from({ length: ids }, () => '1').join('\t')}\n`);
  return pid;
}

const UNIT = '0::/system.slice/kubelet.service\n';
const UNIT_FROM_CONTAINER = '0::/../../../../system.slice/kubelet.service\n';
const KIND_UNIT = `0::/system.slice/docker-${CONTAINER}.scope/kubelet.slice/kubelet.service\n`;
const KIND_UNIT_VERSION1 = `5:devices:/docker/${CONTAINER}/system.slice/kubelet.service\n0::/\n`;

test.each<[string, readonly (readonly [string, number])[], number]>([
  ['the only one', [['', 0]], 0],
  [
    'by its namespace of process ids',
    [
      [UNIT, 1],
      [KIND_UNIT, 2],
      [KIND_UNIT_VERSION1, 2],
    ],
    0,
  ],
  [
    'by its control group',
    [
      [UNIT_FROM_CONTAINER, 0],
      [KIND_UNIT, 0],
      [KIND_UNIT_VERSION1, 0],
    ],
    0,
  ],
  [
    'by its unit',
    [
      [UNIT, 1],
      ['0::/user.slice/user-1000.slice/session-3.scope\n', 1],
    ],
    0,
  ],
  [
    'the newest, where nothing tells them apart',
    [
      ['', 0],
      ['', 0],
    ],
    1,
  ],
])('the host’s own kubelet: %s', async (_, processes, expected) => {
  const pids = processes.map(([cgroup, ids]) => startKubelet(cgroup, ids));
  expect((await look()).kubelet.processes.at(-1)?.pid).toBe(pids[expected]);
});
