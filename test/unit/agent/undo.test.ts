import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { HostFiles } from '../../../src/agent/files.ts';
import { APISERVER, KCM, KUBELET_ENV, TestHost, apiServerManifest, kcmManifest } from '../../support/agent-host.ts';

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.clear());

const DUAL = '10.96.0.0/16,fd00:10:96::/112';
const NODE_IPS = ['192.0.2.1', '2001:db8::1'];
const BROKEN = '10.96.0.0/16,fd00:10:96::/1';

async function breakApiServer(): Promise<void> {
  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': BROKEN } } });
  await host.settle();
  await host.settle();
  expect(host.read(APISERVER)).toBe(apiServerManifest(BROKEN));
  host.stop('kube-apiserver');
  host.apiUp = false;
  host.health['/readyz'] = false;
}

test('a broken flag is undone after 180 s while the API is away, told when it is back, and not tried again', async () => {
  await breakApiServer();
  await host.settle(175);
  expect(host.read(APISERVER)).toBe(apiServerManifest(BROKEN));
  await host.settle(10);
  expect(host.read(APISERVER)).toBe(apiServerManifest());
  host.startFromManifest('kube-apiserver');
  host.health['/readyz'] = true;
  host.apiUp = true;
  await host.settle(2);
  expect(host.condition('RolledBack')).toMatchObject({ status: 'True' });
  expect(host.condition('RolledBack').message).toContain(
    `kube-apiserver with --service-cluster-ip-range=${BROKEN} was undone`,
  );
  expect(host.condition('Applied')).toMatchObject({ status: 'False', reason: 'Refused' });
  await host.settle(600);
  expect(host.read(APISERVER)).toBe(apiServerManifest());

  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } } });
  await host.settle();
  expect(host.read(APISERVER)).toBe(apiServerManifest(DUAL));
  expect(host.condition('RolledBack').status).toBe('False');
});

test('the third crash undoes at once', async () => {
  await breakApiServer();
  for (let crash = 0; crash < 3; crash += 1) {
    expect(host.read(APISERVER)).toBe(apiServerManifest(BROKEN));
    host.startFromManifest('kube-apiserver');
    await host.settle(5);
    host.stop('kube-apiserver');
    await host.settle(5);
  }
  expect(host.read(APISERVER)).toBe(apiServerManifest());
});

/** As the kubelet logs a run of the Pod that it made of the edited manifest. */
function logRun(component: string, restarts: number, line: string, uid = 'new'): void {
  const time = new Date(host.now).toISOString();
  host.write(
    `/var/log/pods/kube-system_${component}-cp-1_${uid}/${component}/${restarts}.log`,
    `${time} stderr F I0101 start\n${time} stderr F ${line}\n`,
  );
}

test('runs too short to be seen are counted by the kubelet’s logs, and their last words are told', async () => {
  logRun('kube-apiserver', 9, 'Error: of long ago', 'old');
  host.elapse(60_000);
  await breakApiServer();
  for (let run = 0; run < 3; run += 1) {
    await host.settle(5);
    expect(host.read(APISERVER)).toBe(apiServerManifest(BROKEN));
    logRun('kube-apiserver', run, `Error: run ${run}: bad range`);
  }
  await host.settle(2);
  expect(host.read(APISERVER)).toBe(apiServerManifest());
  host.apiUp = true;
  await host.settle(2);
  expect(host.condition('RolledBack').message).toContain(
    'exited 3 times within 17 s of the change (last words: Error: run 2: bad range)',
  );
});

const NOT_RENEWED = 'I0101 1 leaderelection.go:304] "Failed to renew lease" err="context deadline exceeded"';

test.each([
  { what: 'only lost its Lease', reason: NOT_RENEWED, lost: 'leaderelection lost', kept: true },
  { what: 'only lost its Lease, since 1.36', reason: NOT_RENEWED, lost: '"leaderelection lost/stopped"', kept: true },
  {
    what: 'gave up as leader',
    reason: 'E0101 1 controllermanager.go:278] "Error building controllers" err="the node CIDR size is too big"',
    lost: '"leaderelection lost/stopped"',
    kept: false,
  },
])('a controller manager that $what: the edit is kept: $kept', async ({ reason, lost, kept }) => {
  host.ask({ staticPods: { 'kube-controller-manager': { 'cluster-cidr': '10.244.0.0/16,fd00:10:244::/56' } } });
  await host.settle();
  await host.settle();
  host.startFromManifest('kube-controller-manager');
  await host.settle(5);
  for (let run = 0; run < 5; run += 1) {
    const time = new Date(host.now).toISOString();
    logRun('kube-controller-manager', run, `${reason}\n${time} stderr F E0101 1 controllermanager.go:413] ${lost}`);
    host.elapse(2000);
    logRun('kube-controller-manager', run + 1, 'I0101 started');
    host.startFromManifest('kube-controller-manager');
    await host.settle(5);
  }
  expect(host.read(KCM)?.includes('fd00:10:244::/56')).toBe(kept);
  expect(JSON.stringify(host.object).includes('node CIDR size is too big')).toBe(!kept);
});

