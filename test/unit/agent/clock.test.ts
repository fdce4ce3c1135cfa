import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { APISERVER, KUBELET_ENV, TestHost, apiServerManifest } from '../../support/agent-host.ts';

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.clear());

const WANTED = '10.96.0.0/16,fd00:10:96::/112';
const HOUR_MS = 3_600_000;
const STATE = '/var/lib/dualstack/state.json';

/** An edit of the API server that is being watched, with nothing running. */
async function editAndStop(): Promise<void> {
  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': WANTED } } });
  await host.settle();
  await host.settle();
  host.stop('kube-apiserver');
  host.health['/readyz'] = false;
}

const isUndone = (): boolean => host.read(APISERVER) === apiServerManifest();

test.each([
  ['forward', HOUR_MS],
  ['back', -24 * HOUR_MS],
])('a clock that is set %s neither undoes an edit early nor keeps a bad one', async (_, step) => {
  await editAndStop();
  await host.settle(10);
  host.now += step;
  await host.settle(160);
  expect(isUndone()).toBe(false);
  await host.settle(20);
  expect(isUndone()).toBe(true);
});

test('a good edit survives a clock that is set while its API server starts', async () => {
  await editAndStop();
  await host.settle(5);
  host.now += HOUR_MS;
  host.startFromManifest('kube-apiserver');
  await host.settle(5);
  host.health['/readyz'] = true;
  await host.settle(5);
  expect(host.condition('Applied').status).toBe('True');
  expect(isUndone()).toBe(false);
});

test('crashes count although the clock was set back before they were logged', async () => {
  await editAndStop();
  host.now -= HOUR_MS;
  for (let run = 0; run < 3; run += 1) {
    const time = new Date(host.now).toISOString();
    host.write(
      `/var/log/pods/kube-system_kube-apiserver-cp-1_new/kube-apiserver/${run}.log`,
      `${time} stderr F Error: bad\n`,
    );
    await host.settle(5);
  }
  expect(isUndone()).toBe(true);
});

test('runs of the old pod that were logged with a time to come do not count', async () => {
  for (let run = 0; run < 5; run += 1) {
    const time = new Date(host.now + HOUR_MS).toISOString();
    host.write(
      `/var/log/pods/kube-system_kube-apiserver-cp-1_old/kube-apiserver/${run}.log`,
      `${time} stderr F ended\n`,
    );
  }
  await editAndStop();
  await host.settle(20);
  expect(isUndone()).toBe(false);
});

test('the time goes on while the agent is restarted', async () => {
  await editAndStop();
  await host.settle(100);
  host.elapse(60_000);
  host.newAgent();
  await host.settle();
  expect(isUndone()).toBe(false);
  await host.settle(30);
  expect(isUndone()).toBe(true);
});

test('a boot begins the count anew, and what it ended is no crash', async () => {
  await editAndStop();
  host.startFromManifest('kube-apiserver');
  await host.settle(100);
  host.reboot();
  host.newAgent();
  host.startKubelet();
  host.startFromManifest('kube-apiserver');
  await host.settle();
  await host.settle(170);
  expect(isUndone()).toBe(false);
  const [watch] = (JSON.parse(host.read(STATE)) as { watches: { processes: { excused: boolean; gone: boolean }[] }[] })
    .watches;
  expect(watch?.processes).toMatchObject([
    { gone: true, excused: true },
    { gone: false, excused: false },
  ]);
  await host.settle(20);
  expect(isUndone()).toBe(true);
});

test('a boot is a kubelet restart too', async () => {
  host.ask({ kubelet: { nodeIPs: ['192.0.2.1', '2001:db8::1'] } });
  await host.settle();
  await host.settle();
  expect(host.restarts).toBe(1);
  host.reboot();
  host.newAgent();
  host.startKubelet();
  host.startFromManifest('kube-apiserver');
  host.startFromManifest('kube-controller-manager');
  await host.settle(60);
  await host.settle(60);
  expect(host.read(KUBELET_ENV)).toContain('--node-ip=192.0.2.1,2001:db8::1');
  expect(host.restarts).toBe(1);
  expect(host.condition('Applied').status).toBe('True');
});

test('a journal with times of another kind begins its counts anew', async () => {
  await editAndStop();
  const journal = JSON.parse(host.read(STATE)) as { watches: Record<string, unknown>[] };
  const [watch] = journal.watches;
  delete watch!['logsBefore'];
  Object.assign(watch!, { editedAt: host.now, oldSeenAt: host.now });
  host.write(STATE, JSON.stringify(journal));
  host.newAgent();
  await host.settle(10);
  expect(isUndone()).toBe(false);
  await host.settle(185);
  expect(isUndone()).toBe(true);
});

test('a host that does not tell its time since the boot is not changed', async () => {
  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': WANTED } } });
  host.remove('/proc/uptime');
  expect(await host.pass()).toBe('Busy');
  expect(host.logged.join()).toContain('/proc/uptime');
  expect(isUndone()).toBe(true);
});

test('what came while the agent looked is told apart from what was there at its first look of this boot', async () => {
  const FIRST = '20010db8000000000000000000000001 02 40 00 80 eth0';
  const told = () =>
    host.object?.status as {
      readonly watchingSince: string;
      readonly addresses: readonly { readonly address: string; readonly since: string }[];
    };
  const since = (address: string): number =>
    Date.parse(told().addresses.find((entry) => entry.address === address)?.since ?? '');
  host.ask({});
  await host.settle();
  expect(since('2001:db8::1')).toBe(Date.parse(told().watchingSince));

  host.setIPv6(FIRST, '20010db8000000000000000000000002 02 40 00 80 eth0');
  await host.settle(60);
  const began = told().watchingSince;
  expect(since('2001:db8::2')).toBeGreaterThan(Date.parse(began));
  host.newAgent();
  await host.settle(60);
  expect(told().watchingSince).toBe(began);

  host.reboot();
  host.newAgent();
  host.startKubelet();
  await host.settle(60);
  expect(Date.parse(told().watchingSince)).toBeGreaterThan(Date.parse(began));
  expect(since('2001:db8::2')).toBe(Date.parse(told().watchingSince));
});
