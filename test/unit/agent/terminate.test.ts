import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { findProcesses } from '../../../src/agent/procfs.ts';
import type { HostProcess } from '../../../src/agent/procfs.ts';
import { parseSockets } from '../../../src/agent/sockets.ts';
import { makeTerminate } from '../../../src/agent/terminate.ts';
import { TestHost } from '../../support/agent-host.ts';

const UID = '0f5b8ee1b4d3f9ab0c6d7e8f90a1b2c3';
const OWN_PID = 4711;

let host: TestHost;
let target: HostProcess;
let killed: number[];
beforeEach(() => {
  host = new TestHost();
  killed = [];
  host.write('/proc/self/status', `NSpid:\t${OWN_PID}\n`);
  target = findProcesses(host.files, 'kube-apiserver')[0]!;
  host.write(`/proc/${target.pid}/cgroup`, `0::/kubepods/burstable/pod${UID}/abc\n`);
  target = findProcesses(host.files, 'kube-apiserver')[0]!;
});
afterEach(() => host.clear());

const terminate = (kill = (pid: number): void => void killed.push(pid)) =>
  makeTerminate(host.files, OWN_PID, kill)(target, 'kube-apiserver');

test('the very process is signalled', () => {
  expect(terminate()).toEqual({ ok: true, value: undefined });
  expect(killed).toEqual([target.pid]);
});

test.each<[string, () => void]>([
  ['it has ended', () => host.stop('kube-apiserver')],
  [
    'another process has its id',
    () =>
      host.write(
        `/proc/${target.pid}/stat`,
        host.read(`/proc/${target.pid}/stat`).replace(String(target.startTicks), '999999'),
      ),
  ],
  ['another program has its id', () => host.write(`/proc/${target.pid}/comm`, 'etcd\n')],
  [
    'it runs in another pod',
    () => host.write(`/proc/${target.pid}/cgroup`, `0::/kubepods/pod${UID.replace('0', '1')}/abc\n`),
  ],
  [
    'it is a zombie',
    () => host.write(`/proc/${target.pid}/stat`, host.read(`/proc/${target.pid}/stat`).replace(') S ', ') Z ')),
  ],
  ['the agent has process ids of its own', () => host.write('/proc/self/status', `NSpid:\t23941\t${OWN_PID}\n`)],
  ['the agent sees another /proc', () => host.write('/proc/self/status', 'NSpid:\t23941\n')],
  ['the kernel does not tell', () => host.remove('/proc/self/status')],
])('nothing is signalled when %s', (_, change) => {
  change();
  expect(terminate().ok).toBe(false);
  expect(killed).toEqual([]);
});

test('a signal that is not allowed is an error', () => {
  const result = terminate(() => {
    throw new Error('kill EPERM');
  });
  expect(result).toMatchObject({ ok: false, error: expect.stringContaining('kill EPERM') });
});

test('sockets are read as the kernel shows them', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 00000000:192B 00000000:0000 0A 00000000:00000080 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0',
    '   1: 0100007F:192B 0200007F:C350 01 00001F40:00000010 01:00000014 00000000     0        0 2 3 0 20 4 30 10 -1',
    '',
  ].join('\n');
  expect(parseSockets(table)).toEqual([
    { key: '00000000:192B 00000000:0000', localPort: 6443, listens: true, unsent: 0, unread: 128 },
    { key: '0100007F:192B 0200007F:C350', localPort: 6443, listens: false, unsent: 8000, unread: 16 },
  ]);
  const v6 =
    '  sl\n   0: 0000000000000000FFFF00000200007F:192B 0000000000000000FFFF00000100007F:A1B2 01 00000000:00000000 00:0 0 0\n';
  expect(parseSockets(v6)).toMatchObject([{ localPort: 6443, listens: false, unsent: 0 }]);
});