test('a component that was healthy and then crashes as leader is undone too, until the edit is ten minutes old', async () => {
  const changes = { 'cluster-cidr': '10.244.0.0/16,fd00:10:244::/47' };
  for (const undone of [true, false]) {
    host.write(KCM, kcmManifest());
    host.startFromManifest('kube-controller-manager');
    host.ask({ staticPods: { 'kube-controller-manager': changes } });
    await host.settle();
    await host.settle();
    host.startFromManifest('kube-controller-manager');
    await host.settle(5);
    expect(host.condition('Applied').status).toBe('True');
    await host.settle(undone ? 400 : 700);
    for (let crash = 0; crash < 3; crash += 1) {
      host.startFromManifest('kube-controller-manager');
      await host.settle(5);
    }
    expect(host.read(KCM) === kcmManifest()).toBe(undone);
  }
});

test('an agent that is restarted in the middle goes on watching and undoes', async () => {
  await breakApiServer();
  await host.settle(20);
  host.newAgent();
  host.object = null;
  await host.settle(10);
  expect(host.read(APISERVER)).toBe(apiServerManifest(BROKEN));
  await host.settle(170);
  expect(host.read(APISERVER)).toBe(apiServerManifest());
});

test('killed between journal and file: the edit is simply made again', async () => {
  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } } });
  const killed: HostFiles = {
    ...host.files,
    replace: (path, text, mode) => {
      if (path === APISERVER) throw new Error('killed');
      return host.files.replace(path, text, mode);
    },
  };
  host.newAgent(killed);
  await expect(host.settle()).rejects.toThrow('killed');
  expect(host.read('/var/lib/dualstack/state.json')).toContain('"written": false');
  expect(host.read(APISERVER)).toBe(apiServerManifest());
  host.newAgent();
  await host.settle(1);
  expect(host.read(APISERVER)).toBe(apiServerManifest(DUAL));
  host.startFromManifest('kube-apiserver');
  await host.settle(1);
  expect(host.condition('Applied').status).toBe('True');
});

test('killed between putting the old text back and remembering it: it is still refused', async () => {
  await breakApiServer();
  let saves = 0;
  const killed: HostFiles = {
    ...host.files,
    replace: (path, text, mode) => {
      if (path.endsWith('state.json') && host.read(APISERVER) === apiServerManifest() && (saves += 1) > 0)
        throw new Error('killed');
      return host.files.replace(path, text, mode);
    },
  };
  host.newAgent(killed);
  await expect(host.settle(300)).rejects.toThrow('killed');
  expect(host.read(APISERVER)).toBe(apiServerManifest());
  host.newAgent();
  host.apiUp = true;
  await host.settle(1);
  expect(host.condition('RolledBack')).toMatchObject({
    status: 'True',
    message: expect.stringContaining('has not been seen running with the new arguments 300 s after the change'),
  });
  expect(host.read(APISERVER)).toBe(apiServerManifest());
});

test('the time begins when the old process is gone, and a kubelet that never takes the change up does not stretch it for ever', async () => {
  for (const leaves of [true, false]) {
    host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': BROKEN } } });
    await host.settle();
    await host.settle();
    host.health['/readyz'] = false;
    for (let i = 0; i < 10; i += 1) await host.settle(10);
    if (leaves) host.stop('kube-apiserver');
    await host.settle(170);
    expect(host.read(APISERVER)).toBe(apiServerManifest(BROKEN));
    await host.settle(leaves ? 20 : 280);
    expect(host.read(APISERVER)).toBe(apiServerManifest());
    host.startFromManifest('kube-apiserver');
    host.health['/readyz'] = true;
    await host.settle(2);
  }
});

test('an edit that somebody takes out by hand while it is watched is not made again', async () => {
  await breakApiServer();
  await host.settle(5);
  host.write(APISERVER, apiServerManifest());
  host.apiUp = true;
  await host.settle(5);
  expect(host.read(APISERVER)).toBe(apiServerManifest());
  expect(host.condition('RolledBack').message).toContain('taken out by hand');
});

test('a kubelet that does not stay up gets its old address back', async () => {
  const before = host.read(KUBELET_ENV);
  host.onRestart = () => host.startKubelet();
  host.ask({ kubelet: { nodeIPs: NODE_IPS } });
  await host.settle();
  for (let crash = 0; crash < 3; crash += 1) {
    await host.settle(2);
    host.stop('kubelet');
    await host.settle(2);
    host.startKubelet();
  }
  await host.settle(2);
  expect(host.read(KUBELET_ENV)).toBe(before);
  expect(host.restarts).toBe(2);
  expect(host.condition('RolledBack').message).toContain('kubelet with --node-ip=192.0.2.1,2001:db8::1 was undone');
});

test('the stop file means hands off, also for an edit in flight', async () => {
  await breakApiServer();
  host.write('/etc/dualstack/stop', '');
  const journal = host.read('/var/lib/dualstack/state.json');
  await host.settle(400);
  await host.settle(400);
  expect(host.read(APISERVER)).toBe(apiServerManifest(BROKEN));
  expect(host.read('/var/lib/dualstack/state.json')).toBe(journal);
  host.apiUp = true;
  await host.settle();
  expect(host.object?.status).toMatchObject({ stopped: true });
  expect(host.condition('Applied')).toMatchObject({ reason: 'Stopped' });
  expect(host.condition('Applied').message).toContain('kube-apiserver');
  host.remove('/etc/dualstack/stop');
  await host.settle();
  expect(host.read(APISERVER)).toBe(apiServerManifest());
});
